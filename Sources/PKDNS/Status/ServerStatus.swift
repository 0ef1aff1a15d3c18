import DNSResolution
import EventLoops
import PlainText
import Republisher

/// How a server is doing at one moment.
struct ServerStatus: Sendable {
  var version = ""
  var uptime = Duration.zero
  /// What each resolver has done, and what it holds.
  var resolvers: [(counters: ResolverCounters, gauges: ResolverGauges)] = []
  var latencies = DurationHistogram()
  var streams = StreamCounts()
  var datagrams = DatagramServer.Statistics()
  var network = KeyNetworkStatus()
  var upstreams: [UpstreamClient.ServerStatus] = []
  var forwarding = UpstreamForwarding.Counts()
  var forwardsUnderWay = 0
  var lookups: [LookupJournal.Entry] = []
  /// The packets that are kept alive; nil if none are.
  var republishing: RepublishStatus?

  /// A counter of all resolvers together.
  func sum(_ counter: (ResolverCounters) -> UInt64) -> UInt64 { resolvers.reduce(0) { $0 &+ counter($1.counters) } }

  /// A gauge of all resolvers together.
  func sum(_ gauge: (ResolverGauges) -> Int) -> Int { resolvers.reduce(0) { $0 + gauge($1.gauges) } }

  /// True if any resolver takes the networks of keys to be unreachable.
  var isInOutage: Bool { resolvers.contains { $0.gauges.isInOutage } }

  /// True if names that are no keys can be resolved, as far as is known.
  var forwards: Bool {
    !upstreams.isEmpty && upstreams.contains { !$0.isDead && ($0.roundTrip != nil || $0.failures == 0) }
  }

  /// True if both kinds of names can be resolved.
  var isReady: Bool { network.isReady && forwards && !isInOutage }
}

/// Asks all parts of a server how they are doing.
struct ServerStatusReader: Sendable {
  let version: String
  let shards: [ResolverShard]
  let streams: [StreamService]
  let datagrams: [[DatagramService]]
  let network: any KeyNetwork
  let journal: LookupJournal
  let keeper: PacketKeeper?
  private let start = MonotonicClock.now

  init(
    version: String, shards: [ResolverShard], streams: [StreamService], datagrams: [[DatagramService]],
    network: any KeyNetwork, journal: LookupJournal, keeper: PacketKeeper? = nil
  ) {
    self.version = version
    self.shards = shards
    self.streams = streams
    self.datagrams = datagrams
    self.network = network
    self.journal = journal
    self.keeper = keeper
  }

  func read() async -> ServerStatus {
    var status = ServerStatus()
    status.version = version
    status.uptime = .nanoseconds(Int64(clamping: MonotonicClock.now &- start))
    status.network = await network.status()
    status.lookups = journal.latest
    status.republishing = await keeper?.status()
    for (index, shard) in shards.enumerated() {
      let (service, sockets) = (streams[index], datagrams[index])
      let part = await shard.loop.submit { Self.read(shard, service, sockets) }
      status.resolvers += part.resolvers
      status.latencies = status.latencies + part.latencies
      status.streams = status.streams + part.streams
      status.datagrams.received += part.datagrams.received
      status.datagrams.sent += part.datagrams.sent
      status.datagrams.dropped += part.datagrams.dropped
      status.forwarding = status.forwarding + part.forwarding
      status.forwardsUnderWay += part.forwardsUnderWay
      if index == 0 { status.upstreams = part.upstreams }
    }
    return status
  }

  /// What one thread knows. On its loop.
  private static func read(
    _ shard: ResolverShard, _ service: StreamService, _ sockets: [DatagramService]
  ) -> ServerStatus {
    var status = ServerStatus()
    status.resolvers = [(shard.resolver.counters, shard.resolver.gauges)]
    status.latencies = shard.latencies
    status.streams = service.currentCounts
    for socket in sockets {
      status.datagrams.received += socket.server.statistics.received
      status.datagrams.sent += socket.server.statistics.sent
      status.datagrams.dropped += socket.server.statistics.dropped
    }
    status.upstreams = shard.upstream.serverStatus
    status.forwarding = shard.upstream.counts
    status.forwardsUnderWay = shard.upstream.questionCount
    return status
  }
}

extension UpstreamForwarding.Counts {
  static func + (first: Self, second: Self) -> Self {
    var sum = first
    sum.questions += second.questions
    sum.attempts += second.attempts
    sum.answers += second.answers
    sum.failures += second.failures
    sum.retriesOverStream += second.retriesOverStream
    sum.foreignMessages += second.foreignMessages
    return sum
  }
}
