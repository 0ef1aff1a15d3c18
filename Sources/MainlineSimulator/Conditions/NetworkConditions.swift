/// How the simulated network treats datagrams. All shares are probabilities between 0 and 1, for each datagram.
public struct NetworkConditions: Sendable, Hashable {
  /// How long a datagram is on its way from one place to another.
  public var latency = LatencyModel.access(.milliseconds(5) ... .milliseconds(60))
  /// Mean of an exponentially distributed delay that each datagram gets on top.
  public var jitter: Duration = .milliseconds(4)
  /// Share that never arrives.
  public var loss = 0.0
  /// Share that is held back by up to ``reorderingDelay``, so that later ones overtake it.
  public var reordering = 0.0
  /// The most that reordering holds a datagram back.
  public var reorderingDelay: Duration = .milliseconds(500)
  /// Share that arrives twice.
  public var duplication = 0.0
  /// Share that arrives with one to three bits flipped.
  public var corruption = 0.0

  /// A network that loses and changes nothing.
  public init() {}

  /// 10 % loss, 10 % held back, 5 % twice, 2 % with flipped bits.
  public static var hostile: NetworkConditions {
    var conditions = NetworkConditions()
    conditions.loss = 0.1
    conditions.reordering = 0.1
    conditions.duplication = 0.05
    conditions.corruption = 0.02
    return conditions
  }

  /// No delay to speak of and no loss: for tests about anything but the network.
  public static var ideal: NetworkConditions {
    var conditions = NetworkConditions()
    conditions.latency = .access(.microseconds(50) ... .microseconds(100))
    conditions.jitter = .zero
    return conditions
  }
}
