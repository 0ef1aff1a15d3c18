import MainlineProtocol
import Republisher

/// How a relay is doing at one moment.
struct RelayStatus: Sendable {
  /// The node of the DHT.
  struct Node: Hashable, Sendable {
    /// The port of the public address if it is known, else of the socket.
    var port: UInt16 = 0
    /// True until the node is proven reachable from outside.
    var isFirewalled = true
    /// True if it answers queries.
    var isServer = false
    /// Nodes in the routing table that answered lately.
    var goodNodes = 0
    /// Nodes in the routing table that have been silent for a while.
    var questionableNodes = 0
    /// Estimated number of nodes in the network.
    var networkSize = 0.0
    /// Relative standard deviation of that estimate; infinite while nothing is known.
    var networkSizeDeviation = Double.infinity
    /// Share of the last 1000 requests that were answered; nil before the first.
    var responseRate: Double?
    /// Typical round trip.
    var roundTrip = Duration.zero
    /// Items that it keeps for others.
    var storedItems = 0
    /// Queries of others that were served.
    var queriesServed: UInt64 = 0
    /// Queries of others that a limit dropped.
    var queriesDropped: UInt64 = 0
    /// Requests sent.
    var requestsSent: UInt64 = 0
    /// Requests without an answer.
    var timeouts: UInt64 = 0
    /// Bytes that came in.
    var bytesReceived: UInt64 = 0
    /// Bytes that went out.
    var bytesSent: UInt64 = 0
  }

  /// The packets that are kept.
  struct Cache: Hashable, Sendable {
    /// Packets kept.
    var packets = 0
    /// How many fit.
    var capacity = 0
    /// Answers ready in memory.
    var memoryPackets = 0
    /// For how long the oldest write has waited to reach the disk; nil if none waits.
    var oldestWaitingWrite: Duration?
    /// Writes that failed.
    var failedWrites: UInt64 = 0
  }

  /// Who uses the relay at the moment.
  struct Load: Hashable, Sendable {
    /// Connections that are open.
    var connections = 0
    /// Lookups in the DHT under way.
    var lookups = 0
    /// Requests that wait for one of them.
    var waitingRequests = 0
    /// Packets that wait for their signatures to be checked.
    var waitingVerifications = 0
    /// Clients that follow a key.
    var watchers = 0
    /// Addresses that the limit of requests remembers.
    var limitedAddresses = 0
  }

  /// What became of connections since the start.
  struct Connections: Hashable, Sendable {
    /// Connections accepted.
    var accepted: UInt64 = 0
    /// Connections refused because too many were open.
    var refused: UInt64 = 0
    /// Connections closed because the client was too slow.
    var timedOut: UInt64 = 0
    /// Requests that broke the protocol.
    var malformed: UInt64 = 0
  }

  /// The program's version.
  var version = ""
  /// Since the relay was started.
  var uptime = Duration.zero
  /// The node of the DHT; nil after its end.
  var node: Node? = Node()
  /// The packets that are kept.
  var cache = Cache()
  /// Who uses the relay at the moment.
  var load = Load()
  /// What became of connections since the start.
  var connections = Connections()
  /// What was counted since the start.
  var counts = RelayCounts()
  /// The packets that are kept alive; nil if none are.
  var republishing: RepublishStatus?
}

extension RelayStatus.Node {
  /// What a node says of itself; `port` is that of its socket.
  init(_ info: NodeInfo, port: UInt16) {
    self.port = info.families.lazy.compactMap { $0.publicEndpoint?.port }.first ?? port
    isFirewalled = info.isFirewalled
    isServer = info.isServer
    goodNodes = info.families.reduce(0) { $0 + $1.goodNodes }
    questionableNodes = info.families.reduce(0) { $0 + $1.questionableNodes }
    networkSize = info.networkSize
    networkSizeDeviation = info.networkSizeDeviation
    responseRate = info.responseRate
    roundTrip = info.roundTrip
    storedItems = info.storedItems
    queriesServed = info.statistics.queriesServed.values.reduce(0, &+)
    queriesDropped = info.statistics.queriesDropped
    requestsSent = info.statistics.requestsSent
    timeouts = info.statistics.timeouts
    bytesReceived = info.statistics.bytesReceived
    bytesSent = info.statistics.bytesSent
  }
}
