import Addresses
import Cryptography
import DNSWire
import EventLoops

/// Decides how questions are forwarded: which server is asked when, which message is an answer, when to try again, and when
/// to give up. It does no I/O: bytes and the time (nanoseconds) come in, actions and the next deadline come out.
///
/// A question goes to the server that answers fastest. When no answer has come for as long as that server usually takes, the
/// next best one is asked as well, and so on until the deadline; whoever answers first is believed, if the message repeats
/// identifier and question, letter by letter. Servers that have not been measured lately are asked along with the fastest, at
/// most once a second; those that are silent are avoided for longer and longer.
struct UpstreamForwarding: Sendable {
  /// What the shell has to do.
  enum Action: Sendable {
    /// Send a message and report what comes back; `isStream`: not as a datagram.
    case send(UInt64, to: UpstreamServer, isStream: Bool, bytes: [UInt8])
    /// Nothing that comes back for this attempt counts any more.
    case close(UInt64)
    /// A question has ended.
    case finish(UInt64, UpstreamResult)
  }

  /// What was counted since the start.
  struct Counts: Hashable, Sendable {
    var questions: UInt64 = 0
    var attempts: UInt64 = 0
    var answers: UInt64 = 0
    var failures: UInt64 = 0
    var retriesOverStream: UInt64 = 0
    var foreignMessages: UInt64 = 0
  }

  struct Attempt: Sendable {
    /// The question; nil once that has ended and only the time of the answer is of interest.
    var question: UInt64?
    /// The configured server; nil for one that a delegation names.
    let server: Int?
    let address: UpstreamServer
    let isStream: Bool
    let query: UpstreamQuery
    let sentAt: UInt64
    /// Sent along with another one, to learn how fast this server is.
    let isProbe: Bool
    var foreignMessages = 0
  }

  struct Question: Sendable {
    let question: UpstreamQuestion
    /// The server that a delegation names.
    let delegate: Endpoint?
    let deadline: UInt64
    var retryAt: UInt64
    var attempts: [UInt64] = []
    var attemptsMade = 0
    var tried: Set<Int> = []
    /// An answer that says no, kept in case that nobody has a better one.
    var refusal: (answer: [UInt8], server: UpstreamServer)?
    var lastFailure = UpstreamFailure.timedOut
  }

  let policy: UpstreamPolicy
  var servers: [UpstreamServer]
  var estimates: [UpstreamEstimate]
  private(set) var counts = Counts()
  private var random: RandomSource
  private var questions: [UInt64: Question] = [:]
  private var attempts: [UInt64: Attempt] = [:]
  private var nextAttempt: UInt64 = 0
  private var actions: [Action] = []
  private var nextAction = 0
  /// Numbers of questions, twice, and of attempts that outlived theirs, twice plus one.
  private var deadlines = DeadlineQueue()

  /// How long the time of an answer is of interest after its question has ended.
  private static let probeLife: UInt64 = 2_000_000_000
  /// Padding of encrypted questions, in bytes (RFC 8467 §4.1).
  private static let padding = 128

  init(_ servers: [UpstreamServer], policy: UpstreamPolicy = UpstreamPolicy(), random: RandomSource = .system) {
    self.servers = servers
    self.policy = policy
    self.random = random
    estimates = servers.map { _ in UpstreamEstimate() }
  }

  // MARK: - In and out

  var questionCount: Int { questions.count }
  var attemptCount: Int { attempts.count }
  /// When to call ``tick(now:)``, at the latest.
  var nextDeadline: UInt64? { deadlines.first }

  /// What to do next; call it until it gives nil.
  mutating func takeAction() -> Action? {
    guard nextAction < actions.count else {
      actions.removeAll(keepingCapacity: true)
      nextAction = 0
      return nil
    }
    defer { nextAction += 1 }
    return actions[nextAction]
  }

  /// Begins to forward a question under a number that is not in use. `delegate`: ask this server, and no configured one.
  mutating func begin(_ number: UInt64, _ question: UpstreamQuestion, delegate: Endpoint? = nil, now: UInt64) {
    counts.questions += 1
    guard questions.count < policy.maximumQuestions else { return finishAtOnce(number, .busy) }
    guard delegate != nil || !servers.isEmpty else { return finishAtOnce(number, .noServer) }
    let deadline = now &+ policy.deadline.clampedNanoseconds
    questions[number] = Question(question: question, delegate: delegate, deadline: deadline, retryAt: deadline)
    tryNext(number, now: now)
    guard delegate == nil, let first = questions[number]?.tried else { return }
    for index in servers.indices where !first.contains(index) && estimates[index].deservesProbe(at: now) {
      estimates[index].probedAt = now
      questions[number]?.tried.insert(index)
      send(number, to: servers[index], server: index, isProbe: true, now: now)
      break
    }
  }

  /// Goes on with other servers. Questions under way are asked again where those they were sent to are gone.
  mutating func replace(servers new: [UpstreamServer], now: UInt64) {
    let known = Dictionary(zip(servers, estimates), uniquingKeysWith: { first, _ in first })
    servers = new
    estimates = new.map { known[$0] ?? UpstreamEstimate() }
    for (number, attempt) in attempts where attempt.server != nil {
      close(number)
      guard let question = attempt.question else { continue }
      questions[question]?.tried = []
      questions[question]?.attemptsMade = 0
      questions[question]?.attempts.removeAll { $0 == number }
    }
    for (number, question) in questions where question.attempts.isEmpty {
      if servers.isEmpty, question.delegate == nil {
        finish(number, .failure(.noServer), now: now)
      } else {
        tryNext(number, now: now)
      }
    }
  }

  private mutating func finishAtOnce(_ number: UInt64, _ failure: UpstreamFailure) {
    counts.failures += 1
    actions.append(.finish(number, .failure(failure)))
  }

  // MARK: - Attempts

  /// Asks the best server that was not asked yet, or the best one again.
  private mutating func tryNext(_ number: UInt64, now: UInt64) {
    guard var question = questions[number] else { return }
    guard question.attemptsMade < policy.maximumAttempts else { return endIfNobodyIsLeft(number, now: now) }
    let server = question.delegate == nil ? choose(besides: question.tried, now: now) : nil
    let retry = (server.map { estimates[$0].retryAfter } ?? UpstreamEstimate.initialRetry)
    // Each round is slower: who does not answer is perhaps only slow, and must not be flooded.
    question.retryAt = min(now &+ retry << UInt64(min(question.attemptsMade, 4)), question.deadline)
    if let server { question.tried.insert(server) }
    questions[number] = question
    deadlines.insert(number << 1, at: question.retryAt)
    if let server {
      send(number, to: servers[server], server: server, now: now)
    } else if let delegate = question.delegate {
      send(number, to: UpstreamServer(delegate), server: nil, now: now)
    }
  }

  private func choose(besides tried: Set<Int>, now: UInt64) -> Int? {
    let fresh = servers.indices.filter { !tried.contains($0) }
    return (fresh.isEmpty ? Array(servers.indices) : fresh).min {
      estimates[$0].rank(at: now) < estimates[$1].rank(at: now)
    }
  }

  private mutating func send(
    _ number: UInt64, to address: UpstreamServer, server: Int?, overStream: Bool = false, isProbe: Bool = false,
    now: UInt64
  ) {
    guard let question = questions[number]?.question else { return }
    let isStream = overStream || address.transport != .datagrams
    let estimate = server.map { estimates[$0] } ?? UpstreamEstimate()
    var style = UpstreamQuery.Style()
    style.mixesCase = policy.mixesCase && !isStream && estimate.keepsCase
    style.hasOptions = estimate.knowsOptions
    style.paddedTo = address.isEncrypted ? Self.padding : 0
    // An answer over HTTPS is the same for all who ask, if they ask with the same bytes (RFC 8484 §4.1).
    var id = UInt16(truncatingIfNeeded: random.next())
    if case .https = address.transport { id = 0 }
    let query = UpstreamQuery(question, id: id, style: style, random: &random)
    let attempt = nextAttempt
    nextAttempt += 1
    counts.attempts += 1
    attempts[attempt] = Attempt(
      question: number, server: server, address: address, isStream: isStream, query: query, sentAt: now,
      isProbe: isProbe)
    questions[number]?.attempts.append(attempt)
    questions[number]?.attemptsMade += 1
    actions.append(.send(attempt, to: address, isStream: isStream, bytes: query.bytes))
  }

  private mutating func close(_ attempt: UInt64) {
    guard attempts.removeValue(forKey: attempt) != nil else { return }
    actions.append(.close(attempt))
  }

  /// Forgets an attempt that has an answer or cannot get one.
  private mutating func end(_ attempt: UInt64) {
    if let number = attempts[attempt]?.question { questions[number]?.attempts.removeAll { $0 == attempt } }
    close(attempt)
  }

  // MARK: - What comes back

  /// A message came back for an attempt; true if it was meant for it. Of a stream that carries several questions it is
  /// offered to each attempt with its identifier.
  @discardableResult
  mutating func received(_ number: UInt64, _ message: RawSpan, now: UInt64) -> Bool {
    guard let attempt = attempts[number] else { return false }
    switch attempt.query.verdict(on: message) {
    case .foreign:
      countForeign(number, now: now)
      return false
    case .otherCase:
      // Over TCP the same may come, and is believed.
      if !attempt.isStream { retryOverStream(number, now: now) } else { accept(number, attempt, message, now: now) }
      return true
    case .answer:
      accept(number, attempt, message, now: now)
      return true
    }
  }

  private mutating func countForeign(_ number: UInt64, now: UInt64) {
    counts.foreignMessages += 1
    attempts[number]?.foreignMessages += 1
    guard let attempt = attempts[number], !attempt.isStream,
      attempt.foreignMessages >= policy.wrongAnswersTolerated
    else { return }
    // Somebody is guessing.
    retryOverStream(number, now: now)
  }

  private mutating func retryOverStream(_ number: UInt64, now: UInt64) {
    guard let attempt = attempts[number] else { return }
    end(number)
    guard let question = attempt.question else { return }
    counts.retriesOverStream += 1
    send(question, to: attempt.address, server: attempt.server, overStream: true, now: now)
  }

  private mutating func accept(_ number: UInt64, _ attempt: Attempt, _ message: RawSpan, now: UInt64) {
    let header = MessageHeader(
      flags: UInt16(bigEndian: message.unsafeLoadUnaligned(fromUncheckedByteOffset: 2, as: UInt16.self)))
    if let server = attempt.server {
      estimates[server].answered(after: now &- attempt.sentAt, at: now)
      if attempt.isStream, attempt.address.transport == .datagrams,
        attempt.query.verdict(on: message) == .otherCase
      {
        estimates[server].keepsCase = false
      }
    }
    guard let question = attempt.question else { return end(number) }
    if header.isTruncated {
      guard attempt.isStream else { return retryOverStream(number, now: now) }
      return fail(number, .truncated, now: now)
    }
    let hasOptions = message.byteCount > 11 && message.unsafeLoad(fromUncheckedByteOffset: 11, as: UInt8.self) > 0
    if [1, 4].contains(header.responseCode), attempt.query.hasOptions, !hasOptions, let server = attempt.server {
      // A server from before EDNS.
      estimates[server].knowsOptions = false
      end(number)
      return send(question, to: attempt.address, server: server, overStream: attempt.isStream, now: now)
    }
    let answer = attempt.query.restored(message)
    if [1, 2, 4, 5].contains(header.responseCode), hasUntriedServer(question) {
      end(number)
      questions[question]?.refusal = (answer, attempt.address)
      return tryNext(question, now: now)
    }
    if [1, 2, 4, 5].contains(header.responseCode), let others = questions[question]?.attempts.count, others > 1 {
      // Somebody else may still know better.
      end(number)
      questions[question]?.refusal = (answer, attempt.address)
      return
    }
    end(number)
    finish(question, .answer(answer, from: attempt.address), now: now)
  }

  private func hasUntriedServer(_ number: UInt64) -> Bool {
    guard let question = questions[number], question.delegate == nil, question.attemptsMade < policy.maximumAttempts
    else {
      return false
    }
    return question.tried.count < servers.count
  }

  /// An attempt cannot get an answer.
  mutating func failed(_ number: UInt64, _ failure: UpstreamFailure, now: UInt64) {
    guard let server = attempts[number]?.server else { return fail(number, failure, now: now) }
    estimates[server].failed(at: now)
    fail(number, failure, now: now)
  }

  private mutating func fail(_ number: UInt64, _ failure: UpstreamFailure, now: UInt64) {
    guard let attempt = attempts[number] else { return }
    end(number)
    guard let question = attempt.question else { return }
    questions[question]?.lastFailure = failure
    // Another server is asked at once; the same one not before its time.
    if hasUntriedServer(question) { return tryNext(question, now: now) }
    endIfNobodyIsLeft(question, now: now)
  }

  /// Ends a question for which nobody is asked any more and nobody will be.
  private mutating func endIfNobodyIsLeft(_ number: UInt64, now: UInt64) {
    guard let question = questions[number], question.attempts.isEmpty else { return }
    if let refusal = question.refusal { return finish(number, .answer(refusal.answer, from: refusal.server), now: now) }
    if question.attemptsMade >= policy.maximumAttempts { finish(number, .failure(question.lastFailure), now: now) }
  }

  private mutating func finish(_ number: UInt64, _ result: UpstreamResult, now: UInt64) {
    guard let question = questions.removeValue(forKey: number) else { return }
    for attempt in question.attempts {
      if attempts[attempt]?.isProbe == true, now < question.deadline {
        attempts[attempt]?.question = nil
        deadlines.insert(attempt << 1 | 1, at: now &+ Self.probeLife)
      } else {
        close(attempt)
      }
    }
    if case .answer = result { counts.answers += 1 } else { counts.failures += 1 }
    actions.append(.finish(number, result))
  }

  // MARK: - Time

  /// Does what is due.
  mutating func tick(now: UInt64) {
    while let due = deadlines.popDue(at: now) {
      let number = due >> 1
      if due & 1 == 1 {
        noteSilence(number, now: now)
        close(number)
        continue
      }
      guard let question = questions[number], question.retryAt <= now else { continue }
      if question.deadline <= now {
        giveUp(number, now: now)
      } else {
        for attempt in question.attempts { noteSilence(attempt, now: now) }
        tryNext(number, now: now)
        // All attempts are made: only the deadline is left.
        if questions[number]?.retryAt == question.retryAt { wait(number, until: question.deadline) }
      }
    }
  }

  private mutating func wait(_ number: UInt64, until time: UInt64) {
    questions[number]?.retryAt = time
    deadlines.insert(number << 1, at: time)
  }

  private mutating func giveUp(_ number: UInt64, now: UInt64) {
    guard let question = questions[number] else { return }
    for attempt in question.attempts { noteSilence(attempt, now: now) }
    if let refusal = question.refusal {
      finish(number, .answer(refusal.answer, from: refusal.server), now: now)
    } else {
      finish(number, .failure(question.attempts.isEmpty ? question.lastFailure : .timedOut), now: now)
    }
  }

  /// A server has let its time pass.
  private mutating func noteSilence(_ number: UInt64, now: UInt64) {
    guard let attempt = attempts[number], let server = attempt.server,
      now &- attempt.sentAt >= estimates[server].retryAfter
    else { return }
    estimates[server].failed(at: now)
  }
}
