import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

extension DNSResolver {
  /// Begins to follow a delegation out of a key's zone, or tells of it if it is not to be followed.
  func delegate(
    _ resolution: Resolution, at link: KeyName, _ zone: KeyZone, cut: DomainName, servers: [DomainName],
    _ present: LinkAnswer
  ) {
    let glue = servers.flatMap { zone.addresses(of: $0) }
    guard policy.keys.followsDelegations, resolution.mayAsk else {
      // A referral: who asks may go on by himself.
      if resolution.aliases == 0 { resolution.draft.isAuthoritative = false }
      resolution.draft.authorities += present(zone.records(at: cut).filter { $0.type == .ns })
      resolution.draft.additionals += present(
        servers.flatMap { server in zone.records.filter { $0.name == server && $0.data.ipAddress != nil } })
      return resolution.finish()
    }
    begin(resolution, at: link, cut: cut, servers: servers, glue: glue) { zone.addresses(of: $0).isEmpty }
  }

  private func begin(
    _ resolution: Resolution, at link: KeyName, cut: DomainName, servers: [DomainName], glue: [IPAddress],
    isWithoutGlue: (DomainName) -> Bool
  ) {
    resolution.delegations += 1
    resolution.holdsUnverified = true
    guard resolution.delegations <= policy.work.maximumDelegations else {
      return resolution.fail(.serverFailure, .other("more than \(policy.work.maximumDelegations) delegations"))
    }
    if resolution.aliases == 0 { resolution.draft.isAuthoritative = false }
    let hosts = servers.filter(isWithoutGlue).prefix(max(0, policy.work.maximumServersPerDelegation))
    var delegation = Delegation(cut: cut, link: link, hosts: Array(hosts), addresses: [])
    add(glue, to: &delegation)
    resolution.delegation = delegation
    resolution.step = .ready
  }

  /// Takes the addresses that may be asked.
  private func add(_ addresses: [IPAddress], to delegation: inout Delegation) {
    for address in addresses where delegation.addresses.count < policy.work.maximumServersPerDelegation * 2 {
      let isAllowed = policy.keys.allowedServers.contains { $0.contains(address) }
      let isOwn = policy.keys.ownAddresses.contains(address)
      if isOwn || address.isNoServer && !isAllowed {
        delegation.wasDenied = true
      } else if !delegation.addresses.contains(address) {
        delegation.addresses.append(address)
      }
    }
  }

  /// Asks the next server, or for the address of one.
  func advanceDelegation(_ resolution: Resolution) {
    guard var delegation = resolution.delegation else { return }
    if let host = delegation.pendingHost {
      delegation.pendingHost = nil
      resolution.delegation = delegation
      // Its packet or its address is there now, or will not be.
      findAddress(of: host, resolution, mayAsk: false)
      return
    }
    guard delegation.asked < policy.work.maximumServersPerDelegation else { return endDelegation(resolution) }
    if !delegation.addresses.isEmpty {
      let server = Endpoint(delegation.addresses.removeFirst(), port: policy.keys.delegationPort)
      delegation.asked += 1
      resolution.delegation = delegation
      let question = ForwardQuestion(
        name: delegation.link.name, type: resolution.question.type, class: .internet, recursionDesired: false,
        checkingDisabled: false, wantsDNSSEC: false)
      if let error = ask(ForwardKey(question: question, server: server), resolution) {
        resolution.fail(.serverFailure, error)
      }
      return
    }
    guard !delegation.hosts.isEmpty else { return endDelegation(resolution) }
    let host = delegation.hosts.removeFirst()
    resolution.delegation = delegation
    findAddress(of: host, resolution, mayAsk: true)
  }

  private func endDelegation(_ resolution: Resolution) {
    guard let delegation = resolution.delegation else { return }
    if delegation.asked == 0, delegation.wasDenied {
      return resolution.fail(.serverFailure, .prohibited("the delegated server's address is not to be asked"))
    }
    resolution.fail(
      .serverFailure,
      delegation.lastFailure ?? .unreachable("no delegated server answered; asked \(delegation.asked)"))
  }

  /// Looks for the addresses of a server by its name.
  private func findAddress(of host: DomainName, _ resolution: Resolution, mayAsk: Bool) {
    switch NameKind(host, policy: policy) {
    case .key(let link):
      guard let packet = packetForServer(of: link.key, resolution) else {
        if case .packet = resolution.step { resolution.delegation?.pendingHost = host }
        return
      }
      addAddresses(KeyZone(packet, apex: link.apex).addresses(of: link.name), resolution)
    case .other:
      let question = ForwardQuestion(
        name: host, type: .a, class: .internet, recursionDesired: true, checkingDisabled: false, wantsDNSSEC: false)
      if let answer = cachedAnswer(to: question, allowsStale: !mayAsk) {
        addAddresses(answer.answers.compactMap(\.data.ipAddress), resolution)
      } else if mayAsk, ask(ForwardKey(question: question, server: nil), resolution) == nil {
        resolution.delegation?.pendingHost = host
      }
    case .unusable, .special, .blocked, .petname: break
    }
  }

  /// Takes the answer to a question for the address of a delegated server.
  func takeServerAddress(_ answer: ForwardedAnswer, _ resolution: Resolution) {
    resolution.delegation?.pendingHost = nil
    addAddresses(answer.answers.compactMap(\.data.ipAddress), resolution)
    resolution.step = .ready
  }

  private func addAddresses(_ addresses: [IPAddress], _ resolution: Resolution) {
    guard var delegation = resolution.delegation else { return }
    add(addresses, to: &delegation)
    resolution.delegation = delegation
  }

  /// Takes the reply of a delegated server.
  func take(_ reading: ForwardedReading, fromDelegated resolution: Resolution) {
    guard let delegation = resolution.delegation else { return }
    let link = delegation.link
    switch reading {
    case .failure(_, let error): resolution.delegation?.lastFailure = error
    case .referral(let cut, let servers, let glue):
      begin(resolution, at: link, cut: cut, servers: servers, glue: glue) { _ in glue.isEmpty }
    case .answer(let answer) where answer.isTruncated && !answer.hasData:
      resolution.delegation?.lastFailure = .unreachable("a delegated server's answer was cut")
    case .answer(let answer):
      let translation = SuffixTranslation(apex: link.apex, suffix: link.suffix)
      resolution.draft.answers += answer.answers.compactMap(translation.translate)
      resolution.draft.additionals += answer.additionals.compactMap(translation.translate)
      resolution.draft.error = resolution.draft.error ?? answer.error
      let life = answer.life.map { now.advanced(by: .seconds(Int64($0))) } ?? now
      resolution.freshUntil = min(resolution.freshUntil, life)
      resolution.delegation = nil
      if answer.hasData || answer.aliasCount == 0 {
        resolution.draft.authorities += answer.authorities.compactMap(translation.translate)
        resolution.finish(answer.code)
      } else {
        follow(resolution, to: translation.translate(answer.lastName), links: answer.aliasCount)
      }
    }
  }
}
