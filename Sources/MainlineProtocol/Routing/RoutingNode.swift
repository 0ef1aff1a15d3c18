import Addresses

/// A node in the routing table, or waiting to enter it (BEP 5).
///
/// Tables hold hundreds of them, and simulations millions, so each is packed into 56 bytes: the address in words that need
/// no padding, times in about milliseconds. A time more than 52 days ago is not told from a recent one; by then a node is
/// gone, since whoever is silent for ten minutes is pinged.
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

  /// The node's id.
  let id: NodeID
  private let address: (UInt32, UInt32, UInt32, UInt32)
  private let port: UInt16
  private var flags: Flags
  private var failures: UInt8 = 0
  private let firstHeardTicks: UInt32
  private var lastResponseTicks: UInt32
  private var lastHeardTicks: UInt32
  private var lacksItemsSince: UInt32 = 0

  private struct Flags: OptionSet, Sendable {
    let rawValue: UInt8
    static let isSecure = Flags(rawValue: 1)
    static let hasResponded = Flags(rawValue: 2)
    static let lacksItems = Flags(rawValue: 4)
    /// The two bits that count `get` queries in a row without an answer.
    static let unansweredGet = 0x10 as UInt8
  }

  /// Good nodes have been heard of within this time.
  static let goodFor: Duration = .seconds(15 * 60)
  private static let goodForTicks = UInt32(15 * 60 * 1_000_000_000 >> tickShift)
  /// Consecutive failures that make a node bad.
  static let failuresToBad = 3
  /// So many unanswered `get` queries make a node that answers others one without storage (Transmission's have none).
  static let unansweredGetsToSkip = 3
  /// For how long it is then not asked for items.
  private static let lackTicks = UInt32(3600 * 1_000_000_000 >> tickShift)

  init(_ contact: NodeContact, isSecure: Bool, hasResponded: Bool, at now: Instant) {
    let address = contact.endpoint.address
    id = contact.id
    self.address = (
      UInt32(truncatingIfNeeded: address.high >> 32), UInt32(truncatingIfNeeded: address.high),
      UInt32(truncatingIfNeeded: address.low >> 32), UInt32(truncatingIfNeeded: address.low)
    )
    port = contact.endpoint.port
    flags = []
    if isSecure { flags.insert(.isSecure) }
    if hasResponded { flags.insert(.hasResponded) }
    firstHeardTicks = Self.ticks(now)
    lastResponseTicks = firstHeardTicks
    lastHeardTicks = firstHeardTicks
  }

  /// Id, address and port.
  @inline(__always) var contact: NodeContact { NodeContact(id: id, endpoint: endpoint) }

  /// Address and port.
  @inline(__always) var endpoint: Endpoint {
    Endpoint(
      IPAddress(
        high: UInt64(address.0) << 32 | UInt64(address.1), low: UInt64(address.2) << 32 | UInt64(address.3)), port: port
    )
  }

  /// Its id is bound to its address (BEP 42).
  @inline(__always) var isSecure: Bool { flags.contains(.isSecure) }
  /// False for a node that only asked us: never named to others before it answers.
  @inline(__always) var hasResponded: Bool { flags.contains(.hasResponded) }
  /// Failures in a row.
  var failureCount: Int { Int(failures) }

  // MARK: Times

  /// About a millisecond: 2²⁰ nanoseconds.
  private static let tickShift = 20

  @inline(__always)
  private static func ticks(_ instant: Instant) -> UInt32 {
    UInt32(truncatingIfNeeded: instant.nanoseconds >> Int64(tickShift))
  }

  @inline(__always)
  private static func instant(_ ticks: UInt32, before now: Instant) -> Instant {
    Instant(nanoseconds: now.nanoseconds &- Int64(Self.ticks(now) &- ticks) << Int64(tickShift))
  }

  /// When it was heard of first.
  func firstHeard(at now: Instant) -> Instant { Self.instant(firstHeardTicks, before: now) }
  /// When it answered last, if ever.
  func lastResponse(at now: Instant) -> Instant {
    hasResponded ? Self.instant(lastResponseTicks, before: now) : .distantPast
  }
  /// When it answered or asked last.
  func lastHeard(at now: Instant) -> Instant { Self.instant(lastHeardTicks, before: now) }

  /// Answers other methods but not `get`: not to be asked for items now.
  func lacksItems(at now: Instant) -> Bool {
    flags.contains(.lacksItems) && Self.ticks(now) &- lacksItemsSince < Self.lackTicks
  }

  // MARK: Liveness

  @inline(__always)
  func isGood(at now: Instant) -> Bool {
    hasResponded && failures < Self.failuresToBad && Self.ticks(now) &- lastHeardTicks < Self.goodForTicks
  }

  @inline(__always)
  var isBad: Bool { failures >= Self.failuresToBad || !hasResponded && failures > 0 }

  func status(at now: Instant) -> Status { isBad ? .bad : isGood(at: now) ? .good : .questionable }

  mutating func responded(at now: Instant) {
    flags.insert(.hasResponded)
    lastResponseTicks = Self.ticks(now)
    lastHeardTicks = lastResponseTicks
    failures = 0
  }

  mutating func queried(at now: Instant) { lastHeardTicks = Self.ticks(now) }

  mutating func failed(asksForItems: Bool) {
    if failures < .max { failures += 1 }
    if asksForItems { unansweredGets = min(unansweredGets + 1, Self.unansweredGetsToSkip) }
  }

  /// Tells nodes that are gone from nodes that merely do not know `get`.
  mutating func answered(asksForItems: Bool, at now: Instant) {
    if asksForItems {
      unansweredGets = 0
      flags.remove(.lacksItems)
    } else if unansweredGets >= Self.unansweredGetsToSkip {
      unansweredGets = 0
      lacksItemsSince = Self.ticks(now)
      flags.insert(.lacksItems)
    }
  }

  private var unansweredGets: Int {
    get { Int(flags.rawValue / Flags.unansweredGet) }
    set { flags = Flags(rawValue: flags.rawValue % Flags.unansweredGet | UInt8(newValue) * Flags.unansweredGet) }
  }
}
