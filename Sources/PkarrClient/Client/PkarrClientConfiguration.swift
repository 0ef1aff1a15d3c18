import EventLoops
import Mainline
import Pkarr
import PkarrStore

/// How a client reaches the network, what it keeps, and how long it waits. The defaults suit the public network.
///
/// ```swift
/// var configuration = PkarrClientConfiguration()
/// configuration.relays = nil                                  // the DHT alone
/// configuration.addBootstrap(["dht.example:6881"])
/// let client = try await PkarrClient(configuration)
/// ```
public struct PkarrClientConfiguration: Sendable {
  /// The DHT node that the client starts for itself; nil: no DHT, unless ``sharedNode`` is there.
  public var dht: MainlineConfiguration?
  /// A DHT node that is used in place of one of the client's own, and that somebody else ends.
  public var sharedNode: MainlineNode?
  /// The relays to ask; nil: none. An empty list is a mistake that ``PkarrClient`` refuses.
  public var relays: [RelayURL]? = RelayURL.defaults
  /// Where packets are kept, for example a `PacketStore` on disk; nil: in memory.
  public var cache: (any PacketCache)?
  /// How many packets the cache in memory keeps. 0: nothing is cached, not even in ``cache``.
  public var cacheSize = 1000
  /// How long packets count as fresh.
  public var cachePolicy = CachePolicy()
  /// When a request to a DHT node or relay is given up. Changing it changes ``dht`` as well.
  public var requestTimeout: Duration = .seconds(2) {
    didSet { dht?.node.requestTimeout = requestTimeout }
  }
  /// Carries requests to relays; nil: over HTTP and TLS.
  public var transport: (any RelayTransport)?
  /// From when on figures of the DHT deserve a warning.
  public var reportPolicy = ReportPolicy.mainnet
  /// Hears of warnings; they never change a result.
  public var onWarning: (@Sendable (PublicKey, ReportWarning) -> Void)?
  /// Whether who is found to be behind is brought up to date.
  public var repair = RepairPolicy()
  /// Whether the cached packet is returned, however old, when the network cannot be reached.
  public var allowsStale = false
  /// Most packets that are read to find an endpoint.
  public var maximumEndpointDepth = 7
  /// The time that the client goes by.
  public var clock = ClientClock.system

  /// The public DHT and the default relays.
  public init() {
    dht = .ephemeralClient
    dht?.node.requestTimeout = requestTimeout
  }

  /// No network yet: neither DHT nor relays. Add what is wanted.
  public static var noDefaultNetwork: PkarrClientConfiguration {
    var configuration = PkarrClientConfiguration()
    configuration.dht = nil
    configuration.relays = nil
    return configuration
  }

  /// The lower bound of ``cachePolicy``; raises the upper one if need be.
  public var minimumTTL: TimeToLive {
    get { cachePolicy.minimumTTL }
    set { cachePolicy.minimumTTL = newValue }
  }

  /// The upper bound of ``cachePolicy``; lowers the lower one if need be. 0: the cache never answers for the network.
  public var maximumTTL: TimeToLive {
    get { cachePolicy.maximumTTL }
    set { cachePolicy.maximumTTL = newValue }
  }

  /// Changes how the DHT node is set up; turns the DHT on if it was off.
  public mutating func configureDHT(_ body: (inout MainlineConfiguration) -> Void) {
    var configuration = dht ?? .ephemeralClient
    if dht == nil { configuration.node.requestTimeout = requestTimeout }
    body(&configuration)
    dht = configuration
  }

  /// Enters the DHT through these hosts only; none: this is the first node of a new network.
  public mutating func setBootstrap(_ hosts: [HostName]) { configureDHT { $0.bootstrap = hosts } }

  /// Enters the DHT through these hosts as well.
  public mutating func addBootstrap(_ hosts: [HostName]) {
    configureDHT { configuration in
      for host in hosts where !configuration.bootstrap.contains(host) { configuration.bootstrap.append(host) }
    }
  }

  /// Asks these relays as well, also if there were none.
  public mutating func addRelays(_ urls: [RelayURL]) {
    var all = relays ?? []
    for url in urls where !all.contains(url) { all.append(url) }
    relays = all
  }
}

/// Why a client could not be made.
public enum PkarrClientBuildError: Error, Hashable, Sendable {
  /// Neither DHT nor relays.
  case noNetwork
  /// The system has no socket or thread for the DHT node.
  case dht(SystemError)
  /// Connections to relays cannot be made; why, for a person.
  case relays(String)
  /// Relays are wanted, but none is named.
  case emptyListOfRelays

  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .noNetwork: "NoNetwork"
    case .dht: "DhtBuildError"
    case .relays: "RelayBuildError"
    case .emptyListOfRelays: "EmptyListOfRelays"
    }
  }
}

extension PkarrClientBuildError: CustomStringConvertible {
  /// For a person, on three lines: what was wrong, where, what to do.
  public var description: String {
    switch self {
    case .noNetwork:
      """
      the client has no network to ask
      Both the DHT and relays are turned off.
      Turn one of them on.
      """
    case .dht(let error):
      """
      the client cannot start: \(error)
      The system did not give what its DHT node needs.
      If a port is taken choose another one, or 0 for any.
      """
    case .relays(let reason):
      """
      the client cannot start: \(reason)
      The system did not give what connections to relays need.
      Install trusted certificates (ca-certificates), or turn relays off.
      """
    case .emptyListOfRelays:
      """
      the client has no relay to ask
      The list of relays is empty.
      Name one, or turn relays off.
      """
    }
  }
}
