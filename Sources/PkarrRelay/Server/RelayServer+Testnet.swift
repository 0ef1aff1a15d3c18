import EventLoops
import Logging
import Mainline

extension RelayServer {
  /// The TCP port of a relay with a network of its own.
  public static let testnetPort: UInt16 = 15411

  /// A relay with a DHT of ten nodes of its own on this machine: nothing is sent to anywhere else. HTTP on `port`, no limits,
  /// and a cache that goes with the relay.
  ///
  /// Throws if the system has no sockets left.
  public static func testnet(
    _ options: Options = Options(), port: UInt16 = testnetPort
  ) async throws(RelayStartError) -> RelayServer {
    do throws(SystemError) {
      let testnet = try await Testnet(nodes: 10)
      var configuration = configuration(on: testnet)
      configuration.http.port = port
      configuration.mainline.port = nil
      return RelayServer(configuration, options: forTests(options), testnet: testnet)
    } catch {
      throw .system(error)
    }
  }

  /// A relay for tests on a network that they have: HTTP on any free port of the loopback interface, no limits, and a cache
  /// that goes with the relay. `configure` changes it.
  public static func test(
    on testnet: Testnet, options: Options = Options(), configure: (inout RelayConfiguration) -> Void = { _ in }
  ) -> RelayServer {
    var configuration = configuration(on: testnet)
    configuration.http.host = [.loopbackV4]
    configuration.http.port = 0
    configure(&configuration)
    return RelayServer(configuration, options: forTests(options))
  }

  private static func configuration(on testnet: Testnet) -> RelayConfiguration {
    var configuration = RelayConfiguration()
    configuration.rateLimiter = nil
    configuration.mainline.port = 0
    configuration.mainline.host = [.loopbackV4]
    configuration.mainline.network = .isolated
    configuration.mainline.bootstrap = testnet.bootstrap
    configuration.mainline.requestTimeout = .milliseconds(100)
    return configuration
  }

  private static func forTests(_ options: Options) -> Options {
    var options = options
    options.reportPolicy = .testnet
    return options
  }
}
