/// Estimates how long answers take, and from when on one is overdue (the way of RFC 6298).
struct RoundTripEstimator: Sendable {
  private var smoothed: Int64?
  private var variation: Int64 = 0

  /// No answer is overdue before this.
  static let minimumTimeout: Duration = .milliseconds(300)
  /// Every answer is overdue after this.
  static let maximumTimeout: Duration = .milliseconds(1500)
  /// What holds before the first answer.
  static let initialTimeout: Duration = .milliseconds(1000)

  /// Takes in one measured round trip.
  mutating func add(nanoseconds sample: Int64) {
    let sample = max(0, sample)
    guard let mean = smoothed else {
      smoothed = sample
      variation = sample / 2
      return
    }
    variation += (abs(sample - mean) - variation) / 4
    smoothed = mean + (sample - mean) / 8
  }

  /// The typical round trip, zero before the first.
  var typical: Duration { .nanoseconds(smoothed ?? 0) }

  /// After this long an answer is overdue.
  var softTimeout: Duration {
    guard let smoothed else { return Self.initialTimeout }
    return min(max(.nanoseconds(smoothed + 4 * variation), Self.minimumTimeout), Self.maximumTimeout)
  }
}
