import Addresses
import DNSResolution
import EventLoops
import Glibc
import HTTP
import Logging
import PkarrClient
import Republisher
import TLS

/// All that belongs to a server while it runs.
final class RunningServer: Sendable {
  /// Where it is.
  struct Endpoints: Sendable {
    var plain: [Endpoint] = []
    var encrypted: [Endpoint] = []
    var https: [Endpoint] = []
    var admin: Endpoint?
  }

  let endpoints: Endpoints
  let shards: [ResolverShard]
  private let streams: [StreamService]
  private let datagrams: [[DatagramService]]
  private let httpServers: [HTTPServer]
  private let adminServer: HTTPServer?
  private let handler: HTTPSHandler
  private let client: PkarrClient
  private let keeper: PacketKeeper?
  private let contexts: [TLSServerContext]
  private let loops: [EventLoop]
  private let queryLog: QueryLog
  private let log: ServiceLog
  private let snapshot: PacketSnapshot?
  private let saving: LockedValue<Task<Void, Never>?>
  private let configuration: PKDNSConfiguration
  private let makeLogger: @Sendable (PKDNSConfiguration.LogSettings) -> Logger

  /// How often packets are written to disk while the server runs.
  private static let saveInterval = Duration.seconds(600)

  fileprivate init(_ parts: ServerParts, _ endpoints: Endpoints) {
    self.endpoints = endpoints
    shards = parts.shards
    streams = parts.streams
    datagrams = parts.datagrams
    httpServers = parts.httpServers
    adminServer = parts.adminServer
    handler = parts.handler
    client = parts.client
    keeper = parts.keeper
    contexts = [parts.tls, parts.httpsTLS].compactMap(\.self)
    loops = parts.loops
    queryLog = parts.queryLog
    log = parts.log
    snapshot = parts.configuration.general.packetCacheFile.map(PacketSnapshot.init)
    saving = LockedValue(nil)
    configuration = parts.configuration
    makeLogger = parts.makeLogger
  }

  /// Starts everything; what was started before something fails is ended again.
  static func start(
    _ configuration: PKDNSConfiguration, _ options: PKDNSServer.Options, _ log: ServiceLog
  ) async throws(PKDNSStartError) -> RunningServer {
    var builder = try await ServerBuilder(configuration, options, log)
    do throws(PKDNSStartError) {
      let (parts, endpoints) = try await builder.build()
      let server = RunningServer(parts, endpoints)
      server.announce()
      if server.snapshot != nil { server.beginSaving() }
      return server
    } catch {
      await builder.dismantle()
      throw error
    }
  }

  private func announce() {
    func list(_ endpoints: [Endpoint]) -> [String] { endpoints.map(\.description) }
    log.current.notice(
      "dns.started",
      [
        "dns": .array(list(endpoints.plain).map { .string($0) }),
        "tls": .array(list(endpoints.encrypted).map { .string($0) }),
        "https": .array(list(endpoints.https).map { .string($0) }),
        "admin": endpoints.admin.map { .string("\($0)") } ?? .null,
        "forward": .array(configuration.general.forward.map { .string("\($0)") }),
      ])
  }

  // MARK: - While it runs

  /// Goes on with what can be changed; what went wrong with certificates.
  func apply(_ new: PKDNSConfiguration) async -> [String] {
    queryLog.change(makeLogger(new.log), new.log.querySettings)
    handler.change(to: HTTPSHandler.Settings(new))
    await keeper?.change(to: new.republish)
    let policy = policy(new)
    for (shard, service) in zip(shards, streams) {
      await shard.loop.submit {
        shard.change(policy: policy)
        shard.upstream.replace(servers: new.general.forward)
        service.limits = new.streams
      }
    }
    var failures: [String] = []
    for context in contexts {
      do throws(TLSError) {
        try context.reload()
      } catch {
        failures.append("\(error)")
      }
    }
    return failures
  }

  private func policy(_ new: PKDNSConfiguration) -> ResolutionPolicy {
    new.policy(loops: shards.count, own: endpoints.plain + endpoints.encrypted)
  }

  // MARK: - Packets on disk

  private func beginSaving() {
    let task = Task { [weak self] in
      while (try? await Task.sleep(for: Self.saveInterval)) != nil { await self?.save() }
    }
    saving.withLock { $0 = task }
  }

  private func save() async {
    guard let snapshot else { return }
    for (index, shard) in shards.enumerated() {
      let bytes = await shard.snapshot()
      let failure = await OwnThread.run("dns-packets") { snapshot.write(bytes, of: index) }
      if let failure { log.current.error("packets.not_saved", ["error": .string("\(failure)")]) }
    }
  }

  // MARK: - The end

  /// Ends everything, in the order in which one part needs another.
  func shutdown() async {
    saving.withLock { $0 }?.cancel()
    for (shard, service) in zip(shards, streams) { await shard.loop.submit { service.beginShutdown() } }
    let grace = configuration.general.drainTimeout
    await withTaskGroup(of: Void.self) { group in
      for server in httpServers { group.addTask { await server.shutdown(grace: grace) } }
      for (index, shard) in shards.enumerated() {
        let (service, sockets) = (streams[index], datagrams[index])
        group.addTask { await Self.drain(shard, service, sockets, grace) }
      }
    }
    await adminServer?.shutdown(grace: .seconds(1))
    await save()
    for (shard, service) in zip(shards, streams) {
      await shard.loop.submit {
        service.close()
        shard.close()
      }
    }
    await keeper?.end()
    await client.shutdown()
    for loop in loops { await loop.shutdown() }
  }

  /// Waits until what was asked is answered, while no more is taken.
  private static func drain(
    _ shard: ResolverShard, _ service: StreamService, _ sockets: [DatagramService], _ grace: Duration
  ) async {
    let deadline = MonotonicClock.now &+ grace.clampedNanoseconds
    while await shard.loop.submit({ shard.waitingCount > 0 || !service.isEmpty }), MonotonicClock.now < deadline {
      guard (try? await shard.loop.sleep(for: .milliseconds(20))) != nil else { break }
    }
    await shard.loop.submit { for socket in sockets { socket.server.close() } }
  }

  /// Lets go of the threads, where nobody has called ``shutdown()``.
  func abandon() {
    saving.withLock { $0 }?.cancel()
    keeper?.abandon()
    for (index, shard) in shards.enumerated() {
      let (service, sockets) = (streams[index], datagrams[index])
      // They live until then: sockets call those that have made them.
      shard.loop.execute {
        for socket in sockets { socket.server.close() }
        service.close()
        shard.close()
      }
    }
    for loop in loops { loop.requestStop() }
  }
}
