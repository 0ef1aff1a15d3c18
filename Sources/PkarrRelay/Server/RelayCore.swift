import Logging
import EventLoops
import HTTP
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PkarrStore
import PlainText
import Republisher

/// A relay without sockets: from request to response, over a cache and a network that it is given. Servers call it, and so
/// do tests.
struct RelayCore: Sendable {
  let service: PacketService
  let hub: WatchHub
  let handler: RelayHandler
  let limiters: RelayLimiters
  let status: RelayStatusReader
  let log: ServiceLog

  /// `node`: the node by which packets are kept alive; none in tests. `loops`: those that serve requests; none in tests.
  init(
    _ configuration: RelayConfiguration, network: any RelayNetwork, node: MainlineNode? = nil, cache: any PacketCache,
    limiters: RelayLimiters, counter: RelayCounter, loops: [EventLoop], version: String, log: ServiceLog
  ) {
    let policy = configuration.cache.policy
    let http = configuration.http
    let hub = WatchHub(
      capacity: http.watchers, capacityPerClient: http.watchersPerAddress, interval: http.watchInterval)
    let ready = ReadyAnswers(
      capacity: configuration.cache.memoryPackets, cacheCapacity: cache.capacity, policy: policy)
    let keeper = node.map { Self.keeper(through: $0, cache, log) }
    let shelf = PacketShelf(cache, ready: ready) {
      hub.news($0)
      keeper?.news($0)
    }
    // Weak, since the shelf tells the keeper of news.
    keeper?.tellNewer { [weak shelf] in shelf?.offer($0) }
    let service = PacketService(
      network: network, shelf: shelf, policy: policy, operations: limiters.operations, counter: counter, keeper: keeper)
    // Weak, since the service tells the hub of news.
    hub.refresh { [weak service] in await service?.refresh($0) }
    let lanes = loops.map { VerificationLane(on: $0, counter) }
    let status = RelayStatusReader(
      version: version, start: MonotonicClock.now, network: network, service: service, hub: hub, lanes: lanes,
      limiters: limiters, servers: RelayStatusReader.ServerList())
    self.service = service
    self.hub = hub
    self.limiters = limiters
    self.status = status
    self.log = log
    handler = RelayHandler(
      service, hub: hub, log: log, requests: limiters.requests, lanes: lanes,
      settings: Self.settings(configuration.rateLimiter), batchLimit: http.batch
    ) { await status.read() }
  }

  private static func keeper(
    through node: MainlineNode, _ cache: any PacketCache, _ log: ServiceLog
  ) -> PacketKeeper {
    PacketKeeper(
      through: node, packet: { cache.peek($0.target) },
      onRound: { log.current.info("republish.round", $0.logFields) })
  }

  /// Goes on with other limits.
  func apply(_ limits: RateLimiterConfiguration?) {
    limiters.change(to: limits)
    handler.change(to: Self.settings(limits))
  }

  private static func settings(_ limits: RateLimiterConfiguration?) -> RelayHandler.Settings {
    RelayHandler.Settings(isLimited: limits != nil, behindProxy: limits?.behindProxy ?? false)
  }
}
