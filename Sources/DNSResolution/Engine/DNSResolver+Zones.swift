import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// How the records of a packet become those of an answer: names under their suffix, TTLs as they are by now.
  struct LinkAnswer {
    let translation: SuffixTranslation
    let age: UInt32
    /// The TTL of stale data; nil for fresh ones.
    let staleTTL: UInt32?

    func callAsFunction(_ records: [ResourceRecord]) -> [ResourceRecord] {
      records.compactMap { record in
        guard var record = translation.translate(record) else { return nil }
        if let staleTTL {
          record.ttl = min(record.ttl, staleTTL)
        } else {
          record.ttl = record.ttl > age ? record.ttl - age : 1
        }
        return record
      }
    }
  }

  /// An answer from the packet of a key.
  func answer(_ resolution: Resolution, at link: KeyName, _ entry: PacketCache.Entry, staleAge: UInt64?) {
    let zone = KeyZone(entry.packet, apex: link.apex)
    if let staleAge {
      resolution.staleAge = max(resolution.staleAge ?? 0, staleAge)
    } else {
      resolution.freshUntil = min(resolution.freshUntil, entry.freshUntil)
    }
    if resolution.aliases == 0 { resolution.draft.isAuthoritative = staleAge == nil }
    let passed = (now.nanoseconds &- entry.confirmedAt.nanoseconds) / 1_000_000_000
    let present = LinkAnswer(
      translation: SuffixTranslation(apex: link.apex, suffix: link.suffix), age: UInt32(clamping: passed),
      staleTTL: staleAge == nil ? nil : policy.cache.staleTTL)
    if answerFromOutsideOfPacket(resolution, at: link, zone, entry.packet, present) {
      return resolution.note(.packet, at: now, "answered with what is made of the packet")
    }
    answer(resolution, at: link, zone, present)
  }

  private func answer(_ resolution: Resolution, at link: KeyName, _ zone: KeyZone, _ present: LinkAnswer) {
    let finding = zone.find(link.name, resolution.question.type)
    resolution.note(.packet, at: now, Self.text(finding))
    switch finding {
    case .records(let records):
      resolution.draft.answers += present(records)
      resolution.draft.additionals += present(zone.additionalRecords(for: records))
      resolution.finish()
    case .alias(let record, let target):
      let shown = present([record])
      resolution.draft.answers += shown
      follow(resolution, to: shown.first.flatMap(Self.target) ?? target)
    case .redirection(let record, let alias, let target):
      let shown = present([record, alias])
      resolution.draft.answers += shown
      // Who asks for the alias itself has it now.
      if resolution.question.type == .cname { return resolution.finish() }
      follow(resolution, to: shown.last.flatMap(Self.target) ?? target)
    case .redirectionTooLong(let record):
      resolution.draft.answers += present([record])
      resolution.finish(.nameExists)
    case .delegation(let cut, let servers):
      delegate(resolution, at: link, zone, cut: cut, servers: servers, present)
    case .noData: answerNegatively(resolution, at: link, zone, .noError, present)
    case .noSuchName: answerNegatively(resolution, at: link, zone, .noSuchName, present)
    }
  }

  private static func target(_ record: ResourceRecord) -> DomainName? {
    guard case .cname(let target) = record.data else { return nil }
    return target
  }

  private func answerNegatively(
    _ resolution: Resolution, at link: KeyName, _ zone: KeyZone, _ code: ResponseCode, _ present: LinkAnswer
  ) {
    // A key whose owner has put nothing but servers at its apex means these to answer for everything else.
    let servers = zone.records(at: zone.apex).compactMap(\.serverName)
    let isDelegated =
      policy.keys.followsApexDelegations && !servers.isEmpty && zone.records(at: link.name).isEmpty
      && !zone.records.contains { $0.name == zone.apex && $0.type == .soa }
    let isApexQuestion = link.name == zone.apex && [.ns, .soa].contains(resolution.question.type)
    if isDelegated
      || policy.keys.followsApexDelegations && !servers.isEmpty && link.name == zone.apex && !isApexQuestion
        && !zone.records.contains(where: { $0.name == zone.apex && $0.type != .ns })
    {
      return delegate(resolution, at: link, zone, cut: zone.apex, servers: servers, present)
    }
    if zone.soa(policy).isMade { resolution.holdsUnverified = true }
    resolution.draft.authorities += present([zone.negativeSOA(policy)])
    resolution.finish(code)
  }

  /// What is not in the packet but made of it: the packet itself, the SOA and NS records of its apex.
  private func answerFromOutsideOfPacket(
    _ resolution: Resolution, at link: KeyName, _ zone: KeyZone, _ packet: SignedPacket, _ present: LinkAnswer
  ) -> Bool {
    let type = resolution.question.type
    let here = zone.records(at: link.name)
    if link.name == zone.apex {
      if type == .soa, !here.contains(where: { $0.type == .soa || $0.type == .cname }) {
        resolution.draft.answers += present([zone.soa(policy).record])
        resolution.fail(.noError, .synthesized)
        return true
      }
      let servers = zone.madeServers(policy)
      if type == .ns, !servers.isEmpty, !here.contains(where: { $0.type == .ns || $0.type == .cname }) {
        resolution.draft.answers += present(servers)
        resolution.fail(.noError, .synthesized)
        return true
      }
    }
    guard policy.keys.servesProofs, here.isEmpty, link.name == KeyZone.proofName(apex: zone.apex) else { return false }
    if type == .txt || type == .any {
      resolution.draft.answers += present([KeyZone.proof(of: packet, name: link.name, ttl: packet.ttl().seconds)])
      resolution.fail(.noError, .synthesized)
    } else {
      resolution.holdsUnverified = true
      resolution.draft.authorities += present([zone.negativeSOA(policy)])
      resolution.finish()
    }
    return true
  }

  /// The answer for a key that has no packet.
  func answer(_ resolution: Resolution, at link: KeyName, _ absence: PacketCache.Absence, staleAge: UInt64?) {
    var ttl = policy.cache.staleTTL
    if let staleAge {
      resolution.staleAge = max(resolution.staleAge ?? 0, staleAge)
    } else {
      ttl = UInt32(clamping: max(1, (absence.until.nanoseconds &- now.nanoseconds) / 1_000_000_000))
      resolution.freshUntil = min(resolution.freshUntil, absence.until)
    }
    if resolution.aliases == 0 { resolution.draft.isAuthoritative = staleAge == nil }
    resolution.holdsUnverified = true
    let apex = link.apex.joined(link.suffix) ?? link.apex
    resolution.draft.authorities += [KeyZone.madeSOA(apex: apex, serial: 0, ttl: ttl, policy)]
    resolution.fail(
      .noSuchName,
      .other("no packet of this key; asked \(absence.nodesAsked) nodes, \(absence.relaysAsked) relays"))
  }

  /// The answer for a name that the operator gave to a key: an alias, so that everybody sees which key it is.
  func answer(_ resolution: Resolution, petnameOf target: DomainName) {
    let ttl = policy.cache.keyNegativeTTL
    resolution.holdsUnverified = true
    if resolution.aliases == 0 { resolution.draft.isAuthoritative = true }
    resolution.draft.answers.append(ResourceRecord(name: resolution.name, ttl: ttl, data: .cname(target)))
    guard resolution.question.type != .cname, resolution.question.type != .any else { return resolution.finish() }
    resolution.freshUntil = min(resolution.freshUntil, now.advanced(by: .seconds(Int64(ttl))))
    follow(resolution, to: target)
  }

  /// The answer for a name for special use.
  func answer(_ resolution: Resolution, _ special: SpecialName) {
    let type = resolution.question.type
    func negative(_ apex: DomainName, _ code: ResponseCode) {
      let soa = KeyZone.madeSOA(apex: apex, serial: 1, ttl: policy.cache.keyNegativeTTL, policy)
      if type == .soa, resolution.name == apex, code == .noError {
        resolution.draft.answers.append(soa)
      } else {
        resolution.draft.authorities.append(soa)
      }
      resolution.finish(code)
    }
    func add(_ data: RecordData) {
      resolution.draft.answers.append(
        ResourceRecord(name: resolution.name, ttl: policy.cache.keyNegativeTTL, data: data))
    }
    resolution.draft.isAuthoritative = true
    switch special {
    case .localhost:
      guard type == .a || type == .aaaa else { return negative(.literal("localhost"), .noError) }
      add(.address(type == .a ? .loopbackV4 : .loopbackV6))
      resolution.finish()
    case .empty(let apex): negative(apex, resolution.name == apex ? .noError : .noSuchName)
    case .nonexistent(let apex): negative(apex, .noSuchName)
    case .resolver(let isDesignation, let exists):
      let bindings = policy.local.designatedResolvers
      guard isDesignation, type == .svcb, !bindings.isEmpty else {
        return negative(SpecialName.resolverArpa, exists ? .noError : .noSuchName)
      }
      for binding in bindings { add(.svcb(binding)) }
      let targets = Set(bindings.map(\.target))
      for target in targets where !target.isRoot {
        for address in policy.local.designatedAddresses {
          resolution.draft.additionals.append(
            ResourceRecord(name: target, ttl: policy.cache.keyNegativeTTL, data: .address(address)))
        }
      }
      resolution.finish()
    }
  }
}
