import Addresses
import Cryptography

// These are indirect: a reference instead of some hundred bytes goes through queues and functions that wait.

/// Something that a user asks of the node; it runs until its ``QueryResult`` arrives as an event.
public indirect enum Query: Sendable {
  /// Is this node there?
  case ping(Endpoint)
  /// The nodes closest to a target.
  case findNode(NodeID)
  /// The nodes closest to a target that would store an item there, with their tokens.
  case closestNodes(NodeID)
  /// Peers that announced themselves for an info-hash (BEP 5).
  case getPeers(NodeID)
  /// Announce ourselves for an info-hash; `port` nil: the port of the DHT socket (`implied_port`).
  case announcePeer(NodeID, port: UInt16?)
  /// The item whose SHA-1 is the target (BEP 44).
  case getImmutable(NodeID)
  /// Store an item under its SHA-1 (BEP 44).
  case putImmutable(ImmutableItem)
  /// The items under a key and salt (BEP 44). `newerThan`: only seqs above; nil takes any.
  case getMutable(key: Ed25519.PublicKey, salt: [UInt8], newerThan: Int64?)
  /// Store a signed item (BEP 44).
  case putMutable(MutableItem, PutOptions)
  /// Store a signed item (BEP 44) at these nodes of an earlier lookup and nowhere else; at most 72 of them.
  case repairMutable(MutableItem, at: [StorageNode])
}

/// How a signed item is stored.
public struct PutOptions: Sendable, Hashable {
  /// Compare-and-swap: the seq that the writer believes is stored (BEP 44). Not to be relied on for mutual exclusion.
  public var cas: Int64?
  /// Send it even if the lookup found something newer or a different item of the same seq.
  public var force = false
  /// Nodes to store at besides the closest ones: they are asked for a token first.
  public var extraNodes: [Endpoint] = []

  /// No compare-and-swap, no force, no extra nodes.
  public init() {}
}

/// Names one running query.
public struct QueryID: Hashable, Sendable {
  let value: UInt64
}

/// What a node tells its user.
public enum NodeEvent: Sendable {
  /// A valid item better than all that this query saw before.
  case mutableItem(QueryID, MutableItem)
  /// Peers that one node knows.
  case peers(QueryID, [Endpoint])
  /// The query has ended.
  case finished(QueryID, QueryResult)
  /// The node wants the addresses of its bootstrap hosts: answer with ``DHTNode/addBootstrap(_:at:)``.
  case wantsBootstrap
  /// Send these bytes to `endpoint` from another socket than the node's own: the node tests whether it can be reached.
  case probeReachability(endpoint: Endpoint, datagram: [UInt8])
}

/// How a query ended.
public indirect enum QueryResult: Sendable {
  /// The node answered.
  case ping(PingOutcome)
  /// Nodes were found.
  case nodes(NodesOutcome)
  /// The lookup for peers ended.
  case peers(GetOutcome)
  /// The lookup for an immutable item ended; nil: nobody has it.
  case immutable(ImmutableItem?, GetOutcome)
  /// The lookup for mutable items ended; nil: nobody has one. The item is the newest.
  case mutable(MutableItem?, GetOutcome)
  /// The item or announcement was stored.
  case stored(PutOutcome)
  /// It was not, or the query could not run.
  case failed(QueryFailure)
}

/// Why a query ended without a result.
public indirect enum QueryFailure: Error, Sendable, Hashable {
  /// There is no node to ask.
  case noNodes
  /// Nobody answered in time. For a put: what was tried.
  case timeout(PutOutcome?)
  /// A newer item is out there; nothing was stored, or a majority of the nodes refused ours.
  case notMostRecent(PutOutcome)
  /// A different item with the same seq is out there; nothing was sent.
  case conflictRisk(PutOutcome)
  /// The seq that `cas` names is not the one stored, says a majority of the nodes.
  case casFailed(PutOutcome)
  /// Every node refused; the most frequent error code.
  case rejected(code: Int, PutOutcome)
  /// The item breaks a limit of BEP 44 and was not sent.
  case invalidItem
  /// The node was shut down or the query cancelled.
  case cancelled
}
