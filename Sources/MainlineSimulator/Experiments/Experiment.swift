/// What is told while an experiment runs: what is done, and how much of all (0 to 1).
public typealias ExperimentProgress = (_ what: String, _ share: Double) -> Void

/// Something to find out about a network, with its parameters.
public protocol Experiment: Sendable {
  /// Runs it. The same seed gives the same report.
  ///
  /// - Parameters:
  ///   - seed: where all randomness comes from.
  ///   - progress: told now and then what is done, and how much of all (0 to 1).
  /// - Throws: if the task that runs it is cancelled.
  func run(seed: UInt64, progress: ExperimentProgress) throws(CancellationError) -> Report
}

extension Experiment {
  /// Runs it without telling anybody.
  public func run(seed: UInt64) throws(CancellationError) -> Report { try run(seed: seed) { _, _ in } }
}
