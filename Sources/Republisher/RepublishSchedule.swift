import Cryptography
import MainlineProtocol
import Pkarr

/// Decides which key is checked when: a value without I/O, which gets the time as an argument.
///
/// A key that has never been checked is due at once. From then on it has a place of its own in the interval, which its
/// target (`PublicKey.target`) decides: so the keys are spread evenly, and nothing needs to be remembered for it. A key
/// that failed is tried again after a time that doubles; one that has too few copies even after a put, after a quarter
/// of the interval, then half of it. While the network is away a single key tries whether it is back.
public struct RepublishSchedule: Sendable {
  /// What is known of a key.
  private struct Entry {
    var due: Instant
    var failures = 0
    /// Checks in a row after which there were too few copies.
    var thinChecks = 0
    var isRunning = false
    /// Nothing more is to be done for it in a run of a single round.
    var isDone = false
    /// What happened to it in round ``round``.
    var outcome: RepublishOutcome?
    var round = 0
  }

  /// What it goes by.
  public private(set) var policy: RepublishPolicy
  /// True if each key is checked once, and then no more.
  public let isSingleRound: Bool

  private var entries: [PublicKey: Entry] = [:]
  private var queue = DueQueue()
  private var counts = RoundReport()
  private var roundEnd: Instant
  private var random: RandomSource
  private var running = 0
  private var unfinished = 0
  /// Failures in a row that mean that the network is away, and until when nobody tries.
  private var outages = 0
  private var pausedUntil = Instant.distantPast
  /// When the limit of the rate lets the next check begin (ITU-T I.371, virtual scheduling).
  private var nextStart = Instant.distantPast

  /// Checks that may begin together after a time without any: those of a tenth of a second.
  private static let burst = Duration.milliseconds(100)
  /// Longest time without a try while the network is away.
  private static let outageLimit = Duration.seconds(60)

  /// Begins the first round at `now`.
  public init(_ policy: RepublishPolicy, isSingleRound: Bool, random: RandomSource = .system, at now: Instant) {
    self.policy = policy
    self.isSingleRound = isSingleRound
    self.random = random
    roundEnd = now.advanced(by: policy.interval)
  }

  /// Keys that are kept alive.
  public var count: Int { entries.count }
  /// Keys that are being checked.
  public var runningCount: Int { running }
  /// The round so far.
  public var report: RoundReport {
    var report = counts
    report.keys = entries.count
    return report
  }
  /// True if a single round has nothing more to do.
  public var isFinished: Bool { isSingleRound && running == 0 && (unfinished == 0 || isGivenUp) }
  /// True if the network has been away for so many tries that a single round ends without it.
  private var isGivenUp: Bool { isSingleRound && outages >= policy.attempts }

  // MARK: - Keys

  /// Takes up a key; one that is there already stays as it is.
  ///
  /// - Parameters:
  ///   - age: Time since its last check before this start; nil if there was none. More than the interval, or less than
  ///     nothing (as after a jump of the clock), means that it is due.
  ///   - isChecked: True if that check belongs to the round that this start goes on with.
  ///   - failures: How many checks have failed in a row.
  public mutating func add(
    _ key: PublicKey, age: Duration? = nil, isChecked: Bool = false, failures: Int = 0, at now: Instant
  ) {
    guard entries[key] == nil else { return }
    var entry = Entry(due: now)
    entry.failures = max(0, failures)
    if let age, age >= .zero, age < policy.interval, isChecked || failures == 0 {
      entry.due = slot(of: key, atLeast: policy.interval / 4, after: now.advanced(by: .zero - age))
      entry.due = max(now, entry.due)
      if isChecked {
        counts.checkedBefore += 1
        entry.isDone = isSingleRound
      }
    } else if age == nil {
      // Whoever has never been confirmed goes before those who are merely late.
      entry.due = now.advanced(by: .zero - policy.interval)
    }
    entries[key] = entry
    if !entry.isDone {
      unfinished += 1
      queue.insert(key, due: entry.due)
    }
  }

  /// Forgets a key that is not being checked; false, and nothing happens, if it is. What has become of it in this round still
  /// counts.
  @discardableResult
  public mutating func remove(_ key: PublicKey) -> Bool {
    guard let entry = entries[key] else { return true }
    if entry.isRunning { return false }
    entries[key] = nil
    if !entry.isDone { unfinished -= 1 }
    sweepQueue()
    return true
  }

  /// Goes on by another policy. Keys whose turn would come later than an interval from now find a new place in it.
  public mutating func change(_ new: RepublishPolicy, at now: Instant) {
    policy = new
    roundEnd = min(roundEnd, now.advanced(by: new.interval))
    nextStart = min(nextStart, now)
    let late = entries.filter {
      now.duration(to: $0.value.due) > new.interval && !$0.value.isRunning && !$0.value.isDone
    }
    for key in late.keys {
      let due = min(slot(of: key, atLeast: .zero, after: now), now.advanced(by: new.interval))
      entries[key]!.due = due
      queue.insert(key, due: due)
    }
    sweepQueue()
  }

  /// Makes a key due at once, as when its zone has changed.
  public mutating func hurry(_ key: PublicKey, at now: Instant) {
    guard let entry = entries[key], !entry.isRunning else { return }
    if entry.isDone { unfinished += 1 }
    entries[key]!.isDone = false
    entries[key]!.due = now
    queue.insert(key, due: now)
  }

  // MARK: - Checks

  /// The next key whose check may begin now; it counts as running until ``finish(_:_:at:)`` or ``release(_:)``.
  public mutating func next(at now: Instant) -> PublicKey? {
    guard running < limit, !isGivenUp, pausedUntil <= now, nextStart <= now, dropStale() else { return nil }
    guard let first = queue.first, first.due <= now else { return nil }
    queue.removeFirst()
    entries[first.key]!.isRunning = true
    running += 1
    if let rate = policy.rate, rate > 0 {
      let step = Duration.nanoseconds(Int64(min(1e18, 1e9 / rate)))
      nextStart = max(nextStart, now.advanced(by: .zero - Self.burst)).advanced(by: step)
    }
    return first.key
  }

  /// When ``next(at:)`` may bring something if nothing ends before; nil if only an end can change that.
  public mutating func deadline() -> Instant? {
    guard running < limit, !isGivenUp, dropStale(), let first = queue.first else { return nil }
    return max(first.due, pausedUntil, nextStart)
  }

  /// Checks that may run at the same time: while the network is away, one.
  private var limit: Int { outages > 0 ? 1 : max(1, policy.concurrency) }

  /// Drops what stands at the head of the queue and is no longer true; false if nothing is left.
  private mutating func dropStale() -> Bool {
    while let first = queue.first {
      if isTrue(first) { return true }
      queue.removeFirst()
    }
    return false
  }

  private func isTrue(_ place: DueQueue.Place) -> Bool {
    guard let entry = entries[place.key] else { return false }
    return !entry.isRunning && !entry.isDone && entry.due == place.due
  }

  /// Keys that come and go must not fill the queue with places of those that have gone.
  private mutating func sweepQueue() {
    guard queue.count > 2 * entries.count + 64 else { return }
    var swept = queue
    swept.sweep { isTrue($0) }
    queue = swept
  }

  /// Places in the queue, those that are no longer true included.
  var queueLength: Int { queue.count }

  /// Keys whose check is due by `now` and has not begun.
  public func dueCount(at now: Instant) -> Int { queue.count(dueBy: now) { isTrue($0) } }

  /// Ends a check.
  public mutating func finish(_ key: PublicKey, _ outcome: RepublishOutcome, at now: Instant) {
    guard var entry = entries[key], entry.isRunning else { return }
    entry.isRunning = false
    running -= 1
    let last = entry.round == counts.number ? entry.outcome : nil
    if !outcome.isOvershadowed(by: last) {
      if let last { counts.count(last, -1) }
      counts.count(outcome, 1)
      entry.outcome = outcome
      entry.round = counts.number
    }
    noteNetwork(outcome, at: now)
    switch outcome {
    case .failed(let failure):
      entry.failures = min(entry.failures + 1, 1000)
      entry.thinChecks = 0
      entry.isDone = isSingleRound && (failure.isFinal || entry.failures >= policy.attempts)
      let delay = failure.isFinal ? policy.interval : policy.retryDelay(failures: entry.failures)
      entry.due = now.advanced(by: shortened(delay))
    case .published(let copies), .alreadyAlive(let copies), .superseded(let copies):
      entry.failures = 0
      entry.thinChecks = copies.isThin ? min(entry.thinChecks + 1, 3) : 0
      entry.isDone = isSingleRound
      entry.due =
        1...2 ~= entry.thinChecks
        ? now.advanced(by: shortened(policy.interval / (entry.thinChecks == 1 ? 4 : 2)))
        : slot(of: key, atLeast: policy.interval / 4, after: now)
    }
    entries[key] = entry
    if entry.isDone { unfinished -= 1 } else { queue.insert(key, due: entry.due) }
  }

  /// Takes back a check that was broken off: the key is due as before.
  public mutating func release(_ key: PublicKey) {
    guard let entry = entries[key], entry.isRunning else { return }
    entries[key]!.isRunning = false
    running -= 1
    queue.insert(key, due: entry.due)
  }

  private mutating func noteNetwork(_ outcome: RepublishOutcome, at now: Instant) {
    guard case .failed(.noNodes) = outcome else {
      outages = 0
      pausedUntil = .distantPast
      return
    }
    // Those that were under way when it went are one failure together.
    guard pausedUntil <= now else { return }
    outages += 1
    let pause = min(policy.retryDelay(failures: outages), Self.outageLimit)
    pausedUntil = now.advanced(by: shortened(pause))
  }

  // MARK: - Rounds

  /// The round that has ended by `now`, which begins the next one; nil if it has not.
  ///
  /// A round is an interval long, whatever the keys do. A program that slept through several has missed them.
  public mutating func endRound(at now: Instant) -> RoundReport? {
    guard !isSingleRound, roundEnd <= now else { return nil }
    let ended = report
    counts = RoundReport()
    counts.number = ended.number + 1
    roundEnd = max(roundEnd, now.advanced(by: .zero - policy.interval / 2)).advanced(by: policy.interval)
    return ended
  }

  /// When the round ends; nil for a single one, which ends with its last key.
  public var roundDeadline: Instant? { isSingleRound ? nil : roundEnd }

  /// What a single round has come to: keys that nobody could be asked about have failed for that reason.
  public func finalReport() -> RoundReport {
    var report = report
    if isGivenUp, report.pending > 0 {
      report.failures[RepublishFailure.noNodes.name, default: 0] += report.pending
    }
    return report
  }

  /// How many checks of a key have failed in a row; 0 for one that is not there.
  public func failures(of key: PublicKey) -> Int { entries[key]?.failures ?? 0 }

  // MARK: - Times

  /// The next place of a key in the interval that is at least `minimum` away, and a little later at random.
  private mutating func slot(of key: PublicKey, atLeast minimum: Duration, after now: Instant) -> Instant {
    let interval = max(1, policy.interval.nanoseconds)
    let earliest = now.advanced(by: minimum).nanoseconds
    let share = Double(key.target.first >> 11) / Double(1 << 53)
    let phase = Int64(share * Double(interval))
    let offset = (phase &- earliest % interval) % interval
    let wait = offset < 0 ? offset + interval : offset
    let later = Double(interval) * min(max(0, policy.jitter), 0.25) * Double.random(in: 0..<1, using: &random)
    return Instant(nanoseconds: earliest).advanced(by: .nanoseconds(wait)).advanced(by: .nanoseconds(Int64(later)))
  }

  /// A delay, or up to a quarter less: those who failed together do not come back together.
  private mutating func shortened(_ delay: Duration) -> Duration {
    .nanoseconds(Int64(Double(delay.nanoseconds) * Double.random(in: 0.75...1, using: &random)))
  }
}

extension Duration {
  /// Whole nanoseconds, as many as 64 bits hold.
  var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    return overflow
      ? (seconds < 0 ? .min : .max) : product.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
  }
}
