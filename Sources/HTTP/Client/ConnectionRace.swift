/// Decides when a client that has several places to connect to begins the next attempt (RFC 8305 §5): when one has failed, or
/// when the last has not succeeded after a while. The first that connects ends the race; all others are given up.
///
/// A value without I/O: it gets the time in nanoseconds. Whoever runs it asks ``next(at:)`` after each event.
struct ConnectionRace: Sendable {
  /// What is to be done next.
  enum Step: Hashable, Sendable {
    /// Another candidate is needed: ``found(at:)`` or ``foundNothing()`` say what came of it.
    case find
    /// Nothing until something happens; at the latest until this time, if there is one.
    case wait(until: UInt64?)
    /// It is over: the number of the attempt that connected, or nil if none did. The others are to be given up.
    case over(winner: Int?)
  }

  /// Attempts under way at the same time at most.
  static let maximumAtOnce = 8

  private let delay: UInt64
  private var begun = 0
  private var running: Set<Int> = []
  private var isFinding = false
  private var hasAll = false
  private var winner: Int?
  /// From when on another attempt may begin while others are under way.
  private var nextBegin: UInt64 = 0

  /// A race before its first attempt. `delay`: how long an attempt has, in nanoseconds, before the next one begins beside
  /// it.
  init(delay: UInt64) { self.delay = delay }

  /// What is to be done at a time. Having said ``Step/find`` it waits for the answer.
  mutating func next(at now: UInt64) -> Step {
    if winner != nil { return .over(winner: winner) }
    if isFinding { return .wait(until: nil) }
    if hasAll { return running.isEmpty ? .over(winner: nil) : .wait(until: nil) }
    if running.count >= Self.maximumAtOnce { return .wait(until: nil) }
    if !running.isEmpty, now < nextBegin { return .wait(until: nextBegin) }
    isFinding = true
    return .find
  }

  /// A candidate was found, and an attempt begins: its number.
  mutating func found(at now: UInt64) -> Int {
    isFinding = false
    let number = begun
    begun += 1
    running.insert(number)
    let (sum, overflow) = now.addingReportingOverflow(delay)
    nextBegin = overflow ? .max : sum
    return number
  }

  /// There are no more candidates.
  mutating func foundNothing() {
    isFinding = false
    hasAll = true
  }

  /// An attempt has failed: the next one need not wait.
  mutating func failed(_ attempt: Int) {
    guard running.remove(attempt) != nil else { return }
    nextBegin = 0
  }

  /// An attempt has connected. True if it is the first: a later one is to be closed.
  mutating func connected(_ attempt: Int) -> Bool {
    guard winner == nil, running.remove(attempt) != nil else { return false }
    winner = attempt
    return true
  }
}
