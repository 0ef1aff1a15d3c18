/// What a session of HTTP/2 allows its peer (RFC 9113 §6.5.2), and how much of a nuisance it bears (§10.5).
struct HTTP2Settings: Sendable {
  /// Streams open at once; more are refused, or end the connection.
  var maximumConcurrentStreams = 128
  /// Bytes of one request body that may be on their way or wait to be consumed.
  var initialWindowSize = 65_535
  /// The same for all bodies of the connection together; at least 65 535.
  var connectionWindow = 1 << 20
  /// Bytes of a frame's payload, 16 384…16 777 215.
  var maximumFrameSize = 16_384

  /// Bytes of a request's head, or of its trailers: names and values with 32 bytes more for each (§6.5.2). A larger head is
  /// answered with 431; one of more than four times the size ends the connection.
  var maximumHeadBytes = 16 << 10
  /// Number of fields in a head, or in trailers.
  var maximumFields = 100
  /// Bytes of a request's target.
  var maximumTargetBytes = 8 << 10
  /// CONTINUATION frames behind one HEADERS frame.
  var maximumContinuations = 8

  /// Bytes of one response body that wait to be sent before who writes it is asked to wait.
  var highWater = 64 << 10
  /// Bytes left when it may go on.
  var lowWater = 32 << 10

  /// Acknowledgements of SETTINGS and PING that wait because the peer does not read.
  var maximumQueuedAcknowledgements = 256
  /// Streams that the peer resets, or that must be reset because of what it sent (CVE-2023-44487, CVE-2025-8671). A stream
  /// that ends well gives one back.
  var resets = HTTP2Allowance.Rate(burst: 200, perSecond: 20)
  /// Frames that bring no request any further: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, unknown ones, DATA without data.
  /// A new request gives four back, a DATA frame sent two, since a peer answers it with WINDOW_UPDATE.
  var controlFrames = HTTP2Allowance.Rate(burst: 1000, perSecond: 200)

  /// Bytes of a head, as sent or decompressed, that are not worth a response any more.
  var unbearableHeadBytes: Int { 4 * maximumHeadBytes }
}
