import PlainText

/// What became of the keys of one round: each key counts once, with what happened to it last. One that was put and later
/// found alive was put.
public struct RoundReport: Hashable, Sendable {
  /// Which round it is, from 1.
  public var number = 1
  /// All keys that are kept alive.
  public var keys = 0
  /// Keys whose packet was put again.
  public var published = 0
  /// Keys of which enough nodes hold the packet.
  public var alreadyAlive = 0
  /// Keys of which somebody has published a newer version.
  public var superseded = 0
  /// Keys that could not be kept alive, by the name of the reason (``RepublishFailure/name``).
  public var failures: [String: Int] = [:]
  /// Keys that were checked in this round before the program was started again.
  public var checkedBefore = 0
  /// Keys that have fewer copies than they should, though they were put again.
  public var thin = 0
  /// Copies that were stored.
  public var copiesAdded = 0

  /// Nothing has happened yet.
  public init() {}

  /// Keys that could not be kept alive.
  public var failed: Int { failures.values.reduce(0, +) }
  /// Keys of which something is known in this round.
  public var checked: Int { published + alreadyAlive + superseded + failed + checkedBefore }
  /// Keys whose turn is still to come in this round.
  public var pending: Int { max(0, keys - checked) }

  /// Counts an outcome, or takes it back.
  mutating func count(_ outcome: RepublishOutcome, _ difference: Int) {
    switch outcome {
    case .published: published += difference
    case .alreadyAlive: alreadyAlive += difference
    case .superseded: superseded += difference
    case .failed(let failure):
      let count = failures[failure.name, default: 0] + difference
      failures[failure.name] = count == 0 ? nil : count
    }
    if outcome.copies?.isThin ?? false { thin += difference }
    if difference > 0 { copiesAdded += outcome.copies?.added ?? 0 }
  }
}

extension RoundReport {
  /// The figures, as fields of an event in a log.
  public var logFields: KeyValuePairs<StaticString, JSON> {
    [
      "round": JSON(number), "keys": JSON(keys), "published": JSON(published), "already_alive": JSON(alreadyAlive),
      "superseded": JSON(superseded), "failed": JSON(failed), "thin": JSON(thin), "copies_added": JSON(copiesAdded),
    ]
  }
}
