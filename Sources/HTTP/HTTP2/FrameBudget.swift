/// How many frames without content a client may still send: a token bucket that also fills when content is sent, since a
/// busy client has windows to open.
struct FrameBudget {
  private let burst: Int
  private let perSecond: Int
  private var tokens: Int
  private var filledAt: UInt64

  /// Full at first; `now` in nanoseconds.
  init(burst: Int, perSecond: Int, at now: UInt64) {
    self.burst = burst
    self.perSecond = perSecond
    tokens = burst
    filledAt = now
  }

  /// Takes one; false if there is none.
  mutating func take(at now: UInt64) -> Bool {
    if tokens == 0 { fill(at: now) }
    guard tokens > 0 else { return false }
    tokens -= 1
    return true
  }

  /// Two for each frame of content that was sent: one for each of the windows that it used up.
  mutating func earn() { tokens = min(burst, tokens + 2) }

  private mutating func fill(at now: UInt64) {
    guard now > filledAt, perSecond > 0 else { return }
    let earned = min(UInt64(burst), (now - filledAt) / (1_000_000_000 / UInt64(perSecond)))
    if earned == 0 { return }
    tokens = Int(earned)
    filledAt = now
  }
}
