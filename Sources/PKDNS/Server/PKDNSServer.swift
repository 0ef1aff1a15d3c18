import Addresses
import Configuration
import EventLoops
import Logging
import PkarrClient

/// A DNS server: names of keys from PKARR, all others from name servers that it forwards to; over UDP, TCP, TLS and HTTPS.
///
/// ```swift
/// let server = PKDNSServer(try PKDNSConfiguration.load("dns.toml"))
/// try await server.start()
/// print(server.localEndpoints)
/// …
/// await server.shutdown()
/// ```
///
/// ``run(configurationFile:onStart:)`` does all of that for a program: it goes on until a signal tells it to stop, and reads
/// its file again on `SIGHUP`.
public final class PKDNSServer: Sendable {
  /// What cannot be written into a file.
  public struct Options: Sendable {
    /// The program's version, for status page, health and metrics.
    public var version = ""
    /// Makes the logger, also after the configuration was read again; standard error if nothing else is said.
    public var makeLogger: @Sendable (PKDNSConfiguration.LogSettings) -> Logger = {
      .standardError(level: $0.level, format: $0.format)
    }
    /// Sockets that somebody else opened, such as systemd, with their names: they are served in the place of
    /// `general.socket`; those named `tls`, `https`, `http` and `admin` in the place of those of their tables.
    public var inheritedSockets: [(descriptor: Int32, name: String)] = []
    /// Who wants to hear when the server is ready, reloads and ends, and that it is alive.
    public var serviceManager: ServiceManager?
    /// Changes how the DHT and the relays are used, after the configuration was applied.
    public var configureClient: (@Sendable (inout PkarrClientConfiguration) -> Void)?

    /// The defaults.
    public init() {}
  }

  private enum Phase {
    case new
    case starting
    case running(RunningServer)
    case ended
  }

  /// What it was told.
  public let configuration: PKDNSConfiguration
  private let options: Options
  private let log: ServiceLog
  private let phase = LockedValue(Phase.new)

  /// A server that does not run yet.
  public init(_ configuration: PKDNSConfiguration = PKDNSConfiguration(), options: Options = Options()) {
    self.configuration = configuration
    self.options = options
    log = ServiceLog(options.makeLogger(configuration.log))
  }

  deinit { running?.abandon() }

  // MARK: - Where it is

  private var running: RunningServer? {
    phase.withLock { phase in
      if case .running(let server) = phase { return server }
      return nil
    }
  }

  /// The endpoints for UDP and TCP; empty unless it runs.
  public var localEndpoints: [Endpoint] { running?.endpoints.plain ?? [] }
  /// The endpoints for TLS.
  public var encryptedEndpoints: [Endpoint] { running?.endpoints.encrypted ?? [] }
  /// The endpoints for HTTPS, those with encryption first.
  public var httpsEndpoints: [Endpoint] { running?.endpoints.https ?? [] }
  /// The endpoint for those who run it.
  public var adminEndpoint: Endpoint? { running?.endpoints.admin }

  // MARK: - Life

  /// Binds the sockets and begins to answer. Waits for nothing: neither for the DHT nor for name servers.
  ///
  /// Throws `PKDNSStartError` that says what cannot be had; then nothing runs. A server starts once.
  public func start() async throws(PKDNSStartError) {
    phase.withLock { phase in
      guard case .new = phase else { preconditionFailure("a server starts once") }
      phase = .starting
    }
    do throws(PKDNSStartError) {
      let server = try await RunningServer.start(configuration, options, log)
      phase.withLock { $0 = .running(server) }
    } catch {
      phase.withLock { $0 = .ended }
      throw error
    }
  }

  /// Stops listening, lets queries under way end for as long as the configuration says, keeps the packets, and ends
  /// everything. A second call does nothing.
  public func shutdown() async {
    let server = phase.withLock { phase -> RunningServer? in
      guard case .running(let server) = phase else { return nil }
      phase = .ended
      return server
    }
    guard let server else { return }
    await server.shutdown()
    log.current.notice("dns.stopped")
  }

  /// Starts the server and runs it until the process is told to stop (`SIGINT`, `SIGTERM`), or the task is cancelled.
  ///
  /// `SIGHUP`: reads `configurationFile` again with `load`, see ``reload(_:)``. `onStart` is called once it listens. Throws
  /// as ``start()``.
  public func run(
    configurationFile: String? = nil,
    load: @Sendable (String) throws(ConfigurationError) -> PKDNSConfiguration = { path throws(ConfigurationError) in
      try PKDNSConfiguration.load(path)
    }, onStart: @Sendable (PKDNSServer) async -> Void = { _ in }
  ) async throws(PKDNSStartError) {
    let signals: SignalSource
    do throws(SystemError) {
      signals = try SignalSource([.interrupt, .terminate, .hangUp])
    } catch {
      throw .system(error)
    }
    defer { signals.cancel() }
    try await start()
    await onStart(self)
    let manager = options.serviceManager
    manager?.tell(.ready)
    let loops = running?.shards.map(\.loop) ?? []
    let helpers = [
      Task { await manager?.keepAlive(loops) },
      Task { [configuration] in
        guard configuration.general.reloadsOnChange else { return }
        await FileWatch(configuration.files + [configurationFile].compactMap(\.self)).run { signals.post(.hangUp) }
      },
    ]
    for await signal in signals {
      guard signal == .hangUp else { break }
      manager?.tell(.reloading)
      do throws(ConfigurationError) {
        await reload(try configurationFile.map { path throws(ConfigurationError) in try load(path) } ?? configuration)
      } catch {
        // What is in use stays in use.
        log.current.error("configuration.refused", ["error": .string("\(error)")])
      }
      manager?.tell(.ready)
    }
    manager?.tell(.stopping)
    for helper in helpers { helper.cancel() }
    await shutdown()
  }

  /// Goes on with what can be changed while it works: name servers, limits, access, suffixes, caches' times, certificates,
  /// and the log. No query is lost.
  ///
  /// Other changes are named in the log; they need a restart.
  public func reload(_ new: PKDNSConfiguration) async {
    guard let server = running else { return }
    log.change(to: options.makeLogger(new.log))
    let failures = await server.apply(new)
    for failure in failures { log.current.error("tls.reload_failed", ["error": .string(failure)]) }
    let ignored = configuration.settingsThatNeedRestart(for: new)
    log.current.notice("configuration.reloaded", ["needs_restart": .array(ignored.map { .string($0) })])
  }
}

extension PKDNSConfiguration {
  /// What differs in `new` and is read at the start only.
  func settingsThatNeedRestart(for new: PKDNSConfiguration) -> [String] {
    var names: [String] = []
    if general.sockets != new.general.sockets { names.append("general.socket") }
    if general.loops != new.general.loops { names.append("general.loops") }
    if general.reloadsOnChange != new.general.reloadsOnChange { names.append("general.reload_on_change") }
    if general.packetCacheFile != new.general.packetCacheFile { names.append("general.packet_cache_file") }
    if general.forwardAuthorities != new.general.forwardAuthorities { names.append("general.forward_authorities") }
    if tls != new.tls { names.append("tls") }
    if https.encrypted != new.https.encrypted || https.plain != new.https.plain || https.paths != new.https.paths
      || https.json != new.https.json || https.connections != new.https.connections
    {
      names.append("https")
    }
    let networks = (dht.usesDHT, dht.relays, dht.bootstrap, dht.isIsolated, dht.tableFile)
    if networks != (new.dht.usesDHT, new.dht.relays, new.dht.bootstrap, new.dht.isIsolated, new.dht.tableFile) {
      names.append("dht")
    }
    if access.proxies != new.access.proxies { names.append("access.proxies") }
    if admin != new.admin { names.append("admin") }
    return names
  }
}
