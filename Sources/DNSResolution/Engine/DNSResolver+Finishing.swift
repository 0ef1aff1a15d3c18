import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

extension Resolution {
  /// The error that tells of stale data.
  func staleError(_ age: UInt64) -> ExtendedError {
    draft.code == .noSuchName ? .staleNoSuchName(age: age) : .staleAnswer(age: age)
  }
}

extension DNSResolver {
  /// Ends a resolution: composes the answer, keeps it, gives it to all who wait.
  func complete(_ resolution: Resolution) {
    forget(resolution)
    if resolution.ready == nil { compose(resolution) }
    noteAnswer(resolution)
    guard !resolution.waiters.isEmpty else { return }
    let ready = ready(resolution)
    for id in resolution.waiters {
      guard let waiting = pending.removeValue(forKey: id) else { continue }
      limits.endWaiting(waiting.origin.client.address)
      if resolution.touchesKeys { counters.keyQueries += 1 }
      if resolution.staleAge != nil { counters.staleAnswers += 1 }
      counters.responses[min(Int(resolution.draft.code.rawValue), 16)] += 1
      give(ready, to: waiting, id)
    }
    resolution.waiters = []
  }

  private func noteAnswer(_ resolution: Resolution) {
    guard resolution.trace != nil else { return }
    let draft = resolution.draft
    let error = resolution.ready?.error ?? resolution.ready?.answer.error
    let explanation = error.map { ", EDE \($0.code) \($0.text)" } ?? ""
    resolution.note(.rules, at: now, "answer: \(Self.codeText(draft.code.rawValue))\(explanation)")
  }

  /// What to write for those who wait.
  func ready(_ resolution: Resolution) -> Resolution.Ready {
    if let ready = resolution.ready { return ready }
    return Resolution.Ready(answer: resolution.draft.composed(), ttl: .passed(0), error: nil)
  }

  private func compose(_ resolution: Resolution) {
    var draft = resolution.draft
    if resolution.aliases > 0 {
      // A DNAME can have redirected several links.
      var seen: Set<ResourceRecord> = []
      draft.answers = draft.answers.filter { seen.insert($0).inserted }
    }
    if resolution.touchesKeys { removeInternalAddresses(resolution, &draft) }
    draft.isVerified =
      resolution.touchesKeys && !resolution.holdsUnverified && !(draft.answers.isEmpty && draft.authorities.isEmpty)
      && (draft.code == .noError || draft.code == .noSuchName) && resolution.firstApex != nil
      && draft.error?.code != ExtendedError.synthesized.code
    if let age = resolution.staleAge { draft.error = resolution.staleError(age) }
    resolution.draft = draft
    let composed = draft.composed()
    resolution.ready = Resolution.Ready(answer: composed, ttl: .passed(0), error: nil)
    // Names that do not exist are made again each time: no junk name takes a place in the cache.
    guard resolution.touchesKeys, draft.code == .noError, resolution.staleAge == nil, resolution.mayAsk,
      resolution.firstApex != nil || resolution.aliases > 0, !draft.isTruncated, resolution.freshUntil > now,
      resolution.freshUntil != .never
    else { return }
    keep(composed, resolution)
  }

  private func keep(_ composed: ComposedAnswer, _ resolution: Resolution) {
    let bytes = resolution.question.name.question(resolution.question.type)
    var entry = AnswerCache.Entry()
    entry.hash = bytes.withUnsafeBytes { scratch.hash(of: $0) }
    entry.shape = composed.shape
    entry.variant = resolution.question.variant.ofKeys
    entry.storedAt = now.nanoseconds
    entry.expiresAt = resolution.freshUntil.nanoseconds
    entry.uselessAt = resolution.freshUntil.nanoseconds
    entry.refreshAt = refreshTime(from: now, to: resolution.freshUntil)
    keyAnswers.countMiss(entry.hash)
    keyAnswers.insert(entry, content: composed.content)
  }

  private func removeInternalAddresses(_ resolution: Resolution, _ draft: inout AnswerDraft) {
    guard policy.keys.filtersPrivateAddresses, !resolution.question.variant.contains(.seesPrivateAddresses) else {
      return
    }
    if let apex = resolution.firstApex, policy.keys.unfilteredKeys.contains(apex) { return }
    var filter = RebindingFilter(allowed: policy.keys.unfilteredAddresses)
    draft.answers = filter.filter(draft.answers)
    let removed = filter.removed
    draft.additionals = filter.filter(draft.additionals)
    counters.filteredAddresses += UInt64(filter.removed)
    if removed > 0 {
      draft.error = .filtered(removed)
      resolution.note(.rules, at: now, "\(removed) private addresses removed: the client has a public one")
    }
  }

  /// Writes the message for one client.
  private func give(_ ready: Resolution.Ready, to waiting: PendingQuery, _ id: PendingQueryID) {
    let writer = self.writer(for: waiting)
    let bytes = withUnsafeTemporaryAllocation(byteCount: writer.limit, alignment: 8) { buffer in
      let (count, isCut) = ready.answer.content.withUnsafeBytes {
        writer.write(
          $0, ready.answer.shape, question: waiting.question.span.bytes, ttl: ready.ttl, error: ready.error, to: buffer)
      }
      if isCut { counters.truncated += 1 }
      return [UInt8](buffer[..<count])
    }
    actions.append(.answer(id, bytes))
  }

  func writer(for waiting: PendingQuery) -> ReplyWriter {
    ReplyWriter(
      query: waiting.query, transport: waiting.origin.transport, settings: settings, room: 65_535,
      cookie: makeCookie(waiting.query, waiting.origin))
  }

  /// Ends the wait of one query. A resolution for which nobody waits any more is given up; the searches and questions that
  /// it began go on, and fill the caches.
  func takePending(_ id: PendingQueryID) -> PendingQuery? {
    guard let waiting = pending.removeValue(forKey: id) else { return nil }
    limits.endWaiting(waiting.origin.client.address)
    if let id = waiting.resolution, let resolution = resolutions[id] {
      resolution.waitingCount -= 1
      if resolution.waitingCount <= 0, !resolution.isPrefetch { forget(resolution) }
    }
    return waiting
  }

  func forget(_ resolution: Resolution) {
    resolutions.removeValue(forKey: resolution.id)
    if resolutionIDs[resolution.question] == resolution.id { resolutionIDs.removeValue(forKey: resolution.question) }
  }

  /// Answers a query whose time is up; the work goes on and fills the caches.
  func expire(_ id: PendingQueryID) {
    let resolution = pending[id]?.resolution.flatMap { resolutions[$0] }
    guard let waiting = takePending(id) else { return }
    resolution?.note(.clock, at: now, "answer: SERVFAIL, the client's time is over; the work goes on")
    counters.deadlines += 1
    counters.responses[Int(ResponseCode.serverFailure.rawValue)] += 1
    let writer = self.writer(for: waiting)
    let error = ExtendedError.unreachable("no answer within \(policy.work.deadlineMilliseconds) ms")
    let bytes = withUnsafeTemporaryAllocation(byteCount: writer.limit, alignment: 8) { buffer in
      [UInt8](
        buffer[..<writer.writeEmpty(.serverFailure, question: waiting.question.span.bytes, error: error, to: buffer)])
    }
    actions.append(.answer(id, bytes))
  }
}
