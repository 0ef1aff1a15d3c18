import Addresses

/// Queries of the user: starting, cancelling, putting their parts together.
extension DHTNode {
  /// How long a query waits for a first node to ask.
  static let patienceForBootstrap: Duration = .seconds(5)

  /// Starts a query. Its events carry the returned id; the last is ``NodeEvent/finished(_:_:)``.
  public mutating func start(_ query: Query, at now: Instant) -> QueryID {
    let id = QueryID(value: UInt64(identifier()))
    queries[id] = ActiveQuery(query, at: now)
    if needsNodes(query), families.allSatisfy({ !hasSeeds($0) }) {
      if configuration.hasBootstrap {
        deferred.append(id)
        timers.schedule(.deferredQueries, at: now.advanced(by: Self.patienceForBootstrap))
      } else {
        finish(id, .failed(.noNodes))
      }
    } else {
      run(id, at: now)
    }
    return id
  }

  /// Forgets a query: no event will come for it.
  public mutating func cancel(_ id: QueryID, at now: Instant) {
    guard let query = queries.removeValue(forKey: id) else { return }
    deferred.removeAll { $0 == id }
    for put in query.puts { abandonPut(put) }
    for lookup in query.lookups { stopListening(.query(id), to: lookup) }
  }

  /// Ends everything: each query fails with ``QueryFailure/cancelled``.
  public mutating func shutDown() {
    for id in queries.keys.sorted(by: { $0.value < $1.value }) { finish(id, .failed(.cancelled)) }
    lookups = [:]
    lookupsByKey = [:]
    puts = [:]
    deferred = []
  }

  /// If the last listener goes away the walk stops; what is in flight still feeds the table.
  mutating func stopListening(_ listener: LookupState.Listener, to lookup: Int) {
    guard lookups[lookup] != nil else { return }
    lookups[lookup]!.listeners.removeAll { $0 == listener }
    if lookups[lookup]!.listeners.isEmpty {
      lookupsByKey[lookups[lookup]!.key] = nil
      lookups[lookup] = nil
      stalled.remove(lookup)
    }
  }

  private func needsNodes(_ query: Query) -> Bool {
    switch query {
    case .ping, .repairMutable: false
    default: true
    }
  }

  func hasSeeds(_ state: FamilyState) -> Bool {
    state.table.hasUsableNodes || bootstrapEndpoints.contains { $0.family == state.family && !isOwn($0) }
      || savedContacts.contains { $0.endpoint.family == state.family }
  }

  /// Runs what waited for a first node: when there is one, or for the last time when patience is over.
  mutating func startDeferred(isLastChance: Bool, at now: Instant) {
    let waiting = deferred
    deferred = []
    for id in waiting {
      guard let query = queries[id] else { continue }
      let isOver = query.startedAt.advanced(by: Self.patienceForBootstrap) <= now
      if families.contains(where: { hasSeeds($0) }) || isLastChance && isOver {
        run(id, at: now)
      } else {
        deferred.append(id)
      }
    }
  }

  // MARK: Running

  private mutating func run(_ id: QueryID, at now: Instant) {
    guard let query = queries[id]?.query else { return }
    switch query {
    case .ping(let endpoint):
      let isSent = send(.ping, to: endpoint, contact: nil, owner: .ping(id), at: now)
      if !isSent { finish(id, .failed(.noNodes)) }
    case .findNode(let target): runLookup(id, .findNode, target, at: now)
    case .closestNodes(let target): runLookup(id, .closestNodes, target, at: now)
    case .getPeers(let infoHash): runLookup(id, .getPeers, infoHash, at: now)
    case .getImmutable(let target): runLookup(id, .getImmutable, target, at: now)
    case .getMutable(let key, let salt, let newerThan):
      // Always with `seq`: a node of libtorrent then cannot be made to hide the item (see `spec` of BEP 44's `seq`).
      let kind = LookupKey.Kind.getMutable(key: key, salt: salt, seq: max(0, newerThan ?? 0))
      runLookup(id, kind, MutableItem.target(of: key, salt: salt), at: now)
    case .announcePeer(let infoHash, let port): runPuts(id, .announce(infoHash, port: port), at: now)
    case .putImmutable(let item): runPuts(id, .immutable(item), at: now)
    case .putMutable(let item, let options):
      guard item.seq >= 0, item.salt.count <= ItemValue.maximumSaltByteCount else {
        return finish(id, .failed(.invalidItem))
      }
      runPuts(id, .mutable(item, options), at: now)
    case .repairMutable(let item, let nodes):
      guard item.seq >= 0, item.salt.count <= ItemValue.maximumSaltByteCount else {
        return finish(id, .failed(.invalidItem))
      }
      runRepair(id, item, at: nodes.prefix(ResponderCache.respondersPerLookup), at: now)
    }
  }

  private mutating func runLookup(_ id: QueryID, _ kind: LookupKey.Kind, _ target: NodeID, at now: Instant) {
    // Counted first: a part can end before the next one begins.
    queries[id]!.runningParts = families.count
    for index in families.indices {
      let key = LookupKey(kind: kind, target: target, family: families[index].family)
      guard let lookup = startLookup(key, family: index, listener: .query(id), at: now) else {
        queries[id]?.runningParts -= 1
        continue
      }
      queries[id]?.lookups.append(lookup)
      if let state = lookups[lookup] { catchUp(id, with: state) }
    }
    if let query = queries[id], query.runningParts <= 0 { conclude(id, at: now) }
  }

  /// What a running lookup has found before this query joined it.
  private mutating func catchUp(_ id: QueryID, with state: LookupState) {
    if let newest = state.newest { report(newest, to: id) }
    for peers in state.peers { events.append(.peers(id, peers)) }
  }

  private mutating func runPuts(_ id: QueryID, _ payload: PutOperation.Payload, at now: Instant) {
    queries[id]!.runningParts = families.count
    for index in families.indices { startPut(payload, for: id, family: index, at: now) }
  }

  private mutating func runRepair(
    _ id: QueryID, _ item: MutableItem, at nodes: ArraySlice<StorageNode>, at now: Instant
  ) {
    queries[id]!.runningParts = families.count
    for index in families.indices {
      let own = nodes.filter { $0.contact.endpoint.family == families[index].family && !isOwn($0.contact.endpoint) }
      startRepair(item, at: own, for: id, family: index, at: now)
    }
  }

  // MARK: Ending

  /// A lookup of this query has ended.
  mutating func lookupEnded(_ state: LookupState, for id: QueryID, at now: Instant) {
    guard queries[id] != nil else { return }
    if let newest = state.newest { report(newest, to: id) }
    if let item = state.immutable { queries[id]!.immutable = item }
    queries[id]!.counts = (queries[id]!.counts ?? GetOutcome()).merged(with: state.counts)
    queries[id]!.found += state.walk.found.map {
      NodesOutcome.Found(
        contact: $0.contact, responded: $0.state == .answered, token: $0.token, isSecure: $0.isSecure)
    }
    partEnded(id, at: now)
  }

  mutating func partEnded(_ id: QueryID, at now: Instant) {
    guard queries[id] != nil else { return }
    queries[id]!.runningParts -= 1
    if queries[id]!.runningParts <= 0 { conclude(id, at: now) }
  }

  private mutating func conclude(_ id: QueryID, at now: Instant) {
    guard let query = queries[id] else { return }
    guard let counts = query.counts, counts.queried > 0 else { return finish(id, .failed(.noNodes)) }
    switch query.query {
    case .ping: return
    case .getPeers: finish(id, .peers(counts))
    case .getImmutable: finish(id, .immutable(query.immutable, counts))
    case .getMutable: finish(id, .mutable(query.newest, counts))
    case .findNode: finish(id, .nodes(NodesOutcome(nodes: Array(query.found.prefix(Lookup.width)), counts: counts)))
    case .closestNodes(let target): finish(id, .nodes(closest(query.found, to: target, counts)))
    case .announcePeer, .putImmutable, .putMutable, .repairMutable: return
    }
  }

  /// Those that would store an item: as many as a put would choose.
  private func closest(
    _ found: [NodesOutcome.Found], to target: NodeID, _ counts: GetOutcome
  ) -> NodesOutcome {
    let storable = found.filter { $0.responded && $0.token != nil }
    let count = StorageCut.count(
      of: storable.lazy.map(\.contact), target: target, sizeEstimate: sizeEstimate.storageEstimate,
      averageSubnets: sizeEstimate.averageSubnets)
    return NodesOutcome(nodes: Array(storable.prefix(count)), counts: counts)
  }

  /// Ends a query with its result.
  mutating func finish(_ id: QueryID, _ result: QueryResult) {
    guard queries.removeValue(forKey: id) != nil else { return }
    events.append(.finished(id, result))
  }
}

extension GetOutcome {
  /// The counters of two lookups together.
  func merged(with other: GetOutcome) -> GetOutcome {
    var sum = self
    sum.queried += other.queried
    sum.values += other.values
    sum.noValues += other.noValues
    sum.noMoreRecent += other.noMoreRecent
    sum.invalidValues += other.invalidValues
    sum.invalidResponses += other.invalidResponses
    sum.errors += other.errors
    sum.holdersOfNewest += other.holdersOfNewest
    sum.hidden += other.hidden
    sum.storageNodes += other.storageNodes
    sum.highestReportedSeq = [highestReportedSeq, other.highestReportedSeq].compactMap(\.self).max()
    sum.firstValueAfter = [firstValueAfter, other.firstValueAfter].compactMap(\.self).min()
    sum.duration = max(duration, other.duration)
    return sum
  }
}
