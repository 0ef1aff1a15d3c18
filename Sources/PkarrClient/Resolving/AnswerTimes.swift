/// How long a relay takes to answer, from what it took before (the way of RFC 6298).
struct AnswerTimes: Hashable, Sendable {
  private var mean: Duration?
  private var variation: Duration = .zero

  /// Takes in one measured time.
  mutating func add(_ sample: Duration) {
    guard let mean else {
      self.mean = sample
      variation = sample / 2
      return
    }
    let error = sample > mean ? sample - mean : mean - sample
    variation += (error - variation) / 4
    self.mean = mean + (sample - mean) / 8
  }

  /// Hardly any answer takes longer; nil before the first.
  var expected: Duration? { mean.map { $0 + variation * 4 } }
}

/// How much longer to wait for relays once enough is known without them.
enum Grace {
  /// Nobody is cut off sooner.
  static let minimum: Duration = .milliseconds(50)
  /// What a relay is given that was never measured, at least.
  static let minimumForStrangers: Duration = .milliseconds(100)
  /// Nobody is waited for any longer.
  static let maximum: Duration = .seconds(1)

  /// The time to wait from now on.
  ///
  /// - Parameters:
  ///   - pending: what each relay that has not answered is expected to take from the start, nil if it is not known: then
  ///     it gets twice the time of the slowest one that has answered.
  ///   - elapsed: the time since the start.
  ///   - slowest: the time of the slowest relay that has answered.
  static func time(pending: [Duration?], elapsed: Duration, slowest: Duration) -> Duration {
    let latest = pending.map { $0 ?? max(slowest * 2, minimumForStrangers) }.max() ?? .zero
    return min(max(latest - elapsed, minimum), maximum)
  }
}
