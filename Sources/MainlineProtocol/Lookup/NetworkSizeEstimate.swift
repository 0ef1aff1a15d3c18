import Addresses

#if canImport(Glibc)
  import Glibc  // pow
#elseif canImport(Musl)
  import Musl  // pow
#elseif canImport(Darwin)
  import Darwin  // pow
#endif

/// How many nodes the DHT has, judged by how close the closest ones are to a target.
///
/// If n nodes are spread evenly, the i-th closest is expected at i/n of the whole space; the estimate is the least-squares
/// fit over the first 20. It is averaged over lookups: a plain figure for people, and a cautious one that decides where
/// items are stored (`StorageCut`), which no single lookup can move far.
public struct NetworkSizeEstimate: Sendable {
  /// What one finished lookup saw.
  struct Observation: Sendable {
    /// The estimate from all nodes that were named.
    var candidates: Double
    /// The estimate from the nodes that answered.
    var responders: Double
    /// How many nodes answered.
    var responderCount: Int
    /// How many large address blocks the first 20 nodes that were named are in.
    var subnets: Int
  }

  /// Lookups with fewer responders say nothing.
  static let minimumResponderCount = 8
  private static let weight = 1.0 / 32
  private static let bounds = 20.0...200_000_000.0

  /// How many lookups were counted.
  public private(set) var lookupCount = 0
  /// The public figure: the mean over the lookups so far, the later ones weighing more; 0 before the first.
  public private(set) var nodeCount = 0.0
  /// The figure that `StorageCut` goes by; begins at a million.
  private(set) var storageEstimate = 1_000_000.0
  /// How many large address blocks the 20 nodes around a target are usually in.
  private(set) var averageSubnets = 12.0

  /// Nothing seen yet.
  init() {}

  /// The relative standard deviation of ``nodeCount``: 0.281 · n^−0.529 for n lookups, infinite before the first. The
  /// weight of older lookups fades, so n counts no further than the 63 lookups that an average with weight 1/32 holds.
  public var relativeDeviation: Double {
    lookupCount == 0 ? .infinity : 0.281 * pow(Double(min(lookupCount, 63)), -0.529)
  }

  /// Takes in a finished lookup of kind `get` or `get_peers`; others see another part of the network.
  mutating func record(_ observation: Observation) {
    guard observation.responderCount >= Self.minimumResponderCount else { return }
    lookupCount = min(lookupCount + 1, .max - 1)
    let candidates = Self.clamp(observation.candidates)
    let share = max(Self.weight, 1 / Double(lookupCount))
    nodeCount += (candidates - nodeCount) * share
    let moved = storageEstimate + (Self.clamp(observation.responders) - storageEstimate) * Self.weight
    storageEstimate = Self.clamp(min(max(moved, storageEstimate / 2), storageEstimate * 2))
    averageSubnets += (Double(min(20, max(1, observation.subnets))) - averageSubnets) * Self.weight
  }

  private static func clamp(_ estimate: Double) -> Double {
    estimate.isNaN ? bounds.lowerBound : min(max(estimate, bounds.lowerBound), bounds.upperBound)
  }

  /// The estimate from nodes in a lookup's order: n(n+1)(2n+1)/6 · (2¹²⁸ − 1) / Σ i·dᵢ over the
  /// first 20, where dᵢ is the top 128 bits of the distance of node i. 0 without nodes.
  static func estimate(ids: some Sequence<NodeID>, target: NodeID) -> Double {
    var count = 0.0
    var weighted = 0.0
    for id in ids.prefix(20) {
      count += 1
      weighted += count * (id ^ target).magnitude
    }
    if count == 0 { return 0 }
    // Every node at the target itself: guard against dividing by zero.
    return count * (count + 1) * (2 * count + 1) / 6 * 0x1p128 / max(weighted, 1)
  }

  /// In how many large address blocks the first 20 nodes are; 20 without nodes.
  static func subnets(of addresses: some Sequence<IPAddress>) -> Int {
    var blocks: Set<AddressBlock> = []
    var isEmpty = true
    for address in addresses.prefix(20) {
      blocks.insert(.continent(address))
      isEmpty = false
    }
    return isEmpty ? 20 : blocks.count
  }
}

extension NodeID {
  /// The first 16 bytes as a number. In two halves, since `Double(_:)` of a `UInt128` is generic and slow.
  var magnitude: Double { Double(first) * 0x1p64 + Double(second) }
}
