import CNghttp2

/// The server's side of an HTTP/2 connection (RFC 9113) without the connection: bytes in, bytes out. nghttp2 does the
/// frames and the compression of heads.
///
/// Lives on one event loop.
final class HTTP2Session {
  let settings: HTTP2Settings
  unowned let delegate: any HTTP2SessionDelegate
  private let session: OpaquePointer
  var streams: [Int32: HTTP2Stream] = [:]
  private var budget: FrameBudget
  private let now: () -> UInt64
  /// The client broke a limit of ours; said with GOAWAY.
  private var violation: HTTP2Error?
  private var isFeeding = false

  /// - `now`: nanoseconds of a clock that only moves forward.
  init(settings: HTTP2Settings, now: @escaping () -> UInt64, delegate: any HTTP2SessionDelegate) {
    self.settings = settings
    self.delegate = delegate
    self.now = now
    budget = FrameBudget(burst: settings.idleFrameBurst, perSecond: settings.idleFramesPerSecond, at: now())
    var option: OpaquePointer?
    nghttp2_option_new(&option)
    defer { nghttp2_option_del(option) }
    nghttp2_option_set_no_auto_window_update(option, 1)
    nghttp2_option_set_no_closed_streams(option, 1)
    nghttp2_option_set_max_outbound_ack(option, settings.maximumWaitingAcknowledgements)
    nghttp2_option_set_max_settings(option, 32)
    nghttp2_option_set_max_continuations(option, settings.maximumContinuations)
    nghttp2_option_set_stream_reset_rate_limit(option, settings.resetBurst, settings.resetsPerSecond)
    nghttp2_option_set_server_fallback_rfc7540_priorities(option, 0)
    var made: OpaquePointer?
    let code = HTTP2Callbacks.withCallbacks { nghttp2_session_server_new2(&made, $0, nil, option) }
    guard code == 0, let made else { fatalError("nghttp2 has no memory for a session") }
    session = made
    nghttp2_session_set_user_data(session, Unmanaged.passUnretained(self).toOpaque())
    submitSettings()
  }

  deinit { nghttp2_session_del(session) }

  private func submitSettings() {
    var entries = [
      entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.maximumConcurrentStreams),
      entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.streamWindow),
      entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.maximumHeadBytes),
      // Priorities as RFC 7540 had them are not followed (RFC 9218 §2.1).
      entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
    ]
    nghttp2_submit_settings(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), &entries, entries.count)
    nghttp2_session_set_local_window_size(
      session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(settings.connectionWindow))
  }

  private func entry(_ id: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
    nghttp2_settings_entry(settings_id: Int32(id.rawValue), value: UInt32(value))
  }

  // MARK: - Bytes

  /// Works on bytes of the client. Throws when the connection must end after the output that is left.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    isFeeding = true
    let used = nghttp2_session_mem_recv(session, base.assumingMemoryBound(to: UInt8.self), bytes.count)
    isFeeding = false
    if let violation { throw violation }
    if used < 0 {
      // nghttp2 says most errors itself; these it leaves to us.
      terminate(
        used == Int(NGHTTP2_ERR_FLOODED.rawValue) ? HTTP2ErrorCode.enhanceYourCalm : HTTP2ErrorCode.protocolError)
      throw HTTP2Error(reason: String(cString: nghttp2_strerror(Int32(used))))
    }
  }

  /// Appends frames that are to be sent, about `limit` bytes at most. Call again when they are sent.
  func produceOutput(into buffer: inout [UInt8], limit: Int) throws(HTTP2Error) {
    let end = buffer.count + limit
    while buffer.count < end {
      var bytes: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(session, &bytes)
      if count < 0 { throw HTTP2Error(reason: String(cString: nghttp2_strerror(Int32(count)))) }
      guard count > 0, let bytes else { return }
      buffer.append(contentsOf: UnsafeBufferPointer(start: bytes, count: count))
    }
  }

  /// True if there may be frames to send.
  var wantsOutput: Bool { nghttp2_session_want_write(session) != 0 }

  /// True when nothing can be received or sent any more.
  var isFinished: Bool { !wantsOutput && nghttp2_session_want_read(session) == 0 }

  /// True if a response waits for the client to open its window.
  var hasBlockedOutput: Bool { streams.values.contains { $0.waitingBytes > 0 } }

  /// True while fewer bytes of a response wait than should.
  func hasRoom(_ id: Int32) -> Bool { (streams[id]?.waitingBytes ?? .max) < settings.outputHighWater }

  // MARK: - Responses

  /// Sends the head of a response, and its body if that is there already.
  func respond(_ id: Int32, status: HTTPStatus, fields: HTTPFields, body: HTTP2ResponseBody) {
    guard let stream = streams[id] else { return }
    switch body {
    case .none: break
    case .bytes(let bytes):
      stream.append(bytes)
      stream.hasOutputEnded = true
    case .stream: break
    }
    let code = HTTP2Headers.withNameValues(status: status, fields: fields) { headers in
      if case .none = body { return nghttp2_submit_response(session, id, headers.baseAddress, headers.count, nil) }
      var provider = HTTP2Callbacks.provider(for: stream)
      return nghttp2_submit_response(session, id, headers.baseAddress, headers.count, &provider)
    }
    if code != 0 { reset(id, code: HTTP2ErrorCode.internalError) }
  }

  /// Tells the client to go on with its body (100 Continue).
  func inform(_ id: Int32) {
    guard streams[id] != nil else { return }
    _ = HTTP2Headers.withNameValues(status: HTTPStatus(100), fields: HTTPFields()) { headers in
      nghttp2_submit_headers(
        session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, nil, headers.baseAddress, headers.count, nil)
    }
  }

  /// Adds to the body of a response; false if the writer should wait until ``hasRoom(_:)``.
  func write(_ id: Int32, _ bytes: [UInt8]) -> Bool {
    guard let stream = streams[id], !stream.hasOutputEnded else { return false }
    stream.append(bytes)
    resume(stream)
    stream.isAboveHighWater = stream.waitingBytes >= settings.outputHighWater
    return !stream.isAboveHighWater
  }

  /// Ends the body of a response.
  func finish(_ id: Int32) {
    guard let stream = streams[id] else { return }
    stream.hasOutputEnded = true
    resume(stream)
  }

  private func resume(_ stream: HTTP2Stream) {
    guard stream.isDeferred else { return }
    stream.isDeferred = false
    nghttp2_session_resume_data(session, stream.id)
  }

  /// Breaks a stream off.
  func reset(_ id: Int32, code: UInt32) {
    nghttp2_submit_rst_stream(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), id, code)
  }

  /// Lets the client send so many bytes more.
  func consumed(_ id: Int32, _ count: Int) {
    // An unknown stream has ended; the connection's window still counts what it brought.
    if streams[id] == nil {
      nghttp2_session_consume_connection(session, count)
    } else {
      nghttp2_session_consume(session, id, count)
    }
  }

  /// Takes no new requests; those that are under way go on.
  func beginShutdown() {
    let last = nghttp2_session_get_last_proc_stream_id(session)
    nghttp2_submit_goaway(session, UInt8(NGHTTP2_FLAG_NONE.rawValue), last, HTTP2ErrorCode.noError, nil, 0)
  }

  private func terminate(_ code: UInt32) { nghttp2_session_terminate_session(session, code) }

  // MARK: - What nghttp2 tells

  /// Counts a frame; false if the client has sent too many that do nothing.
  func frameArrived(_ frame: nghttp2_frame_hd) -> Bool {
    let isIdle: Bool
    switch UInt32(frame.type) {
    case NGHTTP2_HEADERS.rawValue: isIdle = false
    case NGHTTP2_DATA.rawValue:
      isIdle = frame.length == 0 && frame.flags & UInt8(NGHTTP2_FLAG_END_STREAM.rawValue) == 0
    default: isIdle = true
    }
    if !isIdle || budget.take(at: now()) { return true }
    violation = HTTP2Error(reason: "too many frames that do nothing")
    terminate(HTTP2ErrorCode.enhanceYourCalm)
    return false
  }

  func sentContent() { budget.earn() }

  func headBegan(_ id: Int32) { streams[id] = HTTP2Stream(id: id) }

  /// A field of a head; false if the head is refused.
  func fieldArrived(_ id: Int32, _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let stream = streams[id] else { return true }
    // Trailers are not looked at.
    if stream.hasBegun || stream.isTooLarge { return true }
    stream.headBytes += name.count + value.count + 32
    if stream.headBytes > settings.maximumHeadBytes || stream.fields.count >= settings.maximumFields {
      stream.isTooLarge = true
      return true
    }
    if name.first == UInt8(ascii: ":") {
      let text = String(decoding: value, as: UTF8.self)
      switch String(decoding: name, as: UTF8.self) {
      case ":method": stream.method = HTTPMethod(text)
      case ":path": stream.path = text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) ? text : nil
      case ":scheme": stream.scheme = text
      case ":authority": stream.authority = text
      default: stream.isMalformed = true
      }
    } else {
      stream.fields.append(lowercasedName: UnsafeRawBufferPointer(name), UnsafeRawBufferPointer(value))
    }
    return true
  }

  func headEnded(_ id: Int32, endsStream: Bool) {
    guard let stream = streams[id], !stream.hasBegun else { return }
    stream.hasBegun = true
    stream.hasInputEnded = endsStream
    if stream.isTooLarge {
      return refuse(stream, .requestHeaderFieldsTooLarge)
    }
    guard let head = stream.head(endsStream: endsStream) else { return refuse(stream, .badRequest) }
    delegate.session(self, stream: id, began: head)
  }

  private func refuse(_ stream: HTTP2Stream, _ status: HTTPStatus) {
    respond(stream.id, status: status, fields: [.contentLength: "0"], body: .none)
    if !stream.hasInputEnded { reset(stream.id, code: HTTP2ErrorCode.noError) }
  }

  func dataArrived(_ id: Int32, _ bytes: UnsafeRawBufferPointer) {
    delegate.session(self, stream: id, received: bytes)
  }

  func inputEnded(_ id: Int32) {
    guard let stream = streams[id], !stream.hasInputEnded else { return }
    stream.hasInputEnded = true
    delegate.session(self, streamEnded: id)
  }

  func streamClosed(_ id: Int32, _ code: UInt32) {
    guard streams.removeValue(forKey: id) != nil else { return }
    delegate.session(self, stream: id, closed: code)
  }

  func outputTaken(_ stream: HTTP2Stream) {
    budget.earn()
    guard stream.isAboveHighWater, stream.waitingBytes < settings.outputHighWater / 2 else { return }
    stream.isAboveHighWater = false
    delegate.session(self, canWrite: stream.id)
  }
}
