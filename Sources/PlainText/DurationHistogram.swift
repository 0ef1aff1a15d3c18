/// How long something took, in steps.
public struct DurationHistogram: Hashable, Sendable {
  /// Upper ends of the steps, milliseconds.
  public static let bounds: [Int64] = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000]

  /// How many took at most as long as each bound, and not as long as the one before; behind them, those that took longer.
  public private(set) var counts = [UInt64](repeating: 0, count: bounds.count + 1)
  /// All times together.
  public private(set) var sum = Duration.zero

  /// Nothing measured.
  public init() {}

  /// How many were measured.
  public var count: UInt64 { counts.reduce(0, &+) }

  /// Adds one.
  public mutating func add(_ duration: Duration) {
    let index = Self.bounds.firstIndex { duration <= .milliseconds($0) } ?? Self.bounds.count
    counts[index] &+= 1
    sum += duration
  }

  /// Both together.
  public static func + (first: Self, second: Self) -> Self {
    var both = first
    for index in both.counts.indices { both.counts[index] &+= second.counts[index] }
    both.sum += second.sum
    return both
  }
}
