import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// Takes one message of a client.
  ///
  /// - Parameters:
  ///   - query: the message; anything at all.
  ///   - origin: who sent it.
  ///   - now: the monotonic clock.
  ///   - wallClock: the time of day, for cookies and serial numbers.
  ///   - postponesWork: true puts aside what no cache answers, for ``takeUpPostponed(atMost:now:wallClock:)``: for a moment
  ///     in which so much comes that those whose answer is ready would have to wait.
  ///   - reply: room for the answer; nothing is written beyond its end. 512 bytes at least, 65,535 for transports other
  ///     than UDP.
  public func receive(
    _ query: RawSpan, from origin: QueryOrigin, now: Instant, wallClock: Timestamp, postponesWork: Bool = false,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    (self.now, self.wallClock) = (now, wallClock)
    counters.queries[Int(origin.transport.rawValue)] += 1
    switch QueryReader.read(query) {
    case .drop:
      counters.notQueries += 1
      return .drop
    case .reject(let header, let code):
      guard limits.admit(origin, hasValidCookie: false, questionHash: UInt64(code.rawValue), now: now) == .pass else {
        counters.limitedDrops += 1
        return .drop
      }
      let hasQuestion = code == .badVersion && header.questionLength > 0
      let question = hasQuestion ? query.extracting(12..<(12 + header.questionLength)) : nil
      return empty(code, header, origin, question: question, cookie: nil, into: reply)
    case .cookieOnly(let header):
      let (cookie, isValid) = checkCookie(header, query, origin)
      guard limits.admit(origin, hasValidCookie: isValid, questionHash: 0, now: now) == .pass else {
        counters.limitedDrops += 1
        return .drop
      }
      return empty(.noError, header, origin, question: nil, cookie: cookie, into: reply)
    case .query(let header): return receive(header, query, from: origin, postponesWork, into: reply)
    }
  }

  private func receive(
    _ query: ClientQuery, _ message: RawSpan, from origin: QueryOrigin, _ postponesWork: Bool,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    let question = message.extracting(12..<(12 + query.questionLength))
    scratch.set(question)
    let (cookie, isValid) = checkCookie(query, message, origin)
    switch limits.admit(origin, hasValidCookie: isValid, questionHash: scratch.hash, now: now) {
    case .pass: break
    case .drop:
      counters.limitedDrops += 1
      return .drop
    case .slip:
      counters.limitedSlips += 1
      // Who sends half a cookie comes back with a whole one, over UDP (RFC 7873 §5.2.3); others come over TCP.
      if query.clientCookie != nil {
        return empty(.badCookie, query, origin, question: question, cookie: cookie, into: reply)
      }
      return empty(.noError, query, origin, question: question, isTruncated: true, cookie: cookie, into: reply)
    case .refuse(let reason):
      counters.refusals += 1
      return empty(
        .refused, query, origin, question: question, error: .prohibited(reason.rawValue), cookie: cookie, into: reply)
    }
    let writer = ReplyWriter(
      query: query, transport: origin.transport, settings: settings, room: reply.count, cookie: cookie)
    let variant = variant(of: query, from: origin)
    if let disposition = serveReady(query, variant, question, writer, into: reply) { return disposition }
    if postponesWork { return postpone(query, question, from: origin, writer, into: reply) }
    return resolve(query, variant, question, from: origin, writer, into: reply)
  }

  func variant(of query: ClientQuery, from origin: QueryOrigin) -> AnswerVariant {
    var variant = AnswerVariant()
    if query.checkingDisabled { variant.insert(.checkingDisabled) }
    if query.wantsDNSSEC { variant.insert(.dnssec) }
    if !query.recursionDesired { variant.insert(.fromMemoryOnly) }
    if !policy.keys.filtersPrivateAddresses || origin.client.address.isInternal {
      variant.insert(.seesPrivateAddresses)
    }
    return variant
  }

  /// The cookie for the answer, and whether the client's was right.
  private func checkCookie(
    _ query: ClientQuery, _ message: RawSpan, _ origin: QueryOrigin
  ) -> (ReplyWriter.Cookie?, isValid: Bool) {
    guard let clientCookie = query.clientCookie else { return (nil, false) }
    let address = origin.client.address
    var isValid = false
    if query.serverCookieLength == ServerCookie.length {
      let offset = query.serverCookieOffset
      let verdict = message.extracting(offset..<(offset + ServerCookie.length)).withUnsafeBytes { cookie in
        cookies.check(cookie, clientCookie: clientCookie, client: address, at: wallClock)
      }
      isValid = verdict != .invalid
      if isValid { counters.validCookies += 1 }
      if verdict == .valid(needsRenewal: false) {
        let fields = message.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self).bigEndian
        let hash = message.unsafeLoadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        return (ReplyWriter.Cookie(client: clientCookie, fields: fields, hash: hash), true)
      }
    }
    return (makeCookie(query, origin), isValid)
  }

  /// A fresh cookie for a client that sent its part.
  func makeCookie(_ query: ClientQuery, _ origin: QueryOrigin) -> ReplyWriter.Cookie? {
    guard let client = query.clientCookie else { return nil }
    let made = cookies.make(clientCookie: client, client: origin.client.address, at: wallClock)
    return ReplyWriter.Cookie(client: client, fields: made.fields, hash: made.hash)
  }

  /// An answer without records, at once.
  private func empty(
    _ code: ResponseCode, _ query: ClientQuery, _ origin: QueryOrigin, question: RawSpan?, isTruncated: Bool = false,
    error: ExtendedError? = nil, cookie: ReplyWriter.Cookie?, into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition {
    let writer = ReplyWriter(
      query: query, transport: origin.transport, settings: settings, room: reply.count, cookie: cookie)
    return disposition(
      writer.writeEmpty(code, question: question, isTruncated: isTruncated, error: error, to: reply), code)
  }

  private func disposition(_ byteCount: Int, _ code: ResponseCode) -> QueryDisposition {
    guard byteCount > 0 else { return .drop }
    counters.responses[Int(code.rawValue)] += 1
    return .reply(byteCount: byteCount)
  }
}

// MARK: - Ready answers

extension DNSResolver {
  /// The answer from a cache, if one is there and fresh. The question is in ``scratch``.
  @inline(__always)
  func serveReady(
    _ query: ClientQuery, _ variant: AnswerVariant, _ question: RawSpan, _ writer: ReplyWriter,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition? {
    guard query.classValue == RecordClass.internet.rawValue else { return nil }
    if let slot = forwardedAnswers.find(scratch.hash, scratch.question, variant.forwarded),
      let served = serve(slot, of: forwardedAnswers, variant, question, writer, into: reply)
    {
      counters.forwardedAnswerHits += 1
      return served
    }
    if let slot = keyAnswers.find(scratch.hash, scratch.question, variant.ofKeys),
      let served = serve(slot, of: keyAnswers, variant, question, writer, into: reply)
    {
      counters.keyQueries += 1
      counters.keyAnswerHits += 1
      return served
    }
    return nil
  }

  @inline(__always)
  private func serve(
    _ slot: Int, of cache: AnswerCache, _ variant: AnswerVariant, _ question: RawSpan, _ writer: ReplyWriter,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition? {
    let entry = cache[slot]
    guard now.nanoseconds < entry.expiresAt, entry.kind != .intermediate else { return nil }
    cache.update(slot) { $0.hits = $0.hits == .max ? .max : $0.hits + 1 }
    cache.copy(slot, to: content.baseAddress!)
    var error: ExtendedError?
    if entry.kind == .failure {
      error = .cachedError(secondsLeft: UInt64(max(1, (entry.expiresAt &- now.nanoseconds) / 1_000_000_000)))
      counters.cachedFailures += 1
    }
    let passed = UInt32(clamping: (now.nanoseconds &- entry.storedAt) / 1_000_000_000)
    let (byteCount, isCut) = writer.write(
      UnsafeRawBufferPointer(content), entry.shape, question: question, ttl: .passed(passed), error: error, to: reply)
    if isCut { counters.truncated += 1 }
    if now.nanoseconds >= entry.refreshAt, entry.hits &+ 1 >= policy.cache.prefetchHits {
      cache.update(slot) { $0.refreshAt = .max }
      prefetch(variant)
    }
    guard byteCount > 0 else { return .drop }
    counters.responses[Int(reply[3] & 15)] += 1
    return .reply(byteCount: byteCount)
  }

  /// Refreshes the answer to the question in ``scratch`` ahead of its time.
  private func prefetch(_ variant: AnswerVariant) {
    guard let name = DomainName(question: scratch.question) else { return }
    let type = RecordType(question: scratch.question)
    var variant = variant
    variant.remove(.fromMemoryOnly)
    let question = CanonicalQuestion(name: name, type: type, variant: variant)
    guard resolutionIDs[question] == nil, resolutions.count < policy.work.maximumQueriesInFlight else { return }
    counters.prefetches += 1
    let resolution = Resolution(id: makeID(), question: question, origin: nil, isPrefetch: true)
    register(resolution)
    run(resolution)
  }
}

extension DomainName {
  /// The name of a question: name, type and class as on the wire.
  init?(question: UnsafeRawBufferPointer) {
    guard question.count > 4, let name = try? DomainName(wire: question.bytes.extracting(0..<(question.count - 4)))
    else { return nil }
    self = name
  }

  /// The question about this name, of class IN, as on the wire.
  func question(_ type: RecordType) -> [UInt8] {
    wire + [UInt8(type.rawValue >> 8), UInt8(truncatingIfNeeded: type.rawValue), 0, 1]
  }
}

extension RecordType {
  /// The type of a question: name, type and class as on the wire.
  init(question: UnsafeRawBufferPointer) {
    self.init(rawValue: UInt16(question[question.count - 4]) << 8 | UInt16(question[question.count - 3]))
  }
}
