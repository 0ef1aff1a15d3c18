/// How often something may happen: a token bucket that remembers only when it will be full again. Time is nanoseconds of
/// any monotonic clock.
struct HTTP2Allowance: Sendable {
  /// `burst` times at once, `perSecond` in the long run; both at least 1.
  struct Rate: Sendable, Hashable {
    var burst: Int
    var perSecond: Int
  }

  private let cost: UInt64
  private let depth: UInt64
  private var full: UInt64 = 0

  /// Begins with the whole burst.
  init(_ rate: Rate) {
    cost = 1_000_000_000 / UInt64(max(1, min(rate.perSecond, 1_000_000_000)))
    depth = cost &* UInt64(max(1, min(rate.burst, 1 << 30)))
  }

  /// Takes one; false if none is left.
  mutating func take(at now: UInt64) -> Bool {
    let (next, overflow) = max(full, now).addingReportingOverflow(cost)
    if overflow || next - now > depth { return false }
    full = next
    return true
  }

  /// Gives some back. Never more than the burst can be saved up.
  mutating func give(_ count: Int = 1) { full -= min(full, cost &* UInt64(count)) }
}
