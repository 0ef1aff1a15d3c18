import Addresses
import Configuration
import EventLoops
import HTTP
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PkarrStore
import PlainText

/// A relay: PKARR over HTTP, with a node of the Mainline DHT and a cache of packets.
///
/// ```swift
/// let relay = RelayServer(try RelayConfiguration.load("relay.toml"))
/// try await relay.start()
/// print(relay.localURL)
/// …
/// await relay.shutdown()
/// ```
///
/// ``run(configurationFile:)`` does all of that for a program: it goes on until a signal tells it to stop, and reads its
/// file again on `SIGHUP`. For tests see ``test(on:)``, for a network in one process ``testnet(_:)``.
public final class RelayServer: Sendable {
  /// What cannot be written into a file.
  public struct Options: Sendable {
    /// The program's version, for status page, health and metrics.
    public var version = ""
    /// From when on figures of the DHT are worth a warning.
    public var reportPolicy = ReportPolicy.mainnet
    /// Changes how the node of the DHT is set up, after the configuration was applied.
    public var configureNode: (@Sendable (inout MainlineConfiguration) -> Void)?
    /// Makes the logger, also after the configuration was read again; standard error if nothing else is said.
    public var makeLogger: @Sendable (RelayConfiguration.LogSettings) -> Logger = {
      .standardError(level: $0.level, format: $0.format)
    }
    /// Listening sockets that somebody else opened, such as systemd: they are served in the place of `http.host` and
    /// `http.unix_socket`, whose addresses they may have.
    public var inheritedSockets: [Int32] = []
    /// Who wants to hear when the relay is ready, reloads and ends, and that it is alive.
    public var serviceManager: ServiceManager?

    /// The defaults.
    public init() {}
  }

  private enum Phase {
    case new
    case starting
    case running(RunningRelay)
    case ended
  }

  /// What it was told.
  public let configuration: RelayConfiguration
  private let options: Options
  private let log: ServiceLog
  /// A network of its own that lives as long as the relay does.
  private let ownTestnet: LockedValue<Testnet?>
  private let phase = LockedValue(Phase.new)

  /// A relay that does not run yet.
  public convenience init(_ configuration: RelayConfiguration = RelayConfiguration(), options: Options = Options()) {
    self.init(configuration, options: options, testnet: nil)
  }

  init(_ configuration: RelayConfiguration, options: Options, testnet: Testnet?) {
    self.configuration = configuration
    self.options = options
    log = ServiceLog(options.makeLogger(configuration.log))
    ownTestnet = LockedValue(testnet)
  }

  deinit { running?.abandon() }

  // MARK: - Where it is

  private var running: RunningRelay? {
    phase.withLock { phase in
      if case .running(let relay) = phase { return relay }
      return nil
    }
  }

  /// What answers requests; nil unless it runs.
  var core: RelayCore? { running?.core }

  /// The TCP endpoints for everybody; empty unless it runs.
  public var localEndpoints: [Endpoint] { running?.localEndpoints ?? [] }

  /// The endpoint for those who run it, if it has one of its own.
  public var adminEndpoint: Endpoint? { running?.adminEndpoint }

  /// The UDP endpoints of the node of the DHT; empty unless it runs.
  public var nodeEndpoints: [Endpoint] { running?.node.localEndpoints ?? [] }

  /// Where this machine reaches it: `http://localhost:6881`, `https://…` if it takes encrypted connections only; nil unless
  /// it runs and listens on TCP.
  public var localURL: String? {
    guard let relay = running, let endpoint = relay.localEndpoints.first else { return nil }
    let isEncrypted = configuration.http.tls.map { $0.port == nil } ?? false
    return "\(isEncrypted ? "https" : "http")://localhost:\(endpoint.port)"
  }

  /// How it is doing, as `/health` tells it; nil unless it runs.
  public func healthReport() async -> String? {
    guard let relay = running, case .bytes(let bytes) = RelayHealth.response(await relay.status()).body else {
      return nil
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  // MARK: - Life

  /// Opens the cache, starts the node of the DHT and begins to listen. Does not wait for the DHT.
  ///
  /// Throws `RelayStartError` that says what cannot be had; then nothing runs. A relay starts once.
  public func start() async throws(RelayStartError) {
    phase.withLock { phase in
      guard case .new = phase else { preconditionFailure("a relay starts once") }
      phase = .starting
    }
    do throws(RelayStartError) {
      let relay = try await RunningRelay.start(configuration, options, log)
      phase.withLock { $0 = .running(relay) }
    } catch {
      phase.withLock { $0 = .ended }
      await ownTestnet.withLock { $0 }?.stop()
      throw error
    }
  }

  /// Stops listening, lets requests end for as long as the configuration says, ends the node and closes the cache. A second
  /// call does nothing.
  public func shutdown() async {
    let relay = phase.withLock { phase -> RunningRelay? in
      guard case .running(let relay) = phase else { return nil }
      phase = .ended
      return relay
    }
    guard let relay else { return }
    await relay.shutdown(grace: configuration.http.drainTimeout)
    await ownTestnet.withLock { $0 }?.stop()
    log.current.notice("relay.stopped")
  }

  /// Starts the relay and runs it until the process is told to stop (`SIGINT`, `SIGTERM`), or the task is cancelled.
  ///
  /// `SIGHUP`: reads `configurationFile` again, see ``reload(_:)``. `onStart` is called once it listens. Throws as
  /// ``start()``.
  public func run(
    configurationFile: String? = nil, onStart: @Sendable (RelayServer) async -> Void = { _ in }
  ) async throws(RelayStartError) {
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
    let loops = running?.loops ?? []
    let watchdog = Task { await manager?.keepAlive(loops) }
    for await signal in signals {
      guard signal == .hangUp else { break }
      manager?.tell(.reloading)
      do throws(ConfigurationError) {
        await reload(
          try configurationFile.map { path throws(ConfigurationError) in try RelayConfiguration.load(path) }
            ?? configuration)
      } catch {
        log.current.error("configuration.refused", ["error": .string("\(error)")])
      }
      manager?.tell(.ready)
    }
    manager?.tell(.stopping)
    watchdog.cancel()
    await shutdown()
  }

  /// Goes on with what can be changed while it works: quotas, the way to find clients' addresses, what is kept alive, level
  /// and format of the log, and the contents of the files of certificates. No request is lost.
  ///
  /// Other changes are named in the log; they need a restart.
  public func reload(_ new: RelayConfiguration) async {
    guard let relay = running else { return }
    log.change(to: options.makeLogger(new.log))
    relay.apply(new.rateLimiter)
    await relay.apply(new.republish)
    for failure in relay.reloadCertificates() { log.current.error("tls.reload_failed", ["error": .string(failure)]) }
    let ignored = configuration.tablesThatNeedRestart(for: new)
    log.current.notice("configuration.reloaded", ["needs_restart": .array(ignored.map { .string($0) })])
  }
}

extension RelayConfiguration {
  /// The tables in which `new` differs in something that is read at the start only.
  func tablesThatNeedRestart(for new: RelayConfiguration) -> [String] {
    var tables: [String] = []
    if http != new.http { tables.append("http") }
    if mainline != new.mainline { tables.append("mainline") }
    if cache != new.cache { tables.append("cache") }
    if admin != new.admin { tables.append("admin") }
    if rateLimiter?.addresses != new.rateLimiter?.addresses, rateLimiter != nil, new.rateLimiter != nil {
      tables.append("rate_limiter.addresses")
    }
    return tables
  }
}
