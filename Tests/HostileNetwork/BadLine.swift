import Cryptography
import EventLoops
import Mainline

/// A line that delays each datagram by 15 to 25 ms and loses one in twenty: what `tc qdisc add dev lo root netem delay 20ms
/// 5ms loss 5%` does, which not every kernel knows.
struct BadLine: Sendable {
  private var random: RandomSource

  private static let lossRate = 0.05
  private static let milliseconds = 15...25

  init(seed: UInt64) { random = RandomSource(seed: seed) }

  /// For how long the next datagram is under way; nil if it is lost.
  mutating func delay() -> Duration? {
    if Double.random(in: 0..<1, using: &random) < Self.lossRate { return nil }
    return .milliseconds(Int.random(in: Self.milliseconds, using: &random))
  }

  /// The same line in front of nodes of ours.
  static func filter(seed: UInt64) -> PacketFilter {
    let line = LockedValue(BadLine(seed: seed))
    return { _, _, _ in line.withLock { $0.delay() }.map { PacketFate.delayed($0) } ?? .dropped }
  }

  static var now: UInt64 { MonotonicClock.now }
}

extension Duration {
  /// Nanoseconds.
  var clamped: UInt64 { clampedNanoseconds }
}
