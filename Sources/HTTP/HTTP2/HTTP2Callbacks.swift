import CNghttp2

/// The session that nghttp2 was given when it was made.
private func session(_ userData: UnsafeMutableRawPointer?) -> HTTP2Session? {
  userData.map { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
}

/// The functions that nghttp2 calls.
enum HTTP2Callbacks {
  static func withCallbacks(_ body: (OpaquePointer?) -> Int32) -> Int32 {
    var callbacks: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0 else { return NGHTTP2_ERR_NOMEM.rawValue }
    defer { nghttp2_session_callbacks_del(callbacks) }
    setHeadCallbacks(callbacks)
    setStreamCallbacks(callbacks)
    return body(callbacks)
  }

  private static func setHeadCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, userData in
      guard let frame, frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST else { return 0 }
      session(userData)?.headBegan(frame.pointee.hd.stream_id)
      return 0
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, frame, name, nameLength, value, valueLength, _, userData in
      guard let frame, let owner = session(userData) else { return 0 }
      let isAccepted = owner.fieldArrived(
        frame.pointee.hd.stream_id, UnsafeBufferPointer(start: name, count: nameLength),
        UnsafeBufferPointer(start: value, count: valueLength))
      return isAccepted ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue
    }
  }

  private static func setStreamCallbacks(_ callbacks: OpaquePointer?) {
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, userData in
      guard let frame, let owner = session(userData) else { return 0 }
      let header = frame.pointee.hd
      guard owner.frameArrived(header) else { return NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }
      let endsStream = header.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) != 0
      switch UInt32(header.type) {
      case NGHTTP2_HEADERS.rawValue:
        owner.headEnded(header.stream_id, endsStream: endsStream)
        if endsStream { owner.inputEnded(header.stream_id) }
      case NGHTTP2_DATA.rawValue: if endsStream { owner.inputEnded(header.stream_id) }
      default: break
      }
      return 0
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, bytes, count, userData in
      session(userData)?.dataArrived(id, UnsafeRawBufferPointer(start: bytes, count: count))
      return 0
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, userData in
      session(userData)?.streamClosed(id, code)
      return 0
    }
  }

  /// Where nghttp2 finds the body of a response.
  static func provider(for stream: HTTP2Stream) -> nghttp2_data_provider {
    // The stream outlives its provider: it is removed when nghttp2 has closed it.
    nghttp2_data_provider(source: nghttp2_data_source(ptr: Unmanaged.passUnretained(stream).toOpaque())) {
      _, _, buffer, length, flags, source, userData in
      guard let pointer = source?.pointee.ptr, let buffer, let owner = session(userData) else {
        return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)
      }
      let stream = Unmanaged<HTTP2Stream>.fromOpaque(pointer).takeUnretainedValue()
      let taken = stream.take(into: UnsafeMutableRawPointer(buffer), room: length)
      if stream.hasOutputEnded, stream.waitingBytes == 0 {
        flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue
      } else if taken == 0 {
        stream.isDeferred = true
        return Int(NGHTTP2_ERR_DEFERRED.rawValue)
      }
      owner.outputTaken(stream)
      return taken
    }
  }
}
