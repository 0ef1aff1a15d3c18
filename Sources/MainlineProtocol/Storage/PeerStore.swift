import Addresses
import Cryptography

/// Peers that announced themselves for info-hashes (BEP 5), each gone 45 minutes after its last announcement.
///
/// A peer is its endpoint, so nobody counts twice. Under overload the cheapest go first: of the info-hashes those with
/// the fewest peers, the one announced longest ago before the others; of the peers of one info-hash the one announced
/// longest ago. One network may bring at most a twentieth of the info-hashes, and of a full list of peers it replaces
/// its own once it holds a twentieth. At most 32 bytes a peer (twice that while a list grows).
struct PeerStore: Sendable {
  private struct Peer: Sendable {
    let endpoint: Endpoint
    var lastAnnounced: Instant
  }

  private struct Swarm: Sendable {
    let infoHash: NodeID
    let owner: AddressBlock
    var peers: [Peer]
    var lastAnnounced: Instant
  }

  /// A peer is forgotten this long after its last announcement.
  static let lifetime: Duration = .seconds(45 * 60)
  /// At most this many peers are told in one answer.
  static let answerCount = 10

  private let capacity: Int
  private let peerCapacity: Int
  private var positions: [NodeID: Int32] = [:]
  private var swarms: [Swarm] = []
  /// Swarms by size, one list for each power of two, in order of their last announcement.
  private var sizes = SlotLists(count: 32)
  private var shares: SourceShares
  private let peerShare: Int

  /// - Parameter limitsSources: whether one network may hold only a twentieth; false on an isolated network.
  init(limits: StorageLimits, limitsSources: Bool) {
    capacity = max(0, limits.infoHashes)
    peerCapacity = max(0, limits.peersPerInfoHash)
    shares = SourceShares(capacity: capacity, isOn: limitsSources)
    peerShare = limitsSources ? max(1, peerCapacity / 20) : .max
  }

  /// Number of info-hashes.
  var infoHashCount: Int { swarms.count }

  /// Number of peers known for an info-hash, expired ones included until they are cleared away.
  func peerCount(of infoHash: NodeID) -> Int { positions[infoHash].map { swarms[Int($0)].peers.count } ?? 0 }

  // MARK: Announcing

  /// Notes a peer. False if there is no room for its info-hash.
  mutating func announce(_ peer: Endpoint, for infoHash: NodeID, at now: Instant) -> Bool {
    guard capacity > 0, peerCapacity > 0 else { return false }
    guard let position = positions[infoHash] else { return open(infoHash, with: peer, at: now) }
    let index = Int(position)
    swarms[index].peers.removeAll { Self.isExpired($0.lastAnnounced, at: now) }
    add(peer, to: &swarms[index].peers, at: now)
    swarms[index].lastAnnounced = now
    sizes.append(index, to: Self.sizeClass(swarms[index].peers.count))
    return true
  }

  private mutating func open(_ infoHash: NodeID, with peer: Endpoint, at now: Instant) -> Bool {
    let network = AddressBlock.network(peer.address)
    if swarms.count >= capacity || shares.isFull(network) { expire(at: now) }
    guard !shares.isFull(network) else { return false }
    if swarms.count >= capacity {
      // Only an info-hash with a single peer is as cheap as the newcomer.
      guard let cheapest = sizes.first(of: 0) else { return false }
      remove(cheapest)
    }
    positions[infoHash] = Int32(swarms.count)
    swarms.append(
      Swarm(infoHash: infoHash, owner: network, peers: [Peer(endpoint: peer, lastAnnounced: now)], lastAnnounced: now))
    shares.add(network)
    sizes.append(swarms.count - 1, to: 0)
    return true
  }

  private func add(_ peer: Endpoint, to peers: inout [Peer], at now: Instant) {
    if let known = peers.firstIndex(where: { $0.endpoint == peer }) {
      peers[known].lastAnnounced = now
    } else if peers.count < peerCapacity {
      peers.append(Peer(endpoint: peer, lastAnnounced: now))
    } else {
      let network = AddressBlock.network(peer.address)
      let own = peers.indices.filter { AddressBlock.network(peers[$0].endpoint.address) == network }
      let candidates = own.count >= peerShare ? own : Array(peers.indices)
      guard let oldest = candidates.min(by: { peers[$0].lastAnnounced < peers[$1].lastAnnounced }) else { return }
      peers[oldest] = Peer(endpoint: peer, lastAnnounced: now)
    }
  }

  // MARK: Expiry

  /// Forgets info-hashes that were not announced for 45 minutes.
  mutating func expire(at now: Instant) {
    for size in 0..<32 {
      while let oldest = sizes.first(of: size), Self.isExpired(swarms[oldest].lastAnnounced, at: now) { remove(oldest) }
    }
  }

  private mutating func remove(_ index: Int) {
    positions[swarms[index].infoHash] = nil
    shares.remove(swarms[index].owner)
    sizes.remove(index)
    let last = swarms.count - 1
    if index != last {
      // The last one moves into the gap, and keeps its place in its list.
      swarms[index] = swarms[last]
      sizes.rename(last, to: index)
      positions[swarms[index].infoHash] = Int32(index)
    }
    swarms.removeLast()
  }

  private static func isExpired(_ announced: Instant, at now: Instant) -> Bool {
    announced.duration(to: now) >= lifetime
  }

  private static func sizeClass(_ count: Int) -> Int { min(31, 63 - max(1, count).leadingZeroBitCount) }

  // MARK: Answers

  /// At most ten peers of one family, drawn uniformly without replacement.
  func peers(
    of infoHash: NodeID, family: IPAddress.Family, at now: Instant, using random: inout RandomSource
  ) -> [Endpoint] {
    guard let position = positions[infoHash] else { return [] }
    let all = swarms[Int(position)].peers
    return withUnsafeTemporaryAllocation(of: Int32.self, capacity: all.count) { order in
      // A Fisher–Yates shuffle that stops as soon as ten are found that count.
      for index in all.indices { order.initializeElement(at: index, to: Int32(index)) }
      var drawn: [Endpoint] = []
      for index in all.indices {
        order.swapAt(index, Int.random(in: index..<all.count, using: &random))
        let peer = all[Int(order[index])]
        guard peer.endpoint.family == family, !Self.isExpired(peer.lastAnnounced, at: now) else { continue }
        drawn.append(peer.endpoint)
        if drawn.count == Self.answerCount { break }
      }
      return drawn
    }
  }

  /// At most `count` info-hashes, drawn uniformly without replacement (BEP 51).
  func sample(_ count: Int, using random: inout RandomSource) -> [NodeID] {
    var drawn: [NodeID] = []
    guard count > 0, !swarms.isEmpty else { return drawn }
    if swarms.count <= count { return swarms.map(\.infoHash) }
    // Floyd's algorithm: as many random numbers as results, however many there are to choose from.
    var chosen: Set<Int> = []
    for upper in (swarms.count - count)..<swarms.count {
      let candidate = Int.random(in: 0...upper, using: &random)
      let index = chosen.insert(candidate).inserted ? candidate : upper
      chosen.insert(index)
      drawn.append(swarms[index].infoHash)
    }
    return drawn
  }
}
