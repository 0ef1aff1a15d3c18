import PlainText

/// What a republisher tells Prometheus: no keys.
public enum RepublishMetrics {
  /// Adds all metrics, each of whose names begins with `prefix`, as in `pubky_republish`.
  public static func add(_ status: RepublishStatus, prefix: String, to text: inout PrometheusText) {
    addKeys(status, prefix, to: &text)
    addChecks(status.totals, prefix, to: &text)
    addRounds(status, prefix, to: &text)
  }

  private static func addKeys(_ status: RepublishStatus, _ prefix: String, to text: inout PrometheusText) {
    text.add("\(prefix)_keys", .gauge, "Keys that are kept alive.", Double(status.keys))
    text.add(
      "\(prefix)_due_keys", .gauge,
      "Keys whose check is due and has not begun; more and more of them mean that the rate or the concurrency is too low.",
      Double(status.due))
    text.add(
      "\(prefix)_checks_in_flight", .gauge,
      "Checks under way; as many as may be at the same time for hours mean that the DHT is slow.",
      Double(status.running))
  }

  private static func addChecks(_ totals: RepublishTotals, _ prefix: String, to text: inout PrometheusText) {
    text.add(
      "\(prefix)_checks_total", .counter,
      "Checks of keys by outcome; a large share of failed ones is explained by the reasons.",
      [
        ([("outcome", "published")], Double(totals.published)),
        ([("outcome", "already_alive")], Double(totals.alreadyAlive)),
        ([("outcome", "superseded")], Double(totals.superseded)),
        ([("outcome", "failed")], Double(totals.failed)),
      ])
    text.add(
      "\(prefix)_failures_total", .counter,
      "Checks that failed by reason; no_nodes and not_stored mean a bad connection, not_found that nobody publishes the key.",
      RepublishFailure.names.map { ([("reason", $0)], Double(totals.failures[$0] ?? 0)) })
    text.add(
      "\(prefix)_copies_added_total", .counter,
      "Copies that nodes have stored; many more than thresholds times keys each round mean that nodes forget at once.",
      Double(totals.copiesAdded))
    text.add(
      "\(prefix)_check_seconds", "Duration of checks; more than some seconds mean a bad connection.", totals.checkTimes)
  }

  private static func addRounds(_ status: RepublishStatus, _ prefix: String, to text: inout PrometheusText) {
    text.add(
      "\(prefix)_rounds_total", .counter, "Rounds that have ended; it should grow by one each interval.",
      Double(max(0, status.round.number - 1)))
    text.add(
      "\(prefix)_round_age_seconds", .gauge,
      "Time since the round began; more than the interval means that the program was held up.",
      status.roundAge.fractionalSeconds)
    text.add(
      "\(prefix)_last_round_seconds", .gauge,
      "How long the last round took, NaN before its end; more than the interval means that the program was held up.",
      status.lastRound?.fractionalSeconds ?? .nan)
    text.add(
      "\(prefix)_round_keys", .gauge,
      "Keys of this round by what became of them last; pending ones at its end were not checked in time.",
      [
        ([("state", "published")], Double(status.round.published)),
        ([("state", "already_alive")], Double(status.round.alreadyAlive)),
        ([("state", "superseded")], Double(status.round.superseded)),
        ([("state", "failed")], Double(status.round.failed)),
        ([("state", "checked_before")], Double(status.round.checkedBefore)),
        ([("state", "pending")], Double(status.round.pending)),
      ])
    text.add(
      "\(prefix)_thin_keys", .gauge,
      "Keys of this round that are on fewer nodes than wanted even after a put; many mean that nodes refuse to store.",
      Double(status.round.thin))
  }
}
