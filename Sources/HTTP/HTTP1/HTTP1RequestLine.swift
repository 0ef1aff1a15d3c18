import Glibc

/// The first line of a request: `METHOD SP target SP HTTP/1.x`, one space each (RFC 9112 §3).
struct HTTP1RequestLine: Sendable {
  let method: HTTPMethod
  let version: HTTPVersion
  /// Where path and query lie in the message; empty if an absolute target has neither.
  private let pathAndQuery: Range<Int>
  /// Where the authority of an absolute target lies in the message.
  let authority: Range<Int>?

  /// Bytes of a request line besides the target, at most.
  static let overhead = 32 + 10

  /// Reads a line that holds no control characters but tabs.
  ///
  /// Of the four forms of a target (§3.2), origin and absolute (`http` and `https`) are taken for any method, the asterisk
  /// for `OPTIONS`, and the authority not at all: `CONNECT` asks for a tunnel, which a server that is no proxy does not
  /// implement (501). A version 1.2 to 1.9 is read as 1.1 (RFC 9110 §2.5).
  init(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer, limits: HTTPHeadLimits) throws(HTTP1Error) {
    var index = line.lowerBound
    while index < line.upperBound, HTTPToken.contains(bytes[index]) { index += 1 }
    guard index > line.lowerBound, index < line.upperBound, bytes[index] == 0x20 else {
      throw .malformed("the request line does not start with a method and a space")
    }
    if index - line.lowerBound > 32 { throw HTTP1Error(.notImplemented, "an unknown method") }
    method = HTTPMethod(token: UnsafeRawBufferPointer(rebasing: bytes[line.lowerBound..<index]))

    let start = index + 1
    let end = OctetScan.firstInvisible(in: bytes, from: start, to: line.upperBound)
    guard end < line.upperBound else { throw .malformed("the request line has no version") }
    guard end > start, bytes[end] == 0x20 else { throw .malformed("the target is empty or not in ASCII") }
    if end - start > limits.maximumTargetBytes { throw HTTP1Error(.uriTooLong, "the target is too long") }
    version = try HTTP1Version.parse(bytes, end + 1..<line.upperBound)
    (authority, pathAndQuery) = try Self.split(start..<end, of: bytes, method)
  }

  private static func split(
    _ target: Range<Int>, of bytes: UnsafeRawBufferPointer, _ method: HTTPMethod
  ) throws(HTTP1Error) -> (authority: Range<Int>?, pathAndQuery: Range<Int>) {
    let text = UnsafeRawBufferPointer(rebasing: bytes[target])
    if method == .connect { throw HTTP1Error(.notImplemented, "CONNECT") }
    // Never sent by a client; two readers might look for different things.
    if let start = text.baseAddress, memchr(start, 0x23, text.count) != nil {
      throw .malformed("the target holds a fragment")
    }
    if text[0] == UInt8(ascii: "/") { return (nil, target) }
    if text[0] == UInt8(ascii: "*"), text.count == 1 {
      guard method == .options else { throw .malformed("the target * with another method than OPTIONS") }
      return (nil, target)
    }
    guard let colon = text.firstIndex(of: UInt8(ascii: ":")),
      OctetScan.isToken(UnsafeRawBufferPointer(rebasing: text[..<colon]), "http")
        || OctetScan.isToken(UnsafeRawBufferPointer(rebasing: text[..<colon]), "https"),
      text[(colon + 1)...].starts(with: "//".utf8)
    else { throw .malformed("the target is neither a path nor an address of http or https") }
    let start = colon + 3
    let end = text[start...].firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? text.count
    guard HTTPAuthority.isValid(UnsafeRawBufferPointer(rebasing: text[start..<end])) else {
      throw .malformed("the target's host is not valid")
    }
    let offset = target.lowerBound
    return (offset + start..<offset + end, offset + end..<target.upperBound)
  }

  /// Path and query. Without them an absolute target means `/`, or `*` for `OPTIONS` (§3.2.4).
  func target(in bytes: UnsafeRawBufferPointer) -> HTTPTarget {
    let text = UnsafeRawBufferPointer(rebasing: bytes[pathAndQuery])
    guard let start = text.baseAddress, !text.isEmpty else {
      return HTTPTarget(path: method == .options ? "*" : "/", query: nil)
    }
    let mark = memchr(start, 0x3f, text.count).map { UnsafeRawPointer($0) - start }
    let path = text[..<(mark ?? text.count)]
    return HTTPTarget(
      path: path.isEmpty ? "/" : String(decoding: UnsafeRawBufferPointer(rebasing: path), as: UTF8.self),
      query: mark.map { String(decoding: UnsafeRawBufferPointer(rebasing: text[($0 + 1)...]), as: UTF8.self) })
  }
}

/// `HTTP/1.1` in the first line of a message (RFC 9112 §2.3).
enum HTTP1Version {
  /// Reads a version, case-sensitive. 505 for another one than 1.x.
  @inline(__always)
  static func parse(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) throws(HTTP1Error) -> HTTPVersion {
    let start = range.lowerBound
    guard range.count == 8, bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self) == name,
      bytes[start + 4] == UInt8(ascii: "/"), isDigit(bytes[start + 5]), bytes[start + 6] == UInt8(ascii: "."),
      isDigit(bytes[start + 7])
    else { throw .malformed("the version is not of the form HTTP/1.1") }
    guard bytes[start + 5] == UInt8(ascii: "1") else {
      throw HTTP1Error(.httpVersionNotSupported, "a version other than HTTP/1")
    }
    return bytes[start + 7] == UInt8(ascii: "0") ? .http10 : .http11
  }

  /// `HTTP` as it lies in memory.
  private static let name = UInt32(bigEndian: 0x4854_5450)

  @inline(__always)
  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
}
