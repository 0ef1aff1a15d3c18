import Addresses

/// Keeping the routing table alive: bootstrap, pings, refreshing, and the node's own address and mode.
extension DHTNode {
  static let maintenanceInterval: Duration = .seconds(60)
  static let selfLookupInterval: Duration = .seconds(15 * 60)
  /// Nodes not heard of for this long are pinged, some at a time.
  static let silenceBeforePing: Duration = .seconds(10 * 60)
  static let pingsPerMaintenance = 10
  static let unconfirmedPingInterval: Duration = .seconds(5)
  /// After a gap like this between two ticks the machine was asleep.
  static let suspension: Duration = .seconds(120)
  private static let maximumBackOff: Int64 = 60

  // MARK: Bootstrap

  /// Tells the node where its bootstrap hosts are; an empty list: none could be resolved.
  public mutating func addBootstrap(_ endpoints: [Endpoint], at now: Instant) {
    isAwaitingBootstrap = false
    for endpoint in endpoints where endpoint.port != 0 && !bootstrapEndpoints.contains(endpoint) {
      bootstrapEndpoints.append(endpoint)
    }
    if bootstrapEndpoints.count > 64 { bootstrapEndpoints.removeFirst(bootstrapEndpoints.count - 64) }
    for index in families.indices where !families[index].table.hasUsableNodes { lookUpSelf(index, at: now) }
    startDeferred(isLastChance: false, at: now)
  }

  /// Puts nodes into the table as if they had answered: for test networks, whose nodes know each other from the start.
  public mutating func seed(_ nodes: [NodeContact], at now: Instant) {
    for contact in nodes {
      guard let family = familyIndex(of: contact.endpoint), !isOwn(contact.endpoint) else { continue }
      _ = families[family].table.responded(contact, isSecure: isSecure(contact), at: now)
    }
    startDeferred(isLastChance: false, at: now)
  }

  /// Finds first nodes, with growing pauses for as long as there are none.
  mutating func bootstrap(at now: Instant) {
    let lonely = families.indices.filter { !families[$0].table.hasUsableNodes }
    if lonely.isEmpty {
      bootstrapAttempts = 0
      for index in families.indices where families[index].lastSelfLookup == .distantPast { lookUpSelf(index, at: now) }
      return
    }
    if configuration.hasBootstrap, !isAwaitingBootstrap {
      isAwaitingBootstrap = true
      events.append(.wantsBootstrap)
    }
    for index in lonely { lookUpSelf(index, at: now) }
    let pause = min(1 << Int64(min(bootstrapAttempts, 6)), Self.maximumBackOff)
    bootstrapAttempts += 1
    // An unanswered wish for addresses is repeated as well.
    if bootstrapAttempts > 1 { isAwaitingBootstrap = false }
    timers.schedule(.bootstrap, at: now.advanced(by: .seconds(pause)))
  }

  /// Looks for our own neighbourhood.
  mutating func lookUpSelf(_ family: Int, at now: Instant) {
    guard families[family].selfLookup == nil, hasSeeds(families[family]) else { return }
    let key = LookupKey(
      kind: .findNode, target: families[family].table.localID, family: families[family].family)
    families[family].lastSelfLookup = now
    guard let lookup = startLookup(key, family: family, listener: .ownNeighbourhood, at: now) else { return }
    // It may have ended at once.
    if lookups[lookup] != nil { families[family].selfLookup = lookup }
  }

  mutating func ownNeighbourhoodFound(_ state: LookupState, at now: Instant) {
    families[state.family].selfLookup = nil
    if state.counts.responded > 0 { families[state.family].isBootstrapped = true }
    startDeferred(isLastChance: false, at: now)
  }

  /// True once a lookup for the node's own id has found somebody, or the table holds eight good nodes.
  public func isBootstrapped(at now: Instant) -> Bool {
    families.contains { $0.isBootstrapped || $0.table.goodCount(at: now) >= Self.minimumSeeds }
  }

  // MARK: Pings

  mutating func ping(_ contact: NodeContact, at now: Instant) {
    _ = send(.ping, to: contact.endpoint, contact: contact, owner: .table, at: now)
  }

  /// Pings the one that waits longest to be known; one in five seconds.
  mutating func pingUnconfirmed(at now: Instant) {
    let due = lastUnconfirmedPing.advanced(by: Self.unconfirmedPingInterval)
    guard due <= now else { return }
    for index in families.indices {
      if let contact = families[index].table.unconfirmed(at: now) {
        lastUnconfirmedPing = now
        families[index].table.forgetUnconfirmed(contact)
        ping(contact, at: now)
        scheduleOnce(.unconfirmed, at: now.advanced(by: Self.unconfirmedPingInterval))
        return
      }
    }
  }

  // MARK: Every minute

  mutating func maintain(at now: Instant) {
    timers.schedule(.maintenance, at: now.advanced(by: Self.maintenanceInterval))
    limiter.forgetIdle(at: now)
    // Before the pings, which need room again.
    pacer.forgetIdle(at: now)
    for index in families.indices {
      let silent = families[index].table.silentNodes(
        for: Self.silenceBeforePing, limit: Self.pingsPerMaintenance, at: now)
      for contact in silent { ping(contact, at: now) }
      refreshBucket(index, at: now)
      if families[index].lastSelfLookup.advanced(by: Self.selfLookupInterval) <= now { lookUpSelf(index, at: now) }
    }
    if families.contains(where: { !$0.table.hasUsableNodes }), bootstrapAttempts == 0 { bootstrap(at: now) }
    items.expire(at: now)
    peers.expire(at: now)
    responders.expire(at: now)
    reviewMode(at: now)
  }

  private mutating func refreshBucket(_ family: Int, at now: Instant) {
    guard let number = families[family].table.staleBucket(at: now) else { return }
    families[family].table.refreshed(bucket: number, at: now)
    let id = families[family].table.localID
    // An id that shares all but the last `number` bits with ours, and differs in the first of those.
    let target = id.flippingBit(160 - number)
      .keepingPrefix(161 - number, restFrom: NodeID.random(using: &random))
    let key = LookupKey(kind: .findNode, target: target, family: families[family].family)
    _ = startLookup(key, family: family, listener: .refresh, at: now)
  }

  /// After a sleep of the machine nothing that waited can still be answered, and the neighbourhood is looked up anew.
  mutating func noticeSuspension(at now: Instant) {
    defer { lastTick = now }
    guard lastTick.duration(to: now) > Self.suspension, now > startedAt.advanced(by: Self.suspension) else { return }
    for index in families.indices { families[index].lastSelfLookup = .distantPast }
  }

  // MARK: Address and mode

  mutating func publicAddressChanged(family: Int, at now: Instant) {
    serverMode.addressChanged(at: now)
    ownEndpoints = configuration.localEndpoints + families.compactMap(\.votes.publicEndpoint)
    if let address = families[family].votes.publicAddress {
      let id = families[family].table.localID
      let isExempt = configuration.network == .isolated
      if !SecureNodeID.isValid(id, for: address, exemptsLocalNetworks: isExempt) {
        // The nodes stay, seen from the new id; our neighbourhood is another one.
        let newID = SecureNodeID.generate(for: address, using: &random)
        families[family].table = families[family].table.rebuilt(around: newID, at: now)
        items.rank(for: newID)
        if let lookup = families[family].selfLookup { stopListening(.ownNeighbourhood, to: lookup) }
        families[family].selfLookup = nil
        lookUpSelf(family, at: now)
      }
    }
    testReachability(at: now)
  }

  private mutating func reviewMode(at now: Instant) {
    let goodNodes = families.map { $0.table.goodCount(at: now) }.max() ?? 0
    serverMode.review(
      goodNodes: goodNodes, isSymmetric: families.contains { $0.votes.isSymmetric }, at: now)
  }

  /// Asks the driver to send a query to our public endpoint from another socket.
  mutating func testReachability(at now: Instant) {
    guard configuration.mode == .adaptive, let endpoint = families.compactMap(\.votes.publicEndpoint).first else {
      return
    }
    let datagram = serverMode.makeProbe(version: configuration.version, random: &random)
    events.append(.probeReachability(endpoint: endpoint, datagram: datagram))
    scheduleOnce(.reachability, at: now.advanced(by: ServerMode.trialPeriod))
  }

  mutating func reachabilityConfirmed(_ sender: Endpoint, at now: Instant) {
    guard let endpoint = families.compactMap(\.votes.publicEndpoint).first else { return }
    serverMode.confirmed(at: endpoint)
    reviewMode(at: now)
  }
}
