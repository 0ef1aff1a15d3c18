import Addresses

/// Nodes of one bucket, packed: tables hold hundreds of them, and simulations millions. 36 bytes each while all are IPv4,
/// 48 from the first IPv6 node on, and room for hardly more of them than there are.
struct NodeList: Sendable {
  /// What nodes of both families have, in words that need no padding.
  fileprivate struct Packed: Sendable {
    let id: (UInt32, UInt32, UInt32, UInt32, UInt32)
    /// The last four bytes of the address.
    let address: UInt32
    var liveness: RoutingNode.Liveness
    let port: UInt16
  }

  /// The first twelve bytes of an address.
  fileprivate struct Prefix: Sendable {
    let words: (UInt32, UInt32, UInt32)

    /// Of all IPv4 addresses, in their mapped form.
    static let ipv4 = Prefix(words: (0, 0, 0xffff))
  }

  /// By so many places a list grows.
  private static let growth = 4

  private var packed: [Packed] = []
  /// As many as there are nodes; none while all are IPv4.
  private var prefixes: [Prefix] = []

  mutating func append(_ node: RoutingNode) {
    if !node.endpoint.address.isIPv4 || !prefixes.isEmpty {
      if prefixes.isEmpty { prefixes = Array(repeating: .ipv4, count: packed.count) }
      if prefixes.count == prefixes.capacity { prefixes.reserveCapacity(prefixes.count + Self.growth) }
      prefixes.append(Prefix(node.endpoint.address))
    }
    if packed.count == packed.capacity { packed.reserveCapacity(packed.count + Self.growth) }
    packed.append(Packed(node))
  }

  @discardableResult
  mutating func remove(at index: Int) -> RoutingNode {
    let node = self[index]
    packed.remove(at: index)
    if !prefixes.isEmpty { prefixes.remove(at: index) }
    return node
  }

  mutating func removeAll(where isUnwanted: (RoutingNode) -> Bool) {
    for index in indices.reversed() where isUnwanted(self[index]) { remove(at: index) }
  }
}

extension NodeList {
  /// Visits all nodes: the quickest way.
  @inline(__always)
  func forEachIndexed(_ body: (Int, RoutingNode) -> Void) {
    packed.withUnsafeBufferPointer { packed in
      if prefixes.isEmpty {
        for index in packed.indices { body(index, packed[index].node(.ipv4)) }
      } else {
        for index in packed.indices { body(index, packed[index].node(prefixes[index])) }
      }
    }
  }
}

extension NodeList: RandomAccessCollection, MutableCollection {
  @inline(__always) var startIndex: Int { 0 }
  @inline(__always) var endIndex: Int { packed.count }

  subscript(index: Int) -> RoutingNode {
    @inline(__always)
    get { packed[index].node(prefixes.isEmpty ? .ipv4 : prefixes[index]) }
    @inline(__always)
    set {
      packed[index] = Packed(newValue)
      if prefixes.isEmpty, !newValue.endpoint.address.isIPv4 { prefixes = Array(repeating: .ipv4, count: packed.count) }
      if !prefixes.isEmpty { prefixes[index] = Prefix(newValue.endpoint.address) }
    }
  }
}

extension NodeList.Packed {
  @inline(__always)
  init(_ node: RoutingNode) {
    id = (
      UInt32(truncatingIfNeeded: node.id.first >> 32), UInt32(truncatingIfNeeded: node.id.first),
      UInt32(truncatingIfNeeded: node.id.second >> 32), UInt32(truncatingIfNeeded: node.id.second), node.id.third
    )
    address = UInt32(truncatingIfNeeded: node.endpoint.address.low)
    liveness = node.liveness
    port = node.endpoint.port
  }

  @inline(__always)
  func node(_ prefix: NodeList.Prefix) -> RoutingNode {
    let address = IPAddress(
      high: UInt64(prefix.words.0) << 32 | UInt64(prefix.words.1), low: UInt64(prefix.words.2) << 32 | UInt64(address))
    return RoutingNode(
      id: NodeID(UInt64(id.0) << 32 | UInt64(id.1), UInt64(id.2) << 32 | UInt64(id.3), id.4),
      endpoint: Endpoint(address, port: port), liveness: liveness)
  }
}

extension NodeList.Prefix {
  @inline(__always)
  init(_ address: IPAddress) {
    words = (
      UInt32(truncatingIfNeeded: address.high >> 32), UInt32(truncatingIfNeeded: address.high),
      UInt32(truncatingIfNeeded: address.low >> 32)
    )
  }
}
