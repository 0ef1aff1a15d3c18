/// Watches the frames of a peer for what is allowed but does harm: floods of frames that cost work and bring nothing, and
/// heads without end (RFC 9113 §10.5). It sees each frame before nghttp2 does, those that nghttp2 passes over included.
struct HTTP2FrameGuard: Sendable {
  private var scanner = HTTP2FrameScanner()
  private var controlFrames: HTTP2Allowance
  private var resets: HTTP2Allowance
  private let maximumBlockBytes: Int
  private let maximumContinuations: Int
  private var blockBytes = 0
  private var continuations = 0
  private var highestStream: Int32 = 0

  init(_ settings: HTTP2Settings) {
    controlFrames = HTTP2Allowance(settings.controlFrames)
    resets = HTTP2Allowance(settings.resets)
    maximumBlockBytes = settings.unbearableHeadBytes
    maximumContinuations = settings.maximumContinuations
  }

  /// Looks at the next bytes of the peer. Throws what it does too much of.
  mutating func admit(
    _ bytes: UnsafeRawBufferPointer, at now: () -> UInt64, isOpen: (Int32) -> Bool
  ) throws(HTTP2Error) {
    var offset = 0
    while let frame = scanner.next(bytes, from: &offset) {
      switch frame.kind {
      case .data:
        let overhead = frame.has(HTTP2FrameHeader.padded) ? 1 : 0
        if frame.length > overhead || frame.has(HTTP2FrameHeader.endStream) { continue }
      case .headers:
        blockBytes = frame.length
        continuations = 0
        if blockBytes > maximumBlockBytes { throw .unbearableHead }
        // A head for a stream that is gone is decompressed all the same.
        let isNew = frame.stream > highestStream
        highestStream = max(highestStream, frame.stream)
        if isNew || isOpen(frame.stream) { continue }
      case .continuation:
        blockBytes += frame.length
        continuations += 1
        if blockBytes > maximumBlockBytes || continuations > maximumContinuations { throw .unbearableHead }
        continue
      case .rstStream:
        try chargeReset(at: now())
        continue
      default: break
      }
      if !controlFrames.take(at: now()) { throw .tooManyControlFrames }
    }
  }

  /// A stream must be reset because of what the peer sent.
  mutating func chargeReset(at now: UInt64) throws(HTTP2Error) {
    if !resets.take(at: now) { throw .tooManyResets }
  }

  /// The peer began a request.
  mutating func creditRequest() { controlFrames.give(4) }

  /// The peer gets data and will answer with WINDOW_UPDATE.
  mutating func creditData() { controlFrames.give(2) }

  /// A stream ended as it should.
  mutating func creditCompletion() { resets.give() }
}
