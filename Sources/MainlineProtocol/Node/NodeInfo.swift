import Addresses

/// How a node is doing.
public struct NodeInfo: Sendable {
  /// One address family.
  public struct Family: Sendable {
    /// IPv4 or IPv6.
    public var family: IPAddress.Family
    /// The node's id in this family.
    public var id: NodeID
    /// The public endpoint, once known.
    public var publicEndpoint: Endpoint?
    /// Nodes in the routing table that answered lately.
    public var goodNodes: Int
    /// Nodes in the routing table that have been silent for a while.
    public var questionableNodes: Int
    /// Nodes in the table whose id is bound to their address (BEP 42).
    public var secureNodes: Int
    /// Non-empty buckets.
    public var buckets: Int
  }

  /// The families that are in use.
  public var families: [Family]
  /// True if the node answers queries.
  public var isServer: Bool
  /// True until the node is proven reachable from outside.
  public var isFirewalled: Bool
  /// Estimated number of nodes in the network.
  public var networkSize: Double
  /// Relative standard deviation of that estimate (infinite while nothing is known).
  public var networkSizeDeviation: Double
  /// Items of others, mutable and immutable.
  public var storedItems: Int
  /// Info-hashes with peers.
  public var storedInfoHashes: Int
  /// Since the node was made.
  public var uptime: Duration
  /// Share of the last 1000 requests that were answered; nil before the first.
  public var responseRate: Double?
  /// Typical round trip.
  public var roundTrip: Duration
  /// What went over the wire.
  public var statistics: NodeStatistics
}

/// Counters since the node was made.
public struct NodeStatistics: Sendable, Hashable {
  /// Datagrams received.
  public var datagramsReceived: UInt64 = 0
  /// Bytes received.
  public var bytesReceived: UInt64 = 0
  /// Datagrams sent.
  public var datagramsSent: UInt64 = 0
  /// Bytes sent.
  public var bytesSent: UInt64 = 0
  /// Datagrams that were no KRPC message.
  public var undecodable: UInt64 = 0
  /// Queries from others by method.
  public var queriesServed: [QueryMethod: UInt64] {
    Dictionary(uniqueKeysWithValues: zip(QueryMethod.allCases, served).filter { $0.1 > 0 })
  }
  /// Queries from others that were dropped by a rate limit or the filter.
  public var queriesDropped: UInt64 = 0
  /// Error messages sent, by code.
  public var errorsSent: [Int: UInt64] = [:]
  /// Our queries.
  public var requestsSent: UInt64 = 0
  /// Answers to them.
  public var responses: UInt64 = 0
  /// Error messages in answer to them.
  public var errorResponses: UInt64 = 0
  /// Requests without an answer.
  public var timeouts: UInt64 = 0
  /// Answers that match no request of ours.
  public var unmatched: UInt64 = 0
  /// Signatures checked.
  public var verifications: UInt64 = 0
  /// Datagrams that did not fit the send queue.
  public var sendDrops: UInt64 = 0

  /// By position of the method; counted on every query, so without hashing.
  private var served = [UInt64](repeating: 0, count: QueryMethod.allCases.count)

  /// All zero.
  public init() {}

  @inline(__always)
  mutating func countServed(_ method: QueryMethod) { served[method.position] += 1 }
}

extension QueryMethod {
  /// Position among all cases.
  fileprivate var position: Int {
    switch self {
    case .ping: 0
    case .findNode: 1
    case .getPeers: 2
    case .announcePeer: 3
    case .get: 4
    case .put: 5
    case .sampleInfohashes: 6
    }
  }
}
