import CNghttp2

extension HTTP2Session {
  /// What the PING behind the announcement of a shutdown carries.
  static let shutdownPing: [UInt8] = Array("shutdown".utf8)

  // MARK: - Responses

  /// Answers a request, once; ignored if the stream is gone.
  ///
  /// Nothing but `date` and the like is written by the session, with one exception: `content-length` of a body of
  /// `.bytes`. Fields that belong to a connection are left out (RFC 9113 §8.2.2). There is no body for `HEAD`, 204 and 304,
  /// whatever is given. If the request's body is not complete when the response is, the stream is reset with NO_ERROR.
  func respond(_ id: Int32, status: HTTPStatus, fields: HTTPFields, body: HTTP2ResponseBody) {
    guard let stream = streams[id], !stream.hasResponded, error == nil else { return }
    // An interim response is none; handlers have no business with it.
    if status.isInformational { return reset(id, code: HTTP2ErrorCode.internalError) }
    stream.hasResponded = true
    var length: Int?
    if !stream.isHead && !status.isBodiless {
      switch body {
      case .none: length = nil
      case .bytes(let bytes):
        length = bytes.count
        stream.outgoing.append(bytes)
        stream.isFinished = true
      case .stream: stream.hasBody = true
      }
    }
    let hasData = stream.hasBody || (length ?? 0) > 0
    let dropsLength = length != nil || status == .noContent
    let isSubmitted = withLines(status: status, fields, bodyLength: length, dropsLength: dropsLength) { lines in
      guard hasData else {
        return check(nghttp2_submit_response(nghttp2, id, lines.baseAddress, lines.count, nil))
      }
      var provider = Self.dataProvider
      return check(nghttp2_submit_response(nghttp2, id, lines.baseAddress, lines.count, &provider))
    }
    if !isSubmitted { reset(id, code: HTTP2ErrorCode.internalError) }
  }

  /// Tells a client that waits with its body to send it: `100 Continue`.
  func inform(_ id: Int32) {
    guard let stream = streams[id], !stream.hasResponded, !stream.isRemoteEnded, error == nil else { return }
    _ = withLines(status: HTTPStatus(100), HTTPFields(), bodyLength: nil, dropsLength: true) { lines in
      check(
        nghttp2_submit_headers(nghttp2, flag(NGHTTP2_FLAG_NONE), id, nil, lines.baseAddress, lines.count, nil))
    }
  }

  /// Adds bytes to a body that was announced as `.stream`; dropped if the stream is gone or has no body.
  ///
  /// False if more waits now than should: write again after `canWrite`.
  func write(_ id: Int32, _ bytes: [UInt8]) -> Bool {
    guard let stream = streams[id], stream.hasBody, !stream.isFinished else { return true }
    stream.outgoing.append(bytes)
    if !bytes.isEmpty { resume(id, stream) }
    if stream.outgoing.count > settings.highWater { stream.isFull = true }
    return !stream.isFull
  }

  /// True if ``write(_:_:)`` would take more gladly.
  func hasRoom(_ id: Int32) -> Bool { !(streams[id]?.isFull ?? true) }

  /// Ends a body that was announced as `.stream`.
  func finish(_ id: Int32, trailers: HTTPFields = HTTPFields()) {
    guard let stream = streams[id], stream.hasBody, !stream.isFinished else { return }
    stream.isFinished = true
    stream.trailers = trailers.isEmpty ? trailers : trailers.withoutThoseOfHeads
    resume(id, stream)
  }

  /// Ends a stream at once; what waits to be sent is dropped.
  func reset(_ id: Int32, code: UInt32) {
    guard let stream = streams[id], error == nil else { return }
    stream.isResetSettled = true
    stream.hasResponded = true
    stream.hasBody = false
    stream.outgoing.removeAll()
    check(nghttp2_submit_rst_stream(nghttp2, flag(NGHTTP2_FLAG_NONE), id, code))
  }

  // MARK: - Requests

  /// Bytes of a request's body were used up: the peer may send as many again.
  func consumed(_ id: Int32, _ count: Int) {
    guard let stream = streams[id] else { return }
    let count = min(max(0, count), stream.unconsumed)
    if count == 0 { return }
    stream.unconsumed -= count
    if stream.isRemoteEnded {
      check(nghttp2_session_consume_connection(nghttp2, count))
    } else {
      check(nghttp2_session_consume(nghttp2, id, count))
    }
  }

  // MARK: - Shutdown

  /// Ends the connection as soon as its streams are done.
  ///
  /// The peer is told first that no more streams are welcome; those which it began before it knew are served, until it
  /// has answered a PING. Called again, this does not wait for that.
  func beginShutdown() {
    if error != nil { return }
    switch shutdown {
    case .none:
      shutdown = .announced
      check(nghttp2_submit_shutdown_notice(nghttp2))
      check(nghttp2_submit_ping(nghttp2, flag(NGHTTP2_FLAG_NONE), Self.shutdownPing))
    case .announced: refuseNewStreams()
    case .final: break
    }
  }

  func refuseNewStreams() {
    shutdown = .final
    let last = nghttp2_session_get_last_proc_stream_id(nghttp2)
    check(nghttp2_submit_goaway(nghttp2, flag(NGHTTP2_FLAG_NONE), last, HTTP2ErrorCode.noError, nil, 0))
  }

  // MARK: - Bodies

  private func resume(_ id: Int32, _ stream: HTTP2Stream) {
    guard stream.isDeferred else { return }
    stream.isDeferred = false
    check(nghttp2_session_resume_data(nghttp2, id))
  }

  static var dataProvider: nghttp2_data_provider {
    nghttp2_data_provider(
      source: nghttp2_data_source(),
      read_callback: { _, id, buffer, capacity, flags, _, context in
        guard let context, let flags else { return Int(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue) }
        let session = Unmanaged<HTTP2Session>.fromOpaque(context).takeUnretainedValue()
        return session.read(id, into: UnsafeMutableRawBufferPointer(start: buffer, count: capacity), &flags.pointee)
      })
  }

  /// nghttp2 asks for the payload of the next DATA frame.
  private func read(_ id: Int32, into buffer: UnsafeMutableRawBufferPointer, _ flags: inout UInt32) -> Int {
    guard let stream = streams[id] else { return Int(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue) }
    let count = stream.outgoing.read(into: buffer)
    if stream.isFull, stream.outgoing.count <= settings.lowWater {
      stream.isFull = false
      writable.append(id)
    }
    if !stream.outgoing.isEmpty { return count }
    if stream.isFinished {
      flags |= NGHTTP2_DATA_FLAG_EOF.rawValue
      if !stream.trailers.isEmpty {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM.rawValue
        submitTrailers(id, stream.trailers)
      }
    } else if count == 0 {
      stream.isDeferred = true
      return Int(NGHTTP2_ERR_DEFERRED.rawValue)
    }
    return count
  }

  private func submitTrailers(_ id: Int32, _ trailers: HTTPFields) {
    let isSubmitted = withLines(status: nil, trailers, bodyLength: nil, dropsLength: true) { lines in
      check(nghttp2_submit_trailer(nghttp2, id, lines.baseAddress, lines.count))
    }
    if !isSubmitted { reset(id, code: HTTP2ErrorCode.internalError) }
  }
}
