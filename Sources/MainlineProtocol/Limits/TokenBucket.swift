/// How fast and how bunched something may happen.
package struct Rate: Sendable, Hashable {
  private let nanosecondsPerUnit: Double
  private let burstNanoseconds: Double

  /// `perSecond` units in the long run, at most `burst` at once. A rate of 0 or below lets nothing pass.
  package init(perSecond: Double, burst: Double) {
    nanosecondsPerUnit = perSecond > 0 ? 1e9 / perSecond : .infinity
    burstNanoseconds = perSecond > 0 ? 1e9 / perSecond * max(1, burst) : 0
  }

  /// What `units` cost.
  @inline(__always)
  fileprivate func cost(of units: Double) -> Double { nanosecondsPerUnit * units }

  /// When a bucket that is full at `full` (nanoseconds) can pay `units`.
  @inline(__always)
  fileprivate func payable(_ units: Double, full: Double, now: Double) -> Double {
    max(full, now) + cost(of: units) - burstNanoseconds
  }
}

/// One token bucket in eight bytes: it remembers only when it will be full again (the "virtual scheduling" form of the
/// generic cell rate algorithm, ITU-T I.371).
package struct TokenBucket: Sendable {
  private var full = -Double.infinity

  /// Full.
  package init() {}

  /// Whether `units` can be taken now. More than the whole burst never can.
  @inline(__always)
  package func holds(_ units: Double, rate: Rate, now: Instant) -> Bool {
    let now = Double(now.nanoseconds)
    return rate.payable(units, full: full, now: now) <= now
  }

  /// True if a new bucket would be the same.
  func isFull(at now: Instant) -> Bool { full <= Double(now.nanoseconds) }

  /// Takes `units`, whether they are there or not.
  @inline(__always)
  package mutating func take(_ units: Double, rate: Rate, now: Instant) {
    full = max(full, Double(now.nanoseconds)) + rate.cost(of: units)
  }

  /// Takes `units` if they are there.
  @inline(__always)
  package mutating func admit(_ units: Double = 1, rate: Rate, now: Instant) -> Bool {
    guard holds(units, rate: rate, now: now) else { return false }
    take(units, rate: rate, now: now)
    return true
  }

  /// When `units` will be there, if nothing is taken before; at least `now`.
  func nextAdmission(of units: Double = 1, rate: Rate, now: Instant) -> Instant {
    let nanoseconds = rate.payable(units, full: full, now: Double(now.nanoseconds))
    guard nanoseconds < Double(Int64.max / 2) else { return .never }
    // One more than rounded down: never a moment too early.
    return max(now, Instant(nanoseconds: Int64(nanoseconds) + (Double(Int64(nanoseconds)) < nanoseconds ? 1 : 0)))
  }
}
