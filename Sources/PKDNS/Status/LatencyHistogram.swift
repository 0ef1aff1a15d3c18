/// How long answers took, in the classes that a metrics page tells.
struct LatencyHistogram: Hashable, Sendable {
  /// Upper bounds of the classes in seconds; what took longer is in none of them.
  static let bounds: [Double] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]

  /// How many took at most as long as the bound of the same index, and no less than the one before.
  private(set) var counts = [UInt64](repeating: 0, count: bounds.count)
  /// All of them.
  private(set) var total: UInt64 = 0
  /// What they took together, in seconds.
  private(set) var sum = 0.0

  mutating func add(_ duration: Duration) {
    let (whole, attoseconds) = duration.components
    let seconds = Double(whole) + Double(attoseconds) / 1e18
    total += 1
    sum += seconds
    if let index = Self.bounds.firstIndex(where: { seconds <= $0 }) { counts[index] += 1 }
  }

  static func + (first: Self, second: Self) -> Self {
    var both = first
    for index in both.counts.indices { both.counts[index] += second.counts[index] }
    both.total += second.total
    both.sum += second.sum
    return both
  }
}
