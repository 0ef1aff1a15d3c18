import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// What is at hand of a key.
  private enum PacketState {
    case packet(PacketCache.Entry, staleAge: UInt64?)
    case absent(PacketCache.Absence, staleAge: UInt64?)
    case failed(ResponseCode, ExtendedError)
    case wait
  }

  /// A link that is the name of a key.
  func advance(_ resolution: Resolution, at link: KeyName) {
    resolution.touchesKeys = true
    if resolution.aliases == 0 { resolution.firstApex = link.apex }
    let state = packetState(of: link.key, for: resolution)
    note(state, resolution)
    switch state {
    case .wait: resolution.step = .packet(link.key)
    case .failed(let code, let error): resolution.fail(code, error)
    case .absent(let absence, let staleAge): answer(resolution, at: link, absence, staleAge: staleAge)
    case .packet(let entry, let staleAge): answer(resolution, at: link, entry, staleAge: staleAge)
    }
  }

  private func note(_ state: PacketState, _ resolution: Resolution) {
    guard resolution.trace != nil else { return }
    switch state {
    case .wait: resolution.note(.network, at: now, "waits for the search")
    case .failed(let code, let error):
      resolution.note(.cache, at: now, "no packet: \(Self.codeText(code.rawValue)), \(error.text)")
    case .absent(let absence, let staleAge):
      let left = max(0, (absence.until.nanoseconds &- now.nanoseconds) / 1_000_000_000)
      resolution.note(
        .cache, at: now,
        staleAge.map { "the key had no packet \($0) s ago" } ?? "the key has no packet; asked again in \(left) s")
    case .packet(let entry, let staleAge):
      let age = age(since: entry.confirmedAt)
      resolution.note(
        .cache, at: now,
        "the packet signed \(Self.text(entry.packet.timestamp)), \(Self.text(entry.source)), confirmed \(age) s ago"
          + (staleAge == nil ? "" : ", old"))
    }
  }

  /// The packet of a key for the addresses of a server in it; nil if there is none, or if it is waited for.
  func packetForServer(of key: PublicKey, _ resolution: Resolution) -> SignedPacket? {
    switch packetState(of: key, for: resolution) {
    case .packet(let entry, _): return entry.packet
    case .wait: resolution.step = .packet(key)
    case .absent, .failed: break
    }
    return nil
  }

  /// True if what a resolution waits for is at hand in a stale form.
  func hasStale(_ resolution: Resolution) -> Bool {
    switch resolution.step {
    case .packet(let key):
      if let entry = packets.peek(key) { return isUsable(entry) }
      return packets.absence(of: key).flatMap { staleState($0) } != nil
    case .reply(let key) where key.server == nil:
      let question = key.question.name.question(key.question.type)
      return question.withUnsafeBytes { bytes in
        guard let slot = forwardedAnswers.find(scratch.hash(of: bytes), bytes, key.question.variant) else {
          return false
        }
        return forwardedAnswers[slot].kind != .failure && now.nanoseconds < forwardedAnswers[slot].uselessAt
      }
    default: return false
    }
  }

  /// True if a packet is fresh, or stale and not too old for that.
  private func isUsable(_ entry: PacketCache.Entry) -> Bool {
    let maximum = policy.cache.maximumKeyStaleness
    return now < entry.freshUntil || maximum == .max
      || now < entry.freshUntil.advanced(by: .seconds(Int64(maximum)))
  }

  private func age(since instant: Instant) -> UInt64 {
    UInt64(max(0, now.nanoseconds &- instant.nanoseconds) / 1_000_000_000)
  }

  private func packetState(of key: PublicKey, for resolution: Resolution) -> PacketState {
    if let entry = packets.use(key) {
      if isUsable(entry) || resolution.found.contains(key) { return state(entry, key, resolution) }
      packets.remove(key)
    }
    let absence = packets.absence(of: key)
    if let absence, now < absence.until {
      if absence.failure == nil { return .absent(absence, staleAge: nil) }
      if let stale = staleState(absence) { return stale }
      if let error = resolution.failures[key] { return .failed(.serverFailure, error) }
      counters.cachedFailures += 1
      let left = UInt64(max(1, (absence.until.nanoseconds &- now.nanoseconds) / 1_000_000_000))
      return .failed(.serverFailure, .cachedError(secondsLeft: left))
    }
    guard resolution.mayAsk else { return .failed(.refused, .prohibited("RD=0, and nothing is known of the key")) }
    let staleAbsence = absence.flatMap { staleState($0) }
    if resolution.acceptsStale, lookups[key] != nil, let staleAbsence { return staleAbsence }
    if let problem = beginOrJoin(key, .miss, resolution) {
      return staleAbsence ?? .failed(problem.code, problem.error)
    }
    return .wait
  }

  /// An absence that was confirmed not long ago, however the searches since have ended.
  private func staleState(_ absence: PacketCache.Absence) -> PacketState? {
    guard let confirmed = absence.confirmedAt, age(since: confirmed) <= PacketCache.absenceStaleness else { return nil }
    return .absent(absence, staleAge: age(since: confirmed))
  }

  private func state(_ entry: PacketCache.Entry, _ key: PublicKey, _ resolution: Resolution) -> PacketState {
    if now < entry.freshUntil {
      guard resolution.isPrefetch, !resolution.found.contains(key), entry.confirmedAt < prefetchLimit(entry),
        entry.retryAt <= now,
        beginOrJoin(key, .prefetch, resolution) == nil
      else { return .packet(entry, staleAge: nil) }
      return .wait
    }
    // What was found just now is good for this answer, even if the policy trusts it for no time at all.
    if resolution.found.contains(key) { return .packet(entry, staleAge: nil) }
    let stale = PacketState.packet(entry, staleAge: age(since: entry.confirmedAt))
    guard resolution.mayAsk, entry.retryAt <= now else { return stale }
    guard beginOrJoin(key, .refresh, resolution) == nil else { return stale }
    return resolution.acceptsStale || outage.isInOutage ? stale : .wait
  }

  /// A packet confirmed before this is refreshed by a prefetch.
  private func prefetchLimit(_ entry: PacketCache.Entry) -> Instant {
    let part = UInt64(entry.freshFor) * UInt64(100 - min(policy.cache.prefetchPercent, 100)) / 100
    return now.advanced(by: .seconds(-Int64(part))).advanced(by: .nanoseconds(1))
  }

  /// Lets a resolution wait for a search, which is begun if none is under way. Returns why that is not possible.
  private func beginOrJoin(
    _ key: PublicKey, _ reason: ResolverAction.LookupReason, _ resolution: Resolution
  ) -> (code: ResponseCode, error: ExtendedError)? {
    if lookups[key]?.waiters.insert(resolution.id) != nil {
      resolution.note(.network, at: now, "a search for the key is under way: joined")
      return nil
    }
    var reason = reason
    if outage.isInOutage {
      guard outage.admitProbe(at: now, policy.work) else {
        return (.serverFailure, .unreachable("the network has been unreachable; it is asked again now and then"))
      }
      reason = .probe
    }
    guard lookups.count < policy.work.maximumLookups else {
      return (.serverFailure, .other("too many key lookups under way"))
    }
    if let origin = resolution.origin, !limits.admitLookup(origin.client.address, now: now) {
      counters.refusals += 1
      return (.refused, .prohibited(ClientLimits.Refusal.lookupRate.rawValue))
    }
    let id = LookupID(rawValue: makeID())
    lookups[key] = LookupWork(id: id, begunAt: now, waiters: [resolution.id])
    lookupKeys[id] = key
    scheduleSweep()
    counters.lookups += 1
    resolution.note(.network, at: now, "a search for the key begins (\(reason))")
    actions.append(.lookUp(id, key, reason: reason))
    return nil
  }
}

// MARK: - Ends of searches

extension DNSResolver {
  /// Ends a search that ``ResolverAction/lookUp(_:_:reason:)`` asked for. Ids that are not known (any more) are ignored.
  public func finish(lookup: LookupID, with result: KeyLookupResult, now: Instant, wallClock: Timestamp) {
    (self.now, self.wallClock) = (now, wallClock)
    guard let key = lookupKeys.removeValue(forKey: lookup), let work = lookups.removeValue(forKey: key) else { return }
    let error = take(result, for: key)
    for id in work.waiters.sorted() {
      guard let resolution = resolutions[id], resolution.step == .packet(key) else { continue }
      resolution.note(.network, at: now, Self.text(result))
      if let error { resolution.failures[key] = error }
      if case .packet = result, error == nil { resolution.found.insert(key) }
      resume(resolution)
    }
  }

  /// Takes a packet that was not asked for, or a newer one of a search that has ended.
  public func learn(_ packet: SignedPacket, from source: PacketSource, now: Instant, wallClock: Timestamp) {
    (self.now, self.wallClock) = (now, wallClock)
    store(packet, source, confirmedAt: now)
  }

  func store(_ packet: SignedPacket, _ source: PacketSource, confirmedAt: Instant) {
    let ttl = packet.ttl(Pkarr.CachePolicy(minimumTTL: 0, maximumTTL: TimeToLive(seconds: .max))).seconds
    let freshFor = min(max(ttl, policy.cache.minimumKeyTTL), policy.cache.maximumKeyTTL)
    let entry = PacketCache.Entry(packet: packet, source: source, confirmedAt: confirmedAt, freshFor: freshFor)
    packets.store(entry, maximumBytes: policy.cache.packetBytes)
  }

  /// Remembers how a search ended; for a failure returns what to tell those who waited.
  private func take(_ result: KeyLookupResult, for key: PublicKey) -> ExtendedError? {
    switch result {
    case .packet(let packet, let source) where packet.publicKey == key:
      recordOutcome(answered: true)
      counters.lookupsFound += 1
      store(packet, source, confirmedAt: now)
      return nil
    case .packet: return fail(key, .invalid("a packet of another key"))
    case .notFound(let nodes, let relays) where nodes > 0 || relays > 0:
      recordOutcome(answered: true)
      counters.lookupsNotFound += 1
      if packets.peek(key) != nil {
        delayRetry(key)
      } else {
        packets.storeAbsence(
          of: key, failure: nil, nodes: nodes, relays: relays, first: policy.cache.firstAbsenceTTL,
          maximum: policy.cache.maximumAbsenceTTL, now: now)
      }
      return nil
    case .notFound(let nodes, let relays): return fail(key, .unreachable(nodesAsked: nodes, relaysAsked: relays))
    case .failure(let failure): return fail(key, failure)
    }
  }

  private func delayRetry(_ key: PublicKey) {
    packets.delayRetry(of: key, until: now.advanced(by: .seconds(Int64(max(1, policy.cache.failureRecheck)))))
  }

  private func fail(_ key: PublicKey, _ failure: KeyLookupFailure) -> ExtendedError {
    counters.lookupsFailed += 1
    switch failure {
    case .overloaded: break
    case .invalid: recordOutcome(answered: true)
    default: recordOutcome(answered: false)
    }
    if packets.peek(key) != nil {
      delayRetry(key)
    } else {
      // RFC 9520 §3.2: at least one second, at most five minutes.
      packets.storeAbsence(
        of: key, failure: failure, first: max(1, policy.cache.firstFailureTTL),
        maximum: min(300, policy.cache.maximumFailureTTL), now: now)
    }
    return Self.explanation(of: failure)
  }

  private func recordOutcome(answered: Bool) {
    if outage.record(answered: answered, at: now, policy.work), outage.isInOutage { counters.outages += 1 }
  }

  static func explanation(of failure: KeyLookupFailure) -> ExtendedError {
    switch failure {
    case .notReady(let size): .notReady(nodes: size)
    case .unreachable(let nodes, let relays): .unreachable("nobody answered; asked \(nodes) nodes, \(relays) relays")
    case .network(let text): .networkError(text)
    case .invalid(let text): .invalidData(text)
    case .timeout: .unreachable("the lookup took too long")
    case .overloaded: .other("too many key lookups under way")
    }
  }
}
