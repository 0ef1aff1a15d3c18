import Addresses

/// What a router with address translation lets in (the terms of RFC 3489 §5).
public enum NATKind: String, Sendable, Hashable, CaseIterable {
  /// One port outside for one inside; whoever knows it gets in.
  case fullCone = "full-cone"
  /// One port outside; only addresses that were written to get in.
  case addressRestricted = "address-restricted"
  /// One port outside; only endpoints that were written to get in.
  case portRestricted = "port-restricted"
  /// Another port outside for each endpoint that is written to, and only that endpoint gets in.
  case symmetric
}

/// The router of one simulated node.
struct NATRouter: Sendable {
  /// How long a mapping is kept after the last datagram that went out through it. RFC 4787 §4.3 asks for two minutes.
  static let life: Int64 = 120_000_000_000

  let kind: NATKind
  /// The public endpoint of everything but ``NATKind/symmetric``.
  let endpoint: Endpoint
  /// When a datagram went out last: to anyone, and to each endpoint or address (with port 0).
  private var lastSent = Int64.min / 2
  private var sent: [Endpoint: Int64] = [:]
  /// The public ports of a symmetric router, by destination.
  private var ports: [Endpoint: UInt16] = [:]
  private var nextPort: UInt16

  init(_ kind: NATKind, at endpoint: Endpoint) {
    self.kind = kind
    self.endpoint = endpoint
    nextPort = 20_000 + endpoint.port % 1000
  }

  /// Destinations that are remembered.
  var remembered: Int { sent.count + ports.count }

  private func key(_ other: Endpoint) -> Endpoint {
    kind == .addressRestricted ? Endpoint(other.address, port: 0) : other
  }

  /// A datagram goes out: the endpoint that it seems to come from.
  mutating func send(to destination: Endpoint, at now: Int64) -> Endpoint {
    lastSent = now
    guard kind != .fullCone else { return endpoint }
    if sent.count >= 1024 { forget(at: now) }
    let key = key(destination)
    let isOpen = sent[key].map { now - $0 < Self.life } ?? false
    sent[key] = now
    guard kind == .symmetric else { return endpoint }
    if isOpen, let port = ports[key] { return Endpoint(endpoint.address, port: port) }
    nextPort = nextPort >= 60_000 ? 20_000 : nextPort + 1
    ports[key] = nextPort
    return Endpoint(endpoint.address, port: nextPort)
  }

  /// Whether a datagram from `sender` to this public port gets in.
  func admits(_ sender: Endpoint, to port: UInt16, at now: Int64) -> Bool {
    switch kind {
    case .fullCone: return port == endpoint.port && now - lastSent < Self.life
    case .addressRestricted, .portRestricted:
      return port == endpoint.port && sent[key(sender)].map { now - $0 < Self.life } ?? false
    case .symmetric: return ports[sender] == port && sent[sender].map { now - $0 < Self.life } ?? false
    }
  }

  private mutating func forget(at now: Int64) {
    sent = sent.filter { now - $0.value < Self.life }
    if kind == .symmetric { ports = ports.filter { sent[$0.key] != nil } }
  }
}
