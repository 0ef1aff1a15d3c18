/// How a republisher is doing at one moment.
public struct RepublishStatus: Hashable, Sendable {
  /// Keys that are kept alive.
  public var keys = 0
  /// Keys whose check is due and has not begun.
  public var due = 0
  /// Checks under way.
  public var running = 0
  /// What was done since the start.
  public var totals = RepublishTotals()
  /// The round so far.
  public var round = RoundReport()
  /// Time since the round began.
  public var roundAge = Duration.zero
  /// How long the last round took, from its beginning to the next one's; nil during the first.
  public var lastRound: Duration?

  /// Nothing is kept alive.
  public init() {}
}
