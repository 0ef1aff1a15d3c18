import MainlineProtocol

/// How the nodes of the DHT answered a lookup of a key.
public struct ResolveReport: Hashable, Sendable {
  /// The counters of the lookup.
  public var counts: GetOutcome

  /// Takes the counters of a lookup.
  public init(_ counts: GetOutcome) { self.counts = counts }

  /// Different nodes that were asked.
  public var queried: Int { counts.queried }
  /// Nodes that answered at all.
  public var responded: Int { counts.responded }
  /// Answers that can be used.
  public var usable: Int { counts.usable }
  /// Nodes that did not answer.
  public var timedOut: Int { counts.timedOut }

  /// What the figures mean if no item was found.
  public var failure: ResolveError {
    if queried == 0 { return .noDHTNodesQueried }
    if responded == 0 { return .noResponses }
    return usable == 0 ? .noUsableResponses : .notFound
  }

  /// What somebody should look at.
  public func warnings(_ policy: ReportPolicy) -> [ReportWarning] {
    var warnings: [ReportWarning] = []
    if queried < policy.minimumQueriedNodes {
      warnings.append(.tooFewNodesQueried(queried: queried, minimum: policy.minimumQueriedNodes))
    }
    if responded < policy.minimumRespondedNodes {
      warnings.append(.tooFewNodesResponded(responded: responded, minimum: policy.minimumRespondedNodes))
    }
    if usable < policy.minimumUsableResponses {
      warnings.append(.tooFewUsableResponses(usable: usable, minimum: policy.minimumUsableResponses))
    }
    if policy.reportsMalformedResponses, counts.invalidValues + counts.invalidResponses > 0 {
      warnings.append(.malformedResponses(values: counts.invalidValues, responses: counts.invalidResponses))
    }
    if policy.reportsKRPCErrors, counts.errors > 0 { warnings.append(.krpcErrors(counts.errors)) }
    return warnings
  }
}
