/// Why a connection of HTTP/2 ended before its time.
enum HTTP2Error: Error, Hashable, Sendable {
  /// What came first is not the preface of HTTP/2 (RFC 9113 §3.4).
  case badPreface
  /// The peer broke the protocol; the code of the GOAWAY frame (§7).
  case protocolViolation(code: UInt32)
  /// The peer reset too many streams, or made us reset them.
  case tooManyResets
  /// The peer sent too many frames that bring no request any further.
  case tooManyControlFrames
  /// The peer asks for acknowledgements and does not read them.
  case tooManyAcknowledgements
  /// A head of too many frames or bytes.
  case unbearableHead
  /// Memory ran out, or the library failed.
  case failed
}

extension HTTP2Error {
  /// The code that GOAWAY tells the peer.
  var code: UInt32 {
    switch self {
    case .badPreface: HTTP2ErrorCode.protocolError
    case .protocolViolation(let code): code
    case .tooManyResets, .tooManyControlFrames, .tooManyAcknowledgements, .unbearableHead:
      HTTP2ErrorCode.enhanceYourCalm
    case .failed: HTTP2ErrorCode.internalError
    }
  }
}

extension HTTP2Error: CustomStringConvertible {
  /// One line for people.
  var description: String {
    switch self {
    case .badPreface: "the connection does not start with the preface of HTTP/2"
    case .protocolViolation(let code): "the other side broke the rules of HTTP/2 (error \(code))"
    case .tooManyResets: "the other side resets too many streams"
    case .tooManyControlFrames: "the other side sends too many frames without use"
    case .tooManyAcknowledgements: "the other side does not read what it asks for"
    case .unbearableHead: "a head of too many frames or bytes"
    case .failed: "the HTTP/2 library failed"
    }
  }
}

/// Error codes of streams and connections (RFC 9113 §7).
enum HTTP2ErrorCode {
  /// NO_ERROR
  static let noError: UInt32 = 0
  /// PROTOCOL_ERROR
  static let protocolError: UInt32 = 1
  /// INTERNAL_ERROR
  static let internalError: UInt32 = 2
  /// FLOW_CONTROL_ERROR
  static let flowControlError: UInt32 = 3
  /// STREAM_CLOSED
  static let streamClosed: UInt32 = 5
  /// FRAME_SIZE_ERROR
  static let frameSizeError: UInt32 = 6
  /// REFUSED_STREAM: nothing was done, the request may be sent again.
  static let refusedStream: UInt32 = 7
  /// CANCEL
  static let cancel: UInt32 = 8
  /// COMPRESSION_ERROR
  static let compressionError: UInt32 = 9
  /// ENHANCE_YOUR_CALM
  static let enhanceYourCalm: UInt32 = 11
}
