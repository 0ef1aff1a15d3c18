/// From when on the figures of a publication or a lookup deserve a warning. Warnings never change a result.
public struct ReportPolicy: Hashable, Sendable {
  /// Nodes that should have stored a packet.
  public var minimumStoredNodes: Int
  /// Nodes that should have been asked.
  public var minimumQueriedNodes: Int
  /// Nodes that should have answered.
  public var minimumRespondedNodes: Int
  /// Answers that should have been usable.
  public var minimumUsableResponses: Int
  /// Whether malformed answers are worth a warning.
  public var reportsMalformedResponses: Bool
  /// Whether error messages are worth a warning.
  public var reportsKRPCErrors: Bool

  /// Joins the thresholds.
  public init(
    minimumStoredNodes: Int, minimumQueriedNodes: Int, minimumRespondedNodes: Int, minimumUsableResponses: Int,
    reportsMalformedResponses: Bool, reportsKRPCErrors: Bool
  ) {
    self.minimumStoredNodes = minimumStoredNodes
    self.minimumQueriedNodes = minimumQueriedNodes
    self.minimumRespondedNodes = minimumRespondedNodes
    self.minimumUsableResponses = minimumUsableResponses
    self.reportsMalformedResponses = reportsMalformedResponses
    self.reportsKRPCErrors = reportsKRPCErrors
  }

  /// For the public network.
  public static let mainnet = ReportPolicy(
    minimumStoredNodes: 10, minimumQueriedNodes: 20, minimumRespondedNodes: 5, minimumUsableResponses: 3,
    reportsMalformedResponses: true, reportsKRPCErrors: true)

  /// For a few nodes on one machine.
  public static let testnet = ReportPolicy(
    minimumStoredNodes: 1, minimumQueriedNodes: 1, minimumRespondedNodes: 1, minimumUsableResponses: 1,
    reportsMalformedResponses: false, reportsKRPCErrors: false)

  /// The warning that a publication deserves.
  public func warnings(storedOn count: Int) -> [ReportWarning] {
    count < minimumStoredNodes ? [.tooFewNodesStored(storedOn: count, minimum: minimumStoredNodes)] : []
  }
}

/// A figure of the DHT that somebody should look at.
public enum ReportWarning: Hashable, Sendable {
  /// Fewer nodes stored a packet than should.
  case tooFewNodesStored(storedOn: Int, minimum: Int)
  /// Fewer nodes were asked than should.
  case tooFewNodesQueried(queried: Int, minimum: Int)
  /// Fewer nodes answered than should.
  case tooFewNodesResponded(responded: Int, minimum: Int)
  /// Fewer answers were usable than should.
  case tooFewUsableResponses(usable: Int, minimum: Int)
  /// Values with wrong signatures, and answers of the wrong shape.
  case malformedResponses(values: Int, responses: Int)
  /// Error messages.
  case krpcErrors(Int)

  /// The warning's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .tooFewNodesStored: "TooFewNodesStored"
    case .tooFewNodesQueried: "TooFewNodesQueried"
    case .tooFewNodesResponded: "TooFewNodesResponded"
    case .tooFewUsableResponses: "TooFewUsableResponses"
    case .malformedResponses: "MalformedResponses"
    case .krpcErrors: "KrpcErrors"
    }
  }
}

extension ReportWarning: CustomStringConvertible {
  /// One line for a person.
  public var description: String {
    switch self {
    case .tooFewNodesStored(let count, let minimum): "stored on \(count) DHT nodes; \(minimum) or more are usual"
    case .tooFewNodesQueried(let count, let minimum): "\(count) DHT nodes were asked; \(minimum) or more are usual"
    case .tooFewNodesResponded(let count, let minimum): "\(count) DHT nodes answered; \(minimum) or more are usual"
    case .tooFewUsableResponses(let count, let minimum):
      "\(count) answers of DHT nodes were usable; \(minimum) or more are usual"
    case .malformedResponses(let values, let responses):
      "DHT nodes sent \(values) invalid values and \(responses) malformed answers"
    case .krpcErrors(let count): "DHT nodes answered with \(count) error messages"
    }
  }
}
