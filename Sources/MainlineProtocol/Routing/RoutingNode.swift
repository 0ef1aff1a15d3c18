import Addresses

/// A node in the routing table, or waiting to enter it (BEP 5).
struct RoutingNode: Sendable {
  /// How sure we are that the node is there.
  enum Status: Sendable {
    /// Answered within 15 minutes, or answered ever and asked us within 15 minutes.
    case good
    /// Neither good nor bad.
    case questionable
    /// Failed three times in a row, or once if it never answered.
    case bad
  }

  let contact: NodeContact
  /// Its id is bound to its address (BEP 42).
  let isSecure: Bool
  let firstHeard: Instant
  /// False for a node that only asked us: never named to others before it answers.
  private(set) var hasResponded: Bool
  private(set) var lastResponse: Instant
  private(set) var lastHeard: Instant
  private(set) var failures = 0
  /// `get` queries in a row without an answer.
  private var unansweredGets = 0
  /// Answers other methods but not `get`: not to be asked for items before this instant.
  private(set) var lacksItemsUntil = Instant.distantPast

  /// Good nodes have been heard of within this time.
  static let goodFor: Duration = .seconds(15 * 60)
  private static let goodForNanoseconds: Int64 = 15 * 60 * 1_000_000_000
  /// Consecutive failures that make a node bad.
  static let failuresToBad = 3
  /// So many unanswered `get` queries make a node that answers others one without storage (Transmission's have none).
  static let unansweredGetsToSkip = 3

  init(_ contact: NodeContact, isSecure: Bool, hasResponded: Bool, at now: Instant) {
    self.contact = contact
    self.isSecure = isSecure
    self.hasResponded = hasResponded
    firstHeard = now
    lastResponse = hasResponded ? now : .distantPast
    lastHeard = now
  }

  @inline(__always)
  func isGood(at now: Instant) -> Bool {
    hasResponded && failures < Self.failuresToBad
      && now.nanoseconds &- lastHeard.nanoseconds < Self.goodForNanoseconds
  }

  @inline(__always)
  var isBad: Bool { failures >= Self.failuresToBad || !hasResponded && failures > 0 }

  func status(at now: Instant) -> Status { isBad ? .bad : isGood(at: now) ? .good : .questionable }

  mutating func responded(at now: Instant) {
    hasResponded = true
    lastResponse = now
    lastHeard = now
    failures = 0
  }

  mutating func queried(at now: Instant) { lastHeard = now }

  mutating func failed(asksForItems: Bool) {
    failures += 1
    if asksForItems { unansweredGets += 1 }
  }

  /// Tells nodes that are gone from nodes that merely do not know `get`.
  mutating func answered(asksForItems: Bool, at now: Instant) {
    if asksForItems {
      unansweredGets = 0
      lacksItemsUntil = .distantPast
    } else if unansweredGets >= Self.unansweredGetsToSkip {
      unansweredGets = 0
      lacksItemsUntil = now.advanced(by: .seconds(3600))
    }
  }
}
