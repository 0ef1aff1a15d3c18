import Addresses
import Cryptography
import DNSResolution
import EventLoops
import Glibc
import HTTP
import Logging
import Mainline
import PkarrClient
import PlainText
import Republisher
import TLS

/// What a server is made of.
struct ServerParts: Sendable {
  var shards: [ResolverShard] = []
  var streams: [StreamService] = []
  var datagrams: [[DatagramService]] = []
  var httpServers: [HTTPServer] = []
  var adminServer: HTTPServer?
  var handler: HTTPSHandler
  var client: PkarrClient
  var keeper: PacketKeeper?
  var tls: TLSServerContext?
  var httpsTLS: TLSServerContext?
  var loops: [EventLoop]
  var queryLog: QueryLog
  var log: ServiceLog
  var configuration: PKDNSConfiguration
  var makeLogger: @Sendable (PKDNSConfiguration.LogSettings) -> Logger
}

/// Makes the parts of a server one after the other, and takes them down again if one cannot be had.
struct ServerBuilder {
  private let configuration: PKDNSConfiguration
  private let options: PKDNSServer.Options
  private let log: ServiceLog
  private let listeners: BoundListeners
  private let tls: TLSServerContext?
  private let httpsTLS: TLSServerContext?
  private var loops: [EventLoop] = []
  private var client: PkarrClient?
  private var keeper: PacketKeeper?
  private var servers: [HTTPServer] = []
  private var endpoints = RunningServer.Endpoints()

  init(
    _ configuration: PKDNSConfiguration, _ options: PKDNSServer.Options, _ log: ServiceLog
  ) async throws(PKDNSStartError) {
    self.configuration = configuration
    self.options = options
    self.log = log
    let count = configuration.general.loops
    let threads = count > 0 ? count : max(1, min(64, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    listeners = try BoundListeners(configuration, inherited: options.inheritedSockets, loops: threads)
    do throws(TLSError) {
      let files = try configuration.tls.map { settings throws(TLSError) in try settings.files() }
      tls = try files.map { files throws(TLSError) in try Self.context(files, ["dot"]) }
      httpsTLS = try files.map { files throws(TLSError) in try Self.context(files, ["h2", "http/1.1"]) }
    } catch {
      throw .tls(error)
    }
  }

  private static func context(
    _ files: (certificateFile: String, keyFile: String), _ protocols: [String]
  ) throws(TLSError) -> TLSServerContext {
    var configuration = TLSServerConfiguration(certificates: [files], applicationProtocols: protocols)
    configuration.minimumVersion = .tls12
    return try TLSServerContext(configuration)
  }

  // MARK: - Building

  mutating func build() async throws(PKDNSStartError) -> (ServerParts, RunningServer.Endpoints) {
    do throws(SystemError) {
      for index in listeners.datagrams.indices {
        let loop = try EventLoop(name: "dns-\(index)")
        try loop.start()
        loops.append(loop)
      }
    } catch {
      throw .system(error)
    }
    endpoints.plain = listeners.endpoints
    endpoints.encrypted = listeners.encryptedEndpoints
    let queryLog = QueryLog(options.makeLogger(configuration.log), configuration.log.querySettings)
    var upstream = UpstreamClient.Configuration()
    upstream.policy.mixesCase = configuration.general.forwardMixedCase
    if let path = configuration.general.forwardAuthorities { upstream.trust = .file(path: path) }
    let upstreams = loops.map { UpstreamClient(configuration.general.forward, upstream, on: $0) }
    let client = try await startClient(HostFinder(upstream: upstreams[0]))
    self.client = client
    let network = PkarrNetwork(client)
    let journal = LookupJournal()
    keeper = client.dht.map { makeKeeper($0.node) }
    let shards = await makeShards(upstreams, network, journal, queryLog)
    await restore(shards)
    let (streams, datagrams) = try await listen(shards)
    let handler = HTTPSHandler(
      shards, paths: configuration.https.paths, servesJSON: configuration.https.json,
      settings: HTTPSHandler.Settings(configuration))
    let reader = ServerStatusReader(
      version: options.version, shards: shards, streams: streams, datagrams: datagrams, network: network,
      journal: journal, keeper: keeper)
    try await serveHTTP(handler)
    let admin = try await serveAdmin(AdminHandler(shards, reader))
    let parts = ServerParts(
      shards: shards, streams: streams, datagrams: datagrams, httpServers: servers.filter { $0 !== admin },
      adminServer: admin, handler: handler, client: client, keeper: keeper, tls: tls, httpsTLS: httpsTLS, loops: loops,
      queryLog: queryLog, log: log, configuration: configuration, makeLogger: options.makeLogger)
    await keeper?.change(to: configuration.republish)
    return (parts, endpoints)
  }

  private func startClient(_ hosts: HostFinder) async throws(PKDNSStartError) -> PkarrClient {
    var settings = PkarrClientConfiguration.noDefaultNetwork
    settings.cacheSize = 0
    let dht = configuration.dht
    if dht.usesDHT {
      var node = dht.isIsolated ? MainlineConfiguration.isolated() : MainlineConfiguration.ephemeralClient
      node.node.mode = .client
      // On a machine of one core, hundreds of searches must not keep answers waiting that are ready.
      node.niceness = 10
      node.bootstrap = dht.bootstrap ?? (dht.isIsolated ? [] : MainlineConfiguration.publicBootstrap)
      node.tableFile = dht.tableFile
      node.hostResolver = { try await hosts.endpoints($0) }
      settings.dht = node
    }
    if !dht.relays.isEmpty {
      settings.relays = dht.relays
      var http = HTTPClientConfiguration()
      http.resolver = hosts.httpResolver
      http.readsAuthoritiesLate = true
      do {
        settings.transport = HTTPRelayTransport(try HTTPClient(http))
      } catch {
        throw .network(.relays("\(error)"))
      }
    }
    options.configureClient?(&settings)
    do throws(PkarrClientBuildError) {
      return try await PkarrClient(settings)
    } catch {
      throw .network(error)
    }
  }

  private func makeKeeper(_ node: MainlineNode) -> PacketKeeper {
    let log = log
    return PacketKeeper(
      through: node, packet: { _ in nil }, onRound: { log.current.info("republish.round", $0.logFields) })
  }

  private func makeShards(
    _ upstreams: [UpstreamClient], _ network: any KeyNetwork, _ journal: LookupJournal, _ queryLog: QueryLog
  ) async -> [ResolverShard] {
    var policy = configuration.policy(
      loops: loops.count, own: listeners.endpoints + listeners.encryptedEndpoints)
    // Cookies of one thread must be good on the others.
    if policy.clients.cookieSecret == nil {
      var random = RandomSource.system
      policy.clients.cookieSecret = CookieSecret(random.bytes(16))
    }
    let settings = policy
    let keeper = keeper
    var shards: [ResolverShard] = []
    for upstream in upstreams {
      shards.append(
        await upstream.loop.submit {
          ResolverShard(
            DNSResolver(policy: settings), upstream: upstream, network: network, journal: journal, queryLog: queryLog,
            keeper: keeper)
        })
    }
    return shards
  }

  /// Takes in what an earlier run has kept.
  private func restore(_ shards: [ResolverShard]) async {
    guard let path = configuration.general.packetCacheFile else { return }
    let snapshot = PacketSnapshot(path: path)
    // The kernel spreads clients anew, so each thread takes in what all of them had.
    var count = 0
    for index in shards.indices {
      guard let bytes = await OwnThread.run("dns-packets", { snapshot.read(index) }) else { continue }
      for shard in shards { count += await shard.restore(bytes) }
    }
    log.current.info("packets.restored", ["packets": JSON(count)])
  }

  private func listen(
    _ shards: [ResolverShard]
  ) async throws(PKDNSStartError) -> ([StreamService], [[DatagramService]]) {
    var services: [StreamService] = []
    var datagrams: [[DatagramService]] = []
    for (index, shard) in shards.enumerated() {
      let service = StreamService(shard, limits: configuration.streams, proxies: configuration.access.proxies)
      let sockets = listeners.datagrams[index].map {
        DatagramService($0, shard, proxies: configuration.access.proxies)
      }
      let (streams, tls) = (listeners.streams[index], tls)
      let failure: SystemError? = await shard.loop.submit {
        do throws(SystemError) {
          for socket in sockets { try socket.open() }
          for (listener, isEncrypted) in streams { try service.open(listener, tls: isEncrypted ? tls : nil) }
          return nil
        } catch {
          return error
        }
      }
      if let failure { throw .system(failure) }
      services.append(service)
      datagrams.append(sockets)
    }
    return (services, datagrams)
  }

  // MARK: - HTTP

  private mutating func serveHTTP(_ handler: HTTPSHandler) async throws(PKDNSStartError) {
    let https = configuration.https
    let inherited = options.inheritedSockets
    for (addresses, name, tls) in [(https.encrypted, "https", httpsTLS), (https.plain, "http", nil)] {
      var settings = HTTPServerConfiguration()
      let adopted = inherited.filter { $0.name == name }.map {
        HTTPServerConfiguration.Address.descriptor($0.descriptor)
      }
      settings.addresses = adopted.isEmpty ? addresses.map { .tcp($0) } : adopted
      if settings.addresses.isEmpty { continue }
      settings.tls = tls
      settings.maximumConnections = https.connections
      // Behind a proxy all connections have one address.
      if name == "https" { settings.maximumConnectionsPerAddress = configuration.streams.connectionsPerAddress }
      if settings.maximumConnectionsPerAddress == 0 { settings.maximumConnectionsPerAddress = nil }
      settings.maximumBodyBytes = HTTPSHandler.discardedBodyLimit
      let proxies = configuration.access.proxies
      if !proxies.isEmpty { settings.isProxy = { address in proxies.contains { $0.contains(address) } } }
      let server = try await start(settings, addresses.first, on: loops, handler.handler)
      endpoints.https += server.localEndpoints
    }
  }

  private mutating func serveAdmin(_ handler: AdminHandler) async throws(PKDNSStartError) -> HTTPServer? {
    var settings = HTTPServerConfiguration()
    settings.addresses = options.inheritedSockets.filter { $0.name == "admin" }.map { .descriptor($0.descriptor) }
    if settings.addresses.isEmpty {
      if let endpoint = configuration.admin.listen { settings.addresses.append(.tcp(endpoint)) }
      if let path = configuration.admin.socket { settings.addresses.append(.unix(path: path)) }
    }
    if settings.addresses.isEmpty { return nil }
    let server = try await start(settings, configuration.admin.listen, on: Array(loops.prefix(1)), handler.handler)
    endpoints.admin = server.localEndpoints.first
    return server
  }

  private mutating func start(
    _ settings: HTTPServerConfiguration, _ endpoint: Endpoint?, on loops: [EventLoop], _ handler: @escaping HTTPHandler
  ) async throws(PKDNSStartError) -> HTTPServer {
    let log = log
    let server = HTTPServer(
      settings, on: loops,
      onError: { error, _ in log.current.error("http.handler_failed", ["error": .string("\(error)")]) },
      handler: handler)
    do throws(SystemError) {
      try await server.start()
    } catch {
      throw endpoint.map { PKDNSStartError(error, $0) } ?? .system(error)
    }
    servers.append(server)
    return server
  }

  // MARK: - Taking down

  /// Ends what was begun.
  func dismantle() async {
    for server in servers { await server.shutdown(grace: .zero) }
    for loop in loops { await loop.shutdown() }
    await keeper?.end()
    await client?.shutdown()
  }
}

extension PKDNSConfiguration.TLSSettings {
  /// The files of the certificate, made if this is a development server.
  func files() throws(TLSError) -> (certificateFile: String, keyFile: String) {
    if let certificate, let key { return (certificate, key) }
    let authority = try DevelopmentAuthority(folder: developmentDirectory ?? ".")
    let names = [name, "localhost", "127.0.0.1", "::1"].compactMap(\.self)
    return try authority.certificate(for: names, server: "dns")
  }
}

extension PKDNSConfiguration.LogSettings {
  /// What is written of queries.
  var querySettings: QueryLog.Settings { QueryLog.Settings(isOn: queries, namesClients: clients) }
}

extension HTTPSHandler.Settings {
  /// What a file says of HTTPS.
  init(_ configuration: PKDNSConfiguration) {
    trustedProxies = configuration.https.trustedProxies
    suffixes = configuration.dht.suffixes
    servesProofs = configuration.dht.servesProofs
  }
}
