/// What a session allows the other side.
struct HTTP2Settings: Sendable {
  /// Requests under way at the same time.
  var maximumConcurrentStreams = 128
  /// Bytes of one request's body that may be on their way before the handler reads them.
  var streamWindow = 64 << 10
  /// The same for all requests together.
  var connectionWindow = 1 << 20
  /// Names and values of one head, in bytes.
  var maximumHeadBytes = 16 << 10
  /// Fields of one head.
  var maximumFields = 100
  /// Bytes of one response that wait for the client's window before its writer is asked to pause.
  var outputHighWater = 64 << 10
  /// Streams that the client may reset at once, and per second after that (CVE-2023-44487).
  var resetBurst: UInt64 = 1000
  var resetsPerSecond: UInt64 = 33
  /// Frames without content that the client may send at once, and per second after that: PING, SETTINGS, PRIORITY,
  /// WINDOW_UPDATE, empty DATA. Each frame that we send with content earns some more.
  var idleFrameBurst = 1000
  var idleFramesPerSecond = 100
  /// CONTINUATION frames of one head (CVE-2024-28182).
  var maximumContinuations = 8
  /// Answers to PING and SETTINGS that wait because the client does not read.
  var maximumWaitingAcknowledgements = 256
}

/// Why a session must end. What is to be said to the other side is among the output already.
struct HTTP2Error: Error, Hashable {
  /// What is wrong, for a person.
  let reason: String
}

/// Error codes of frames (RFC 9113 §7).
enum HTTP2ErrorCode {
  static let noError: UInt32 = 0
  static let protocolError: UInt32 = 1
  static let internalError: UInt32 = 2
  static let refusedStream: UInt32 = 7
  static let enhanceYourCalm: UInt32 = 11
}

/// A request's head as HTTP/2 delivers it.
struct HTTP2RequestHead {
  var method: HTTPMethod
  var target: HTTPTarget
  var authority: String?
  /// `http` or `https`
  var scheme: String
  var fields: HTTPFields
  var contentLength: UInt64?
  /// True if there is no body.
  var endsStream: Bool
}

/// The body of a response.
enum HTTP2ResponseBody {
  case none
  case bytes([UInt8])
  /// What ``HTTP2Session/write(_:_:)`` brings, until ``HTTP2Session/finish(_:)``.
  case stream
}

/// What a session tells its owner, all from within ``HTTP2Session/receive(_:)`` and
/// ``HTTP2Session/produceOutput(into:limit:)``. The owner may respond, write and reset from within, but not feed it.
protocol HTTP2SessionDelegate: AnyObject {
  /// A request has begun.
  func session(_ session: HTTP2Session, stream: Int32, began head: HTTP2RequestHead)
  /// A piece of its body; the client's window opens again by ``HTTP2Session/consumed(_:_:)``.
  func session(_ session: HTTP2Session, stream: Int32, received data: UnsafeRawBufferPointer)
  /// Its body is complete.
  func session(_ session: HTTP2Session, streamEnded stream: Int32)
  /// Nothing more can be sent on it; 0 is its normal end.
  func session(_ session: HTTP2Session, stream: Int32, closed error: UInt32)
  /// There is room for more of its response.
  func session(_ session: HTTP2Session, canWrite stream: Int32)
}
