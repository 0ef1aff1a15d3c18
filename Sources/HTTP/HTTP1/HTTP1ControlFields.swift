/// What the fields of a head say about the end of the message and of the connection, gathered line by line.
struct HTTP1ControlFields: Sendable {
  private var contentLength: UInt64?
  private var isChunked = false
  private var saysClose = false
  private var saysKeepAlive = false
  /// Where the value of `Host` lies in the message, if it came.
  private(set) var host: Range<Int>?
  private(set) var expectsContinue = false
  private(set) var expectsMore = false

  /// Takes note of a field that lies in `message`.
  @inline(__always)
  mutating func note(
    _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in message: UnsafeRawBufferPointer
  ) throws(HTTP1Error) {
    switch name.count {
    case 4 where OctetScan.isToken(name, "host"):
      if host != nil { throw .malformed("two Host fields") }
      let start = value.baseAddress.flatMap { value in message.baseAddress.map { value - $0 } } ?? 0
      host = start..<start + value.count
    case 6 where OctetScan.isToken(name, "expect"): noteExpect(value)
    case 10 where OctetScan.isToken(name, "connection"): noteConnection(value)
    case 14 where OctetScan.isToken(name, "content-length"): try noteContentLength(value)
    case 17 where OctetScan.isToken(name, "transfer-encoding"): try noteTransferEncoding(value)
    default: break
    }
  }

  /// Digits only, and the field once only: RFC 9110 §8.6 lets a recipient refuse repeated equal values as well as
  /// differing ones, and of two readers one may take the first and one the last.
  private mutating func noteContentLength(_ value: UnsafeRawBufferPointer) throws(HTTP1Error) {
    if contentLength != nil { throw .malformed("two Content-Length fields") }
    guard (1...19).contains(value.count), value.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw .malformed("Content-Length is no number of bytes")
    }
    // 19 digits fit into 64 bits; the sign bit stays free for those who count with Int64.
    let length = value.reduce(UInt64(0)) { $0 * 10 + UInt64($1 - 0x30) }
    if length > UInt64(Int64.max) { throw .malformed("Content-Length is too large") }
    contentLength = length
  }

  /// `chunked` and nothing else. A list in which `chunked` comes last, once, names a coding that is not known here (501,
  /// RFC 9112 §6.1); with any other the end of the message cannot be found (400, §6.3).
  private mutating func noteTransferEncoding(_ value: UnsafeRawBufferPointer) throws(HTTP1Error) {
    if isChunked { throw .malformed("two Transfer-Encoding fields") }
    if OctetScan.isToken(value, "chunked") {
      isChunked = true
      return
    }
    var last: Range<Int>?
    var chunked = 0
    Self.forEachMember(value) { member in
      last = member
      if OctetScan.isToken(UnsafeRawBufferPointer(rebasing: value[member]), "chunked") { chunked += 1 }
    }
    guard chunked == 1, let last, OctetScan.isToken(UnsafeRawBufferPointer(rebasing: value[last]), "chunked") else {
      throw .malformed("Transfer-Encoding does not end in one \"chunked\"")
    }
    throw HTTP1Error(.notImplemented, "a transfer coding other than chunked")
  }

  private mutating func noteConnection(_ value: UnsafeRawBufferPointer) {
    var (close, keepAlive) = (saysClose, saysKeepAlive)
    Self.forEachMember(value) { member in
      let option = UnsafeRawBufferPointer(rebasing: value[member])
      if OctetScan.isToken(option, "close") { close = true }
      if OctetScan.isToken(option, "keep-alive") { keepAlive = true }
    }
    (saysClose, saysKeepAlive) = (close, keepAlive)
  }

  private mutating func noteExpect(_ value: UnsafeRawBufferPointer) {
    var (wantsContinue, wantsMore) = (expectsContinue, expectsMore)
    Self.forEachMember(value) { member in
      if OctetScan.isToken(UnsafeRawBufferPointer(rebasing: value[member]), "100-continue") {
        wantsContinue = true
      } else {
        wantsMore = true
      }
    }
    (expectsContinue, expectsMore) = (wantsContinue, wantsMore)
  }

  /// Calls `body` with each member of a list that is not empty (RFC 9110 §5.6.1).
  @inline(__always)
  private static func forEachMember(_ list: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
    var start = 0
    while start <= list.count {
      var end = start
      while end < list.count, list[end] != UInt8(ascii: ",") { end += 1 }
      let member = OctetScan.trimmed(list, start..<end)
      if !member.isEmpty { body(member) }
      start = end + 1
    }
  }

  // MARK: - Conclusions, when the head is complete

  /// How the message announces its body: `.none` if it says nothing.
  ///
  /// Both announcements together are the mark of request smuggling; in HTTP/1.0 there is no chunked coding, so who sends
  /// it has got something wrong (RFC 9112 §6.1).
  func framing(_ version: HTTPVersion) throws(HTTP1Error) -> BodyFraming {
    if isChunked {
      if contentLength != nil { throw .malformed("both Content-Length and Transfer-Encoding") }
      if version == .http10 { throw .malformed("Transfer-Encoding in HTTP/1.0") }
      return .chunked
    }
    return contentLength.map { .length($0) } ?? .none
  }

  /// True if the connection outlives the message (RFC 9112 §9.3).
  func keepsAlive(_ version: HTTPVersion) -> Bool { !saysClose && (version != .http10 || saysKeepAlive) }
}
