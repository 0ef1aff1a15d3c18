import Addresses

/// An `http` or `https` address (RFC 3986, RFC 9110 §4.2).
///
/// The host is in lower case; path and query stay as they were written, percent-encoded. User information is refused, and a
/// fragment is dropped: neither is ever sent.
public struct HTTPURL: Hashable, Sendable {
  /// The two schemes.
  public enum Scheme: String, Hashable, Sendable {
    /// Without encryption, port 80.
    case http
    /// With TLS, port 443.
    case https
  }

  /// `http` or `https`.
  public var scheme: Scheme
  /// A name, an IPv4 address, or an IPv6 address without brackets.
  public var host: String
  /// The port if it is not the scheme's own.
  public var port: UInt16?
  /// Path and query.
  public var target: HTTPTarget

  /// Joins the parts.
  public init(scheme: Scheme, host: String, port: UInt16? = nil, target: HTTPTarget = HTTPTarget("/")) {
    self.scheme = scheme
    self.host = host.lowercased()
    self.port = port == Self.defaultPort(scheme) ? nil : port
    self.target = target
  }

  /// The port to connect to.
  public var effectivePort: UInt16 { port ?? Self.defaultPort(scheme) }

  private static func defaultPort(_ scheme: Scheme) -> UInt16 { scheme == .https ? 443 : 80 }

  /// Host and port as the `host` field has them; the scheme's own port is left out.
  public var authority: String {
    let name = host.contains(":") ? "[\(host)]" : host
    return port.map { "\(name):\($0)" } ?? name
  }

  /// The address with one more segment of path, which is encoded; a slash at the end of the path is not doubled.
  public func appending(segment: String) -> HTTPURL {
    var url = self
    let base = target.path.hasSuffix("/") ? String(target.path.dropLast()) : target.path
    url.target = HTTPTarget("\(base)/\(PercentEncoding.encode(segment))\(target.query.map { "?\($0)" } ?? "")")
    return url
  }

  /// The address with one more parameter in its query.
  public func appending(parameter name: String, _ value: String) -> HTTPURL {
    var url = self
    let parameter = "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))"
    let before = target.query.map { $0.isEmpty ? "" : "\($0)&" } ?? ""
    url.target = HTTPTarget("\(target.path)?\(before)\(parameter)")
    return url
  }
}

extension HTTPURL: LosslessStringConvertible {
  /// `https://example.org:8443/path?query`
  public var description: String { "\(scheme.rawValue)://\(authority)\(target)" }

  /// Reads an absolute address; nil for another scheme, user information, and whatever could not stand in a request.
  public init?(_ text: String) {
    guard let end = text.range(of: "://"), let scheme = Scheme(rawValue: text[..<end.lowerBound].lowercased()),
      text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f })
    else { return nil }
    let rest = text[end.upperBound...]
    let authorityEnd = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
    guard let (host, port) = Self.hostAndPort(rest[..<authorityEnd]) else { return nil }
    var target = rest[authorityEnd...].prefix { $0 != "#" }
    if target.first != "/" { target = "/" + target }
    self.init(scheme: scheme, host: host, port: port, target: HTTPTarget(target))
  }

  private static func hostAndPort(_ text: Substring) -> (String, UInt16?)? {
    var host = text
    var port: UInt16?
    if let colon = text.lastIndex(of: ":"), !text[colon...].contains("]") {
      host = text[..<colon]
      let digits = text[text.index(after: colon)...]
      if !digits.isEmpty {
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(digits), number > 0 else {
          return nil
        }
        port = number
      }
    }
    if host.first == "[", host.last == "]" {
      let address = host.dropFirst().dropLast()
      guard address.contains(":"), IPAddress(address) != nil else { return nil }
      return (String(address), port)
    }
    let isName = host.utf8.allSatisfy { byte in
      (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
    }
    guard isName, (1...255).contains(host.utf8.count) else { return nil }
    return (String(host), port)
  }

  /// The address that a reference in a response means, such as the `location` of a redirect (RFC 3986 §5.2).
  public func resolving(_ reference: String) -> HTTPURL? {
    let reference = String(reference.prefix { $0 != "#" })
    if let absolute = HTTPURL(reference) { return absolute }
    guard !reference.contains("://"), reference.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) else { return nil }
    if reference.hasPrefix("//") { return HTTPURL("\(scheme.rawValue):\(reference)") }
    var url = self
    if reference.isEmpty { return url }
    if reference.hasPrefix("/") {
      url.target = HTTPTarget(Self.removingDots(reference))
    } else if reference.hasPrefix("?") {
      url.target = HTTPTarget(target.path + reference)
    } else {
      let folder = target.path[...(target.path.lastIndex(of: "/") ?? target.path.startIndex)]
      url.target = HTTPTarget(Self.removingDots(folder + reference))
    }
    return url
  }

  /// Takes `.` and `..` out of a path (RFC 3986 §5.2.4); a query behind it stays.
  private static func removingDots(_ text: String) -> String {
    let path = text.prefix { $0 != "?" }
    var segments: [Substring] = []
    let parts = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    for (index, part) in parts.enumerated() {
      let isLast = index == parts.count - 1
      switch part {
      case ".": if isLast { segments.append("") }
      case "..":
        _ = segments.popLast()
        if isLast { segments.append("") }
      default: segments.append(part)
      }
    }
    return "/" + segments.joined(separator: "/") + text[path.endIndex...]
  }
}

extension String {
  /// The first place of `other`.
  fileprivate func range(of other: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(other) { return start..<index(start, offsetBy: other.count) }
      start = index(after: start)
    }
    return nil
  }
}
