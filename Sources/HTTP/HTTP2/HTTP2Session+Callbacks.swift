import CNghttp2

extension HTTP2Session {
  /// The functions that nghttp2 calls, the same for all sessions.
  nonisolated(unsafe) static let callbacks: OpaquePointer? = {
    var callbacks: OpaquePointer?
    guard nghttp2_session_callbacks_new(&callbacks) == 0 else { preconditionFailure("no memory for HTTP/2") }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, frame, context in
      guard let frame, let session = session(context) else { return failure }
      return session.beganHead(frame.pointee.hd.stream_id, isRequest: frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST)
    }
    nghttp2_session_callbacks_set_on_header_callback(callbacks) {
      _, frame, name, nameLength, value, valueLength, _, context in
      guard let frame, let session = session(context) else { return failure }
      return session.receivedField(
        frame.pointee.hd.stream_id, UnsafeRawBufferPointer(start: name, count: nameLength),
        UnsafeRawBufferPointer(start: value, count: valueLength))
    }
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, id, data, count, context in
      guard let session = session(context) else { return failure }
      return session.receivedData(id, UnsafeRawBufferPointer(start: data, count: count))
    }
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, context in
      guard let frame, let session = session(context) else { return failure }
      return session.received(frame)
    }
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks) { _, frame, _, context in
      guard let frame, let session = session(context) else { return failure }
      return session.receivedInvalid(frame.pointee.hd.stream_id)
    }
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks) { _, frame, context in
      guard let frame, let session = session(context) else { return failure }
      return session.sent(frame)
    }
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks) { _, frame, reason, context in
      guard let frame, let session = session(context) else { return failure }
      return session.notSent(frame, reason)
    }
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, id, code, context in
      guard let session = session(context) else { return failure }
      return session.closedStream(id, code)
    }
    return callbacks
  }()

  private static func session(_ context: UnsafeMutableRawPointer?) -> HTTP2Session? {
    context.map { Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
  }

  private static var failure: Int32 { NGHTTP2_ERR_CALLBACK_FAILURE.rawValue }

  private static func kind(_ header: nghttp2_frame_hd) -> HTTP2FrameHeader.Kind {
    HTTP2FrameHeader.Kind(rawValue: header.type)
  }

  /// What a callback that is called while bytes are received returns: an error if the connection must end.
  private var verdict: Int32 { violation == nil ? 0 : Self.failure }

  // MARK: - Heads

  private func beganHead(_ id: Int32, isRequest: Bool) -> Int32 {
    guard isRequest else { return verdict }
    streams.insert(HTTP2Stream(), id)
    // Without a wish of the client, streams take turns; nghttp2 would send one after the other.
    var priority = nghttp2_extpri(urgency: UInt32(NGHTTP2_EXTPRI_DEFAULT_URGENCY), inc: 1)
    check(nghttp2_session_change_extpri_stream_priority(nghttp2, id, &priority, 0))
    return verdict
  }

  private func receivedField(_ id: Int32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Int32 {
    guard let stream = streams[id] else { return verdict }
    stream.section.add(name, value, settings)
    // A few bytes can stand for megabytes; the rest is not even looked at.
    if stream.section.size > settings.unbearableHeadBytes { violation = .unbearableHead }
    return verdict
  }

  private func completedHead(_ id: Int32, _ stream: HTTP2Stream, endsStream: Bool) {
    stream.hasHead = true
    stream.isHead = stream.section.isHead
    frames.creditRequest()
    do throws(HTTP2FieldSection.Refusal) {
      let head = try stream.section.requestHead(endsStream: endsStream, settings)
      stream.section = HTTP2FieldSection()
      stream.isBegun = true
      delegate?.session(self, stream: id, began: head)
    } catch {
      stream.section = HTTP2FieldSection()
      delegate?.session(self, stream: id, refused: error.status)
      // Also where nobody answers.
      if !stream.hasResponded { reset(id, code: HTTP2ErrorCode.refusedStream) }
    }
  }

  // MARK: - Frames received

  private func received(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let header = frame.pointee.hd
    let endsStream = header.flags & HTTP2FrameHeader.endStream != 0
    switch Self.kind(header) {
    case .headers:
      guard let stream = streams[header.stream_id] else { break }
      if endsStream { stream.isRemoteEnded = true }
      if !stream.hasHead {
        completedHead(header.stream_id, stream, endsStream: endsStream)
      } else {
        completedTrailers(header.stream_id, stream)
      }
    case .data:
      guard endsStream, let stream = streams[header.stream_id] else { break }
      stream.isRemoteEnded = true
      if stream.isBegun { delegate?.session(self, streamEnded: header.stream_id, trailers: HTTPFields()) }
    case .ping:
      let isAnswer = header.flags & HTTP2FrameHeader.endStream != 0
      if isAnswer, shutdown == .announced, isShutdownPing(frame) { refuseNewStreams() }
    default: break
    }
    return verdict
  }

  private func isShutdownPing(_ frame: UnsafePointer<nghttp2_frame>) -> Bool {
    withUnsafeBytes(of: frame.pointee.ping.opaque_data) { $0.elementsEqual(Self.shutdownPing) }
  }

  private func completedTrailers(_ id: Int32, _ stream: HTTP2Stream) {
    if stream.section.isTooLarge {
      check(nghttp2_submit_rst_stream(nghttp2, flag(NGHTTP2_FLAG_NONE), id, HTTP2ErrorCode.enhanceYourCalm))
    } else if stream.isBegun {
      delegate?.session(self, streamEnded: id, trailers: stream.section.trailers)
    }
    stream.section = HTTP2FieldSection()
  }

  private func receivedData(_ id: Int32, _ data: UnsafeRawBufferPointer) -> Int32 {
    guard let stream = streams[id], stream.isBegun else {
      check(nghttp2_session_consume_connection(nghttp2, data.count))
      return verdict
    }
    stream.unconsumed += data.count
    delegate?.session(self, stream: id, received: data)
    return verdict
  }

  /// nghttp2 resets the stream, or has refused to open it.
  private func receivedInvalid(_ id: Int32) -> Int32 {
    streams[id]?.isResetSettled = true
    chargeReset()
    return verdict
  }

  private func chargeReset() {
    do throws(HTTP2Error) { try frames.chargeReset(at: now()) } catch { violation = error }
  }

  // MARK: - Frames sent

  private func sent(_ frame: UnsafePointer<nghttp2_frame>) -> Int32 {
    let header = frame.pointee.hd
    switch Self.kind(header) {
    case .data:
      sentData(header.length)
      if header.flags & HTTP2FrameHeader.endStream != 0 { endedResponse(header.stream_id) }
    case .headers:
      if header.flags & HTTP2FrameHeader.endStream != 0 { endedResponse(header.stream_id) }
    case .rstStream:
      // Among them what the peer can provoke without a frame that is invalid in itself (CVE-2025-8671).
      if let stream = streams[header.stream_id], !stream.isResetSettled { chargeReset() }
    case .goAway: sentGoAway(frame.pointee.goaway.error_code)
    default: break
    }
    return 0
  }

  /// A client need not send the rest of a body that nobody waits for (RFC 9113 §8.1).
  private func endedResponse(_ id: Int32) {
    guard let stream = streams[id] else { return }
    stream.isLocalEnded = true
    if stream.isRemoteEnded { return }
    stream.isResetSettled = true
    check(nghttp2_submit_rst_stream(nghttp2, flag(NGHTTP2_FLAG_NONE), id, HTTP2ErrorCode.noError))
  }

  private func notSent(_ frame: UnsafePointer<nghttp2_frame>, _ reason: Int32) -> Int32 {
    // Fields that are too large to be sent; a stream that is closing gets no head either, but ends anyway.
    let isOurs =
      reason != NGHTTP2_ERR_STREAM_CLOSED.rawValue && reason != NGHTTP2_ERR_STREAM_CLOSING.rawValue
      && reason != NGHTTP2_ERR_SESSION_CLOSING.rawValue
    if Self.kind(frame.pointee.hd) == .headers, isOurs {
      reset(frame.pointee.hd.stream_id, code: HTTP2ErrorCode.internalError)
    }
    return 0
  }

  private func closedStream(_ id: Int32, _ code: UInt32) -> Int32 {
    guard let stream = streams.remove(id) else { return 0 }
    if stream.unconsumed > 0 { check(nghttp2_session_consume_connection(nghttp2, stream.unconsumed)) }
    let isComplete = stream.isLocalEnded && code == HTTP2ErrorCode.noError
    if isComplete { frames.creditCompletion() }
    guard stream.isBegun else { return 0 }
    // NO_ERROR in the middle of a response is an end before its time.
    let reason = isComplete || code != HTTP2ErrorCode.noError ? code : HTTP2ErrorCode.cancel
    delegate?.session(self, stream: id, closed: reason)
    return 0
  }
}
