import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// A link that is neither a key nor special: the servers that are configured know.
  func advanceElsewhere(_ resolution: Resolution) {
    resolution.holdsUnverified = true
    guard resolution.question.type != .any else { return answerAny(resolution) }
    let variant = resolution.touchesKeys ? AnswerVariant() : resolution.question.variant.forwarded
    let question = ForwardQuestion(
      name: resolution.name, type: resolution.question.type, class: .internet, recursionDesired: true,
      checkingDisabled: variant.contains(.checkingDisabled), wantsDNSSEC: variant.contains(.dnssec))
    let bytes = resolution.name.question(resolution.question.type)
    let slot = bytes.withUnsafeBytes { forwardedAnswers.find(scratch.hash(of: $0), $0, variant) }
    if let slot, serve(slot, resolution) { return }
    guard resolution.mayAsk else {
      return resolution.fail(.refused, .prohibited("RD=0, and nothing is known of the name"))
    }
    if let error = ask(ForwardKey(question: question, server: nil), resolution) {
      resolution.fail(.serverFailure, error)
    }
  }

  /// ANY is not passed on: it makes large answers for whoever forges a sender (RFC 8482 §4.2).
  private func answerAny(_ resolution: Resolution) {
    let data = RecordData.opaque(.hinfo, Array("\u{7}RFC8482\u{0}".utf8))
    resolution.draft.answers.append(ResourceRecord(name: resolution.name, ttl: 3600, data: data))
    resolution.fail(.noError, .synthesized)
  }

  /// Uses a kept answer if it is fresh, or stale and better than nothing; false if somebody is to be asked.
  private func serve(_ slot: Int, _ resolution: Resolution) -> Bool {
    let entry = forwardedAnswers[slot]
    let nanoseconds = now.nanoseconds
    let passed = UInt32(clamping: (nanoseconds &- entry.storedAt) / 1_000_000_000)
    if nanoseconds < entry.expiresAt {
      if resolution.isPrefetch, resolution.aliases == 0 { return false }
      if entry.kind == .failure {
        let left = UInt64(max(1, (entry.expiresAt &- nanoseconds) / 1_000_000_000))
        counters.cachedFailures += 1
        resolution.fail(ResponseCode(rawValue: code(of: slot)) ?? .serverFailure, .cachedError(secondsLeft: left))
        return true
      }
      absorb(slot, resolution, .passed(passed), staleAge: nil)
      return true
    }
    guard entry.kind != .failure, nanoseconds < entry.uselessAt else { return false }
    let staleAge = UInt64(passed)
    guard resolution.mayAsk, entry.retryAt <= nanoseconds else {
      absorb(slot, resolution, .atMost(policy.cache.staleTTL), staleAge: staleAge)
      return true
    }
    guard resolution.acceptsStale else { return false }
    // The refresh goes on, or begins; nobody waits for it.
    let question = ForwardQuestion(
      name: resolution.name, type: resolution.question.type, class: .internet, recursionDesired: true,
      checkingDisabled: entry.variant.contains(.checkingDisabled), wantsDNSSEC: entry.variant.contains(.dnssec))
    _ = ask(ForwardKey(question: question, server: nil), resolution)
    absorb(slot, resolution, .atMost(policy.cache.staleTTL), staleAge: staleAge)
    return true
  }

  private func code(of slot: Int) -> UInt16 { UInt16(forwardedAnswers.content(slot)[3] & 15) }

  /// Makes a kept answer part of a resolution.
  private func absorb(
    _ slot: Int, _ resolution: Resolution, _ ttl: ReplyWriter.TTLChange, staleAge: UInt64?
  ) {
    let entry = forwardedAnswers[slot]
    let composed = ComposedAnswer(shape: entry.shape, content: forwardedAnswers.content(slot))
    if let staleAge {
      resolution.staleAge = max(resolution.staleAge ?? 0, staleAge)
    } else {
      resolution.freshUntil = min(resolution.freshUntil, Instant(nanoseconds: entry.expiresAt))
    }
    if !resolution.touchesKeys, resolution.aliases == 0, entry.kind == .answer {
      resolution.draft.code = ResponseCode(rawValue: UInt16(composed.content[3] & 15)) ?? .noError
      resolution.ready = Resolution.Ready(answer: composed, ttl: ttl, error: staleAge.map(resolution.staleError))
      resolution.step = .done
      return
    }
    guard let answer = decode(composed, ttl, from: resolution.name, resolution.question.type) else {
      return resolution.fail(.serverFailure, .other("a kept answer cannot be read"))
    }
    absorb(answer, resolution)
  }

  /// A kept answer as records, read from the name at which it begins.
  private func decode(
    _ composed: ComposedAnswer, _ ttl: ReplyWriter.TTLChange, from name: DomainName, _ type: RecordType
  ) -> ForwardedAnswer? {
    let length = Int(composed.shape.messageLength)
    guard let message = try? Message(parsing: composed.content.span.bytes.extracting(0..<length), rules: .tolerant)
    else {
      return nil
    }
    func aged(_ records: [ResourceRecord]) -> [ResourceRecord] {
      records.map { record in
        var record = record
        switch ttl {
        case .passed(let seconds): record.ttl = record.ttl > seconds ? record.ttl - seconds : min(record.ttl, 1)
        case .atMost(let seconds): record.ttl = min(record.ttl, seconds)
        }
        return record
      }
    }
    var answer = ForwardedAnswer(
      code: ResponseCode(rawValue: UInt16(message.header.responseCode)) ?? .noError, lastName: name)
    answer.answers = aged(message.answers)
    answer.authorities = aged(message.authorities)
    answer.additionals = aged(message.additionals)
    answer.hasData = false
    answer.error = composed.error
    while let alias = answer.answers.first(where: { $0.name == answer.lastName && $0.type == .cname }),
      case .cname(let target) = alias.data, type != .cname, answer.aliasCount < 32
    {
      answer.lastName = target.lowercased
      answer.aliasCount += 1
    }
    answer.hasData = answer.answers.contains { $0.name == answer.lastName && $0.type == type }
    return answer
  }

  /// Makes another server's answer part of a resolution, and goes on where its chain leads to a key.
  private func absorb(_ answer: ForwardedAnswer, _ resolution: Resolution) {
    resolution.draft.answers += answer.answers
    resolution.draft.isTruncated = resolution.draft.isTruncated || answer.isTruncated
    resolution.draft.error = resolution.draft.error ?? answer.error
    if !answer.hasData, answer.aliasCount > 0, leadsElsewhere(answer.lastName) {
      return follow(resolution, to: answer.lastName, links: answer.aliasCount)
    }
    resolution.draft.authorities += answer.authorities
    resolution.draft.additionals += answer.additionals
    resolution.finish(answer.code)
  }

  /// True for names of which the servers that are configured know nothing.
  private func leadsElsewhere(_ name: DomainName) -> Bool {
    if case .other = NameKind(name, policy: policy) { return false }
    return true
  }

  /// A fresh answer to a question, or with `allowsStale` an old one; nil if there is none.
  func cachedAnswer(to question: ForwardQuestion, allowsStale: Bool) -> ForwardedAnswer? {
    let bytes = question.name.question(question.type)
    let slot = bytes.withUnsafeBytes { forwardedAnswers.find(scratch.hash(of: $0), $0, question.variant) }
    guard let slot else { return nil }
    let entry = forwardedAnswers[slot]
    guard entry.kind != .failure, now.nanoseconds < (allowsStale ? entry.uselessAt : entry.expiresAt) else {
      return nil
    }
    let composed = ComposedAnswer(shape: entry.shape, content: forwardedAnswers.content(slot))
    return decode(composed, .passed(0), from: question.name, question.type)
  }

  /// Lets a resolution wait for another server, which is asked unless that is under way. Returns why it cannot be.
  func ask(_ key: ForwardKey, _ resolution: Resolution) -> ExtendedError? {
    if forwards[key]?.waiters.insert(resolution.id) == nil {
      guard forwards.count < policy.work.maximumForwards else {
        return .other("too many questions to other servers under way")
      }
      let id = ForwardID(rawValue: makeID())
      forwards[key] = ForwardWork(id: id, begunAt: now, waiters: [resolution.id])
      forwardKeys[id] = key
      scheduleSweep()
      counters.forwards += 1
      resolution.note(
        .servers, at: now,
        "\(key.question.name) \(key.question.type) is asked of \(key.server.map { "the delegated \($0)" } ?? "the name servers")"
      )
      if key.server == nil {
        let bytes = key.question.name.question(key.question.type)
        bytes.withUnsafeBytes { forwardedAnswers.countMiss(scratch.hash(of: $0)) }
      }
      actions.append(.forward(id, key.question, server: key.server))
    }
    resolution.step = .reply(key)
    return nil
  }
}

// MARK: - Replies

extension DNSResolver {
  /// Ends a question that ``ResolverAction/forward(_:_:server:)`` asked for. Ids that are not known (any more) are
  /// ignored.
  public func finish(forward: ForwardID, with result: ForwardResult, now: Instant, wallClock: Timestamp) {
    (self.now, self.wallClock) = (now, wallClock)
    guard let key = forwardKeys.removeValue(forKey: forward), let work = forwards.removeValue(forKey: key) else {
      return
    }
    let waiting = work.waiters.sorted().compactMap { resolutions[$0] }.filter { $0.step == .reply(key) }
    if key.server != nil {
      for resolution in waiting {
        let reading = reading(result, key.question, cut: resolution.delegation?.cut)
        resolution.note(.servers, at: now, Self.text(reading))
        resolution.step = .ready
        take(reading, fromDelegated: resolution)
        run(resolution)
      }
      return
    }
    let reading = reading(result, key.question, cut: nil)
    for resolution in waiting { resolution.note(.servers, at: now, Self.text(reading)) }
    switch reading {
    case .answer(let answer): take(answer, key.question, for: waiting)
    case .failure(let code, let error): fail(key.question, code, error, for: waiting)
    case .referral:
      fail(key.question, .serverFailure, .unreachable("a referral of another server"), for: waiting)
    }
  }

  private func reading(_ result: ForwardResult, _ question: ForwardQuestion, cut: DomainName?) -> ForwardedReading {
    switch result {
    case .reply(let bytes):
      let reading = ForwardedReader(question: question, cache: policy.cache, cut: cut).read(bytes.span.bytes)
      if case .failure = reading { counters.forwardsFailed += 1 }
      return reading
    case .failure(let failure):
      counters.forwardsFailed += 1
      switch failure {
      case .timeout: return .failure(.serverFailure, .unreachable("the other servers were silent"))
      case .unreachable(let text):
        return .failure(.serverFailure, .unreachable("the other servers cannot be reached: \(text)"))
      case .overloaded:
        return .failure(.serverFailure, .unreachable("too many questions to other servers under way"))
      }
    }
  }

  private func take(_ answer: ForwardedAnswer, _ question: ForwardQuestion, for waiting: [Resolution]) {
    var draft = AnswerDraft(name: question.name, type: question.type)
    draft.code = answer.code
    draft.answers = answer.answers
    draft.authorities = answer.authorities
    draft.additionals = answer.additionals
    draft.isAuthentic = answer.isAuthentic && policy.trustsForwardedAD
    draft.isTruncated = answer.isTruncated
    draft.error = answer.error
    let composed = draft.composed()
    let isIntermediate = !answer.hasData && answer.aliasCount > 0 && leadsElsewhere(answer.lastName)
    let expiry = answer.life.map { now.advanced(by: .seconds(Int64($0))) }
    if let expiry {
      keep(composed, question, until: expiry, kind: isIntermediate ? .intermediate : .answer)
    }
    for resolution in waiting {
      resolution.freshUntil = min(resolution.freshUntil, expiry ?? now)
      if resolution.delegation != nil {
        // The address of a delegated server, or none.
        takeServerAddress(answer, resolution)
      } else if !isIntermediate, !resolution.touchesKeys, resolution.aliases == 0 {
        resolution.draft.code = answer.code
        resolution.ready = Resolution.Ready(answer: composed, ttl: .passed(0), error: nil)
        resolution.step = .done
      } else {
        resolution.step = .ready
        absorb(answer, resolution)
      }
      run(resolution)
    }
  }

  /// Remembers an answer.
  private func keep(
    _ composed: ComposedAnswer, _ question: ForwardQuestion, until expiry: Instant, kind: AnswerCache.Kind,
    failures: UInt8 = 0
  ) {
    var entry = AnswerCache.Entry()
    let bytes = question.name.question(question.type)
    entry.hash = bytes.withUnsafeBytes { scratch.hash(of: $0) }
    entry.shape = composed.shape
    entry.variant = question.variant
    entry.kind = kind
    entry.failures = failures
    entry.storedAt = now.nanoseconds
    entry.expiresAt = expiry.nanoseconds
    let staleness = kind == .failure ? policy.cache.maximumFailureTTL : policy.cache.maximumForwardedStaleness
    entry.uselessAt = expiry.advanced(by: .seconds(Int64(staleness))).nanoseconds
    entry.refreshAt = refreshTime(from: now, to: expiry, kind)
    forwardedAnswers.insert(entry, content: composed.content)
  }

  /// When a hit asks for a refresh: in the last part of an answer's life.
  func refreshTime(from start: Instant, to expiry: Instant, _ kind: AnswerCache.Kind = .answer) -> Int64 {
    let percent = Int64(min(policy.cache.prefetchPercent, 100))
    guard percent > 0, kind == .answer, expiry != .never else { return .max }
    return expiry.nanoseconds &- (expiry.nanoseconds &- start.nanoseconds) / 100 &* percent
  }

  private func fail(
    _ question: ForwardQuestion, _ code: ResponseCode, _ error: ExtendedError, for waiting: [Resolution]
  ) {
    let bytes = question.name.question(question.type)
    let slot = bytes.withUnsafeBytes { forwardedAnswers.find(scratch.hash(of: $0), $0, question.variant) }
    var hasStale = false
    var failures: UInt8 = 0
    if let slot {
      hasStale = forwardedAnswers[slot].kind != .failure && now.nanoseconds < forwardedAnswers[slot].uselessAt
      if !hasStale, forwardedAnswers[slot].kind == .failure { failures = forwardedAnswers[slot].failures }
    }
    if let slot, hasStale {
      let retry = now.advanced(by: .seconds(Int64(max(1, policy.cache.failureRecheck))))
      forwardedAnswers.update(slot) { $0.retryAt = retry.nanoseconds }
    } else {
      keepFailure(question, code, failures: failures)
    }
    for resolution in waiting {
      // A refresh ahead of time ends here: what it wanted to replace is still good.
      if resolution.delegation != nil || hasStale && !resolution.isPrefetch {
        // Goes on without the address, or with what is stale.
        resume(resolution)
      } else {
        resolution.freshUntil = now
        resolution.fail(code, error)
        run(resolution)
      }
    }
  }

  /// Remembers a failure (RFC 9520), each further one in a row for twice as long.
  private func keepFailure(_ question: ForwardQuestion, _ code: ResponseCode, failures: UInt8) {
    var draft = AnswerDraft(name: question.name, type: question.type)
    draft.code = code
    let life = min(
      UInt64(max(1, policy.cache.firstFailureTTL)) << UInt64(min(failures, 16)),
      UInt64(min(300, max(1, policy.cache.maximumFailureTTL))))
    keep(
      draft.composed(), question, until: now.advanced(by: .seconds(Int64(life))), kind: .failure,
      failures: failures == .max ? .max : failures + 1)
  }
}
