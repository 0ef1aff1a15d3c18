import EventLoops
import Mainline
import MainlineProtocol
import Pkarr
import PkarrStore
import Testing

@testable import PkarrClient

/// Which networks a test runs on.
enum NetworkKind: String, CaseIterable, CustomTestStringConvertible {
  case dht, relays, both

  var hasDHT: Bool { self != .relays }
  var hasRelays: Bool { self != .dht }
  var testDescription: String { rawValue }
}

/// A DHT on loopback, relays in memory, or both.
struct Networks {
  var testnet: Testnet?
  var relays: [MemoryRelay]

  /// Nothing here waits in real time for a relay to be given up, however busy the machine is.
  static let requestTimeout = Duration.seconds(300)

  /// The only relay.
  var relay: MemoryRelay { relays[0] }

  /// How a client of these networks is set up.
  func configuration(clock: ClientClock = .system) -> PkarrClientConfiguration {
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    configuration.requestTimeout = Self.requestTimeout
    configuration.dht = testnet?.configuration
    if !relays.isEmpty { configuration.relays = relays.map(\.url) }
    configuration.transport = MemoryTransport(relays)
    configuration.reportPolicy = .testnet
    configuration.clock = clock
    return configuration
  }

  func client(
    clock: ClientClock = .system, _ configure: (inout PkarrClientConfiguration) -> Void = { _ in }
  ) async throws -> PkarrClient {
    var configuration = configuration(clock: clock)
    configure(&configuration)
    return try await PkarrClient(configuration)
  }

  /// Puts something into the DHT past all rules of the client.
  func put(_ item: MutableItem) async throws { try await testnet?.nodes[0].putMutable(item) }

  /// What the network holds, without asking a client.
  func hold(_ packet: SignedPacket) async throws {
    for relay in relays { relay.hold(packet) }
    if let testnet { try await DHTClient(sharing: testnet.nodes[0]).publish(packet) }
  }
}

/// Runs a body with networks, and stops them afterwards.
func withNetworks<T>(
  _ kind: NetworkKind, nodes: Int = 6, relays count: Int = 1, _ body: (Networks) async throws -> T
) async throws -> T {
  let relays = kind.hasRelays ? try (0..<count).map { MemoryRelay(try RelayURL("https://relay\($0).example")) } : []
  guard kind.hasDHT else { return try await body(Networks(testnet: nil, relays: relays)) }
  return try await withTestnet(nodes: nodes) { try await body(Networks(testnet: $0, relays: relays)) }
}

extension CachePolicy {
  /// Packets are kept as long as their records say.
  static let asRecordsSay = CachePolicy(minimumTTL: 0, maximumTTL: .days(1))
}
