import Addresses
import EventLoops
import Glibc
import HTTP
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PlainText
import Republisher

/// All that belongs to a relay while it runs.
struct RunningRelay: Sendable {
  let node: MainlineNode
  let localEndpoints: [Endpoint]
  let adminEndpoint: Endpoint?
  let core: RelayCore
  private let servers: RelayServers
  private let tls: RelayTLS?
  let loops: [EventLoop]
  private let cache: RelayCache

  /// Starts everything; what was started before something fails is ended again.
  static func start(
    _ configuration: RelayConfiguration, _ options: RelayServer.Options, _ log: ServiceLog
  ) async throws(RelayStartError) -> RunningRelay {
    // Reading a large cache takes a moment, and must not hold up a thread that others share.
    let cacheResult = await OwnThread.run("relay-cache") {
      Result { () throws(RelayStartError) in try RelayCache.open(configuration.cache, log) }
    }
    let cache = try cacheResult.get()
    do throws(RelayStartError) {
      return try await start(configuration, options, log, cache)
    } catch {
      await OwnThread.run("relay-cache") { cache.close() }
      throw error
    }
  }

  private static func start(
    _ configuration: RelayConfiguration, _ options: RelayServer.Options, _ log: ServiceLog, _ cache: RelayCache
  ) async throws(RelayStartError) -> RunningRelay {
    let tls = try configuration.http.tls.map { settings throws(RelayStartError) in
      try RelayTLS(settings, authorityDirectory: cache.authorityDirectory, log)
    }
    let limiters = RelayLimiters(configuration.rateLimiter)
    let counter = RelayCounter()
    let node = try await startNode(configuration, options, limiters, counter)
    var loops: [EventLoop] = []
    do throws(SystemError) {
      for index in 0..<threadCount(configuration) {
        let loop = try EventLoop(name: "http-\(index)")
        try loop.start()
        loops.append(loop)
      }
      let network = DHTNetwork(client: DHTClient(sharing: node, reportPolicy: options.reportPolicy), log: log)
      let core = RelayCore(
        configuration, network: network, node: node, cache: cache.packets, limiters: limiters, counter: counter,
        loops: loops, version: options.version, log: log)
      let servers = try await RelayServers.start(configuration, options, core: core, tls: tls, loops: loops)
      let relay = RunningRelay(
        node: node, localEndpoints: servers.localEndpoints, adminEndpoint: servers.adminEndpoint, core: core,
        servers: servers, tls: tls, loops: loops, cache: cache)
      await relay.apply(configuration.republish)
      relay.announce(log)
      return relay
    } catch {
      for loop in loops { await loop.shutdown() }
      try? await node.shutdown()
      throw .system(error)
    }
  }

  private static func startNode(
    _ configuration: RelayConfiguration, _ options: RelayServer.Options, _ limiters: RelayLimiters,
    _ counter: RelayCounter
  ) async throws(RelayStartError) -> MainlineNode {
    var settings = configuration.mainline.configuration
    settings.node.requestFilter = limiters.requestFilter(counter)
    options.configureNode?(&settings)
    do throws(SystemError) {
      return try await MainlineNode(settings)
    } catch {
      throw .system(error)
    }
  }

  private static func threadCount(_ configuration: RelayConfiguration) -> Int {
    configuration.http.threads > 0 ? configuration.http.threads : max(1, min(64, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  private func announce(_ log: ServiceLog) {
    log.current.notice(
      "relay.started",
      [
        "http": .array(localEndpoints.map { .string("\($0)") }),
        "admin": adminEndpoint.map { .string("\($0)") } ?? .null,
        "dht": .array(node.localEndpoints.map { .string("\($0)") }),
        "cache": cache.directory.map { .string($0) } ?? .null,
      ])
  }

  // MARK: - While it runs

  /// How it is doing.
  func status() async -> RelayStatus { await core.status.read() }

  /// Goes on with other limits.
  func apply(_ limits: RateLimiterConfiguration?) { core.apply(limits) }

  /// Keeps alive what these settings say; nil: nothing.
  func apply(_ settings: PacketKeeperSettings?) async { await core.service.keeper?.change(to: settings) }

  /// Reads the files of certificates again; what went wrong.
  func reloadCertificates() -> [String] { tls?.reload() ?? [] }

  /// Ends everything, in the order in which one part needs another.
  func shutdown(grace: Duration) async {
    core.hub.shutdown()
    await servers.shutdown(grace: grace)
    letGoOfServers()
    await core.service.keeper?.end()
    core.service.lookups.shutdown()
    do throws(SystemError) {
      try await node.shutdown()
    } catch {
      core.log.current.error("dht.table_not_saved", ["error": .string("\(error)")])
    }
    for loop in loops { await loop.shutdown() }
    let cache = cache
    await OwnThread.run("relay-cache") { cache.close() }
  }

  /// Lets go of the threads, where nobody has called ``shutdown(grace:)``.
  func abandon() {
    core.hub.shutdown()
    letGoOfServers()
    core.service.keeper?.abandon()
    core.service.lookups.shutdown()
    for loop in loops { loop.requestStop() }
  }

  /// The servers answer with the core, whose status counts their connections: each would keep the other for ever.
  private func letGoOfServers() { core.status.servers.set([]) }
}
