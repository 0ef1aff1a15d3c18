import Addresses
import EventLoops
import Pkarr
import PkarrClient
import PkarrStore
import Republisher

/// What a relay does with packets, whoever asks: resolve and publish by its rules. Knows no HTTP.
final class PacketService: Sendable {
  let policy: CachePolicy
  let shelf: PacketShelf
  let lookups: LookupCoordinator
  let counter: RelayCounter
  /// DHT operations of each client.
  let operations: SharedRateLimiter
  /// Keeps alive what is asked for; nil without a node.
  let keeper: PacketKeeper?
  private let network: any RelayNetwork

  init(
    network: any RelayNetwork, shelf: PacketShelf, policy: CachePolicy, operations: SharedRateLimiter,
    counter: RelayCounter, keeper: PacketKeeper? = nil
  ) {
    self.network = network
    self.shelf = shelf
    self.policy = policy
    self.operations = operations
    self.counter = counter
    self.keeper = keeper
    lookups = LookupCoordinator(
      network, onPacket: { shelf.offer($0) }, onEnd: { duration in counter.add { $0.lookups.add(duration) } })
  }

  /// A packet that was found.
  struct Found: Sendable {
    var packet: SignedPacket
    var source: RelayCounts.Source
    /// For keeping an answer made from a packet of the cache.
    var version: ReadyAnswers.Version?
  }

  /// The packet of a key if the cache's will do, by the policy ``ResolvePolicy/cacheFirst``.
  func found(_ holding: PacketShelf.Holding) -> Found? {
    guard let packet = holding.packet, !packet.isExpired(policy) else { return nil }
    keeper?.note(packet.publicKey)
    return Found(packet: packet, source: .cache, version: holding.version)
  }

  /// Finds the packet of a key. `client`: whose quota a lookup in the DHT is taken from; nil: nobody's. `holding`: what
  /// the cache has just been asked, if it has.
  func resolve(
    _ key: PublicKey, _ resolvePolicy: ResolvePolicy, for client: IPAddress?, holding: PacketShelf.Holding? = nil
  ) async throws(RelayFailure) -> Found {
    // Counts as a use under every policy.
    let holding = holding ?? shelf.holding(of: key)
    switch resolvePolicy {
    case .cacheOnly:
      guard let cached = holding.packet else { throw .notFound }
      keeper?.note(key)
      return Found(packet: cached, source: .cache, version: holding.version)
    case .cacheFirst:
      if let found = found(holding) { return found }
      return try await lookUp(
        key, .first(floor: CacheContext(cached: holding.packet, policy: policy)), for: client)
    case .networkOnly: return try await lookUp(key, .newest, for: client)
    }
  }

  /// Asks the DHT for the newest packet of a key, for nobody in particular.
  func refresh(_ key: PublicKey) async {
    _ = try? await lookups.packet(of: key, wants: .newest)
  }

  /// Publishes a packet; the number of nodes that stored it. It is safe in the cache when this returns.
  func publish(_ packet: SignedPacket, for client: IPAddress?) async throws(RelayFailure) -> Int {
    if shelf.cache.peek(packet.publicKey.target)?.isMoreRecent(than: packet) == true { throw .notMostRecent }
    guard packet.timestamp.isPublishable else { throw .notPublishable(NotPublishable(timestamp: packet.timestamp)) }
    try takeOperation(client)
    let start = MonotonicClock.now
    let stored = try await network.publish(packet)
    counter.add { counts in
      counts.published &+= 1
      counts.publications.add(.nanoseconds(Int64(clamping: MonotonicClock.now - start)))
    }
    lookups.outdate(packet.publicKey)
    try await shelf.store(packet)
    return stored
  }

  private func lookUp(
    _ key: PublicKey, _ want: LookupWant, for client: IPAddress?
  ) async throws(RelayFailure) -> Found {
    try takeOperation(client)
    let (packet, isShared) = try await lookups.packet(of: key, wants: want)
    if isShared { counter.add { $0.coalesced &+= 1 } }
    keeper?.note(key)
    return Found(packet: packet, source: .dht)
  }

  private func takeOperation(_ client: IPAddress?) throws(RelayFailure) {
    guard let client, !operations.allows(client) else { return }
    counter.add { $0.count(.dhtOperations) }
    throw .tooManyOperations
  }
}
