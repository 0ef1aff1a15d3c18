import Addresses

/// How a DHT node behaves. Every value has a default that suits a node on the public network.
public struct NodeConfiguration: Sendable {
  /// Whether a node answers queries of others (BEP 43).
  public enum Mode: String, Sendable, CaseIterable {
    /// Asks only, and says so (`ro` = 1).
    case client
    /// Asks and answers from the start.
    case server
    /// Starts as a client, becomes a server once it is proven reachable, and goes back if nobody asks.
    case adaptive
  }

  /// Which rules about addresses hold.
  public enum Network: String, Sendable, CaseIterable {
    /// The public network: only global unicast addresses, limits per address block, rate limits.
    case `public`
    /// A private or test network: any address, no limits per address block, no rate limits.
    case isolated
  }

  /// The mode to begin in.
  public var mode: Mode = .adaptive
  /// The rules about addresses.
  public var network: Network = .public
  /// The families that the node has a socket for; one routing table and one id each (BEP 32).
  public var families: [IPAddress.Family] = [.ipv4]
  /// Endpoints of the node's own sockets: never asked, never returned.
  public var localEndpoints: [Endpoint] = []
  /// False for the first node of a new network, which has nobody to ask.
  public var hasBootstrap = true
  /// The node's public addresses, if the operator knows them; they override what others report.
  public var publicEndpoints: [Endpoint] = []
  /// True: nodes whose id is not bound to their address (BEP 42) are neither kept in the table nor asked. False: they
  /// are, behind all others.
  public var enforcesSecureIDs = false
  /// After this long without an answer a request has failed.
  public var requestTimeout: Duration = .seconds(2)
  /// Sent as `v`: two letters and two bytes (BEP 5, BEP 20).
  public var version: [UInt8] = [0x53, 0x57, 0, 1]
  /// How much the node keeps for others.
  public var storage = StorageLimits()
  /// How often others may ask and how fast the node itself sends.
  public var rates = RateLimits()
  /// A put looks for further nodes until this many stored the item.
  public var minimumStored = 10
  /// Decides about each query from others before it is served; nil serves all.
  public var requestFilter: (@Sendable (_ method: QueryMethod, _ target: NodeID?, _ sender: Endpoint) -> Bool)?

  /// The defaults.
  public init() {}

  /// A node of a private network: serves from the start, no limits per address.
  public static var isolated: NodeConfiguration {
    var configuration = NodeConfiguration()
    configuration.mode = .server
    configuration.network = .isolated
    return configuration
  }
}

/// How much a node keeps for others. 0 = store nothing of that kind.
public struct StorageLimits: Sendable, Hashable {
  /// Mutable items (BEP 44).
  public var mutableItems = 10_000
  /// Immutable items (BEP 44).
  public var immutableItems = 1000
  /// Items that nobody put again for this long are forgotten, within a minute; BEP 44 allows it after two hours. Nil: an
  /// item is kept until others need its place.
  public var itemLifetime: Duration?
  /// Info-hashes with peers (BEP 5).
  public var infoHashes = 2000
  /// Peers of one info-hash.
  public var peersPerInfoHash = 500

  /// The defaults.
  public init() {}
}

/// Rates, all ignored on an isolated network.
public struct RateLimits: Sendable, Hashable {
  /// Queries served a second from one address.
  public var queriesPerAddress = 10.0
  /// Queries served at once from one address.
  public var queryBurstPerAddress = 50.0
  /// Bytes of answers a second to one address.
  public var answerBytesPerAddress = 8_000.0
  /// Bytes of answers at once to one address.
  public var answerByteBurstPerAddress = 64_000.0
  /// Bytes of answers a second to all together.
  public var answerBytes = 500_000.0
  /// Signatures verified a second for all together.
  public var verifications = 2000.0
  /// Signatures verified a second for one address.
  public var verificationsPerAddress = 20.0
  /// Queries a second that the node itself sends.
  public var outgoingQueries = 250.0
  /// Queries at once that the node itself sends.
  public var outgoingQueryBurst = 50.0
  /// Queries a second to one address.
  public var outgoingPerAddress = 4.0
  /// Queries at once to one address. Below 50: libtorrent ignores an address after 50 packets in 10 s.
  public var outgoingBurstPerAddress = 20.0

  /// The defaults.
  public init() {}
}

/// The methods of KRPC that the node serves.
public enum QueryMethod: String, Sendable, Hashable, CaseIterable {
  case ping
  case findNode = "find_node"
  case getPeers = "get_peers"
  case announcePeer = "announce_peer"
  case get
  case put
  case sampleInfohashes = "sample_infohashes"
}
