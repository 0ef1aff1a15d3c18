/// Puts the results of several publications of one packet together.
public struct PublishAccumulator: Sendable {
  private var conflicts = 0
  private var successes = 0
  private var mostStored = 0
  private var errors: [PublishError: Int] = [:]

  /// Nothing recorded.
  public init() {}

  /// Takes in one result: the number of nodes that stored the packet, or why there are none.
  public mutating func record(_ result: Result<Int, PublishError>) {
    switch result {
    case .success(let stored):
      successes += 1
      mostStored = max(mostStored, stored)
    case .failure(let error):
      if error == .notMostRecent { conflicts += 1 }
      errors[error, default: 0] += 1
    }
  }

  /// What all of them together mean: a conflict if there are at least as many as successes, else the largest number of
  /// nodes (never the sum: several may have stored at the same nodes), else the most frequent error.
  public var result: Result<Int, PublishError> {
    if conflicts >= 1, conflicts >= successes { return .failure(.notMostRecent) }
    if successes >= 1 { return .success(mostStored) }
    return .failure(errors.max { Self.isLess($0, $1) }?.key ?? .unexpectedResponses)
  }

  private static func isLess(
    _ first: (key: PublishError, value: Int), _ second: (key: PublishError, value: Int)
  ) -> Bool {
    if first.value != second.value { return first.value < second.value }
    if case .rejected(let code, let text) = first.key, case .rejected(let otherCode, let otherText) = second.key {
      return (code, text) < (otherCode, otherText)
    }
    return first.key.specificity < second.key.specificity
  }
}
