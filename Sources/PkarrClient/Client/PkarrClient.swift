import EventLoops
import HTTP
import Mainline
import MainlineProtocol
import Pkarr
import PkarrStore

/// Publishes and resolves signed packets over the DHT, over relays, or over both at the same time.
///
/// ```swift
/// let client = try await PkarrClient()
/// try await client.publish(packet)
/// for record in try await client.resolve(key).records(named: "www") { print(record) }
/// ```
///
/// One client serves any number of tasks. Every call may be cancelled through its task, and then ends with the error
/// `.cancelled`. The client ends when its last reference goes; ``shutdown()`` does the same and waits for it.
public final class PkarrClient: Sendable {
  /// How the client was set up.
  public let configuration: PkarrClientConfiguration
  /// The DHT on its own; nil if the client does without.
  public let dht: DHTClient?
  /// Each relay on its own.
  public let relays: [RelayClient]
  /// Where packets are kept; nil if they are not.
  public let cache: (any PacketCache)?

  let clock: ClientClock
  let times = RelayTimes()
  let queue = PublishQueue()
  let repairs: Repairs

  /// Starts a client; does not wait for the network.
  ///
  /// - Throws: ``PkarrClientBuildError``.
  public init(
    _ configuration: PkarrClientConfiguration = PkarrClientConfiguration()
  ) async throws(PkarrClientBuildError) {
    let relayURLs = configuration.relays ?? []
    if let relays = configuration.relays, relays.isEmpty { throw .emptyListOfRelays }
    if relayURLs.isEmpty, configuration.dht == nil, configuration.sharedNode == nil { throw .noNetwork }
    self.configuration = configuration
    clock = configuration.clock
    repairs = Repairs(configuration.repair, clock: configuration.clock)
    cache = Self.cache(configuration)
    if relayURLs.isEmpty {
      relays = []
    } else {
      let transport = try Self.transport(configuration)
      relays = relayURLs.map {
        RelayClient($0, transport: transport, timeout: configuration.requestTimeout, clock: configuration.clock)
      }
    }
    if let node = configuration.sharedNode {
      dht = DHTClient(sharing: node, reportPolicy: configuration.reportPolicy, clock: configuration.clock)
    } else if let node = configuration.dht {
      do throws(SystemError) {
        dht = try await DHTClient(node, reportPolicy: configuration.reportPolicy, clock: configuration.clock)
      } catch {
        throw .dht(error)
      }
    } else {
      dht = nil
    }
  }

  deinit { repairs.cancel() }

  private static func cache(_ configuration: PkarrClientConfiguration) -> (any PacketCache)? {
    guard configuration.cacheSize > 0 else { return nil }
    guard let cache = configuration.cache else { return MemoryCache(capacity: configuration.cacheSize) }
    return cache.capacity > 0 ? cache : nil
  }

  private static func transport(
    _ configuration: PkarrClientConfiguration
  ) throws(PkarrClientBuildError) -> any RelayTransport {
    if let transport = configuration.transport { return transport }
    do {
      return HTTPRelayTransport(try HTTPClient())
    } catch {
      throw .relays("\(error)")
    }
  }

  /// How the DHT looks from here; nil without DHT.
  public func dhtInfo() async -> DHTInfo? { await dht?.info() }

  /// Waits until everybody has been brought up to date who was found to be behind; see ``RepairPolicy``.
  ///
  /// A program that ends right after a resolution calls this to leave the network better than it was.
  public func finishRepairs() async { await repairs.settle() }

  /// Ends the client: its DHT node if that is its own, and repairs that still run. A cache that was given is flushed, and
  /// stays its owner's.
  public func shutdown() async {
    repairs.cancel()
    await repairs.settle()
    // What could not be written is found on the network again.
    try? await cache?.flush()
    // A routing table that could not be written does no harm: the next start takes a little longer.
    try? await dht?.shutdown()
  }

  /// Tells of figures that somebody should look at.
  func warn(_ key: PublicKey, _ warnings: [ReportWarning]) {
    guard let onWarning = configuration.onWarning else { return }
    for warning in warnings { onWarning(key, warning) }
  }
}
