import Addresses

/// Storing one item, or announcing one peer, at the nodes closest to its target in one address family.
struct PutOperation: Sendable {
  enum Payload: Sendable {
    case mutable(MutableItem, PutOptions)
    case immutable(ImmutableItem)
    case announce(NodeID, port: UInt16?)

    var target: NodeID {
      switch self {
      case .mutable(let item, _): item.target
      case .immutable(let item): item.target
      case .announce(let infoHash, _): infoHash
      }
    }

    var isMutable: Bool { if case .mutable = self { true } else { false } }

    /// The query that stores it at a node that gave `token`.
    func query(token: [UInt8]) -> OutgoingQuery {
      switch self {
      case .mutable(let item, let options): .putMutable(item, cas: options.cas, token: token)
      case .immutable(let item): .putImmutable(item, token: token)
      case .announce(let infoHash, let port): .announcePeer(infoHash, port: port, token: token)
      }
    }
  }

  /// One node that is to store it.
  struct Target: Sendable {
    enum State: Sendable {
      /// To be asked for a token first.
      case needsToken
      /// Has a token, not sent yet.
      case ready
      case waiting
      case ended
    }

    var contact: NodeContact
    var token: [UInt8]
    var state: State
    var isRetransmitted = false
    var hasAskedAgain = false
    /// It returned this very item in the lookup: a 302 of it means "I have it".
    var holdsIt = false
  }

  /// Puts at the same time.
  static let maximumInFlight = 64
  /// Nodes of one further wave.
  static let waveSize = 8
  /// Always among the first wave: what other implementations look at.
  static let closestCount = 8

  let query: QueryID
  let family: Int
  let payload: Payload
  let startedAt: Instant
  var lookup: Int?
  var targets: [Target] = []
  /// Further nodes, by distance, if the first ones do not suffice.
  var reserve: [Target] = []
  var outcome: PutOutcome
  var inFlight = 0

  init(_ payload: Payload, query: QueryID, family: Int, at now: Instant) {
    self.payload = payload
    self.query = query
    self.family = family
    startedAt = now
    outcome = PutOutcome(target: payload.target)
  }

  /// True if more than half of all that it goes to refuse it for what they hold: nothing can change that any more.
  var isRefusedByMajority: Bool {
    payload.isMutable
      && [301, 302].contains { outcome.rejections[$0, default: 0] > max(outcome.sent, targets.count) / 2 }
  }
}

extension PutOutcome {
  /// What the counts mean. For a mutable item a strict majority of conflicts is a refusal even if others stored it; with
  /// nothing stored a conflict says more than any other code, and any code more than silence.
  func result(isMutable: Bool) -> QueryResult {
    let notMostRecent = rejections[302, default: 0]
    let casFailed = rejections[301, default: 0]
    if isMutable {
      if notMostRecent > sent / 2 { return .failed(.notMostRecent(self)) }
      if casFailed > sent / 2 { return .failed(.casFailed(self)) }
    }
    if stored > 0 { return .stored(self) }
    if sent == 0 { return .failed(.noNodes) }
    if isMutable {
      if notMostRecent > 0 { return .failed(.notMostRecent(self)) }
      if casFailed > 0 { return .failed(.casFailed(self)) }
    }
    // The most frequent code; of equally frequent ones the lowest, so that the same answers give the same result.
    if let code = rejections.min(by: { ($1.value, $0.key) < ($0.value, $1.key) })?.key {
      return .failed(.rejected(code: code, self))
    }
    return .failed(.timeout(self))
  }

  /// The counts of two address families together.
  func merged(with other: PutOutcome) -> PutOutcome {
    var sum = self
    sum.sent += other.sent
    sum.stored += other.stored
    sum.storedLocally = storedLocally || other.storedLocally
    sum.rejections.merge(other.rejections, uniquingKeysWith: +)
    sum.timeouts += other.timeouts
    if let seq = other.highestSeqFound {
      if let own = highestSeqFound, own >= seq {
        sum.holdersOfHighest += own == seq ? other.holdersOfHighest : 0
      } else {
        sum.highestSeqFound = seq
        sum.holdersOfHighest = other.holdersOfHighest
      }
    }
    if let lookup = other.lookup { sum.lookup = sum.lookup?.merged(with: lookup) ?? lookup }
    sum.duration = max(duration, other.duration)
    return sum
  }
}
