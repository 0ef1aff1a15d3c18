/// How long packets count as fresh: bounds for the time to live of their records.
///
/// The bounds keep each other in order: a minimum above the maximum raises it, a maximum below the minimum lowers that.
public struct CachePolicy: Hashable, Sendable {
  /// Records are kept at least this long, whatever they say. 5 minutes by default.
  public var minimumTTL: TimeToLive { didSet { maximumTTL = max(maximumTTL, minimumTTL) } }
  /// Records are kept at most this long, whatever they say. 1 day by default; 0 means that everything is expired.
  public var maximumTTL: TimeToLive { didSet { if minimumTTL > maximumTTL { minimumTTL = maximumTTL } } }

  /// Makes a policy; a minimum above the maximum raises it.
  public init(minimumTTL: TimeToLive = .minutes(5), maximumTTL: TimeToLive = .days(1)) {
    self.minimumTTL = minimumTTL
    self.maximumTTL = max(minimumTTL, maximumTTL)
  }
}
