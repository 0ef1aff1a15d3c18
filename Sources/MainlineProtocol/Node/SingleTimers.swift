/// Timers of which one at a time is enough, however many ask for it.
///
/// Without this, everything that waits for the pacer would set a timer of its own each time it is told to go on waiting,
/// and be woken by the timers of all others: they would double every 50 ms.
struct SingleTimers: Sendable {
  enum Kind: Sendable {
    case pacer, unconfirmed, reachability
  }

  private var pacer = Instant.never
  private var unconfirmed = Instant.never
  private var reachability = Instant.never

  private subscript(kind: Kind) -> Instant {
    get {
      switch kind {
      case .pacer: pacer
      case .unconfirmed: unconfirmed
      case .reachability: reachability
      }
    }
    set {
      switch kind {
      case .pacer: pacer = newValue
      case .unconfirmed: unconfirmed = newValue
      case .reachability: reachability = newValue
      }
    }
  }

  /// True if a timer has to be set: none is there, or only a later one, which will find nothing to do.
  mutating func needs(_ kind: Kind, at instant: Instant) -> Bool {
    guard instant < self[kind] else { return false }
    self[kind] = instant
    return true
  }

  /// True if the timer that rings is the one that counts.
  mutating func take(_ kind: Kind, at now: Instant) -> Bool {
    guard self[kind] <= now else { return false }
    self[kind] = .never
    return true
  }
}

extension DHTNode {
  /// Sets a timer of which one is enough, at the earliest instant that anybody asks for.
  mutating func scheduleOnce(_ kind: SingleTimers.Kind, at instant: Instant) {
    if singleTimers.needs(kind, at: instant) { timers.schedule(.single(kind), at: instant) }
  }
}
