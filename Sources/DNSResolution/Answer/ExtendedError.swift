import DNSWire

/// An extended error (RFC 8914): why an answer is as it is.
struct ExtendedError: Hashable, Sendable {
  /// Number of the error (IANA registry of extended DNS error codes).
  let code: UInt16
  /// A few words in ASCII, at most 100 bytes.
  let text: String

  init(_ code: UInt16, _ text: String = "") {
    self.code = code
    let printable = text.utf8.prefix(100).map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }
    self.text = String(decoding: printable, as: UTF8.self)
  }

  static func other(_ text: String) -> Self { Self(0, text) }
  static func staleAnswer(age: UInt64) -> Self { Self(3, "age \(age) s") }
  static func cachedError(secondsLeft: UInt64) -> Self { Self(13, "asked again in \(secondsLeft) s") }
  static func notReady(nodes: Int) -> Self { Self(14, "the DHT node knows \(nodes) nodes so far") }
  static let blocked = Self(15)
  static func filtered(_ count: Int) -> Self { Self(17, "\(count) private addresses removed") }
  static func prohibited(_ limit: String) -> Self { Self(18, limit) }
  static func staleNoSuchName(age: UInt64) -> Self { Self(19, "age \(age) s") }
  static func unreachable(_ text: String) -> Self { Self(22, text) }
  static func networkError(_ text: String) -> Self { Self(23, text) }
  static func invalidData(_ text: String) -> Self { Self(24, text) }
  static let synthesized = Self(29)
}

extension ExtendedError {
  /// The first extended error in the OPT record of another server's message, marked as what that server said (RFC 8914 §3);
  /// nil if there is none.
  init?(of message: Message) {
    guard case .opaque(_, let options)? = message.options?.data else { return nil }
    func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
    var rest = options[...]
    while rest.count >= 4 {
      let code = number(rest.prefix(2))
      let length = number(rest.dropFirst(2).prefix(2))
      let value = rest.dropFirst(4).prefix(length)
      rest = rest.dropFirst(4 + length)
      guard code == Int(EDNSOption.extendedError), value.count == length, length >= 2 else { continue }
      // The text may end in a NUL (RFC 8914 §2).
      let text = value.dropFirst(2).prefix { $0 != 0 }
      self.init(
        UInt16(number(value.prefix(2))),
        text.isEmpty ? "from the name server" : "from the name server: " + String(decoding: text, as: UTF8.self))
      return
    }
    return nil
  }
}
