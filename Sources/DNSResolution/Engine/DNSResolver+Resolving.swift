import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// Resolves the question in ``scratch``, for which no ready answer is there.
  ///
  /// - Parameter postponed: the query, if it waits already.
  func resolve(
    _ query: ClientQuery, _ variant: AnswerVariant, _ question: RawSpan, from origin: QueryOrigin,
    _ writer: ReplyWriter, postponed: PendingQueryID? = nil, into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    guard let name = DomainName(question: scratch.question) else { return .drop }
    counters.misses += 1
    if let (code, error) = refusal(of: query, name: name) {
      counters.responses[Int(code.rawValue)] += 1
      let count = writer.writeEmpty(code, question: question, error: error, to: reply)
      return count > 0 ? .reply(byteCount: count) : .drop
    }
    let canonical = CanonicalQuestion(name: name, type: query.type, variant: variant)
    if let id = resolutionIDs[canonical], let running = resolutions[id] {
      counters.joined += 1
      running.trace = running.trace ?? nextTrace
      running.note(.cache, at: now, "the question is under way already: joined")
      return wait(for: running, postponed, query, question, origin, writer, into: reply)
    }
    let resolution = Resolution(id: makeID(), question: canonical, origin: origin, isPrefetch: false)
    // The deadline is known before the work begins: with no time to wait, stale data are as good as any.
    resolution.acceptsStale = policy.cache.staleAnswerWaitMilliseconds == 0
    resolution.trace = nextTrace
    register(resolution)
    run(resolution)
    guard resolution.step != .done else {
      let answer = ready(resolution)
      let (count, isCut) = answer.answer.content.withUnsafeBytes {
        writer.write($0, answer.answer.shape, question: question, ttl: answer.ttl, error: answer.error, to: reply)
      }
      countAnswer(resolution, isCut: isCut)
      return count > 0 ? .reply(byteCount: count) : .drop
    }
    if !resolution.acceptsStale, hasStale(resolution) {
      timers.schedule(
        .staleWait(resolution.id),
        at: now.advanced(by: .milliseconds(Int64(policy.cache.staleAnswerWaitMilliseconds))))
    }
    return wait(for: resolution, postponed, query, question, origin, writer, into: reply)
  }

  private func countAnswer(_ resolution: Resolution, isCut: Bool) {
    if isCut { counters.truncated += 1 }
    if resolution.touchesKeys { counters.keyQueries += 1 }
    if resolution.staleAge != nil { counters.staleAnswers += 1 }
    counters.responses[min(Int(resolution.draft.code.rawValue), 16)] += 1
  }

  /// What is not resolved whatever the name: transfers, meta types (RFC 6895 §3.1), other classes.
  private func refusal(of query: ClientQuery, name: DomainName) -> (ResponseCode, ExtendedError?)? {
    switch query.type.rawValue {
    case 251, 252: return (.refused, .prohibited("no zone transfers"))
    case 255: break
    case 0, 41, 128...254: return (.notImplemented, nil)
    default: break
    }
    switch query.classValue {
    case RecordClass.internet.rawValue: return nil
    case RecordClass.any.rawValue:
      if case .other = NameKind(name, policy: policy) { return (.notImplemented, nil) }
      return nil
    default: return (.refused, .prohibited("class IN only"))
    }
  }

  /// Lets a query wait for a resolution, unless its client has too many that wait.
  private func wait(
    for resolution: Resolution, _ postponed: PendingQueryID?, _ query: ClientQuery, _ question: RawSpan,
    _ origin: QueryOrigin, _ writer: ReplyWriter, into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    guard let id = postponed ?? beginWaiting(query, question, origin) else {
      if resolution.waitingCount == 0, !resolution.isPrefetch { forget(resolution) }
      return refuseToWait(question, writer, into: reply)
    }
    pending[id]?.resolution = resolution.id
    resolution.waiters.append(id)
    resolution.waitingCount += 1
    timers.schedule(.deadline(id), at: now.advanced(by: .milliseconds(Int64(policy.work.deadlineMilliseconds))))
    return .pending(id)
  }

  /// Notes a query that is not answered at once; nil if too many wait.
  func beginWaiting(_ query: ClientQuery, _ question: RawSpan, _ origin: QueryOrigin) -> PendingQueryID? {
    guard pending.count < policy.work.maximumQueriesInFlight,
      limits.beginWaiting(origin.client.address, limit: policy.work.maximumQueriesInFlightPerClient)
    else { return nil }
    let id = PendingQueryID(rawValue: makeID())
    pending[id] = PendingQuery(query: query, question: [UInt8](question), origin: origin)
    return id
  }

  func refuseToWait(
    _ question: RawSpan, _ writer: ReplyWriter, into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    counters.refusals += 1
    counters.responses[Int(ResponseCode.refused.rawValue)] += 1
    let error = ExtendedError.prohibited(ClientLimits.Refusal.inFlight.rawValue)
    let count = writer.writeEmpty(.refused, question: question, error: error, to: reply)
    return count > 0 ? .reply(byteCount: count) : .drop
  }

  func register(_ resolution: Resolution) {
    resolutions[resolution.id] = resolution
    resolutionIDs[resolution.question] = resolution.id
  }

  /// Goes on after waiting.
  func resume(_ resolution: Resolution) {
    resolution.step = .ready
    run(resolution)
  }

  /// Goes on until something must be waited for or the answer is there.
  func run(_ resolution: Resolution) {
    while resolution.step == .ready {
      resolution.steps += 1
      guard resolution.steps <= Resolution.maximumSteps else {
        resolution.fail(.serverFailure, .other("too many steps"))
        break
      }
      if resolution.delegation != nil {
        advanceDelegation(resolution)
      } else {
        advance(resolution)
      }
    }
    if resolution.step == .done { complete(resolution) }
  }

  /// One link of the chain.
  private func advance(_ resolution: Resolution) {
    let kind = resolution.kind ?? NameKind(resolution.name, policy: policy)
    resolution.kind = kind
    if resolution.aliases > 0 { resolution.note(.rules, at: now, "\(resolution.name): \(Self.text(kind))") }
    switch kind {
    case .key(let link): advance(resolution, at: link)
    case .unusable(let apex, let error):
      counters.localAnswers += 1
      resolution.touchesKeys = true
      resolution.draft.isAuthoritative = resolution.aliases == 0 || resolution.draft.isAuthoritative
      resolution.draft.authorities = [
        KeyZone.madeSOA(apex: apex, serial: 1, ttl: policy.cache.keyNegativeTTL, policy)
      ]
      if resolution.name == apex, error == nil {
        advanceAtSuffix(resolution, apex)
      } else {
        resolution.fail(.noSuchName, error)
      }
    case .petname(let target):
      counters.localAnswers += 1
      answer(resolution, petnameOf: target)
    case .special(let special):
      counters.localAnswers += 1
      answer(resolution, special)
    case .blocked:
      counters.localAnswers += 1
      resolution.draft.authorities = [
        KeyZone.madeSOA(apex: resolution.name, serial: 1, ttl: policy.cache.keyNegativeTTL, policy)
      ]
      resolution.fail(.noSuchName, .blocked)
    case .other: advanceElsewhere(resolution)
    }
  }

  /// The suffix itself: it exists, and has an SOA and NS record made for it.
  private func advanceAtSuffix(_ resolution: Resolution, _ apex: DomainName) {
    let soa = resolution.draft.authorities
    let servers = policy.keys.nameServers.map {
      ResourceRecord(name: apex, ttl: policy.cache.keyNegativeTTL, data: .ns($0))
    }
    switch resolution.question.type {
    case .soa, .any: resolution.draft.answers += soa
    case .ns where !servers.isEmpty: resolution.draft.answers += servers
    default: return resolution.finish()
    }
    resolution.draft.authorities = []
    resolution.fail(.noError, .synthesized)
  }

  /// Follows an alias to its target.
  func follow(_ resolution: Resolution, to target: DomainName, links: Int = 1) {
    resolution.aliases += links
    resolution.name = target.lowercased
    resolution.delegation = nil
    guard resolution.aliases <= policy.work.maximumAliases else {
      return resolution.fail(.serverFailure, .other("more than \(policy.work.maximumAliases) aliases"))
    }
    guard resolution.visited.insert(resolution.name).inserted else {
      return resolution.fail(.serverFailure, .other("a loop of aliases"))
    }
    resolution.step = .ready
  }
}
