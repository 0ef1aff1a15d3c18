import Addresses
import Cryptography

/// placeholder
public struct DHTNode: ~Copyable {
  /// Datagrams to send: the shell takes them after every call.
  public var outbox = DatagramQueue()

  public init(
    configuration: NodeConfiguration, restoring saved: SavedNodes? = nil, random: RandomSource, at now: Instant
  ) {}

  /// Takes in one datagram.
  public mutating func receive(_ datagram: RawSpan, from sender: Endpoint, at now: Instant) {}
  /// Does what is due.
  public mutating func tick(at now: Instant) {}
  /// When ``tick(at:)`` wants to be called next.
  public var nextDeadline: Instant { .never }
  /// The events since the last call.
  public mutating func takeEvents() -> [NodeEvent] { [] }
  /// Starts a query.
  public mutating func start(_ query: Query, at now: Instant) -> QueryID { QueryID(value: 0) }
  /// Forgets a query: no event will come for it.
  public mutating func cancel(_ id: QueryID, at now: Instant) {}
  /// Tells the node where its bootstrap hosts are (empty: none could be resolved).
  public mutating func addBootstrap(_ endpoints: [Endpoint], at now: Instant) {}
  /// Puts nodes into the table as if they had answered: for test networks.
  public mutating func seed(_ nodes: [NodeContact], at now: Instant) {}
  /// The operating system could not deliver to this endpoint.
  public mutating func deliveryFailed(to endpoint: Endpoint, at now: Instant) {}
  /// How the node is doing.
  public func info(at now: Instant) -> NodeInfo { fatalError() }
  /// What to keep over a restart.
  public func saved(at now: Instant) -> SavedNodes { SavedNodes() }
}
