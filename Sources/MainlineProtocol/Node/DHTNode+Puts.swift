import Addresses

/// Running puts: choosing the nodes, sending, counting, further waves.
extension DHTNode {
  /// Starts the part of a put in one family: with the tokens of a lookup of the last five minutes, or a new lookup.
  mutating func startPut(_ payload: PutOperation.Payload, for query: QueryID, family: Int, at now: Instant) {
    let id = identifier()
    puts[id] = PutOperation(payload, query: query, family: family, at: now)
    queries[query]?.puts.append(id)
    let kind = lookupKind(for: payload)
    let key = LookupKey(kind: kind, target: payload.target, family: families[family].family)
    if lookupsByKey[key] == nil, let known = cachedResponders(for: payload, family: family, at: now) {
      choose(known.map { candidate($0, target: payload.target) }, for: id, at: now)
    } else if let lookup = startLookup(key, family: family, listener: .put(id), at: now) {
      puts[id]?.lookup = lookup
    } else {
      endPut(id, at: now)
    }
  }

  /// Starts the part of a repair in one family: a put to given nodes.
  mutating func startRepair(
    _ item: MutableItem, at nodes: [StorageNode], for query: QueryID, family: Int, at now: Instant
  ) {
    let id = identifier()
    var put = PutOperation(.mutable(item, PutOptions()), query: query, family: family, at: now)
    put.targets = nodes.map {
      PutOperation.Target(contact: $0.contact, token: $0.token, state: $0.token.isEmpty ? .needsToken : .ready)
    }
    puts[id] = put
    queries[query]?.puts.append(id)
    pump(id, at: now)
  }

  private func lookupKind(for payload: PutOperation.Payload) -> LookupKey.Kind {
    switch payload {
    case .mutable(let item, _): .getMutable(key: item.key, salt: item.salt, seq: max(0, item.seq - 1))
    case .immutable: .closestNodes
    case .announce: .getPeers
    }
  }

  private func cachedResponders(
    for payload: PutOperation.Payload, family: Int, at now: Instant
  ) -> [ResponderCache.Responder]? {
    let kind: ResponderCache.Kind = if case .announce = payload { .peers } else { .items }
    let known = responders.responders(for: payload.target, kind: kind, at: now).filter {
      $0.contact.endpoint.family == families[family].family
    }
    return known.count >= ResponderCache.minimumForPut ? known : nil
  }

  private func candidate(_ responder: ResponderCache.Responder, target: NodeID) -> Candidate {
    Candidate(
      contact: responder.contact, distance: responder.contact.id ^ target, isSecure: isSecure(responder.contact),
      isAnonymous: false, state: .answered, token: responder.token, isStorable: true)
  }

  /// The lookup for the nodes has ended: conflicts are noticed before anything is sent.
  mutating func putLookupEnded(_ id: Int, _ state: LookupState, at now: Instant) {
    guard puts[id] != nil else { return }
    puts[id]!.lookup = nil
    puts[id]!.outcome.lookup = state.counts
    if let newest = state.newest {
      puts[id]!.outcome.highestSeqFound = newest.seq
      puts[id]!.outcome.holdersOfHighest = state.counts.holdersOfNewest
      if case .mutable(let item, let options) = puts[id]!.payload, !options.force {
        if newest.seq > item.seq { return refusePut(id, QueryFailure.notMostRecent, at: now) }
        if newest.seq == item.seq, newest.value != item.value {
          return refusePut(id, QueryFailure.conflictRisk, at: now)
        }
      }
    }
    choose(state.walk.respondersByTrust.filter(\.isStorable), for: id, newest: state.newest, at: now)
  }

  /// The nodes that an item or announcement belongs to: as many in S-order as the Sybil defence wants, and the eight
  /// closest whatever their ids. `rest`: the others, by distance.
  func storageNodes(
    among responders: [Candidate], target: NodeID
  ) -> (chosen: [Candidate], rest: [Candidate]) {
    let byDistance = responders.sorted { $0.distance < $1.distance }
    let count = StorageCut.count(
      of: responders.lazy.map(\.contact), target: target, sizeEstimate: sizeEstimate.storageEstimate,
      averageSubnets: sizeEstimate.averageSubnets)
    var chosen = Array(responders.prefix(count))
    var endpoints = Set(chosen.map(\.contact.endpoint))
    for candidate in byDistance.prefix(PutOperation.closestCount)
    where endpoints.insert(candidate.contact.endpoint).inserted {
      chosen.append(candidate)
    }
    return (chosen, byDistance.filter { !endpoints.contains($0.contact.endpoint) })
  }

  /// The first wave, and those who are left for further ones.
  private mutating func choose(
    _ responders: [Candidate], for id: Int, newest: MutableItem? = nil, at now: Instant
  ) {
    guard let payload = puts[id]?.payload else { return }
    func target(_ candidate: Candidate) -> PutOperation.Target {
      var target = PutOperation.Target(contact: candidate.contact, token: candidate.token ?? [], state: .ready)
      if case .mutable(let item, _) = payload, newest == item { target.holdsIt = candidate.returnedSeq == item.seq }
      return target
    }
    let (chosen, rest) = storageNodes(among: responders, target: payload.target)
    var endpoints = Set(chosen.map(\.contact.endpoint))
    puts[id]!.targets = chosen.map(target)
    puts[id]!.reserve = rest.map(target)
    if case .mutable(_, let options) = payload {
      for endpoint in options.extraNodes.prefix(2000)
      where endpoint.family == families[puts[id]!.family].family && endpoints.insert(endpoint).inserted {
        puts[id]!.targets.append(
          PutOperation.Target(contact: NodeContact(id: .zero, endpoint: endpoint), token: [], state: .needsToken))
      }
    }
    storeLocally(id, responders.sorted { $0.distance < $1.distance }, at: now)
    pump(id, at: now)
  }

  /// If we are a server among the closest ourselves, we store it like any of them.
  private mutating func storeLocally(_ id: Int, _ byDistance: [Candidate], at now: Instant) {
    guard let put = puts[id], serverMode.isServer else { return }
    let distance = families[put.family].table.localID ^ put.payload.target
    guard byDistance.count < Lookup.width || distance < byDistance[Lookup.width - 1].distance else { return }
    switch put.payload {
    case .mutable(let item, let options):
      let address = IPAddress.loopbackV4
      let verdict = item.signature.withUnsafeBytes {
        items.judge(
          target: item.target, seq: item.seq, value: item.value.span.bytes, signature: $0.bytes, cas: options.cas,
          from: address, at: now)
      }
      var isStored = verdict == .refreshed
      if verdict == .verify {
        isStored = item.signature.withUnsafeBytes { signature in
          item.key.withUnsafeBytes { key in
            items.put(
              key: key.bytes, seq: item.seq, signature: signature.bytes, value: item.value.span.bytes,
              target: item.target, from: address, at: now)
          }
        }
      }
      puts[id]!.outcome.storedLocally = isStored
    case .immutable(let item):
      puts[id]!.outcome.storedLocally = items.put(
        immutable: item.value.span.bytes, target: item.target, from: .loopbackV4, at: now)
    case .announce: break
    }
  }

  // MARK: Sending

  /// Sends as much as may be sent now; ends the put when all have answered or failed.
  mutating func pump(_ id: Int, at now: Instant) {
    while let put = puts[id], put.inFlight < PutOperation.maximumInFlight {
      guard let index = put.targets.firstIndex(where: { $0.state == .ready || $0.state == .needsToken }) else { break }
      let target = put.targets[index]
      let isSent: Bool
      if target.state == .needsToken {
        isSent = send(
          tokenQuery(for: put.payload), to: target.contact.endpoint, contact: nil,
          owner: .putToken(id, target: index), at: now)
      } else {
        isSent = send(
          put.payload.query(token: target.token), to: target.contact.endpoint, contact: target.contact,
          owner: .put(id, target: index), at: now)
        if isSent, !target.hasAskedAgain { puts[id]!.outcome.sent += 1 }
      }
      guard isSent else {
        stall(id, at: now)
        return
      }
      puts[id]!.targets[index].state = .waiting
      puts[id]!.inFlight += 1
    }
    proceed(id, at: now)
  }

  private func tokenQuery(for payload: PutOperation.Payload) -> OutgoingQuery {
    switch payload {
    case .mutable(let item, _): .get(item.target, seq: item.seq)
    case .immutable(let item): .get(item.target, seq: nil)
    case .announce(let infoHash, _): .getPeers(infoHash)
    }
  }

  /// Once all of a wave have ended: another wave if too few stored it, or the end.
  private mutating func proceed(_ id: Int, at now: Instant) {
    guard let put = puts[id] else { return }
    if put.isRefusedByMajority { return endPut(id, at: now) }
    guard put.inFlight == 0, !put.targets.contains(where: { $0.state != .ended }) else { return }
    if put.outcome.stored < configuration.minimumStored, !put.reserve.isEmpty {
      puts[id]!.targets += put.reserve.prefix(PutOperation.waveSize)
      puts[id]!.reserve.removeFirst(min(PutOperation.waveSize, put.reserve.count))
      return pump(id, at: now)
    }
    endPut(id, at: now)
  }

  /// One more copy of the same datagram for a node that is silent: the first may have been lost.
  mutating func retransmit(_ id: Int, _ index: Int, transaction: UInt32, to endpoint: Endpoint, at now: Instant) {
    guard let put = puts[id], !put.targets[index].isRetransmitted else { return }
    guard case .now = pacer.admit(to: endpoint.address, at: now) else { return }
    puts[id]!.targets[index].isRetransmitted = true
    _ = write(
      put.payload.query(token: put.targets[index].token), transaction: transaction, to: endpoint, family: put.family)
  }

  // MARK: Answers

  /// A target stored it (`code` nil) or refused it.
  mutating func putAnswered(_ id: Int, _ index: Int, code: Int?, at now: Instant) {
    guard let put = puts[id] else { return }
    puts[id]!.inFlight -= 1
    if code == 203, !put.targets[index].hasAskedAgain {
      // Its token may have expired between lookup and put: ask for a new one, once.
      puts[id]!.targets[index].hasAskedAgain = true
      puts[id]!.targets[index].state = .needsToken
      return pump(id, at: now)
    }
    puts[id]!.targets[index].state = .ended
    if let code, !(code == 302 && put.targets[index].holdsIt) {
      puts[id]!.outcome.rejections[code, default: 0] += 1
    } else {
      puts[id]!.outcome.stored += 1
    }
    pump(id, at: now)
  }

  mutating func putTimedOut(_ id: Int, _ index: Int, at now: Instant) {
    guard puts[id] != nil else { return }
    puts[id]!.inFlight -= 1
    puts[id]!.targets[index].state = .ended
    puts[id]!.outcome.timeouts += 1
    pump(id, at: now)
  }

  /// The answer to a query for a token: nil if there was none, or none that holds a token.
  mutating func putReceivedToken(_ id: Int, _ index: Int, _ contact: NodeContact?, _ token: [UInt8]?, at now: Instant) {
    guard let put = puts[id] else { return }
    puts[id]!.inFlight -= 1
    if let contact, let token, !token.isEmpty {
      puts[id]!.targets[index].contact = contact
      puts[id]!.targets[index].token = token
      puts[id]!.targets[index].state = .ready
    } else {
      puts[id]!.targets[index].state = .ended
      if put.targets[index].hasAskedAgain { puts[id]!.outcome.rejections[203, default: 0] += 1 }
    }
    pump(id, at: now)
  }

  // MARK: End

  private mutating func refusePut(_ id: Int, _ failure: (PutOutcome) -> QueryFailure, at now: Instant) {
    guard let put = puts[id] else { return }
    queries[put.query]?.refusal = failure(put.outcome)
    endPut(id, at: now)
  }

  private mutating func endPut(_ id: Int, at now: Instant) {
    guard var put = puts.removeValue(forKey: id) else { return }
    stalled.remove(id)
    guard queries[put.query] != nil else { return }
    put.outcome.duration = put.startedAt.duration(to: now)
    queries[put.query]!.stored = queries[put.query]!.stored?.merged(with: put.outcome) ?? put.outcome
    queries[put.query]!.runningParts -= 1
    guard queries[put.query]!.runningParts <= 0, let query = queries[put.query], let outcome = query.stored else {
      return
    }
    if let refusal = query.refusal, outcome.stored == 0 {
      finish(put.query, .failed(refusal))
    } else {
      finish(put.query, outcome.result(isMutable: put.payload.isMutable))
    }
  }

  /// Stops a put; what was sent cannot be taken back.
  mutating func abandonPut(_ id: Int) {
    guard let put = puts.removeValue(forKey: id) else { return }
    stalled.remove(id)
    if let lookup = put.lookup { stopListening(.put(id), to: lookup) }
  }
}
