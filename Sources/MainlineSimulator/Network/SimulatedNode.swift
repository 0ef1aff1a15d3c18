import Addresses
import MainlineProtocol

/// A `DHTNode` at an address of a simulated network. Its ``Simulation`` drives it.
public final class SimulatedNode {
  /// Where it is: behind a router, the public endpoint of that.
  public let endpoint: Endpoint
  /// When it joined.
  public let joined: Instant
  /// False once it has left the network.
  public internal(set) var isPresent = true
  /// Called for each event of the node, as it happens.
  public var onEvent: ((NodeEvent) -> Void)?
  /// Answers queries in the node's place: an attacker that is a member of the network. Nil from it leaves the query to the
  /// node.
  public var attacker: (any Attacker)?

  let index: UInt32
  let bootstrap: [Endpoint]
  let place: Place
  /// The router that it is behind, if any.
  var router: NATRouter?
  var node: DHTNode
  /// Where it stands in the list of those that are present.
  var position = 0
  /// The earliest deadline that lies in the heap for this node.
  var scheduledDeadline = Instant.never
  var running: Set<QueryID> = []
  var results: [QueryID: QueryResult] = [:]

  init(
    index: UInt32, endpoint: Endpoint, bootstrap: [Endpoint], place: Place, router: NATRouter?,
    node: consuming DHTNode, joined: Instant
  ) {
    self.index = index
    self.endpoint = endpoint
    self.bootstrap = bootstrap
    self.place = place
    self.router = router
    self.node = node
    self.joined = joined
  }

  /// How the node is doing.
  public func info(at now: Instant) -> NodeInfo { node.info(at: now) }

  /// True if it answers queries.
  public var isServer: Bool { node.isServer }

  /// True if it is behind a router with address translation.
  public var isBehindNAT: Bool { router != nil }

  /// The node's id.
  public var id: NodeID { node.id(endpoint.family) ?? .zero }

  /// What went over its wire.
  public var statistics: NodeStatistics { node.statistics }

  /// What it would keep over a restart.
  public func saved(at now: Instant) -> SavedNodes { node.saved(at: now) }
}
