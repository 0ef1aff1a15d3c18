import Addresses
import MainlineProtocol

/// A `DHTNode` at an address of a simulated network. Its ``Simulation`` drives it.
public final class SimulatedNode {
  /// Where it is.
  public let endpoint: Endpoint
  /// False once it has left the network.
  public internal(set) var isPresent = true
  /// Called for each event of the node, as it happens.
  public var onEvent: ((NodeEvent) -> Void)?

  let index: UInt32
  let bootstrap: [Endpoint]
  let accessDelay: Int64
  var node: DHTNode
  /// The earliest deadline that lies in the heap for this node.
  var scheduledDeadline = Instant.never
  var running: Set<QueryID> = []
  var results: [QueryID: QueryResult] = [:]

  init(index: UInt32, endpoint: Endpoint, bootstrap: [Endpoint], accessDelay: Int64, node: consuming DHTNode) {
    self.index = index
    self.endpoint = endpoint
    self.bootstrap = bootstrap
    self.accessDelay = accessDelay
    self.node = node
  }

  /// How the node is doing.
  public func info(at now: Instant) -> NodeInfo { node.info(at: now) }

  /// What it would keep over a restart.
  public func saved(at now: Instant) -> SavedNodes { node.saved(at: now) }
}
