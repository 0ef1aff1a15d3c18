/// What is known of one upstream server: how fast it answers, and whether it does at all. Times are nanoseconds.
struct UpstreamEstimate: Hashable, Sendable {
  /// The smoothed round trip (RFC 6298 §2); nil before the first answer.
  private(set) var roundTrip: UInt64?
  private var variation: UInt64 = 0
  /// When it answered last.
  private(set) var measuredAt: UInt64 = 0
  /// When it was last asked only to learn how fast it is.
  var probedAt: UInt64?
  /// Questions without an answer since the last answer.
  private(set) var failures = 0
  /// Nobody is sent there before this time unless there is nobody else.
  private(set) var deadUntil: UInt64 = 0
  /// False once it has returned letters in another case over a stream, where nobody can forge: it does not copy questions.
  var keepsCase = true
  /// False once it has refused an OPT record.
  var knowsOptions = true

  /// Before the first measurement a question is repeated after this time.
  static let initialRetry: UInt64 = 400_000_000
  private static let retryRange: ClosedRange<UInt64> = 50_000_000...1_000_000_000
  private static let failuresUntilDead = 3
  private static let longestDeath: UInt64 = 60_000_000_000

  /// An answer came after `elapsed`.
  mutating func answered(after elapsed: UInt64, at now: UInt64) {
    if let known = roundTrip {
      let difference = known > elapsed ? known - elapsed : elapsed - known
      variation = (3 &* variation &+ difference) / 4
      roundTrip = (7 &* known &+ elapsed) / 8
    } else {
      roundTrip = elapsed
      variation = elapsed / 2
    }
    measuredAt = now
    failures = 0
    deadUntil = 0
  }

  /// No answer came, or the system said that none can come.
  mutating func failed(at now: UInt64) {
    failures = min(failures + 1, 30)
    guard failures >= Self.failuresUntilDead else { return }
    deadUntil = now &+ min(1_000_000_000 << UInt64(min(failures - Self.failuresUntilDead, 6)), Self.longestDeath)
  }

  /// True while the server is avoided.
  func isDead(at now: UInt64) -> Bool { deadUntil > now }

  /// After which time without an answer another attempt is worth it.
  var retryAfter: UInt64 {
    guard let roundTrip else { return Self.initialRetry }
    return min(max(roundTrip &+ 4 &* variation, Self.retryRange.lowerBound), Self.retryRange.upperBound)
  }

  /// What a server is chosen by; less is better. One that was never asked comes after those that are known to be fast and
  /// before those that are known to be slow.
  func rank(at now: UInt64) -> UInt64 {
    if isDead(at: now) { return .max / 2 &+ deadUntil / 4 }
    return (roundTrip ?? Self.initialRetry) &+ UInt64(failures) &* Self.initialRetry
  }

  /// True if nothing is known, or nothing recent, and it is time to find out.
  func deservesProbe(at now: UInt64) -> Bool {
    if isDead(at: now) { return false }
    if let probedAt, now &- probedAt < Self.probeInterval { return false }
    return roundTrip == nil || failures > 0 || now &- measuredAt > Self.longestSilence
  }

  private static let probeInterval: UInt64 = 1_000_000_000
  private static let longestSilence: UInt64 = 60_000_000_000
}
