import Addresses
import Cryptography

/// A user's query while it runs. With two address families it has one part in each; the parts are put together here.
struct ActiveQuery: Sendable {
  let query: Query
  let startedAt: Instant
  /// Lookups and puts that have not ended.
  var runningParts = 0
  /// The lookups and puts of this query.
  var lookups: [Int] = []
  var puts: [Int] = []
  // Results of the parts that have ended.
  var counts: GetOutcome?
  var newest: MutableItem?
  var immutable: ImmutableItem?
  var found: [NodesOutcome.Found] = []
  var stored: PutOutcome?
  var refusal: QueryFailure?

  init(_ query: Query, at now: Instant) {
    self.query = query
    startedAt = now
  }
}

/// What makes two lookups the same, so that one can serve both askers.
struct LookupKey: Hashable, Sendable {
  enum Kind: Hashable, Sendable {
    case findNode, closestNodes, getPeers, getImmutable
    case getMutable(key: Ed25519.PublicKey, salt: [UInt8], seq: Int64?)
  }

  let kind: Kind
  let target: NodeID
  let family: IPAddress.Family
}

/// A walk with what it is for and what it has found.
struct LookupState: Sendable {
  /// Who waits for the walk.
  enum Listener: Hashable, Sendable {
    case query(QueryID)
    case put(Int)
    /// The node itself looks for its own neighbourhood.
    case ownNeighbourhood
    /// The node itself refreshes a bucket.
    case refresh
  }

  let key: LookupKey
  let family: Int
  let startedAt: Instant
  var walk: Lookup
  var listeners: [Listener]
  var counts = GetOutcome()
  var newest: MutableItem?
  var immutable: ImmutableItem?
  /// Batches of peers so far: a query that joins late is told them, too.
  var peers: [[Endpoint]] = []

  /// What is sent to each node.
  var query: OutgoingQuery {
    switch key.kind {
    case .findNode: .findNode(key.target)
    case .closestNodes: .get(key.target, seq: nil)
    case .getPeers: .getPeers(key.target)
    case .getImmutable: .get(key.target, seq: nil)
    case .getMutable(_, _, let seq): .get(key.target, seq: seq)
    }
  }

  var asksForItems: Bool {
    switch key.kind {
    case .findNode, .getPeers: false
    case .closestNodes, .getImmutable, .getMutable: true
    }
  }
}
