import Addresses

/// A node in the routing table, or waiting to enter it (BEP 5).
///
/// Times are kept in about milliseconds, or in about minutes where that is enough; `NodeList` packs what is here. A time
/// more than 52 days ago is not told from a recent one; by then a node is gone, since whoever is silent for ten minutes is
/// pinged.
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

  /// What changes, in twelve bytes.
  struct Liveness: Sendable {
    fileprivate var lastHeard: UInt32
    fileprivate let firstHeard: UInt16
    fileprivate var lacksItemsSince: UInt16 = 0
    fileprivate var flags: Flags
    fileprivate var failures: UInt8 = 0
  }

  fileprivate struct Flags: OptionSet, Sendable {
    let rawValue: UInt8
    static let isSecure = Flags(rawValue: 1)
    static let hasResponded = Flags(rawValue: 2)
    static let lacksItems = Flags(rawValue: 4)
    /// The two bits that count `get` queries in a row without an answer.
    static let unansweredGet = 0x10 as UInt8
  }

  /// The node's id.
  let id: NodeID
  /// Address and port.
  let endpoint: Endpoint
  private(set) var liveness: Liveness

  /// Good nodes have been heard of within this time.
  static let goodFor: Duration = .seconds(15 * 60)
  private static let goodForTicks = UInt32(15 * 60 * 1_000_000_000 >> tickShift)
  /// Consecutive failures that make a node bad.
  static let failuresToBad = 3
  /// So many unanswered `get` queries make a node that answers others one without storage (Transmission's have none).
  static let unansweredGetsToSkip = 3
  /// For about how long it is then not asked for items.
  private static let lackMinutes = UInt16(3600 * 1_000_000_000 >> minuteShift)

  init(_ contact: NodeContact, isSecure: Bool, hasResponded: Bool, at now: Instant) {
    var flags: Flags = []
    if isSecure { flags.insert(.isSecure) }
    if hasResponded { flags.insert(.hasResponded) }
    id = contact.id
    endpoint = contact.endpoint
    liveness = Liveness(lastHeard: Self.ticks(now), firstHeard: Self.minutes(now), flags: flags)
  }

  @inline(__always)
  init(id: NodeID, endpoint: Endpoint, liveness: Liveness) {
    self.id = id
    self.endpoint = endpoint
    self.liveness = liveness
  }

  /// Id, address and port.
  @inline(__always) var contact: NodeContact { NodeContact(id: id, endpoint: endpoint) }

  /// Its id is bound to its address (BEP 42).
  @inline(__always) var isSecure: Bool { liveness.flags.contains(.isSecure) }
  /// False for a node that only asked us: never named to others before it answers.
  @inline(__always) var hasResponded: Bool { liveness.flags.contains(.hasResponded) }
  /// Failures in a row.
  var failureCount: Int { Int(liveness.failures) }

  // MARK: Times

  /// About a millisecond: 2²⁰ nanoseconds.
  private static let tickShift = 20
  /// About a minute: 2³⁶ nanoseconds.
  private static let minuteShift = 36

  @inline(__always)
  private static func ticks(_ instant: Instant) -> UInt32 {
    UInt32(truncatingIfNeeded: instant.nanoseconds >> Int64(tickShift))
  }

  private static func minutes(_ instant: Instant) -> UInt16 {
    UInt16(truncatingIfNeeded: instant.nanoseconds >> Int64(minuteShift))
  }

  /// For how long it has been known, in about minutes.
  func age(at now: Instant) -> UInt16 { Self.minutes(now) &- liveness.firstHeard }

  /// When it answered or asked last.
  @inline(__always)
  func lastHeard(at now: Instant) -> Instant {
    Instant(nanoseconds: now.nanoseconds &- Int64(Self.ticks(now) &- liveness.lastHeard) << Int64(Self.tickShift))
  }

  /// Answers other methods but not `get`: not to be asked for items now.
  func lacksItems(at now: Instant) -> Bool {
    liveness.flags.contains(.lacksItems) && Self.minutes(now) &- liveness.lacksItemsSince < Self.lackMinutes
  }

  // MARK: Liveness

  @inline(__always)
  func isGood(at now: Instant) -> Bool {
    hasResponded && liveness.failures < Self.failuresToBad
      && Self.ticks(now) &- liveness.lastHeard < Self.goodForTicks
  }

  @inline(__always)
  var isBad: Bool { liveness.failures >= Self.failuresToBad || !hasResponded && liveness.failures > 0 }

  func status(at now: Instant) -> Status { isBad ? .bad : isGood(at: now) ? .good : .questionable }

  mutating func responded(at now: Instant) {
    liveness.flags.insert(.hasResponded)
    liveness.lastHeard = Self.ticks(now)
    liveness.failures = 0
  }

  mutating func queried(at now: Instant) { liveness.lastHeard = Self.ticks(now) }

  mutating func failed(asksForItems: Bool) {
    if liveness.failures < .max { liveness.failures += 1 }
    if asksForItems { unansweredGets = min(unansweredGets + 1, Self.unansweredGetsToSkip) }
  }

  /// Tells nodes that are gone from nodes that merely do not know `get`.
  mutating func answered(asksForItems: Bool, at now: Instant) {
    if asksForItems {
      unansweredGets = 0
      liveness.flags.remove(.lacksItems)
    } else if unansweredGets >= Self.unansweredGetsToSkip {
      unansweredGets = 0
      liveness.lacksItemsSince = Self.minutes(now)
      liveness.flags.insert(.lacksItems)
    }
  }

  private var unansweredGets: Int {
    get { Int(liveness.flags.rawValue / Flags.unansweredGet) }
    set {
      liveness.flags = Flags(
        rawValue: liveness.flags.rawValue % Flags.unansweredGet | UInt8(newValue) * Flags.unansweredGet)
    }
  }
}
