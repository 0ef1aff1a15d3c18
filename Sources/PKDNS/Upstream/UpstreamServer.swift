import Addresses

/// A name server that questions are forwarded to: an address, and how to speak with it.
public struct UpstreamServer: Hashable, Sendable {
  /// How questions reach a server.
  public enum Transport: Hashable, Sendable {
    /// Datagrams, and TCP for what does not fit (RFC 1035 §4.2).
    case datagrams
    /// TCP alone (RFC 7766).
    case stream
    /// TLS (RFC 7858); the name is what the certificate must be for, nil: the address.
    case tls(name: String?)
    /// HTTPS (RFC 8484): the path without a query, and what the certificate must be for, nil: the address.
    case https(path: String, name: String?)
  }

  /// Where the server is. Always an address: finding it must not need a name server.
  public var endpoint: Endpoint
  /// How to speak with it.
  public var transport: Transport

  /// Joins the two.
  public init(_ endpoint: Endpoint, _ transport: Transport = .datagrams) {
    self.endpoint = endpoint
    self.transport = transport
  }

  /// True if nobody on the way can read along or answer in its place.
  public var isEncrypted: Bool {
    switch transport {
    case .datagrams, .stream: false
    case .tls, .https: true
    }
  }
}

extension UpstreamServer: LosslessStringConvertible {
  /// Reads an address with or without a port, `tcp://ADDRESS[:PORT]`, `tls://ADDRESS[:PORT][#NAME]` or
  /// `https://ADDRESS[:PORT]/PATH[#NAME]`; nil for anything else, above all for a host name in the place of the address.
  public init?(_ text: String) {
    guard text.utf8.count <= 1024 else { return nil }
    var rest = text[...]
    var scheme = "udp"
    if let separator = text.firstRange(of: "://") {
      scheme = text[..<separator.lowerBound].lowercased()
      rest = text[separator.upperBound...]
    }
    var name: String?
    if let mark = rest.firstIndex(of: "#") {
      name = String(rest[rest.index(after: mark)...])
      rest = rest[..<mark]
      guard let name, Self.isHostName(name) else { return nil }
    }
    var path = ""
    if let slash = rest.firstIndex(of: "/") {
      path = String(rest[slash...])
      rest = rest[..<slash]
    }
    guard let defaultPort = Self.defaultPorts[scheme], let endpoint = Self.endpoint(rest, defaultPort) else {
      return nil
    }
    guard scheme == "https" ? Self.isPath(path) : path.isEmpty else { return nil }
    guard name == nil || scheme == "tls" || scheme == "https" else { return nil }
    self.endpoint = endpoint
    transport =
      switch scheme {
      case "tcp": .stream
      case "tls": .tls(name: name)
      case "https": .https(path: path.isEmpty ? "/dns-query" : path, name: name)
      default: .datagrams
      }
  }

  private static let defaultPorts: [String: UInt16] = ["udp": 53, "tcp": 53, "tls": 853, "https": 443]

  private static func endpoint(_ text: Substring, _ defaultPort: UInt16) -> Endpoint? {
    if let address = IPAddress(text) { return Endpoint(address, port: defaultPort) }
    if text.first == "[", text.last == "]", text.contains(":") {
      return IPAddress(text.dropFirst().dropLast()).map { Endpoint($0, port: defaultPort) }
    }
    guard let endpoint = Endpoint(String(text)), endpoint.port != 0 else { return nil }
    return endpoint
  }

  private static func isHostName(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
      }
  }

  /// Empty, or a path that can stand in a request as it is.
  private static func isPath(_ text: String) -> Bool {
    text.utf8.allSatisfy { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: "?") }
  }

  /// The text that the server is read from, with its port.
  public var description: String {
    switch transport {
    case .datagrams: "\(endpoint)"
    case .stream: "tcp://\(endpoint)"
    case .tls(let name): "tls://\(endpoint)" + (name.map { "#\($0)" } ?? "")
    case .https(let path, let name): "https://\(endpoint)\(path)" + (name.map { "#\($0)" } ?? "")
    }
  }
}
