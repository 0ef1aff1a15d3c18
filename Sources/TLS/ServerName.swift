import Glibc

/// A host as a certificate names it: a DNS name or an IP address.
struct ServerName: Hashable, Sendable {
  /// The DNS name (lower case, without a dot at the end) or the address in its shortest form.
  let text: String
  /// The address in network byte order (4 or 16 bytes); nil for a DNS name.
  let address: [UInt8]?

  /// Reads a host name in its ASCII form, or an IPv4 or IPv6 address without brackets.
  init(_ host: String) throws(TLSError) {
    if let address = Self.address(host) {
      text = Self.text(ofAddress: address) ?? host
      self.address = address
      return
    }
    var name = host.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    guard Self.isName(name) else { throw TLSError(.configuration, "\"\(Self.printable(host))\" is not a host name") }
    text = name
    address = nil
  }

  private init(name: String) {
    text = name
    address = nil
  }

  /// Reads a name for a certificate whose first label is `*`, which stands for one label; at least two follow.
  static func wildcard(_ text: String) throws(TLSError) -> ServerName {
    let name = text.lowercased()
    guard isName(name, allowsWildcard: true), name.hasPrefix("*.") else {
      throw TLSError(.configuration, "\"\(printable(text))\" is not a host name")
    }
    return ServerName(name: name)
  }

  /// Labels of letters, digits, `-` and `_`; the first may be `*` in a certificate.
  static func isName(_ text: String, allowsWildcard: Bool = false) -> Bool {
    guard (1...253).contains(text.utf8.count) else { return false }
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return labels.enumerated().allSatisfy { index, label in
      if allowsWildcard, index == 0, labels.count > 2, label.elementsEqual("*".utf8) { return true }
      return (1...63).contains(label.count)
        && label.allSatisfy {
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
            || $0 == UInt8(ascii: "_")
        }
    }
  }

  /// An IPv4 or IPv6 address in network byte order; nil if the text is none.
  static func address(_ text: String) -> [UInt8]? {
    for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
      var bytes = [UInt8](repeating: 0, count: size)
      if !text.utf8.contains(0), inet_pton(family, text, &bytes) == 1 { return bytes }
    }
    return nil
  }

  /// An address in words.
  static func text(ofAddress bytes: [UInt8]) -> String? {
    guard bytes.count == 4 || bytes.count == 16 else { return nil }
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    guard inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, bytes, &buffer, socklen_t(buffer.count)) != nil else {
      return nil
    }
    return buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  }

  /// Text of a stranger, fit to be shown: visible ASCII, at most 100 characters.
  static func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(100).map { (" "..."~").contains($0) ? $0 : "?" }))
  }

  /// True if a name in a certificate (`*` stands for one label) means this DNS name (lower case).
  static func matches(pattern: String, name: String) -> Bool {
    if pattern == name { return true }
    guard pattern.hasPrefix("*."), let dot = name.firstIndex(of: ".") else { return false }
    return pattern.dropFirst() == name[dot...]
  }
}
