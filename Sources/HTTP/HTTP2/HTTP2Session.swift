import CNghttp2

/// The server's side of a connection of HTTP/2 (RFC 9113): bytes in, bytes out, no I/O and no clock.
///
/// nghttp2 keeps the state of frames, streams, windows and header tables. The session turns what it says into requests,
/// feeds it responses, and adds what nghttp2 leaves open: limits for heads, for floods of frames and for resets, and
/// responses where nghttp2 would only reset a stream.
///
/// All calls must come from one thread. After each ``receive(_:)``, and after calls that send something, ask
/// ``produceOutput(into:limit:)`` until ``wantsOutput`` is false or nothing more comes; it may be true while windows are
/// closed. Once ``isFinished``, send what is left and close the connection.
///
/// Memory is bounded: the peer may have ``HTTP2Settings/connectionWindow`` bytes of bodies waiting, a response that is
/// written piece by piece waits at ``HTTP2Settings/highWater``. A peer that never opens its windows holds them as long as
/// it likes: who owns the connection watches ``hasBufferedData`` and ``sentDataBytes``.
final class HTTP2Session {
  let settings: HTTP2Settings
  /// Must be there as long as the session is used.
  unowned let delegate: (any HTTP2SessionDelegate)?
  /// Nanoseconds of a monotonic clock.
  let now: () -> UInt64

  private(set) var nghttp2: OpaquePointer?
  // Checking at run time that accesses do not overlap would cost a tenth of a request.
  @exclusivity(unchecked) var streams = HTTP2StreamTable()
  @exclusivity(unchecked) var frames: HTTP2FrameGuard
  /// What the peer does too much of, found inside of a callback.
  var violation: HTTP2Error?
  /// Streams whose writers wait and may go on.
  var writable: [Int32] = []
  var shutdown = Shutdown.none
  /// Why the connection ended or is ending before its time; nil while it works, and after a graceful end.
  private(set) var error: HTTP2Error?
  /// Bytes of response bodies given out so far.
  private(set) var sentDataBytes: UInt64 = 0
  private var isBroken = false
  private var isInside = false

  /// How far a graceful shutdown has come.
  enum Shutdown {
    case none
    /// The peer was told not to begin streams; those on their way are served until it has answered a PING.
    case announced
    /// New streams are refused.
    case final
  }

  /// Begins a session; the server's SETTINGS are the first output.
  init(settings: HTTP2Settings = HTTP2Settings(), delegate: (any HTTP2SessionDelegate)?, now: @escaping () -> UInt64) {
    self.settings = settings
    self.delegate = delegate
    self.now = now
    frames = HTTP2FrameGuard(settings)
    let options = Self.makeOptions(settings)
    defer { nghttp2_option_del(options) }
    let context = Unmanaged.passUnretained(self).toOpaque()
    guard nghttp2_session_server_new2(&nghttp2, Self.callbacks, context, options) == 0 else {
      preconditionFailure("no memory for an HTTP/2 session")
    }
    submitSettings()
  }

  deinit { nghttp2_session_del(nghttp2) }

  private static func makeOptions(_ settings: HTTP2Settings) -> OpaquePointer? {
    var options: OpaquePointer?
    guard nghttp2_option_new(&options) == 0 else { preconditionFailure("no memory for an HTTP/2 session") }
    nghttp2_option_set_no_auto_window_update(options, 1)
    nghttp2_option_set_max_outbound_ack(options, max(1, settings.maximumQueuedAcknowledgements))
    // Resets are counted by the session, whose clock is given. This limit of nghttp2 reads one, and must not come first.
    nghttp2_option_set_stream_reset_rate_limit(options, 1 << 40, 1 << 40)
    // So are CONTINUATION frames, of which nghttp2 may take each byte of a head that arrives alone for one more.
    nghttp2_option_set_max_continuations(options, 16 * (max(0, settings.maximumContinuations) + 1))
    return options
  }

  private func submitSettings() {
    func entry(_ id: nghttp2_settings_id, _ value: Int, _ range: ClosedRange<Int>) -> nghttp2_settings_entry {
      nghttp2_settings_entry(
        settings_id: Int32(id.rawValue), value: UInt32(min(max(value, range.lowerBound), range.upperBound)))
    }
    let largestWindow = Int(Int32.max)
    let entries = [
      entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, settings.maximumConcurrentStreams, 1...Int(UInt32.max)),
      entry(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings.initialWindowSize, 1...largestWindow),
      entry(NGHTTP2_SETTINGS_MAX_FRAME_SIZE, settings.maximumFrameSize, 16_384...16_777_215),
      entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings.maximumHeadBytes, 0...Int(UInt32.max)),
      // The tree of priorities is deprecated (RFC 9113 §5.3), and costs memory and time that the peer decides about.
      entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1, 0...1),
    ]
    check(nghttp2_submit_settings(nghttp2, flag(NGHTTP2_FLAG_NONE), entries, entries.count))
    let window = Int32(min(max(settings.connectionWindow, 65_535), largestWindow))
    check(nghttp2_session_set_local_window_size(nghttp2, flag(NGHTTP2_FLAG_NONE), 0, window))
  }

  // MARK: - State

  /// Streams that are not closed yet.
  var openStreams: Int { streams.count }

  /// True if there is something to send.
  var wantsOutput: Bool { !isBroken && nghttp2_session_want_write(nghttp2) != 0 }

  /// True if nothing will come and nothing need be sent any more: close the connection.
  var isFinished: Bool {
    isBroken || nghttp2_session_want_read(nghttp2) == 0 && nghttp2_session_want_write(nghttp2) == 0
  }

  /// True if response bodies wait, be it for ``produceOutput(into:limit:)`` or for the peer's windows.
  var hasBufferedData: Bool { streams.all.contains { !$0.outgoing.isEmpty } }

  // MARK: - Bytes

  /// Takes bytes from the peer.
  ///
  /// Throws when the connection must end; GOAWAY waits to be sent then, and the delegate has been told that all streams are
  /// closed. Where nghttp2 itself finds the fault, this shows in ``error`` and ``isFinished`` only once its GOAWAY was
  /// given out.
  func receive(_ bytes: UnsafeRawBufferPointer) throws(HTTP2Error) {
    precondition(!isInside, "receive was called from within a delegate")
    if let error { throw error }
    guard let start = bytes.baseAddress, !bytes.isEmpty else { return }
    isInside = true
    defer { isInside = false }
    do throws(HTTP2Error) {
      try frames.admit(bytes, at: now) { streams[$0] != nil }
    } catch {
      throw end(error)
    }
    let result = nghttp2_session_mem_recv(nghttp2, start.assumingMemoryBound(to: UInt8.self), bytes.count)
    if let violation { throw end(violation) }
    if result >= 0 { return }
    switch nghttp2_error(rawValue: Int32(truncatingIfNeeded: result)) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC: throw end(.badPreface)
    case NGHTTP2_ERR_FLOODED: throw end(.tooManyAcknowledgements)
    default: throw end(.failed)
    }
  }

  /// Appends what is to be sent to `buffer`, until about `limit` bytes (one frame more at most) or nothing is left.
  ///
  /// While it runs, `buffer` must not be touched by the delegate. Throws only if the session has failed; nothing can be sent
  /// any more then.
  func produceOutput(into buffer: inout [UInt8], limit: Int) throws(HTTP2Error) {
    precondition(!isInside, "produceOutput was called from within a delegate")
    if isBroken { throw error ?? .failed }
    isInside = true
    defer { isInside = false }
    let end = buffer.count + limit
    while buffer.count < end {
      var frame: UnsafePointer<UInt8>?
      let count = nghttp2_session_mem_send(nghttp2, &frame)
      if count < 0 {
        isBroken = true
        throw self.end(.failed)
      }
      if count > 0 { buffer.append(contentsOf: UnsafeBufferPointer(start: frame, count: count)) }
      if let violation, error == nil { _ = self.end(violation) }
      if !tellWritable(), count == 0 { return }
    }
  }

  /// True if somebody was told.
  private func tellWritable() -> Bool {
    if writable.isEmpty { return false }
    let told = writable
    writable = []
    for id in told where streams[id] != nil { delegate?.session(self, canWrite: id) }
    return true
  }

  // MARK: - The end

  /// Lets the connection end: GOAWAY is queued, and all streams are closed.
  private func end(_ reason: HTTP2Error) -> HTTP2Error {
    if error == nil {
      error = reason
      if nghttp2_session_terminate_session(nghttp2, reason.code) != 0 { isBroken = true }
      closeStreams(reason.code)
    }
    return reason
  }

  private func closeStreams(_ code: UInt32) {
    let closed = streams.removeAll()
    writable = []
    for (id, stream) in closed where stream.isBegun { delegate?.session(self, stream: id, closed: code) }
  }

  /// GOAWAY was sent, by whomever.
  func sentGoAway(_ code: UInt32) {
    if code == HTTP2ErrorCode.noError || error != nil { return }
    error = .protocolViolation(code: code)
    closeStreams(code)
  }

  /// A frame of DATA was sent.
  func sentData(_ count: Int) {
    sentDataBytes += UInt64(count)
    frames.creditData()
  }

  /// Notes a failure of nghttp2 that no retry mends. Returns true if the call succeeded.
  @discardableResult
  func check(_ result: Int32) -> Bool {
    if result >= 0 { return true }
    if nghttp2_is_fatal(result) != 0 { violation = .failed }
    return false
  }

  @inline(__always)
  func flag(_ flag: nghttp2_flag) -> UInt8 { UInt8(truncatingIfNeeded: flag.rawValue) }
}
