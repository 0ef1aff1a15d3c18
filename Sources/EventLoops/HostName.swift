import Addresses

/// A host by name or address, and a port: `router.example:6881`, `192.0.2.1:6881`, `[2001:db8::1]:6881`.
public struct HostName: Hashable, Sendable, LosslessStringConvertible {
  /// A host name, or an address without brackets.
  public let host: String
  /// The port, 1…65535.
  public let port: UInt16

  /// The endpoint, if the host is an address.
  public var endpoint: Endpoint? { IPAddress(host).map { Endpoint($0, port: port) } }

  /// The host of an endpoint.
  public init(_ endpoint: Endpoint) {
    self.init(host: endpoint.address.description, port: endpoint.port)
  }

  /// Reads `host:port`; nil without a port, for port 0, or for a host that is neither an address nor at most 253
  /// letters, digits, hyphens, underscores and dots (RFC 1123 §2.1).
  public init?(_ text: String) {
    if let endpoint = Endpoint(text) {
      guard endpoint.port != 0 else { return nil }
      self.init(endpoint)
      return
    }
    guard let colon = text.lastIndex(of: ":") else { return nil }
    let host = text[..<colon]
    let digits = text[text.index(after: colon)...]
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(digits), port != 0,
      (1...253).contains(host.utf8.count), host.utf8.allSatisfy(Self.isAllowed), host.first != "-",
      // Digits and dots only is a mistyped address; the C library would take `10.1` for 10.0.0.1.
      host.utf8.contains(where: { $0 != UInt8(ascii: ".") && !(48...57).contains($0) })
    else { return nil }
    self.init(host: String(host), port: port)
  }

  private init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): true
    default: false
    }
  }

  /// `host:port`, an IPv6 address in brackets.
  public var description: String { endpoint?.description ?? "\(host):\(port)" }
}
