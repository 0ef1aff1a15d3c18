import Cryptography

#if canImport(Glibc)
  import Glibc  // exp, log, pow
#elseif canImport(Musl)
  import Musl  // exp, log, pow
#elseif canImport(Darwin)
  import Darwin  // exp, log, pow
#endif

/// How long nodes stay. A node that leaves takes its copies along without a word; another one, with another id, comes in
/// its place.
public enum SessionTimes: Sendable, Hashable {
  /// Nobody leaves.
  case endless
  /// The same chance to leave at any time; `mean` is how long a node stays on average.
  case exponential(mean: Duration)
  /// What nodes that are met at any moment have left follows Weibull's law: longer than t with probability
  /// exp(−(t/scale)^shape).
  ///
  /// That is what a study of records measures: a copy lies on a node that was there when it was put. With a shape below 1
  /// a node that has stayed for long will stay for long. Sessions themselves are then mostly short ones, which are rarely
  /// met; those below a minute are left out.
  case residualWeibull(scale: Duration, shape: Double)

  /// The lives of copies that pubky/pkarr-churn measured on the public network, five runs with 128 to 512 records each,
  /// fitted anew: scale 114,100 s (99 % interval 95,557 to 132,643), shape 0.648 (0.550 to 0.747).
  public static let measured = SessionTimes.residualWeibull(scale: .seconds(114_100), shape: 0.648)

  /// Shorter sessions are left out of ``residualWeibull(scale:shape:)``, whose law has infinitely many of them.
  static let shortest = 60.0
  /// No session is longer: a year.
  private static let longest = 365.0 * 86_400

  /// How long a node that joins stays; nil: for ever.
  func session(using random: inout Xoshiro256) -> Duration? {
    switch self {
    case .endless: return nil
    case .exponential(let mean): return .seconds(-mean.inSeconds * log(1 - random.unit()))
    case .residualWeibull(let scale, let shape):
      return .seconds(Self.session(scale: scale.inSeconds, shape: shape, above: 1 - random.unit()))
    }
  }

  /// How long a node that was there all the time stays on; nil: for ever.
  func residual(using random: inout Xoshiro256) -> Duration? {
    switch self {
    case .endless, .exponential: return session(using: &random)
    case .residualWeibull(let scale, let shape):
      return .seconds(min(Self.longest, random.weibull(scale: scale.inSeconds, shape: shape)))
    }
  }

  /// The probability that what is met at any moment is still there after `age`.
  public func survival(after age: Duration) -> Double {
    switch self {
    case .endless: 1
    case .exponential(let mean): exp(-age.inSeconds / mean.inSeconds)
    case .residualWeibull(let scale, let shape): exp(-pow(age.inSeconds / scale.inSeconds, shape))
    }
  }

  /// The session that is exceeded with probability `share`.
  ///
  /// What is left of the sessions that are met has a density in proportion to the survival of sessions (renewal theory),
  /// so sessions survive t in proportion to (t/scale)^(shape−1) · exp(−(t/scale)^shape), which only falls.
  private static func session(scale: Double, shape: Double, above share: Double) -> Double {
    func logSurvival(_ seconds: Double) -> Double {
      (shape - 1) * log(seconds / scale) - pow(seconds / scale, shape)
    }
    let wanted = logSurvival(shortest) + log(max(share, 1e-12))
    var low = log(shortest)
    var high = log(longest)
    for _ in 0..<50 {
      let middle = (low + high) / 2
      if logSurvival(exp(middle)) > wanted { low = middle } else { high = middle }
    }
    return exp(low)
  }
}
