/// The head of a request.
struct HTTP1RequestHead: Sendable {
  var method: HTTPMethod
  /// Path and query, whatever the form of the target was.
  var target: HTTPTarget
  /// The host, with port if one was given: that of an absolute target, else of `Host`. Nil only for HTTP/1.0.
  var authority: String?
  /// All fields as they came, `host` included.
  var fields: HTTPFields
  /// `.http10` or `.http11`
  var version: HTTPVersion
  /// `.none`, `.length` or `.chunked`
  var framing: BodyFraming
  /// False if the client wants, or HTTP/1.0 means, that the connection closes behind the response.
  var keepsAlive: Bool
  /// True if the client waits for `100 Continue` before it sends the body.
  var expectsContinue: Bool
}

/// Reads the heads of requests out of a stream of bytes (RFC 9112 §3, §5).
///
/// It works line by line and remembers between calls what it has read, so that a head that arrives byte by byte costs
/// linear time and a bad line is refused as soon as it is complete. After an error it cannot be used any further.
/// `Upgrade` is ignored, as RFC 9110 §7.8 allows.
struct HTTP1RequestParser: Sendable {
  /// Empty lines tolerated in front of a request (RFC 9112 §2.2).
  static let maximumBlankLines = 2

  private let limits: HTTPHeadLimits
  private var lines = HTTP1LineReader()
  private var section = HTTP1FieldSection()
  private var control = HTTP1ControlFields()
  private var requestLine: HTTP1RequestLine?
  private var blankLines = 0

  init(limits: HTTPHeadLimits) { self.limits = limits }

  /// The head at the start of `bytes` and its length; nil if it is not complete yet.
  ///
  /// `bytes` must start where the message starts: who calls keeps what is incomplete and presents it again with more.
  /// Once a head has been returned, the parser expects the next message.
  ///
  /// Throws 400 for what breaks the rules, 414 and 431 for what is too long, 417, 501 and 505 for what is not offered.
  mutating func parse(
    _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> (head: HTTP1RequestHead, length: Int)? {
    let limit = min(limits.maximumBytes, 1 << 30)
    let visible = UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, limit)])
    if requestLine == nil { try readRequestLine(visible) }
    if let requestLine {
      while let line = try lines.next(visible) {
        if line.isEmpty { return (try finish(requestLine, visible), takeLength()) }
        let field = try section.add(line, of: visible, maximumFields: limits.maximumFields)
        try control.note(field.name, field.value, in: visible)
      }
    }
    if bytes.count >= limit { throw HTTP1Error(.requestHeaderFieldsTooLarge, "the head is too large") }
    return nil
  }

  private mutating func readRequestLine(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) {
    let maximumLength = min(limits.maximumTargetBytes, 1 << 30) + HTTP1RequestLine.overhead
    while let line = try lines.next(bytes, maximumLength: maximumLength, tooLong: .uriTooLong) {
      if !line.isEmpty {
        requestLine = try HTTP1RequestLine(line, of: bytes, limits: limits)
        return
      }
      blankLines += 1
      if blankLines > Self.maximumBlankLines { throw .malformed("empty lines in place of a request") }
    }
  }

  private func finish(
    _ line: HTTP1RequestLine, _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> HTTP1RequestHead {
    let framing = try control.framing(line.version)
    let expects = line.version == .http11
    if expects, control.expectsMore { throw HTTP1Error(.expectationFailed, "an unknown expectation") }
    return HTTP1RequestHead(
      method: line.method, target: line.target(in: bytes), authority: try authority(line, bytes),
      fields: section.fields(copying: UnsafeRawBufferPointer(rebasing: bytes[..<lines.lineStart])),
      version: line.version, framing: framing, keepsAlive: control.keepsAlive(line.version),
      expectsContinue: expects && control.expectsContinue && framing != .none && framing != .length(0))
  }

  /// In HTTP/1.1 `Host` must be there, even beside an absolute target, which wins (RFC 9112 §3.2.2).
  private func authority(
    _ line: HTTP1RequestLine, _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> String? {
    let host = control.host.map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
    if let host, !host.isEmpty {
      guard HTTPAuthority.isValid(host) else { throw .malformed("Host is not valid") }
    } else if line.version == .http11 {
      throw .malformed(host == nil ? "no Host" : "Host is empty")
    }
    if let authority = line.authority { return String(decoding: bytes[authority], as: UTF8.self) }
    guard let host, !host.isEmpty else { return nil }
    return String(decoding: host, as: UTF8.self)
  }

  /// The length of the head that has just been read; afterwards the parser is as new.
  private mutating func takeLength() -> Int {
    let length = lines.lineStart
    lines = HTTP1LineReader()
    section = HTTP1FieldSection()
    control = HTTP1ControlFields()
    requestLine = nil
    blankLines = 0
    return length
  }
}

extension HTTP1RequestParser {
  /// What a client sends first if it speaks HTTP/2 without having asked (RFC 9113 §3.4).
  static let http2Preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

  /// What can be said about the first bytes of a connection.
  enum PrefaceMatch: Equatable {
    /// They start with the preface of HTTP/2.
    case yes
    /// They do not.
    case no
    /// They are the beginning of it.
    case needsMore
  }

  /// Tells HTTP/2 from HTTP/1 by the first bytes of a connection.
  static func matchHTTP2Preface(_ bytes: UnsafeRawBufferPointer) -> PrefaceMatch {
    let count = min(bytes.count, http2Preface.count)
    guard bytes[..<count].elementsEqual(http2Preface[..<count]) else { return .no }
    return count == http2Preface.count ? .yes : .needsMore
  }
}
