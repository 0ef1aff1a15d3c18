import Addresses
import Cryptography
import DNSWire
import MainlineProtocol
import Pkarr

/// A DNS resolver for the names of keys and all others, without sockets, clock or threads.
///
/// Queries and the time come in, answers and wishes come out; see ``ResolverAction``. After each call that is not
/// answered at once, take all of ``nextAction()``; call ``tick(now:wallClock:)`` when ``nextDeadline`` has come.
///
/// It is confined to one loop: not `Sendable`, and nothing in it locks.
public final class DNSResolver {
  /// What the operator has set. A change holds from the next query on; caches keep what may still be served.
  public var policy: ResolutionPolicy { didSet { apply(policy, before: oldValue) } }
  /// What was done.
  @exclusivity(unchecked) public internal(set) var counters = ResolverCounters()

  /// A query that waits for its answer.
  struct PendingQuery {
    var query: ClientQuery
    var question: [UInt8]
    var origin: QueryOrigin
    /// Nil as long as nothing was begun for it.
    var resolution: UInt64?
  }

  /// A search under way, and the resolutions that wait for it.
  struct LookupWork {
    var id: LookupID
    var begunAt: Instant
    var waiters: Set<UInt64> = []
  }

  /// A question to another server under way, and the resolutions that wait for it.
  struct ForwardWork {
    var id: ForwardID
    var begunAt: Instant
    var waiters: Set<UInt64> = []
  }

  /// What is to be done when.
  enum Timer: Sendable {
    case deadline(PendingQueryID)
    case staleWait(UInt64)
    case sweep
  }

  // Checks of exclusive access at run time took a tenth of the time of an answer from a cache, the kernel's not counted. All
  // of this is reached only through calls on one loop, and nothing that they call comes back here.
  @exclusivity(unchecked) var settings: ReplyWriter.Settings
  /// The bytes that tell which server this is.
  private let identifier = UnsafeMutableRawBufferPointer.allocate(byteCount: maximumIdentifierLength, alignment: 1)
  /// RFC 5001 sets no limit; more would only make answers longer.
  static let maximumIdentifierLength = 64
  @exclusivity(unchecked) var limits: ClientLimits
  @exclusivity(unchecked) var cookies: ServerCookie
  var packets: PacketCache
  let keyAnswers: AnswerCache
  let forwardedAnswers: AnswerCache
  @exclusivity(unchecked) var scratch: QuestionScratch
  /// Room for the bytes of one cached answer.
  let content = UnsafeMutableRawBufferPointer.allocate(byteCount: 200_000, alignment: 16)

  var pending: [PendingQueryID: PendingQuery] = [:]
  @exclusivity(unchecked) var postponed = PostponedQueries()
  var resolutions: [UInt64: Resolution] = [:]
  var resolutionIDs: [CanonicalQuestion: UInt64] = [:]
  var lookups: [PublicKey: LookupWork] = [:]
  var lookupKeys: [LookupID: PublicKey] = [:]
  var forwards: [ForwardKey: ForwardWork] = [:]
  var forwardKeys: [ForwardID: ForwardKey] = [:]
  var timers = TimerQueue<Timer>()
  private var isSweepScheduled = false
  @exclusivity(unchecked) var actions: [ResolverAction] = []
  @exclusivity(unchecked) var nextActionIndex = 0
  var lastID: UInt64 = 0
  var outage = OutageMonitor()
  /// For the next question that is resolved.
  var nextTrace: ResolutionTrace?
  /// The time of the call that is being served.
  @exclusivity(unchecked) var now = Instant.distantPast
  @exclusivity(unchecked) var wallClock = Timestamp.zero
  private let ownSecret: CookieSecret

  /// Makes a resolver with empty caches.
  public init(policy: ResolutionPolicy = ResolutionPolicy(), random: RandomSource = .system) {
    var random = random
    ownSecret = CookieSecret(low: random.next(), high: random.next())
    self.policy = policy
    settings = Self.settings(policy, identifier)
    limits = ClientLimits(policy.clients)
    cookies = ServerCookie(
      secret: policy.clients.cookieSecret ?? ownSecret, previous: policy.clients.previousCookieSecret)
    packets = PacketCache(absentKeys: policy.cache.absentKeys)
    keyAnswers = AnswerCache(maximumBytes: policy.cache.keyAnswerBytes)
    forwardedAnswers = AnswerCache(maximumBytes: policy.cache.forwardedAnswerBytes)
    scratch = QuestionScratch(seed: random.next())
  }

  deinit {
    content.deallocate()
    identifier.deallocate()
  }

  /// What answers look like; the server's identifier is copied to where it stays.
  private static func settings(
    _ policy: ResolutionPolicy, _ room: UnsafeMutableRawBufferPointer
  ) -> ReplyWriter.Settings {
    let bytes = policy.serverIdentifier.prefix(room.count)
    room.copyBytes(from: bytes)
    return ReplyWriter.Settings(policy, identifier: UnsafeRawBufferPointer(rebasing: room[..<bytes.count]))
  }

  /// Takes another policy.
  private func apply(_ policy: ResolutionPolicy, before old: ResolutionPolicy) {
    settings = Self.settings(policy, identifier)
    limits.update(policy.clients)
    cookies = ServerCookie(
      secret: policy.clients.cookieSecret ?? ownSecret, previous: policy.clients.previousCookieSecret)
    keyAnswers.maximumBytes = policy.cache.keyAnswerBytes
    forwardedAnswers.maximumBytes = policy.cache.forwardedAnswerBytes
    guard policy.suffixes != old.suffixes || policy.local != old.local || policy.keys != old.keys else { return }
    // What was composed under other rules about names is not served any more.
    _ = keyAnswers.removeAll { _ in true }
    _ = forwardedAnswers.removeAll { question in
      guard let name = DomainName(question: question) else { return true }
      guard case .other = NameKind(name, policy: policy) else { return true }
      return false
    }
  }

  /// A number that was not used before.
  func makeID() -> UInt64 {
    lastID += 1
    return lastID
  }
}

// MARK: - Work

extension DNSResolver {
  /// True if ``nextAction()`` has something to do, which it rarely has after an answer from a cache.
  public var hasActions: Bool { nextActionIndex < actions.count }

  /// The next thing to do; nil once there is nothing more.
  public func nextAction() -> ResolverAction? {
    guard nextActionIndex < actions.count else {
      if nextActionIndex > 0 {
        actions.removeAll(keepingCapacity: actions.capacity <= 1024)
        nextActionIndex = 0
      }
      return nil
    }
    defer { nextActionIndex += 1 }
    return actions[nextActionIndex]
  }

  /// When ``tick(now:wallClock:)`` is wanted next; nil if nothing waits.
  public var nextDeadline: Instant? { timers.next }

  /// Does what has become due: stale answers, errors for those who have waited too long, ends of work that nobody ended.
  public func tick(now: Instant, wallClock: Timestamp) {
    (self.now, self.wallClock) = (now, wallClock)
    while let timer = timers.popDue(at: now) {
      switch timer {
      case .deadline(let id): expire(id)
      case .staleWait(let id): acceptStale(id)
      case .sweep: endLostWork()
      }
    }
  }

  /// One timer for all work under way: one for each would outlive most of it.
  func scheduleSweep() {
    guard !isSweepScheduled else { return }
    isSweepScheduled = true
    timers.schedule(.sweep, at: now.advanced(by: ResolutionPolicy.workLifetime / 4))
  }

  private func endLostWork() {
    isSweepScheduled = false
    func isLost(_ begunAt: Instant) -> Bool { begunAt.advanced(by: ResolutionPolicy.workLifetime) <= now }
    for work in lookups.values.filter({ isLost($0.begunAt) }) {
      finish(lookup: work.id, with: .failure(.timeout), now: now, wallClock: wallClock)
    }
    for work in forwards.values.filter({ isLost($0.begunAt) }) {
      finish(forward: work.id, with: .failure(.timeout), now: now, wallClock: wallClock)
    }
    if !lookups.isEmpty || !forwards.isEmpty { scheduleSweep() }
  }

  private func acceptStale(_ id: UInt64) {
    guard let resolution = resolutions[id], !resolution.acceptsStale else { return }
    resolution.acceptsStale = true
    resolution.note(.clock, at: now, "waited long enough: what is old will do")
    // A resolution that waits for something without a stale copy is left to wait.
    guard hasStale(resolution) else { return }
    resume(resolution)
  }

  /// Forgets a query: its client has gone.
  public func cancel(_ query: PendingQueryID) {
    _ = takePending(query)
  }

  /// What is held.
  public var gauges: ResolverGauges {
    var gauges = ResolverGauges()
    gauges.queriesInFlight = pending.count
    gauges.lookupsInFlight = lookups.count
    gauges.forwardsInFlight = forwards.count
    gauges.packets = packets.count
    gauges.packetBytes = packets.bytes
    gauges.absentKeys = packets.absentCount
    gauges.keyAnswers = keyAnswers.count
    gauges.keyAnswerBytes = keyAnswers.bytes
    gauges.forwardedAnswers = forwardedAnswers.count
    gauges.forwardedAnswerBytes = forwardedAnswers.bytes
    gauges.clients = limits.count
    gauges.isInOutage = outage.isInOutage
    return gauges
  }
}
