/// The fields of a head or of trailers while they arrive, and what becomes of them.
///
/// nghttp2 has checked before that names are tokens in lower case, that values hold no control characters, that pseudo
/// fields are known, single and in front, and that nothing belongs to a connection (RFC 9113 §8.2, §8.3).
struct HTTP2FieldSection: Sendable {
  private var bytes: [UInt8] = []
  private var entries: [HTTPFields.Entry] = []
  private var method: Range<Int>?
  private var path: Range<Int>?
  private var scheme: Range<Int>?
  private var authority: Range<Int>?
  private var host: Range<Int>?
  private var cookies: [Int] = []
  private var count = 0
  /// Names and values with 32 bytes more for each (§6.5.2); goes on beyond the limit.
  private(set) var size = 0
  /// True once the limits are exceeded. Nothing is kept from then on.
  private(set) var isTooLarge = false

  /// Takes a field.
  mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ settings: HTTP2Settings) {
    size += name.count + value.count + 32
    count += 1
    if size > settings.maximumHeadBytes || count > settings.maximumFields || name.count > Int(UInt16.max) {
      isTooLarge = true
    }
    // The method decides whether the refusal has a body.
    if isTooLarge, method != nil || !Self.isName(name, ":method") { return }
    if bytes.isEmpty {
      bytes.reserveCapacity(512)
      entries.reserveCapacity(16)
    }
    if name.first == UInt8(ascii: ":") {
      addPseudo(name, append(value))
    } else if Self.isName(name, "host") {
      host = append(value)
    } else {
      if Self.isName(name, "cookie") { cookies.append(entries.count) }
      let nameRange = append(name)
      let valueRange = append(value)
      entries.append(
        HTTPFields.Entry(
          nameStart: UInt32(truncatingIfNeeded: nameRange.lowerBound),
          nameLength: UInt16(truncatingIfNeeded: nameRange.count),
          valueStart: UInt32(truncatingIfNeeded: valueRange.lowerBound),
          valueLength: UInt32(truncatingIfNeeded: valueRange.count)))
    }
  }

  private mutating func addPseudo(_ name: UnsafeRawBufferPointer, _ value: Range<Int>) {
    if Self.isName(name, ":method") {
      method = value
    } else if Self.isName(name, ":path") {
      path = value
    } else if Self.isName(name, ":scheme") {
      scheme = value
    } else if Self.isName(name, ":authority") {
      authority = value
    }
  }

  private mutating func append(_ part: UnsafeRawBufferPointer) -> Range<Int> {
    let start = bytes.count
    bytes.append(contentsOf: part)
    return start..<bytes.count
  }

  @inline(__always)
  private static func isName(_ name: UnsafeRawBufferPointer, _ expected: StaticString) -> Bool {
    guard name.count == expected.utf8CodeUnitCount else { return false }
    for index in 0..<name.count where name[index] != expected.utf8Start[index] { return false }
    return true
  }

  // MARK: - Results

  /// The fields of a trailer section, without those that only a head may have.
  var trailers: HTTPFields { HTTPFields(bytes: bytes, entries: entries).withoutThoseOfHeads }

  /// True if the method is `HEAD`; known even if the head is refused.
  var isHead: Bool { method.map { bytes[$0].elementsEqual("HEAD".utf8) } ?? false }

  /// What a head was refused with.
  struct Refusal: Error, Equatable { var status: HTTPStatus }

  /// The request.
  ///
  /// Throws 431 and 414 for what is too large, 501 for `CONNECT` and methods that nobody has heard of, and 400 for what
  /// breaks a rule.
  mutating func requestHead(endsStream: Bool, _ settings: HTTP2Settings) throws(Refusal) -> HTTP2RequestHead {
    if isTooLarge { throw Refusal(status: .requestHeaderFieldsTooLarge) }
    joinCookies()
    let method = try parsedMethod()
    return HTTP2RequestHead(
      method: method, target: try parsedTarget(method, settings), authority: try parsedAuthority(),
      scheme: try parsedScheme(), fields: HTTPFields(bytes: bytes, entries: entries),
      contentLength: try parsedContentLength(), endsStream: endsStream)
  }

  private mutating func joinCookies() {
    guard cookies.count > 1 else { return }
    let start = bytes.count
    for index in cookies {
      if index != cookies[0] { bytes.append(contentsOf: "; ".utf8) }
      let from = Int(entries[index].valueStart)
      bytes.append(contentsOf: bytes[from..<from + Int(entries[index].valueLength)])
    }
    entries[cookies[0]].valueStart = UInt32(truncatingIfNeeded: start)
    entries[cookies[0]].valueLength = UInt32(truncatingIfNeeded: bytes.count - start)
    for index in cookies.dropFirst().reversed() { entries.remove(at: index) }
  }

  private func parsedMethod() throws(Refusal) -> HTTPMethod {
    guard let method, bytes[method].allSatisfy(HTTPToken.contains) else { throw Refusal(status: .badRequest) }
    if method.count > 32 { throw Refusal(status: .notImplemented) }
    let parsed = bytes.withUnsafeBytes { HTTPMethod(token: UnsafeRawBufferPointer(rebasing: $0[method])) }
    // CONNECT asks for a tunnel, which a server that is no proxy does not implement.
    if parsed == .connect { throw Refusal(status: .notImplemented) }
    return parsed
  }

  private func parsedTarget(_ method: HTTPMethod, _ settings: HTTP2Settings) throws(Refusal) -> HTTPTarget {
    guard let path, !path.isEmpty else { throw Refusal(status: .badRequest) }
    if path.count > settings.maximumTargetBytes { throw Refusal(status: .uriTooLong) }
    if path.count == 1, bytes[path.lowerBound] == UInt8(ascii: "*") {
      if method != .options { throw Refusal(status: .badRequest) }
      return HTTPTarget(path: "*", query: nil)
    }
    let isValid =
      bytes[path.lowerBound] == UInt8(ascii: "/")
      && bytes[path].allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "#") }
    if !isValid { throw Refusal(status: .badRequest) }
    let mark = bytes[path].firstIndex(of: UInt8(ascii: "?"))
    return HTTPTarget(
      path: String(decoding: bytes[path.lowerBound..<(mark ?? path.upperBound)], as: UTF8.self),
      query: mark.map { String(decoding: bytes[($0 + 1)..<path.upperBound], as: UTF8.self) })
  }

  private func parsedScheme() throws(Refusal) -> String {
    guard let scheme else { throw Refusal(status: .badRequest) }
    return try bytes.withUnsafeBytes { bytes -> Result<String, Refusal> in
      let text = UnsafeRawBufferPointer(rebasing: bytes[scheme])
      if OctetScan.isToken(text, "https") { return .success("https") }
      if OctetScan.isToken(text, "http") { return .success("http") }
      return .failure(Refusal(status: .badRequest))
    }.get()
  }

  /// A request whose `host` names another one than `:authority` is malformed (§8.3.1).
  private func parsedAuthority() throws(Refusal) -> String {
    guard let named = authority ?? host else { throw Refusal(status: .badRequest) }
    if let authority, let host {
      let isSame = bytes[authority].elementsEqual(bytes[host]) { Self.lowercase($0) == Self.lowercase($1) }
      if !isSame { throw Refusal(status: .badRequest) }
    }
    let isValid = bytes.withUnsafeBytes { HTTPAuthority.isValid(UnsafeRawBufferPointer(rebasing: $0[named])) }
    if !isValid { throw Refusal(status: .badRequest) }
    return String(decoding: bytes[named], as: UTF8.self)
  }

  private static func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5a).contains(byte) ? byte | 0x20 : byte }

  private func parsedContentLength() throws(Refusal) -> UInt64? {
    let fields = HTTPFields(bytes: bytes, entries: entries)
    guard let index = fields.firstIndex(of: .contentLength) else { return nil }
    let start = Int(entries[index].valueStart)
    let digits = bytes[start..<start + Int(entries[index].valueLength)]
    // As many as nghttp2 counts with.
    guard (1...18).contains(digits.count), digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
      throw Refusal(status: .badRequest)
    }
    return digits.reduce(0) { $0 * 10 + UInt64($1 - 0x30) }
  }
}
