/// An IP address and a port: where a UDP or TCP peer is.
public struct Endpoint: Hashable, Sendable {
  /// The address.
  public var address: IPAddress
  /// The port, 0 for "none" or "any".
  public var port: UInt16

  /// Joins an address and a port.
  @inline(__always)
  public init(_ address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// The family of the address.
  @inline(__always) public var family: IPAddress.Family { address.family }
}

extension Endpoint: LosslessStringConvertible {
  /// `192.0.2.1:6881` or `[2001:db8::1]:6881`.
  public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }

  /// Reads `192.0.2.1:6881` or `[2001:db8::1]:6881`; nil for anything else, host names included.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[..<colon]
    let portText = text[text.index(after: colon)...]
    guard portText.utf8.count <= 5, portText.utf8.allSatisfy({ (48...57).contains($0) }), let port = UInt16(portText)
    else { return nil }
    if host.first == "[", host.last == "]" {
      host = host.dropFirst().dropLast()
      guard let address = IPAddress(host), host.contains(":") else { return nil }
      self.init(address, port: port)
    } else {
      guard !host.contains(":"), let address = IPAddress(host) else { return nil }
      self.init(address, port: port)
    }
  }
}

extension Sequence<Endpoint> {
  /// The same endpoints, the families by turns as long as there are both, each in its order, beginning with that of the
  /// first (RFC 8305 §4): where one family does not get through the other is tried soon.
  public func alternatingFamilies() -> [Endpoint] {
    let all = Array(self)
    guard let first = all.first?.family else { return [] }
    let (leading, others) = (all.filter { $0.family == first }, all.filter { $0.family != first })
    var result: [Endpoint] = []
    for index in 0..<Swift.max(leading.count, others.count) {
      if index < leading.count { result.append(leading[index]) }
      if index < others.count { result.append(others[index]) }
    }
    return result
  }
}
