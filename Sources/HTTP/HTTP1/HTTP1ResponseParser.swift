/// The head of a response.
struct HTTP1ResponseHead: Sendable {
  var status: HTTPStatus
  var fields: HTTPFields
  /// `.http10` or `.http11`
  var version: HTTPVersion
  var framing: BodyFraming
  /// False if the connection cannot carry another request.
  var keepsAlive: Bool
}

/// Reads the heads of responses out of a stream of bytes (RFC 9112 §4, §5).
///
/// As strict as a server: a response in which somebody else might find another end is refused, both announcements of
/// a length and repeated `Content-Length` included. Works between calls like `HTTP1RequestParser`.
struct HTTP1ResponseParser: Sendable {
  private let limits: HTTPHeadLimits
  private var lines = HTTP1LineReader()
  private var section = HTTP1FieldSection()
  private var control = HTTP1ControlFields()
  private var statusLine: (status: HTTPStatus, version: HTTPVersion)?

  init(limits: HTTPHeadLimits) { self.limits = limits }

  /// The head at the start of `bytes` and its length; nil if it is not complete yet.
  ///
  /// `bytes` must start where the message starts. Responses 1xx are returned like others and have no body: the response
  /// proper follows, and who calls bounds their number. `101` is refused, because nobody asked for another protocol.
  ///
  /// Throws 431 for a head that is too large, 501 and 505 for what is not understood, 400 for all else.
  mutating func parse(
    _ bytes: UnsafeRawBufferPointer, requestMethod: HTTPMethod
  ) throws(HTTP1Error) -> (head: HTTP1ResponseHead, length: Int)? {
    let limit = min(limits.maximumBytes, 1 << 30)
    let visible = UnsafeRawBufferPointer(rebasing: bytes[..<min(bytes.count, limit)])
    if statusLine == nil, let line = try lines.next(visible) { statusLine = try Self.statusLine(line, visible) }
    if let statusLine {
      while let line = try lines.next(visible) {
        if line.isEmpty { return (try finish(statusLine, visible, requestMethod), takeLength()) }
        let field = try section.add(line, of: visible, maximumFields: limits.maximumFields)
        try control.note(field.name, field.value, in: visible)
      }
    }
    if bytes.count >= limit { throw HTTP1Error(.requestHeaderFieldsTooLarge, "the head is too large") }
    return nil
  }

  /// `HTTP/1.1 SP 200 SP reason`. Many servers leave out the second space with the reason.
  private static func statusLine(
    _ line: Range<Int>, _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> (HTTPStatus, HTTPVersion) {
    let start = line.lowerBound
    guard line.count >= 12, bytes[start + 8] == 0x20, line.count == 12 || bytes[start + 12] == 0x20 else {
      throw .malformed("the status line is not \"HTTP/1.1 200 reason\"")
    }
    let version = try HTTP1Version.parse(bytes, start..<start + 8)
    var code = 0
    for byte in bytes[start + 9..<start + 12] {
      guard (0x30...0x39).contains(byte) else { throw .malformed("the status is no number") }
      code = code * 10 + Int(byte - 0x30)
    }
    guard code >= 100 else { throw .malformed("the status is below 100") }
    return (HTTPStatus(code), version)
  }

  private func finish(
    _ line: (status: HTTPStatus, version: HTTPVersion), _ bytes: UnsafeRawBufferPointer, _ method: HTTPMethod
  ) throws(HTTP1Error) -> HTTP1ResponseHead {
    if line.status.code == 101 { throw .malformed("a switch of protocols that nobody asked for") }
    let announced = try control.framing(line.version)
    var framing = announced == .none ? .untilClose : announced
    var keepsAlive = control.keepsAlive(line.version)
    if line.status.isBodiless {
      framing = .none
      // What a server announces beside such a status it may well send, and the next response would start with it.
      let tellsOnly = line.status == .notModified || announced == .none || announced == .length(0)
      if !tellsOnly { keepsAlive = false }
    } else if method == .head {
      framing = .none
    }
    return HTTP1ResponseHead(
      status: line.status,
      fields: section.fields(copying: UnsafeRawBufferPointer(rebasing: bytes[..<lines.lineStart])),
      version: line.version, framing: framing, keepsAlive: keepsAlive && framing != .untilClose)
  }

  /// The length of the head that has just been read; afterwards the parser is as new.
  private mutating func takeLength() -> Int {
    let length = lines.lineStart
    lines = HTTP1LineReader()
    section = HTTP1FieldSection()
    control = HTTP1ControlFields()
    statusLine = nil
    return length
  }
}
