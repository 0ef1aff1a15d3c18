@testable import HTTP

extension FuzzTarget {
  /// What a client sends over one connection of HTTP/1.1: requests with their bodies, one behind the other.
  ///
  /// The first byte of the input is the size of the pieces in which the bytes arrive; whatever it is, the same messages
  /// must be read, and each one again when it is written as we write it.
  static let httpRequest = FuzzTarget(name: "http-request", maximumLength: 4096) { input in
    guard let size = input.first else { return }
    let bytes = [UInt8](input.dropFirst())
    var whole = HTTP1Reading(HTTP1RequestParser(limits: limits))
    whole.receive(bytes, pieceSize: .max)
    var pieces = HTTP1Reading(HTTP1RequestParser(limits: limits))
    pieces.receive(bytes, pieceSize: Int(size) + 1)
    require(whole.log == pieces.log, "\(whole.log) in one piece, \(pieces.log) in pieces")
  }

  /// What a server sends over one connection. The first byte is the size of the pieces, the second the request's method.
  static let httpResponse = FuzzTarget(name: "http-response", maximumLength: 4096) { input in
    guard input.count > 1 else { return }
    let method: HTTPMethod = input[1] & 3 == 1 ? .head : .get
    let bytes = [UInt8](input.dropFirst(2))
    var whole = HTTP1Reading(ResponsesTo(method: method))
    whole.receive(bytes, pieceSize: .max)
    whole.close()
    var pieces = HTTP1Reading(ResponsesTo(method: method))
    pieces.receive(bytes, pieceSize: Int(input[0]) + 1)
    pieces.close()
    require(whole.log == pieces.log, "\(whole.log) in one piece, \(pieces.log) in pieces")
  }

  fileprivate static let limits = {
    var limits = HTTPHeadLimits()
    limits.maximumBytes = 1024
    limits.maximumFields = 20
    limits.maximumTargetBytes = 200
    return limits
  }()
}

/// A parser of heads, and what must hold for each head that it takes.
private protocol HeadParser {
  associatedtype Head
  mutating func next(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) -> (head: Head, length: Int)?
  static func framing(_ head: Head) -> BodyFraming
  static func keepsAlive(_ head: Head) -> Bool
  /// The head in one line, everything in it.
  static func summary(_ head: Head) -> String
  /// The head written by our encoder, and read again.
  static func rewritten(_ head: Head) -> Head?
}

/// One side of a connection: which messages were read from it.
private struct HTTP1Reading<Parser: HeadParser> {
  /// Heads, bodies with their trailers, and the error that ended it.
  private(set) var log: [String] = []
  private var parser: Parser
  private var body: HTTP1BodyDecoder?
  private var content: [UInt8] = []
  private var keepsAlive = true
  private var isOver = false

  init(_ parser: Parser) { self.parser = parser }

  /// Bytes arrive in pieces; what is not used yet is presented again with the next one.
  mutating func receive(_ bytes: [UInt8], pieceSize: Int) {
    var (start, end) = (0, 0)
    while end < bytes.count, !isOver {
      end = pieceSize < bytes.count - end ? end + pieceSize : bytes.count
      do throws(HTTP1Error) {
        start += try withCopy(of: bytes[start..<end]) { bytes throws(HTTP1Error) in try consume(bytes) }
      } catch {
        finish("\(error.status.code) \(error.reason)")
      }
    }
  }

  /// The connection ends.
  mutating func close() {
    guard !isOver, body != nil else { return }
    do throws(HTTP1Error) {
      try body?.finish()
      endBody(HTTPFields())
    } catch {
      finish("\(error.status.code) \(error.reason)")
    }
  }

  private mutating func finish(_ line: String) {
    if !content.isEmpty { log.append("\(content)") }
    log.append(line)
    isOver = true
  }

  private mutating func endBody(_ trailers: HTTPFields) {
    log.append("\(content) \(trailers)")
    content = []
    body = nil
    if !keepsAlive { isOver = true }
  }

  /// Reads what is there; the number of bytes that were used.
  private mutating func consume(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) -> Int {
    var offset = 0
    while !isOver {
      if body == nil {
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        guard let (head, length) = try parser.next(rest) else { return offset }
        require(length > 0 && length <= rest.count, "a head of \(length) bytes in \(rest.count)")
        offset += length
        begin(head)
      }
      guard let isDone = try readBody(bytes, &offset), isDone else { return offset }
    }
    return offset
  }

  private mutating func begin(_ head: Parser.Head) {
    log.append(Parser.summary(head))
    if let again = Parser.rewritten(head) {
      require(Parser.summary(again) == Parser.summary(head), "\(Parser.summary(head)) became \(Parser.summary(again))")
    }
    keepsAlive = Parser.keepsAlive(head)
    body = HTTP1BodyDecoder(Parser.framing(head), maximumBytes: 3000, trailerLimits: FuzzTarget.limits)
  }

  /// True if the body is complete.
  private mutating func readBody(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(HTTP1Error) -> Bool? {
    while true {
      let before = offset
      switch try body?.next(bytes, from: &offset) {
      case .data(let range):
        require(!range.isEmpty && range.lowerBound >= before && range.upperBound == offset, "data elsewhere")
        content += bytes[range]
        require(content.count <= 3000, "a body that is too large")
      case .needsMore:
        require(offset == bytes.count, "more is wanted though some is left")
        return false
      case .end(let trailers):
        endBody(trailers)
        return true
      case nil: return nil
      }
    }
  }
}

extension HTTP1RequestParser: HeadParser {
  fileprivate mutating func next(
    _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> (head: HTTP1RequestHead, length: Int)? { try parse(bytes) }

  fileprivate static func framing(_ head: HTTP1RequestHead) -> BodyFraming { head.framing }
  fileprivate static func keepsAlive(_ head: HTTP1RequestHead) -> Bool { head.keepsAlive }

  fileprivate static func summary(_ head: HTTP1RequestHead) -> String {
    require(head.framing != .untilClose, "a request until the connection closes")
    require(head.authority != nil || head.version == .http10, "a request to nobody")
    return "\(head.method) \(head.target) \(head.authority ?? "") \(head.framing) \(head.keepsAlive) "
      + ControlFieldsOfOurs.removed(from: head.fields)
  }

  fileprivate static func rewritten(_ head: HTTP1RequestHead) -> HTTP1RequestHead? {
    // What HTTP/1.0 ignores there is refused in HTTP/1.1.
    guard let authority = head.authority, head.fields["expect"] == nil else { return nil }
    var bytes: [UInt8] = []
    HTTP1Encoder.requestHead(
      head.method, target: head.target, authority: authority, fields: head.fields, framing: head.framing,
      keepsAlive: head.keepsAlive, into: &bytes)
    // What was longer only by what we leave out may be longer in our words.
    var parser = HTTP1RequestParser(limits: HTTPHeadLimits())
    let result = try? withCopy(of: bytes) { bytes throws(HTTP1Error) in try parser.parse(bytes) }
    require(result?.length == bytes.count, "what we write is not read: \(String(decoding: bytes, as: UTF8.self))")
    return result?.head
  }
}

/// Reads all responses as those to requests of one method.
private struct ResponsesTo: HeadParser {
  let method: HTTPMethod
  var parser = HTTP1ResponseParser(limits: FuzzTarget.limits)

  mutating func next(
    _ bytes: UnsafeRawBufferPointer
  ) throws(HTTP1Error) -> (head: HTTP1ResponseHead, length: Int)? { try parser.parse(bytes, requestMethod: method) }

  static func framing(_ head: HTTP1ResponseHead) -> BodyFraming { head.framing }
  static func keepsAlive(_ head: HTTP1ResponseHead) -> Bool { head.keepsAlive || head.status.isInformational }

  static func summary(_ head: HTTP1ResponseHead) -> String {
    require((100...999).contains(head.status.code) && head.status.code != 101, "a response \(head.status)")
    require(!head.status.isBodiless || head.framing == .none, "a body behind \(head.status)")
    return "\(head.status.code) \(head.framing) \(head.keepsAlive) " + ControlFieldsOfOurs.removed(from: head.fields)
  }

  static func rewritten(_ head: HTTP1ResponseHead) -> HTTP1ResponseHead? { nil }
}

/// The fields that the encoder writes itself, whatever it was given.
private enum ControlFieldsOfOurs {
  static func removed(from fields: HTTPFields) -> String {
    var text = ""
    fields.forEach { name, value in
      require(!name.isEmpty && name == name.lowercased(), "the field \(name)")
      require(!value.utf8.contains { $0 == 13 || $0 == 10 || $0 == 0 }, "a field of several lines")
      if !["host", "connection", "keep-alive", "content-length", "transfer-encoding"].contains(name) {
        text += "\(name): \(value)\n"
      }
    }
    return text
  }
}
