import Addresses

/// A node as others speak of it.
public struct NodeContact: Hashable, Sendable {
  /// Its id.
  public var id: NodeID
  /// Its address and port.
  public var endpoint: Endpoint

  /// Joins id and endpoint.
  @inline(__always)
  public init(id: NodeID, endpoint: Endpoint) {
    self.id = id
    self.endpoint = endpoint
  }
}

/// What a ping brought.
public struct PingOutcome: Sendable, Hashable {
  /// The node's id.
  public var id: NodeID
  /// From query to answer.
  public var roundTrip: Duration
  /// The program that the node says it is: `v`, if it sent one.
  public var version: [UInt8]?
  /// Our own endpoint as the node sees it (BEP 42), if it said so.
  public var observedEndpoint: Endpoint?
}

/// What a lookup for nodes brought.
public struct NodesOutcome: Sendable, Hashable {
  /// A node that was found.
  public struct Found: Sendable, Hashable {
    /// Id and endpoint.
    public var contact: NodeContact
    /// True if it answered us; false if others only claim that it exists.
    public var responded: Bool
    /// The token that it gave us for this target.
    public var token: [UInt8]?
    /// True if its id is bound to its address (BEP 42).
    public var isSecure: Bool
  }

  /// At most 20, those that answered first, then by distance.
  public var nodes: [Found]
  /// How the nodes that were asked answered.
  public var counts: GetOutcome
}

/// A node that a mutable item belongs to, as a lookup found it.
public struct StorageNode: Sendable, Hashable {
  /// Id and endpoint.
  public var contact: NodeContact
  /// The token that it gave us to write with (BEP 5).
  public var token: [UInt8]
  /// The seq of the item that it holds; nil: it holds none.
  public var seq: Int64?

  /// Joins the parts.
  public init(contact: NodeContact, token: [UInt8], seq: Int64?) {
    self.contact = contact
    self.token = token
    self.seq = seq
  }
}

/// How the nodes that a lookup asked have answered.
public struct GetOutcome: Sendable, Hashable {
  /// Distinct endpoints asked.
  public var queried = 0
  /// Valid values or lists of peers.
  public var values = 0
  /// Answers that hold nothing.
  public var noValues = 0
  /// Answers that say "nothing newer than you know".
  public var noMoreRecent = 0
  /// Values that are not what was asked for, or wrongly signed.
  public var invalidValues = 0
  /// Answers of the wrong shape.
  public var invalidResponses = 0
  /// Error messages.
  public var errors = 0
  /// Nodes that returned exactly the newest item.
  public var holdersOfNewest = 0
  /// Immutable values where a mutable one was asked for: the mark of the hiding attack on libtorrent nodes.
  public var hidden = 0
  /// The highest seq that a node named without sending its item.
  public var highestReportedSeq: Int64?
  /// For a mutable item: the nodes that a put of it would go to, closest first, with what each of them holds.
  public var storageNodes: [StorageNode] = []
  /// From the start of the lookup to the first valid value.
  public var firstValueAfter: Duration?
  /// From the start of the lookup to its end.
  public var duration: Duration = .zero

  /// Nothing asked yet.
  public init() {}

  /// Answers that can be used.
  public var usable: Int { values + noValues + noMoreRecent }
  /// Nodes that answered at all.
  public var responded: Int { usable + invalidValues + invalidResponses + errors }
  /// Nodes that did not.
  public var timedOut: Int { max(0, queried - responded) }
}

/// What became of a put or an announcement, node by node.
public struct PutOutcome: Sendable, Hashable {
  /// Where it is stored.
  public var target: NodeID
  /// Nodes that it was sent to.
  public var sent = 0
  /// Nodes that stored it.
  public var stored = 0
  /// True if this node is one of the closest servers and stored it too (not counted in `stored`).
  public var storedLocally = false
  /// Error codes (BEP 44) and how many nodes answered with each.
  public var rejections: [Int: Int] = [:]
  /// Nodes that did not answer.
  public var timeouts = 0
  /// The highest seq with a valid signature that the lookup met.
  public var highestSeqFound: Int64?
  /// How many nodes returned that seq.
  public var holdersOfHighest = 0
  /// How the lookup for the nodes went; nil if tokens of an earlier one were used.
  public var lookup: GetOutcome?
  /// From the start to the end, lookup included.
  public var duration: Duration = .zero

  /// Nothing sent yet.
  public init(target: NodeID) { self.target = target }

  /// Nodes that hold something newer, or another seq than `cas` names.
  public var conflicts: Int { rejections[301, default: 0] + rejections[302, default: 0] }
}
