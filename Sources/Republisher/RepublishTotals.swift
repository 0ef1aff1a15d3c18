import PlainText

/// What a republisher has done since it was made. Every check counts, also of keys that are checked several times in a
/// round; see ``RoundReport`` for what became of the keys.
public struct RepublishTotals: Hashable, Sendable {
  /// Checks after which the packet was put.
  public private(set) var published: UInt64 = 0
  /// Checks that found enough copies.
  public private(set) var alreadyAlive: UInt64 = 0
  /// Checks that found a newer version.
  public private(set) var superseded: UInt64 = 0
  /// Checks that failed, by the name of the reason (``RepublishFailure/name``).
  public private(set) var failures: [String: UInt64] = [:]
  /// Copies that were stored.
  public private(set) var copiesAdded: UInt64 = 0
  /// How long checks took, those that failed included.
  public private(set) var checkTimes = DurationHistogram()

  /// Nothing was done.
  public init() {}

  /// Checks that failed.
  public var failed: UInt64 { failures.values.reduce(0, &+) }

  /// Counts a check that took so long.
  mutating func count(_ outcome: RepublishOutcome, took time: Duration) {
    switch outcome {
    case .published: published &+= 1
    case .alreadyAlive: alreadyAlive &+= 1
    case .superseded: superseded &+= 1
    case .failed(let failure): failures[failure.name, default: 0] &+= 1
    }
    copiesAdded &+= UInt64(clamping: outcome.copies?.added ?? 0)
    checkTimes.add(time)
  }
}
