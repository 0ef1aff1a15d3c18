import EventLoops

/// The counts of a relay, which any thread may add to.
final class RelayCounter: Sendable {
  private let counts = LockedValue(RelayCounts())

  /// What was counted so far.
  var current: RelayCounts { counts.withLock { $0 } }

  /// Counts something.
  func add(_ change: (inout RelayCounts) -> Void) { counts.withLock { change(&$0) } }
}
