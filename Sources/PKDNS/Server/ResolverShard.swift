import Addresses
import DNSResolution
import DNSWire
import EventLoops
import Logging
import Pkarr
import PlainText
import Republisher

import struct MainlineProtocol.Instant

/// A resolver with everything around it on one event loop: clients' queries come in, answers go out, and what the resolver
/// wants to know is asked of name servers and of the networks of keys.
///
/// All members are *loop only* unless they say otherwise.
final class ResolverShard: @unchecked Sendable {
  let loop: EventLoop
  let resolver: DNSResolver
  let upstream: UpstreamClient
  let journal: LookupJournal
  private let network: any KeyNetwork
  private let queryLog: QueryLog
  /// Keeps alive what is asked for; nil without a DHT.
  private let keeper: PacketKeeper?

  private var sinks: [PendingQueryID: Waiting] = [:]
  private var searches: [UInt64: Task<Void, Never>] = [:]
  private var nextSearch: UInt64 = 0
  private var timer: (handle: TimerHandle, deadline: Instant)?
  private var isSettling = false
  private var isClosed = false
  /// Queries that no cache has answered, when the last batch had ended.
  private var missesBefore: UInt64 = 0
  private var willTakeUpPostponed = false
  /// The time of the batch that is being answered.
  private var batchTime: (now: Instant, wallClock: Timestamp)?
  private(set) var latencies = DurationHistogram()
  private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_536, alignment: 64)

  private struct Waiting {
    let sink: ReplySink
    let since: Instant
    let origin: QueryOrigin
    /// The query, if queries are logged.
    let query: [UInt8]
  }

  init(
    _ resolver: sending DNSResolver, upstream: UpstreamClient, network: any KeyNetwork, journal: LookupJournal,
    queryLog: QueryLog, keeper: PacketKeeper? = nil
  ) {
    self.resolver = resolver
    self.upstream = upstream
    self.network = network
    self.journal = journal
    self.queryLog = queryLog
    self.keeper = keeper
    loop = upstream.loop
  }

  deinit { room.deallocate() }

  private var time: (now: Instant, wallClock: Timestamp) {
    if let batchTime { return batchTime }
    return (Instant(nanoseconds: Int64(clamping: MonotonicClock.now)), .wallClock)
  }

  // MARK: - Queries

  /// Takes a query. Writes the answer into `reply` and returns its length, or 0 if there is none, or none yet: then `sink`
  /// gets it later. Call ``endBatch()`` after the last of a batch.
  func receive(
    _ query: RawSpan, from origin: QueryOrigin, into reply: UnsafeMutableRawBufferPointer, later sink: () -> ReplySink
  ) -> (length: Int, pending: PendingQueryID?) {
    let (now, wallClock) = time
    switch resolver.receive(
      query, from: origin, now: now, wallClock: wallClock, postponesWork: postponesWork, into: reply)
    {
    case .reply(let count):
      if queryLog.isOn { queryLog.write(query, UnsafeRawBufferPointer(rebasing: reply[..<count]), origin, .zero) }
      return (count, nil)
    case .drop: return (0, nil)
    case .pending(let id):
      let kept = queryLog.isOn ? query.withUnsafeBytes { [UInt8]($0) } : []
      sinks[id] = Waiting(sink: sink(), since: now, origin: origin, query: kept)
      return (0, id)
    }
  }

  /// The answer to a query, for HTTP and for those in the same process; nil if there is none. May be called anywhere; on
  /// the loop an answer that is ready is returned without waiting for anything.
  func answer(_ query: [UInt8], from origin: QueryOrigin) async -> [UInt8]? {
    guard loop.isOnLoop else {
      return await Task(executorPreference: loop) { await self.answerOnLoop(query, origin) }.value
    }
    return await answerOnLoop(query, origin)
  }

  /// The answer to a query of this machine, if there is one, and the steps that led to it.
  func trace(_ query: [UInt8]) async -> (reply: [UInt8]?, steps: [ResolutionTrace.Step]) {
    await Task(executorPreference: loop) { await self.traceOnLoop(query) }.value
  }

  private func traceOnLoop(
    _ query: [UInt8]
  ) async -> (reply: [UInt8]?, steps: [ResolutionTrace.Step]) {
    if isClosed { return (nil, []) }
    let origin = QueryOrigin(Endpoint(.loopbackV4, port: 0), .https)
    let (now, wallClock) = time
    let (disposition, trace) = resolver.trace(
      query.span.bytes, from: origin, now: now, wallClock: wallClock, into: room)
    switch disposition {
    case .reply(let count):
      let reply = [UInt8](room[..<count])
      settle()
      return (reply, trace.steps)
    case .drop: return (nil, trace.steps)
    case .pending(let id):
      let reply = await withUnsafeContinuation { continuation in
        sinks[id] = Waiting(sink: .task(continuation), since: now, origin: origin, query: queryLog.isOn ? query : [])
        settle()
      }
      return (reply, trace.steps)
    }
  }

  private func answerOnLoop(_ query: [UInt8], _ origin: QueryOrigin) async -> [UInt8]? {
    if isClosed { return nil }
    let (now, wallClock) = time
    switch resolver.receive(
      query.span.bytes, from: origin, now: now, wallClock: wallClock, postponesWork: postponesWork, into: room)
    {
    case .reply(let count):
      let reply = [UInt8](room[..<count])
      endBatch()
      if queryLog.isOn { reply.withUnsafeBytes { queryLog.write(query.span.bytes, $0, origin, .zero) } }
      return reply
    case .drop: return nil
    case .pending(let id):
      return await withTaskCancellationHandler {
        await withUnsafeContinuation { continuation in
          sinks[id] = Waiting(sink: .task(continuation), since: now, origin: origin, query: queryLog.isOn ? query : [])
          settle()
        }
      } onCancel: {
        loop.execute { self.abandon(id) }
      }
    }
  }

  /// The task that waits for an answer does not want it any more.
  private func abandon(_ query: PendingQueryID) {
    guard case .task(let continuation)? = sinks[query]?.sink else { return }
    forget(query)
    continuation.resume(returning: nil)
  }

  /// A client has gone.
  func forget(_ query: PendingQueryID) {
    guard sinks.removeValue(forKey: query) != nil else { return }
    resolver.cancel(query)
  }

  /// Times of all queries until ``endBatch()`` are the same: for a batch that came together.
  func beginBatch() { batchTime = batchTime ?? time }

  /// Settles, unless all of the batch was answered from caches, which leaves nothing to do and no new deadline.
  func endBatch() {
    batchTime = nil
    if resolver.hasActions || resolver.hasPostponed || resolver.counters.misses != missesBefore { settle() }
  }

  // MARK: - Crowds

  /// How many queries of a batch may begin what takes time before its others are put aside: few enough that they keep nobody
  /// waiting, and enough that one or two never wait themselves.
  private static let missesPerBatch: UInt64 = 4
  /// How many that were put aside are taken up between two looks at the sockets, or a little more.
  private static let postponedPerTurn = 2

  /// True if those whose answer is ready would have to wait too long for others.
  private var postponesWork: Bool {
    resolver.hasPostponed || resolver.counters.misses &- missesBefore >= Self.missesPerBatch
  }

  private func takeUpPostponed() {
    willTakeUpPostponed = false
    if isClosed { return }
    let (now, wallClock) = time
    resolver.takeUpPostponed(atMost: Self.postponedPerTurn, now: now, wallClock: wallClock)
    settle()
  }

  // MARK: - What the resolver wants

  /// Does what the resolver wants done, and sees to it that it is woken in time.
  func settle() {
    batchTime = nil
    if isSettling || isClosed { return }
    isSettling = true
    while let action = resolver.nextAction() {
      switch action {
      case .answer(let query, let bytes): answer(query, bytes)
      case .lookUp(let id, let key, _): lookUp(id, key)
      case .forward(let id, let question, let server): forward(id, question, server)
      }
    }
    isSettling = false
    missesBefore = resolver.counters.misses
    if resolver.hasPostponed, !willTakeUpPostponed {
      willTakeUpPostponed = true
      loop.execute { self.takeUpPostponed() }
    }
    setTimer()
  }

  private func answer(_ query: PendingQueryID, _ bytes: [UInt8]) {
    guard let waiting = sinks.removeValue(forKey: query) else { return }
    let elapsed = waiting.since.duration(to: time.now)
    latencies.add(elapsed)
    if queryLog.isOn {
      bytes.withUnsafeBytes { queryLog.write(waiting.query.span.bytes, $0, waiting.origin, elapsed) }
    }
    switch waiting.sink {
    case .datagram(let server, let path): bytes.withUnsafeBytes { server.send($0, along: path) }
    case .stream(let client): client.answer(query, bytes)
    case .task(let continuation): continuation.resume(returning: bytes)
    }
  }

  private func setTimer() {
    guard let deadline = resolver.nextDeadline else { return }
    if let timer {
      if timer.deadline <= deadline { return }
      loop.cancel(timer.handle)
    }
    let handle = loop.schedule(at: UInt64(clamping: deadline.nanoseconds)) { [weak self] in self?.timerFired() }
    timer = (handle, deadline)
  }

  private func timerFired() {
    timer = nil
    let (now, wallClock) = time
    resolver.tick(now: now, wallClock: wallClock)
    settle()
  }

  // MARK: - Keys

  private func lookUp(_ id: LookupID, _ key: PublicKey) {
    let number = nextSearch
    nextSearch += 1
    let start = time.now
    searches[number] = Task(executorPreference: network.executor) { [network, loop] in
      let progress = FirstPacket()
      let failure = await network.search(key) { packet, source in
        let isFirst = progress.take()
        loop.execute { self.found(id, packet, source, isFirst: isFirst, since: start) }
      }
      await loop.submit { self.ended(number, id, key, failure, since: start) }
    }
  }

  private func found(
    _ id: LookupID, _ packet: SignedPacket, _ source: DNSResolution.PacketSource, isFirst: Bool, since start: Instant
  ) {
    if isClosed { return }
    let (now, wallClock) = time
    keeper?.news(packet)
    if isFirst {
      keeper?.note(packet.publicKey)
      journal.add(.init(key: packet.publicKey, at: wallClock, took: start.duration(to: now), outcome: .found(source)))
      resolver.finish(lookup: id, with: .packet(packet, source: source), now: now, wallClock: wallClock)
    } else {
      resolver.learn(packet, from: source, now: now, wallClock: wallClock)
    }
    settle()
  }

  private func ended(
    _ number: UInt64, _ id: LookupID, _ key: PublicKey, _ failure: KeyLookupResult?, since start: Instant
  ) {
    searches[number] = nil
    guard !isClosed, let failure else { return }
    let (now, wallClock) = time
    journal.add(.init(key: key, at: wallClock, took: start.duration(to: now), outcome: .failed(failure)))
    resolver.finish(lookup: id, with: failure, now: now, wallClock: wallClock)
    settle()
  }

  // MARK: - Everything else

  private func forward(_ id: ForwardID, _ question: ForwardQuestion, _ server: Endpoint?) {
    var asked = UpstreamQuestion(question.name, question.type, class: question.class)
    asked.recursionDesired = question.recursionDesired
    asked.checkingDisabled = question.checkingDisabled
    asked.wantsSignatures = question.wantsDNSSEC
    upstream.ask(asked, delegate: server) { [weak self] result in
      guard let self, !isClosed else { return }
      let (now, wallClock) = time
      resolver.finish(forward: id, with: ForwardResult(result), now: now, wallClock: wallClock)
      settle()
    }
  }

  // MARK: - For those who tell more than DNS can

  /// Where the packet of a key came from. May be called anywhere.
  func provenance(of key: PublicKey) async -> PacketProvenance? {
    await loop.submit { self.resolver.provenance(of: key, now: self.time.now) }
  }

  /// The packets that are held, for a file.
  func snapshot() async -> [UInt8] {
    await loop.submit {
      let (now, wallClock) = self.time
      return self.resolver.snapshot(now: now, wallClock: wallClock)
    }
  }

  /// Takes in packets from a file; how many were good.
  func restore(_ bytes: [UInt8]) async -> Int {
    await loop.submit {
      let (now, wallClock) = self.time
      return self.resolver.restore(bytes.span.bytes, now: now, wallClock: wallClock)
    }
  }

  // MARK: - Changes while it runs

  /// Goes on with another policy.
  func change(policy new: ResolutionPolicy) {
    var policy = new
    let old = resolver.policy.clients
    if let secret = new.clients.cookieSecret {
      // Cookies that clients have stay good.
      policy.clients.previousCookieSecret = secret == old.cookieSecret ? old.previousCookieSecret : old.cookieSecret
    } else {
      policy.clients.cookieSecret = old.cookieSecret
      policy.clients.previousCookieSecret = old.previousCookieSecret
    }
    resolver.policy = policy
  }

  /// Number of queries that wait.
  var waitingCount: Int { sinks.count }

  /// Ends everything. Who waits gets no answer.
  func close() {
    if isClosed { return }
    isClosed = true
    for task in searches.values { task.cancel() }
    searches = [:]
    if let timer { loop.cancel(timer.handle) }
    timer = nil
    upstream.close()
    let waiting = sinks
    sinks = [:]
    for waiting in waiting.values {
      if case .task(let continuation) = waiting.sink { continuation.resume(returning: nil) }
    }
  }
}

/// Whether a search has brought a packet yet.
private final class FirstPacket: Sendable {
  private let isTaken = LockedValue(false)

  /// True for the first that asks.
  func take() -> Bool {
    isTaken.withLock { taken in
      defer { taken = true }
      return !taken
    }
  }
}

extension ForwardResult {
  /// What became of a question, as the resolver wants to hear it.
  init(_ result: UpstreamResult) {
    switch result {
    case .answer(let bytes, _): self = .reply(bytes)
    case .failure(let failure):
      switch failure {
      case .timedOut: self = .failure(.timeout)
      case .busy: self = .failure(.overloaded)
      case .unreachable, .connection, .truncated, .noServer: self = .failure(.unreachable("\(failure)"))
      }
    }
  }
}
