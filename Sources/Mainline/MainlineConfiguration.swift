import Addresses
import EventLoops
import MainlineProtocol

/// How a DHT node meets the world: sockets, bootstrap hosts, what it keeps on disk, and how the node itself behaves.
///
/// The defaults suit a node on the public network. For a private one see ``isolated(bootstrap:)``.
public struct MainlineConfiguration: Sendable {
  /// How the node behaves. `families`, `localEndpoints` and `hasBootstrap` are filled in from the fields below.
  public var node = NodeConfiguration()
  /// The addresses to bind, at most one of each family: IPv4 on all interfaces unless told otherwise.
  public var bindAddresses: [IPAddress] = [.anyV4]
  /// The port to bind. Nil: 6881, or any free one if that is taken. 0: any free one. Any other must be free.
  public var port: UInt16?
  /// Where to look for the first nodes. Empty: this is the first node of a new network.
  public var bootstrap: [HostName] = Self.publicBootstrap
  /// Finds the addresses of bootstrap hosts that are names; the system's resolver unless told otherwise.
  public var hostResolver: @Sendable (HostName) async throws -> [Endpoint] = { try await HostResolver.resolve($0) }
  /// The file that the routing table is kept in over restarts; nil keeps nothing.
  public var tableFile: String?
  /// The loop that the node lives on, shared with others and stopped by its owner. Nil: the node has one of its own.
  public var eventLoop: EventLoop?
  /// How far a loop of the node's own lets other threads go first while they want the same core: 0 (not at all) to 19, as
  /// nice(1) has it. For those whose clients get most answers without the DHT.
  public var niceness = 0
  /// Loses, doubles or delays datagrams that arrive, for tests; nil lets all through.
  public var packetFilter: PacketFilter?

  /// The well-known entrances to the public network.
  public static let publicBootstrap: [HostName] = [
    "router.bittorrent.com:6881", "dht.transmissionbt.com:6881", "dht.libtorrent.org:25401", "relay.pkarr.org:6881",
  ].compactMap { HostName($0) }

  /// The port that nodes of the public network use by custom.
  public static let defaultPort: UInt16 = 6881

  /// A node of the public network over IPv4.
  public init() {}

  /// A node of the public network over IPv4 and IPv6, with a routing table for each (BEP 32).
  public static var dualStack: MainlineConfiguration {
    var configuration = MainlineConfiguration()
    configuration.bindAddresses = [.anyV4, .anyV6]
    return configuration
  }

  /// A node of a private network on this machine: loopback only, any port, and no bootstrap hosts but those given.
  public static func isolated(bootstrap: [HostName] = []) -> MainlineConfiguration {
    var configuration = MainlineConfiguration()
    configuration.node = .isolated
    configuration.bindAddresses = [.loopbackV4]
    configuration.port = 0
    configuration.bootstrap = bootstrap
    return configuration
  }
}
