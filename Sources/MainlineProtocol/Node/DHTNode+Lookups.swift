import Addresses
import Bencode
import WireFormat

/// Running lookups: starting, feeding and finishing walks.
extension DHTNode {
  /// Fewer nodes of our own than this to begin with, and the bootstrap addresses are asked as well.
  static let minimumSeeds = 8

  /// Starts a lookup, or joins one that is the same. Nil if there is nobody to ask.
  mutating func startLookup(
    _ key: LookupKey, family: Int, listener: LookupState.Listener, at now: Instant
  ) -> Int? {
    if let running = lookupsByKey[key] {
      lookups[running]?.listeners.append(listener)
      return running
    }
    let id = identifier()
    var state = LookupState(
      key: key, family: family, startedAt: now,
      walk: Lookup(target: key.target, limitsAddresses: configuration.network == .public), listeners: [listener])
    seed(&state, at: now)
    guard !state.walk.candidates.isEmpty else { return nil }
    lookups[id] = state
    lookupsByKey[key] = id
    advance(id, at: now)
    return id
  }

  /// The first candidates: the closest of our table and of an earlier lookup, and if those are few the saved nodes and
  /// bootstrap addresses.
  private mutating func seed(_ state: inout LookupState, at now: Instant) {
    let target = state.key.target
    let family = state.key.family
    var seeds = families[state.family].table.usableNodes()
    if state.asksForItems { seeds.removeAll { $0.lacksItems(at: now) } }
    var distances = seeds.map { (distance: $0.id ^ target, node: $0) }
    distances.sort { $0.distance < $1.distance }
    for (place, seed) in distances.enumerated() where place < Lookup.closestWidth || seed.node.isSecure {
      guard state.walk.candidates.count < Lookup.width + Lookup.closestWidth else { break }
      state.walk.add(seed.node.contact, isSecure: seed.node.isSecure, source: nil)
    }
    for seed in distances {
      guard state.walk.candidates.count < Lookup.width else { break }
      state.walk.add(seed.node.contact, isSecure: seed.node.isSecure, source: nil)
    }
    let kind: ResponderCache.Kind = state.asksForItems ? .items : .peers
    for responder in responders.responders(for: target, kind: kind, at: now).prefix(Lookup.width)
    where responder.contact.endpoint.family == family {
      state.walk.add(responder.contact, isSecure: isSecure(responder.contact), source: nil)
    }
    guard state.walk.candidates.count < Self.minimumSeeds else { return }
    for contact in savedContacts.prefix(Lookup.width)
    where contact.endpoint.family == family && isUsable(contact.endpoint) {
      state.walk.add(contact, isSecure: isSecure(contact), source: nil)
    }
    for endpoint in bootstrapEndpoints where endpoint.family == family && !isOwn(endpoint) {
      state.walk.addAnonymous(endpoint)
    }
  }

  /// Sends what may be sent, and ends the lookup when there is nothing left to wait for.
  mutating func advance(_ id: Int, at now: Instant) {
    // Whatever is read comes out of one look at the state, which is large.
    while let step = lookups[id]?.nextStep {
      switch step {
      case .wait: return
      case .finish: return finishLookup(id, at: now)
      case .widen:
        if !lookups[id]!.walk.isWidening { widen(id, at: now) }
        if !lookups[id]!.walk.isWidening { finishLookup(id, at: now) }
        return
      case .ask(let question): guard ask(question, for: id, at: now) else { return stall(id, at: now) }
      }
    }
  }

  /// False if it may not be sent now.
  private mutating func ask(_ question: LookupState.Question, for id: Int, at now: Instant) -> Bool {
    let candidate = question.candidate
    let isSent = send(
      question.query, to: question.endpoint, contact: question.contact, owner: .lookup(id, candidate: candidate),
      asksForItems: question.asksForItems, at: now)
    guard isSent else { return false }
    if question.isFirst {
      // The time of a lookup that had to wait for its turn begins with its turn.
      timers.schedule(.lookupLimit(id), at: now.advanced(by: Lookup.maximumDuration))
    }
    lookups[id]!.walk.asked(candidate)
    lookups[id]!.counts.queried += 1
    return true
  }

  /// Asks for the nodes around the closest ones, if those are fewer than the walk wants.
  private mutating func widen(_ id: Int, at now: Instant) {
    for (target, candidate) in lookups[id]!.walk.widening() {
      let contact = lookups[id]!.walk.candidates[candidate].contact
      let isSent = send(
        .findNode(target), to: contact.endpoint, contact: contact, owner: .widening(id, candidate: candidate), at: now)
      if isSent { lookups[id]!.walk.wideningAsked() }
    }
  }

  mutating func wideningAnswered(
    _ id: Int, _ candidate: Int, _ contact: NodeContact, _ message: KRPCMessage, _ datagram: RawSpan, at now: Instant
  ) {
    guard lookups[id] != nil else { return }
    addCandidates(id, candidate, message.body, datagram, namedBy: contact.endpoint, at: now)
    wideningEnded(id, at: now)
  }

  mutating func wideningEnded(_ id: Int, at now: Instant) {
    guard lookups[id] != nil else { return }
    lookups[id]!.walk.wideningEnded()
    advance(id, at: now)
  }

  /// Something must come and wake a lookup or put that may not send now.
  mutating func stall(_ id: Int, at now: Instant) {
    stalled.insert(id)
    scheduleOnce(.pacer, at: now.advanced(by: .milliseconds(50)))
  }

  /// Lets those go on who waited for others' answers, once enough of them have come.
  mutating func resumeIfRoom(at now: Instant) {
    if waitsForRoom, requests.hasRoom { resumeStalled(at: now) }
  }

  mutating func resumeStalled(at now: Instant) {
    let waiting = stalled.sorted()
    stalled = []
    waitsForRoom = false
    // Those who have waited longest come first.
    for id in waiting {
      if lookups[id] != nil {
        if requests.isFullForLookups {
          waitsForRoom = true
          stall(id, at: now)
        } else {
          advance(id, at: now)
        }
      }
      if puts[id] != nil { pump(id, at: now) }
    }
  }

  // MARK: Answers

  mutating func lookupAnswered(
    _ id: Int, _ candidate: Int, _ contact: NodeContact, isSecure: Bool, _ message: KRPCMessage,
    _ datagram: RawSpan, at now: Instant
  ) {
    guard lookups[id] != nil else { return }
    let body = message.body
    let token = body.token.isPresent && body.token.count > 0 ? [UInt8](datagram.extracting(body.token)) : nil
    lookups[id]!.walk.answered(candidate, id: contact.id, isSecure: isSecure, token: token)
    if message.isReadOnly { lookups[id]!.walk.distrust(candidate) }
    addCandidates(id, candidate, body, datagram, namedBy: contact.endpoint, at: now)
    switch lookups[id]!.key.kind {
    case .findNode, .closestNodes: lookups[id]!.counts.noValues += 1
    case .getPeers: takePeers(id, body, datagram, at: now)
    case .getImmutable: takeImmutable(id, candidate, body, datagram, at: now)
    case .getMutable: takeMutable(id, candidate, body, datagram, at: now)
    }
    advance(id, at: now)
  }

  private mutating func addCandidates(
    _ id: Int, _ candidate: Int, _ body: KRPCMessage.Body, _ datagram: RawSpan, namedBy responder: Endpoint,
    at now: Instant
  ) {
    let family = lookups[id]!.key.family
    let ownID = families[lookups[id]!.family].table.localID
    let list = family == .ipv4 ? body.nodes : body.nodes6
    let acceptsPrivate = configuration.network == .public && responder.address.isPrivate
    var taken = 0
    CompactNode.forEach(in: datagram.extracting(list), family: family) { node in
      guard taken < Lookup.maximumFromOneResponse else { return }
      taken += 1
      guard node.id != ownID, isUsable(node.endpoint) || acceptsPrivate && node.endpoint.address.isPrivate else {
        return
      }
      let isSecure = isSecure(node)
      guard isSecure || !configuration.enforcesSecureIDs else { return }
      lookups[id]!.walk.add(node, isSecure: isSecure, source: candidate)
    }
    lookups[id]!.walk.responseNamed(taken)
    introduceOtherFamily(family == .ipv4 ? body.nodes6 : body.nodes, datagram, at: now, not: family)
  }

  /// Nodes of the other family are worth a ping while we hardly know any (BEP 32).
  private mutating func introduceOtherFamily(
    _ list: ByteRange, _ datagram: RawSpan, at now: Instant, not family: IPAddress.Family
  ) {
    guard families.count > 1, list.isPresent, let other = families.firstIndex(where: { $0.family != family }),
      families[other].table.count < Self.minimumSeeds
    else { return }
    var strangers: [NodeContact] = []
    CompactNode.forEach(in: datagram.extracting(list), family: families[other].family) { node in
      if strangers.count < 2, isUsable(node.endpoint), families[other].table.id(at: node.endpoint) == nil {
        strangers.append(node)
      }
    }
    for stranger in strangers { ping(stranger, at: now) }
  }

  // MARK: End

  mutating func finishLookup(_ id: Int, at now: Instant) {
    guard var state = lookups.removeValue(forKey: id) else { return }
    lookupsByKey[state.key] = nil
    if lookups.isEmpty {
      // Empty tables would keep the room of as many lookups as there ever were at once.
      lookups = [:]
      lookupsByKey = [:]
    }
    stalled.remove(id)
    state.counts.duration = state.startedAt.duration(to: now)
    remember(state, at: now)
    if case .getMutable = state.key.kind { state.counts.storageNodes = holders(state) }
    if families[state.family].votes.lookupEnded(at: now) { publicAddressChanged(family: state.family, at: now) }
    for listener in state.listeners {
      switch listener {
      case .query(let query): lookupEnded(state, for: query, at: now)
      case .put(let put): putLookupEnded(put, state, at: now)
      case .ownNeighbourhood: ownNeighbourhoodFound(state, at: now)
      case .refresh: break
      }
    }
  }

  /// Where the item belongs and what is there, closest first.
  private func holders(_ state: LookupState) -> [StorageNode] {
    let responders = state.walk.respondersByTrust.filter(\.isStorable)
    return storageNodes(among: responders, target: state.key.target).chosen.sorted { $0.distance < $1.distance }.map {
      StorageNode(contact: $0.contact, token: $0.token ?? [], seq: $0.returnedSeq)
    }
  }

  /// Keeps the tokens for a put that may follow, and what the walk tells about the size of the network.
  private mutating func remember(_ state: LookupState, at now: Instant) {
    guard state.key.kind != .findNode else { return }
    let responders = state.walk.respondersByTrust
    let kind: ResponderCache.Kind = state.asksForItems ? .items : .peers
    self.responders.store(
      responders.lazy.filter(\.isStorable).map {
        ResponderCache.Responder(contact: $0.contact, token: $0.token ?? [], received: now)
      }, for: state.key.target, kind: kind, at: now)
    let named = state.walk.candidates.filter { !$0.isAnonymous }.sorted { $0.distance < $1.distance }
    sizeEstimate.record(
      NetworkSizeEstimate.Observation(
        candidates: NetworkSizeEstimate.estimate(ids: named.lazy.map(\.contact.id), target: state.key.target),
        responders: NetworkSizeEstimate.estimate(ids: responders.lazy.map(\.contact.id), target: state.key.target),
        responderCount: responders.count,
        subnets: NetworkSizeEstimate.subnets(of: named.lazy.map(\.contact.endpoint.address))))
  }
}
