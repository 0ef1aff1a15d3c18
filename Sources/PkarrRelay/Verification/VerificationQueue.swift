import Addresses
import MainlineProtocol

/// Signatures that wait to be checked, in a fair order.
///
/// Clients take turns, one job each, however many jobs one of them has. A client whose signatures did not fit lately comes
/// last: its jobs wait until nobody else has one. So who floods the relay with rubbish slows down himself and others like
/// him, and nobody else. How many wait is bounded for each client and in all; when all places are taken, jobs of clients
/// that come last make room for those of others.
struct VerificationQueue<Job: Sendable>: Sendable {
  /// How many may wait.
  struct Limits: Hashable, Sendable {
    /// Jobs of one client.
    var perClient = 256
    /// All jobs.
    var total = 1024
    /// Clients whose past is remembered.
    var remembered = 10_000
    /// How long a wrong signature counts, nanoseconds. Each further one doubles it, up to 64 times as long.
    var penalty: UInt64 = 1_000_000_000

    /// The defaults.
    init() {}
  }

  /// What became of a job.
  enum Admission: Sendable {
    /// It waits.
    case waiting
    /// It waits in the place of another job, which waits no longer.
    case waitingInsteadOf(Job)
    /// There is no place for it.
    case refused
  }

  /// A client, and whether its signatures fitted.
  private struct Past: Sendable {
    /// Wrong signatures, one less for each right one.
    var faults = 0
    /// Until when the client comes last, nanoseconds.
    var comesLastUntil: UInt64 = 0
  }

  let limits: Limits
  /// A client has an entry, which is not empty, exactly while it has one turn in one of the two rows.
  private var jobs: [IPAddress: [Job]] = [:]
  private var first = TurnRow()
  private var last = TurnRow()
  private var past: RecencyMap<IPAddress, Past>
  /// How many jobs wait.
  private(set) var count = 0

  /// Stands for all that have no address.
  private static var nobody: IPAddress { .anyV6 }

  /// Nothing waits.
  init(_ limits: Limits = Limits()) {
    self.limits = limits
    past = RecencyMap(capacity: limits.remembered)
  }

  /// True if nothing waits.
  var isEmpty: Bool { count == 0 }

  /// True if the client comes last at the moment.
  func comesLast(_ client: IPAddress, at now: UInt64) -> Bool {
    past.peek(client).map { now < $0.comesLastUntil } ?? false
  }

  /// Adds a job of a client; those that have no address count as one. `now` is in nanoseconds.
  mutating func add(_ job: Job, from client: IPAddress?, at now: UInt64) -> Admission {
    let client = client ?? Self.nobody
    let waiting = jobs[client]?.count ?? 0
    guard waiting < limits.perClient else { return .refused }
    var displaced: Job?
    if count >= limits.total {
      guard !comesLast(client, at: now), let victim = takeNewestOfLast(except: client, at: now) else { return .refused }
      displaced = victim
    }
    jobs[client, default: []].append(job)
    count += 1
    if waiting == 0 { enter(client, at: now) }
    return displaced.map { .waitingInsteadOf($0) } ?? .waiting
  }

  /// The next jobs, at most `limit`, with their clients: one of each client in turn, those who come last after all others.
  mutating func next(upTo limit: Int, at now: UInt64) -> [(client: IPAddress, job: Job)] {
    // Who has waited among the last long enough waits among the others from now on.
    while let client = last.first, !comesLast(client, at: now) {
      last.removeFirst()
      first.append(client)
    }
    var batch: [(client: IPAddress, job: Job)] = []
    while batch.count < limit, let client = first.first {
      first.removeFirst()
      // Found guilty while it waited.
      if comesLast(client, at: now) { last.append(client) } else { serve(client, at: now, &batch) }
    }
    while batch.count < limit, let client = last.first {
      last.removeFirst()
      serve(client, at: now, &batch)
    }
    return batch
  }

  /// Remembers whether a signature fitted.
  mutating func report(_ client: IPAddress, isValid: Bool, at now: UInt64) {
    // Those without an address are many, and must not suffer for one of them.
    if client == Self.nobody { return }
    if isValid {
      guard past.peek(client) != nil else { return }
      past.touch(client, initial: Past()) { $0.faults = max(0, $0.faults - 1) }
    } else {
      let penalty = limits.penalty
      past.touch(client, initial: Past()) { past in
        past.faults = min(past.faults + 1, 1000)
        let (end, overflow) = now.addingReportingOverflow(penalty << UInt64(min(past.faults - 1, 6)))
        past.comesLastUntil = overflow ? .max : end
      }
    }
  }

  private mutating func enter(_ client: IPAddress, at now: UInt64) {
    if comesLast(client, at: now) { last.append(client) } else { first.append(client) }
  }

  private mutating func serve(_ client: IPAddress, at now: UInt64, _ batch: inout [(client: IPAddress, job: Job)]) {
    guard var waiting = jobs.removeValue(forKey: client) else { return }
    batch.append((client, waiting.removeFirst()))
    count -= 1
    guard !waiting.isEmpty else { return }
    jobs[client] = waiting
    enter(client, at: now)
  }

  /// The newest job of the client that comes last of all; nil if there is none but `client` itself.
  private mutating func takeNewestOfLast(except client: IPAddress, at now: UInt64) -> Job? {
    guard let other = last.last(where: { $0 != client && comesLast($0, at: now) }),
      var waiting = jobs.removeValue(forKey: other), let job = waiting.popLast()
    else { return nil }
    count -= 1
    if waiting.isEmpty { last.remove(other) } else { jobs[other] = waiting }
    return job
  }
}

/// Clients in the order in which it is their turn.
private struct TurnRow: Sendable {
  private var clients: [IPAddress] = []
  private var start = 0

  /// Whose turn it is; nil if nobody waits.
  var first: IPAddress? { start < clients.count ? clients[start] : nil }

  mutating func append(_ client: IPAddress) { clients.append(client) }

  mutating func removeFirst() {
    start += 1
    // The front is cut off once it is the larger half, so that each turn costs the same in the long run.
    if start * 2 > clients.count {
      clients.removeFirst(start)
      start = 0
    }
  }

  func last(where isWanted: (IPAddress) -> Bool) -> IPAddress? { clients[start...].last(where: isWanted) }

  mutating func remove(_ client: IPAddress) {
    if let index = clients[start...].lastIndex(of: client) { clients.remove(at: index) }
  }
}
