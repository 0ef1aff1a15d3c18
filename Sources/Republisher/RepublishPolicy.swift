/// How often keys are checked, when a packet is put again, and how much of the network that may take.
public struct RepublishPolicy: Hashable, Sendable {
  /// Time from one check of a key to the next.
  public var interval: Duration = .seconds(3600)
  /// A packet is put again when fewer than so many of the nodes that it belongs to hold it.
  ///
  /// Ten copies outlast sixteen hours with 99.9 % (pkarr-churn at 35f291f, our fit of its data: a copy survives t hours
  /// with exp(−(t / 31.7)^0.65)), so an hour between two checks leaves room for many that fail.
  public var threshold = 10
  /// Up to this share of the interval is added at random to each wait, so that several republishers drift apart.
  public var jitter = 0.1
  /// Keys that are checked at the same time.
  public var concurrency = 32
  /// Checks a second that begin, in the long run; nil for no limit. A check sends 20 to 60 queries, and then up to 28 puts.
  public var rate: Double? = 50
  /// Time before a key that failed is tried again; doubles with each failure, up to the interval.
  public var firstRetry: Duration = .seconds(5)
  /// How often a key is tried in a run of a single round.
  public var attempts = 4
  /// Time between two writings of the state during a round.
  public var saveInterval: Duration = .seconds(300)

  /// The defaults.
  public init() {}

  /// Datagrams that a check sends: some 60 questions in a large network, and 28 puts where there are too few copies.
  private static let datagramsPerCheck = 90.0
  /// Checks a second without a limit of the rate.
  private static let checksWithoutLimit = 1000.0

  /// Queries a second that checks of so many keys take by this policy, for `MainlineNode.allowQueries(extraPerSecond:)`: what
  /// a node sends by itself is too little for thousands of keys. Twice what the keys need on average, since those that come
  /// together are checked together.
  public func queriesPerSecond(keys: Int, isSingleRound: Bool = false) -> Double {
    let needed = isSingleRound ? Double(keys) : 2 * Double(keys) / max(1, interval / .seconds(1))
    return Self.datagramsPerCheck * min(needed, rate ?? Self.checksWithoutLimit)
  }

  /// When to try again what has failed so many times, without jitter.
  func retryDelay(failures: Int) -> Duration {
    min(interval, firstRetry * (1 << min(max(0, failures - 1), 20)))
  }
}
