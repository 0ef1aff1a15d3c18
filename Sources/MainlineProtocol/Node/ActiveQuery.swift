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

  /// What a lookup has to do next.
  enum Step: Sendable {
    /// Answers are on their way.
    case wait
    case ask(Question)
    /// All who hold a place have answered.
    case widen
    case finish
  }

  /// A query to one candidate.
  struct Question: Sendable {
    let candidate: Int
    let endpoint: Endpoint
    /// Nil for a bootstrap address.
    let contact: NodeContact?
    let query: OutgoingQuery
    let asksForItems: Bool
    let isFirst: Bool
  }

  var nextStep: Step {
    let survey = walk.survey()
    if survey.isComplete { return .widen }
    guard let candidate = survey.next, walk.inFlight < Lookup.maximumInFlight else { return .wait }
    guard walk.requests < Lookup.maximumRequests else { return walk.inFlight == 0 ? .finish : .wait }
    let node = walk.candidates[candidate]
    return .ask(
      Question(
        candidate: candidate, endpoint: node.contact.endpoint, contact: node.isAnonymous ? nil : node.contact,
        query: query, asksForItems: asksForItems, isFirst: walk.requests == 0))
  }

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
