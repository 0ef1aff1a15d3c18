import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// As ``receive(_:from:now:wallClock:postponesWork:into:)``, and notes each step on the way to the answer, also those that
  /// come later.
  ///
  /// A question that is under way for others already is joined; what was done before that is not told.
  public func trace(
    _ query: RawSpan, from origin: QueryOrigin, now: Instant, wallClock: Timestamp,
    into reply: UnsafeMutableRawBufferPointer
  ) -> (QueryDisposition, ResolutionTrace) {
    let trace = ResolutionTrace(startingAt: now)
    noteWhatIsHeld(query, from: origin, now: now, in: trace)
    nextTrace = trace
    let disposition = receive(query, from: origin, now: now, wallClock: wallClock, into: reply)
    nextTrace = nil
    switch disposition {
    case .reply where trace.steps.last?.text.hasPrefix("answer: ") != true:
      trace.add(.rules, "answer: \(Self.codeText(UInt16(reply[3] & 15))), at once", at: now)
    case .drop: trace.add(.rules, "no answer: no query, or over a limit", at: now)
    case .reply, .pending: break
    }
    return (disposition, trace)
  }

  /// What the caches hold for the question, before anything is done.
  private func noteWhatIsHeld(_ query: RawSpan, from origin: QueryOrigin, now: Instant, in trace: ResolutionTrace) {
    guard case .query(let header) = QueryReader.read(query) else { return }
    scratch.set(query.extracting(12..<(12 + header.questionLength)))
    guard let name = DomainName(question: scratch.question) else { return }
    trace.add(.rules, "\(name) \(header.type): \(Self.text(NameKind(name, policy: policy)))", at: now)
    var variant = AnswerVariant()
    if header.checkingDisabled { variant.insert(.checkingDisabled) }
    if header.wantsDNSSEC { variant.insert(.dnssec) }
    note(forwardedAnswers, variant, "an answer of the name servers", now, in: trace)
    let seesAll = !policy.keys.filtersPrivateAddresses || origin.client.address.isInternal
    note(keyAnswers, seesAll ? .seesPrivateAddresses : AnswerVariant(), "an answer made of packets", now, in: trace)
  }

  private func note(
    _ cache: AnswerCache, _ variant: AnswerVariant, _ what: String, _ now: Instant, in trace: ResolutionTrace
  ) {
    guard let slot = cache.find(scratch.hash, scratch.question, variant) else { return }
    let entry = cache[slot]
    let age = (now.nanoseconds &- entry.storedAt) / 1_000_000_000
    let left = (entry.expiresAt &- now.nanoseconds) / 1_000_000_000
    let kind = entry.kind == .failure ? "a failure of the name servers" : what
    trace.add(
      .cache, "\(kind), \(age) s old, \(left > 0 ? "good for \(left) s more" : "its time is over")", at: now)
  }
}

// MARK: - In words

extension DNSResolver {
  static func text(_ kind: NameKind) -> String {
    switch kind {
    case .key(let link): "a name of the key \(link.apex)" + (link.suffix.map { ", below the suffix \($0)" } ?? "")
    case .unusable(let apex, let error):
      "never forwarded: below \(apex) there is no such key" + (error.map { " (\($0.text))" } ?? "")
    case .petname(let target): "a name that the settings give to a key: \(target)"
    case .special: "a name for special use, answered here"
    case .blocked: "blocked by the settings"
    case .other: "an ordinary name, for the name servers"
    }
  }

  static func text(_ result: KeyLookupResult) -> String {
    switch result {
    case .packet(let packet, let source):
      "a packet of \(packet.records.count) records, signed \(text(packet.timestamp)), \(text(source))"
    case .notFound(let nodes, let relays): "nobody has a packet; \(nodes) nodes and \(relays) relays asked"
    case .failure(let failure): "it cannot be told: \(explanation(of: failure).text)"
    }
  }

  static func text(_ time: Timestamp) -> String { time.httpDate ?? "\(time.microseconds) µs after 1970" }

  static func text(_ source: PacketSource) -> String {
    switch source {
    case .dht: "from the DHT"
    case .relay(let url): "from \(url)"
    case .disk: "kept from an earlier run"
    }
  }

  static func text(_ finding: KeyZone.Finding) -> String {
    switch finding {
    case .records(let records): "\(records.count) records of the name and type"
    case .alias(_, let target): "an alias of \(target)"
    case .redirection(let record, _, let target): "redirected by the DNAME of \(record.name) to \(target)"
    case .redirectionTooLong(let record): "the DNAME of \(record.name) leads to a name that is too long"
    case .delegation(let cut, let servers):
      "\(cut) is delegated to \(servers.map(\.description).joined(separator: ", "))"
    case .noData: "the name exists, without records of this type"
    case .noSuchName: "the name does not exist"
    }
  }

  static func text(_ reading: ForwardedReading) -> String {
    switch reading {
    case .answer(let answer):
      "\(codeText(answer.code.rawValue)), \(answer.answers.count) records"
        + (answer.life.map { ", kept for \($0) s" } ?? ", not to be kept")
        + (answer.error.map { ", EDE \($0.code) \($0.text)" } ?? "")
    case .referral(let cut, let servers, _):
      "\(cut) is delegated to \(servers.map(\.description).joined(separator: ", "))"
    case .failure(let code, let error): "of no use: \(codeText(code.rawValue)), \(error.text)"
    }
  }

  static func codeText(_ code: UInt16) -> String {
    let names: [UInt16: String] = [
      0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
    ]
    return names[code] ?? "code \(code)"
  }
}
