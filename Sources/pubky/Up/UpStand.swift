import Addresses
import CommandLineTool
import EventLoops
import Logging
import Mainline
import PkarrRelay

/// What `pubky up` runs: a private DHT unless there is one already, and a relay on it that this machine alone reaches.
struct UpStand: Sendable {
  /// Which DHT is used.
  enum Place: Sendable {
    /// One of its own.
    case new
    /// The one with these entrances; none: the public one.
    case existing([HostName])
  }

  static let nodeCount = 20

  let relay: RelayServer
  /// The web app: `http://localhost:6881`.
  let url: String
  /// Where to enter the DHT; empty: the public one.
  let entrances: [HostName]
  /// A DHT of its own; nil if it uses another one.
  let testnet: Testnet?
  /// True if its ports are not those from 6881 on, because one of them was taken.
  let hasOtherPorts: Bool

  /// Starts all of it, or nothing.
  ///
  /// - Throws: `CommandError` that names a port that is taken.
  static func start(on place: Place, port: UInt16?, _ logger: Logger) async throws(CommandError) -> UpStand {
    var testnet: Testnet?
    var entrances: [HostName]
    var hasOtherPorts = false
    switch place {
    case .existing(let hosts): entrances = hosts
    case .new:
      let started = try await startTestnet()
      testnet = started.testnet
      hasOtherPorts = started.hasOtherPorts
      entrances = [started.testnet.bootstrap[0]]
    }
    let isPrivate = !entrances.isEmpty && entrances.allSatisfy(Network.isPrivate)
    var options = RelayServer.Options()
    options.version = Pubky.version
    options.reportPolicy = isPrivate ? .testnet : .mainnet
    options.makeLogger = { _ in logger }
    let configuration = configuration(entrances, isPrivate: isPrivate, port: port)
    let relay = RelayServer(configuration, options: options)
    do throws(RelayStartError) {
      try await relay.start()
    } catch {
      await testnet?.stop()
      throw explain(error, configuration.http.port)
    }
    return UpStand(
      relay: relay, url: relay.localURL ?? "", entrances: entrances, testnet: testnet, hasOtherPorts: hasOtherPorts)
  }

  /// The ports from 6881 on if they are free, so that what is printed is the same each time; else any.
  private static func startTestnet() async throws(CommandError) -> (testnet: Testnet, hasOtherPorts: Bool) {
    do throws(CommandError) {
      return (try await TestnetCommand.start(nodeCount, firstPort: MainlineConfiguration.defaultPort), false)
    } catch {
      guard error.code == "port_in_use" else { throw error }
      return (try await TestnetCommand.start(nodeCount, firstPort: nil), true)
    }
  }

  private static func configuration(
    _ entrances: [HostName], isPrivate: Bool, port: UInt16?
  ) -> RelayConfiguration {
    var configuration = RelayConfiguration()
    configuration.http.host = [.loopbackV4]
    if let port { configuration.http.port = port }
    // A browser may still follow a key when it is told to stop.
    configuration.http.drainTimeout = .seconds(1)
    // Nobody but this machine asks it, and a page asks for several things at once.
    configuration.rateLimiter = nil
    configuration.mainline.bootstrap = entrances.isEmpty ? nil : entrances
    if isPrivate {
      let client = Network.clientConfiguration(entrances)
      configuration.mainline.network = .isolated
      configuration.mainline.host = client.bindAddresses
      configuration.mainline.port = 0
      // Nobody else pays for it: a page that follows the sample shows a change of its file soon.
      configuration.http.watchInterval = .seconds(2)
    }
    return configuration
  }

  private static func explain(_ error: RelayStartError, _ port: UInt16) -> CommandError {
    if case .system(let reason) = error, reason.isAddressInUse {
      return CommandError(
        "port_in_use", "port \(port) is taken by another program",
        advice: "Stop it, or choose another port: \(ProgramName.asTyped) up --port 8080 (--port 0: any free one)",
        exitCode: .usage)
    }
    return CommandError("system", "the relay cannot start: \(error)", exitCode: .refused)
  }

  /// Stops all of it.
  func stop() async {
    await relay.shutdown()
    await testnet?.stop()
  }
}
