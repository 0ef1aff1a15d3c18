/// Where the parts of a ready answer are: the message, then the offsets of its TTLs (two bytes each), then the text of its
/// extended error.
struct AnswerShape: Hashable, Sendable {
  /// Bytes of the message, without an OPT record.
  var messageLength: UInt16 = 0
  /// Bytes of name, type and class from offset 12 on.
  var questionLength: UInt16 = 0
  /// Offset at which the additional section begins; from there on the message can be cut.
  var additionalStart: UInt16 = 0
  /// Number of TTLs.
  var ttlCount: UInt16 = 0
  /// Code of the extended error; none if it is 65535.
  var errorCode: UInt16 = .max
  /// Bytes of its text.
  var errorLength: UInt8 = 0
  /// AD belongs on it: verified here.
  var isVerified = false

  /// Bytes of everything.
  @inline(__always) var contentLength: Int { Int(messageLength) &+ Int(ttlCount) &* 2 &+ Int(errorLength) }
}

/// A ready answer that is not in a cache.
struct ComposedAnswer: Sendable {
  var shape: AnswerShape
  var content: [UInt8]

  /// The extended error in it.
  var error: ExtendedError? {
    guard shape.errorCode != .max, content.count >= shape.contentLength else { return nil }
    let text = content[..<shape.contentLength].suffix(Int(shape.errorLength))
    return ExtendedError(shape.errorCode, String(decoding: text, as: UTF8.self))
  }
}
