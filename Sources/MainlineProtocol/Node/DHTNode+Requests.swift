import Addresses
import Bencode
import WireFormat

/// Asking others: sending queries, and recognising their answers.
extension DHTNode {
  /// Pending requests to one endpoint, and to one address, on the public network.
  static let maximumPerEndpoint = 3
  static let maximumPerHost = 8

  func familyIndex(of endpoint: Endpoint) -> Int? {
    // A closure would be handed a copy of each.
    for index in families.indices where families[index].family == endpoint.family { return index }
    return nil
  }

  /// Sends a query if pacing and the limits of pending requests allow it. False: try again later.
  mutating func send(
    _ query: OutgoingQuery, to endpoint: Endpoint, contact: NodeContact?, owner: RequestTable.Owner,
    asksForItems: Bool = false, at now: Instant
  ) -> Bool {
    guard let family = familyIndex(of: endpoint), !requests.isFull else { return false }
    if case .lookup = owner, requests.isFullForLookups {
      waitsForRoom = true
      return false
    }
    if configuration.network == .public {
      guard
        requests.admits(endpoint, perEndpoint: Self.maximumPerEndpoint, perHost: Self.maximumPerHost)
      else { return false }
    }
    if case .later(let instant) = pacer.admit(to: endpoint.address, at: now) {
      scheduleOnce(.pacer, at: max(instant, now.advanced(by: .milliseconds(1))))
      return false
    }
    var transaction = UInt32(truncatingIfNeeded: random.next())
    while requests[transaction] != nil { transaction = UInt32(truncatingIfNeeded: random.next()) }
    guard write(query, transaction: transaction, to: endpoint, family: family) else { return false }
    requests.insert(
      RequestTable.Request(
        endpoint: endpoint, contact: contact, owner: owner, sentAt: now, asksForItems: asksForItems),
      transaction: transaction)
    let softTimeout = requests.roundTrips.softTimeout
    if softTimeout < configuration.requestTimeout {
      timers.schedule(.overdue(transaction: transaction), at: now.advanced(by: softTimeout))
    } else {
      scheduleExpiry(of: transaction, sentAt: now)
    }
    statistics.requestsSent += 1
    serverMode.contacted(endpoint)
    return true
  }

  /// Most requests are answered before this is needed, and then never have more than one timer.
  private mutating func scheduleExpiry(of transaction: UInt32, sentAt: Instant) {
    timers.schedule(.expired(transaction: transaction), at: sentAt.advanced(by: configuration.requestTimeout))
  }

  /// Writes a query into the outbox.
  mutating func write(_ query: OutgoingQuery, transaction: UInt32, to endpoint: Endpoint, family: Int) -> Bool {
    let envelope = OutgoingQuery.Envelope(
      id: families[family].table.localID, isReadOnly: !serverMode.isServer, version: configuration.version,
      wantsBothFamilies: families.count > 1)
    var writer = outbox.begin()
    query.write(to: &writer, transaction: transaction, envelope: envelope)
    guard outbox.end(writer, to: endpoint) else {
      statistics.sendDrops += 1
      return false
    }
    countSent()
    return true
  }

  /// Counts the datagram that was put into the outbox last.
  @inline(__always)
  mutating func countSent() {
    statistics.datagramsSent += 1
    statistics.bytesSent += UInt64(outbox.bytes(at: outbox.count - 1).count)
  }

  // MARK: Answers

  /// A response or error message. It counts only if it comes from the endpoint that was asked.
  mutating func receiveAnswer(_ message: KRPCMessage, _ datagram: RawSpan, from sender: Endpoint, at now: Instant) {
    guard message.transaction.count == 4,
      let transaction = datagram.extracting(message.transaction).withUnsafeBytes({
        UInt32(bigEndian: $0.loadUnaligned(as: UInt32.self))
      }) as UInt32?,
      let request = requests[transaction], request.endpoint == sender
    else {
      statistics.unmatched += 1
      return
    }
    _ = requests.remove(transaction)
    requests.record(answered: true)
    requests.roundTrips.add(nanoseconds: now.nanoseconds - request.sentAt.nanoseconds)
    if message.kind == .error {
      statistics.errorResponses += 1
      let code = message.errorDetails(in: datagram)?.code ?? 0
      answeredWithError(request, code: code, at: now)
    } else {
      statistics.responses += 1
      answered(request, message, datagram, at: now)
    }
    resumeIfRoom(at: now)
  }

  private mutating func answered(
    _ request: RequestTable.Request, _ message: KRPCMessage, _ datagram: RawSpan, at now: Instant
  ) {
    guard let family = familyIndex(of: request.endpoint), message.hasBody, message.body.id.isPresent,
      let id = NodeID(datagram.extracting(message.body.id)), id != families[family].table.localID
    else { return answeredWithError(request, code: 0, at: now) }
    let contact = NodeContact(id: id, endpoint: request.endpoint)
    let isSecure = isSecure(contact)
    if !message.isReadOnly {
      noteResponse(from: contact, isSecure: isSecure, family: family, asksForItems: request.asksForItems, at: now)
    }
    let observed = CompactNode.endpoint(datagram.extracting(message.observedEndpoint))
    if let observed, observed.family == request.endpoint.family {
      families[family].votes.vote(observed, by: request.endpoint, at: now)
    }
    switch request.owner {
    case .lookup(let lookup, let candidate):
      lookupAnswered(lookup, candidate, contact, isSecure: isSecure, message, datagram, at: now)
    case .widening(let lookup, let candidate):
      wideningAnswered(lookup, candidate, contact, message, datagram, at: now)
    case .put(let put, let target): putAnswered(put, target, code: nil, at: now)
    case .putToken(let put, let target):
      putReceivedToken(
        put, target, contact, message.body.token.isPresent ? [UInt8](datagram.extracting(message.body.token)) : nil,
        at: now)
    case .ping(let query):
      let version = message.version.isPresent ? [UInt8](datagram.extracting(message.version)) : nil
      finish(
        query,
        .ping(
          PingOutcome(
            id: id, roundTrip: request.sentAt.duration(to: now), version: version, observedEndpoint: observed)))
    case .table: break
    }
  }

  /// A node answered: the table hears of it, and who has to prove himself in turn is pinged.
  private mutating func noteResponse(
    from contact: NodeContact, isSecure: Bool, family: Int, asksForItems: Bool, at now: Instant
  ) {
    guard mayEnterTable(contact) else { return }
    let admission = families[family].table.responded(contact, isSecure: isSecure, asksForItems: asksForItems, at: now)
    if case .waiting(let silent?) = admission { ping(silent, at: now) }
    if admission == .added, !deferred.isEmpty { startDeferred(isLastChance: false, at: now) }
  }

  private mutating func answeredWithError(_ request: RequestTable.Request, code: Int, at now: Instant) {
    switch request.owner {
    case .lookup(let lookup, let candidate):
      lookups[lookup]?.walk.failed(candidate)
      if code == 0 { lookups[lookup]?.counts.invalidResponses += 1 } else { lookups[lookup]?.counts.errors += 1 }
      advance(lookup, at: now)
    case .widening(let lookup, _): wideningEnded(lookup, at: now)
    case .put(let put, let target): putAnswered(put, target, code: code, at: now)
    case .putToken(let put, let target): putReceivedToken(put, target, nil, nil, at: now)
    case .ping(let query): finish(query, .failed(.timeout(nil)))
    case .table: break
    }
  }

  // MARK: Silence

  mutating func requestOverdue(_ transaction: UInt32, at now: Instant) {
    guard let request = requests.takeOverdue(transaction) else { return }
    scheduleExpiry(of: transaction, sentAt: request.sentAt)
    defer { resumeIfRoom(at: now) }
    switch request.owner {
    case .lookup(let lookup, let candidate):
      lookups[lookup]?.walk.overdue(candidate)
      advance(lookup, at: now)
    case .widening(let lookup, _): wideningEnded(lookup, at: now)
    case .put(let put, let target): retransmit(put, target, transaction: transaction, to: request.endpoint, at: now)
    default: break
    }
  }

  mutating func requestExpired(_ transaction: UInt32, at now: Instant) {
    guard let request = requests.remove(transaction) else { return }
    requests.record(answered: false)
    statistics.timeouts += 1
    if let contact = request.contact, let family = familyIndex(of: request.endpoint) {
      if families[family].table.failed(contact, asksForItems: request.asksForItems) {
        timers.schedule(.pingAgain(contact), at: now.advanced(by: .seconds(2)))
      }
    }
    switch request.owner {
    case .lookup(let lookup, let candidate):
      lookups[lookup]?.walk.failed(candidate)
      advance(lookup, at: now)
    // It ended when its answer was overdue.
    case .widening: break
    case .put(let put, let target): putTimedOut(put, target, at: now)
    case .putToken(let put, let target): putReceivedToken(put, target, nil, nil, at: now)
    case .ping(let query): finish(query, .failed(.timeout(nil)))
    case .table: break
    }
    resumeIfRoom(at: now)
  }

  /// The operating system could not deliver to this endpoint: what waits for an answer from there has failed.
  public mutating func deliveryFailed(to endpoint: Endpoint, at now: Instant) {
    for transaction in requests.transactions(to: endpoint) { requestExpired(transaction, at: now) }
    dropStaleTimers()
  }

  // MARK: Addresses

  /// Whether the id is bound to the address (BEP 42). On an isolated network local addresses may have any id.
  func isSecure(_ contact: NodeContact) -> Bool {
    SecureNodeID.isValid(
      contact.id, for: contact.endpoint.address, exemptsLocalNetworks: configuration.network == .isolated)
  }

  func mayEnterTable(_ contact: NodeContact) -> Bool {
    isReachable(contact.endpoint) && (!configuration.enforcesSecureIDs || isSecure(contact))
  }

  private func isReachable(_ endpoint: Endpoint) -> Bool {
    endpoint.port != 0 && !isOwn(endpoint)
      && (configuration.network == .isolated || endpoint.address.isGlobalUnicast)
  }

  func isOwn(_ endpoint: Endpoint) -> Bool {
    ownEndpoints.contains(endpoint)
  }

  /// Whether a node that another one names may be asked.
  func isUsable(_ endpoint: Endpoint) -> Bool {
    let address = endpoint.address
    if endpoint.port == 0 || address.isUnspecified || address.isMulticast { return false }
    if let v4 = address.v4, v4 >> 28 == 15 { return false }  // 240/4 and broadcast
    return isReachable(endpoint)
  }
}
