import Addresses
import Bencode
import Cryptography

/// What the nodes asked by a lookup return: checked, counted, and handed on if it is better than all before.
extension DHTNode {
  mutating func takePeers(_ id: Int, _ body: KRPCMessage.Body, _ datagram: RawSpan, at now: Instant) {
    guard body.values.isPresent else {
      if body.token.isPresent {
        lookups[id]!.counts.noValues += 1
      } else {
        lookups[id]!.counts.invalidResponses += 1
      }
      return
    }
    var peers: [Endpoint] = []
    KRPCMessage.forEachString(of: body.values, in: datagram) { bytes in
      if let peer = CompactNode.endpoint(bytes), peer.port != 0 { peers.append(peer) }
    }
    noteFirstValue(id, at: now)
    lookups[id]!.counts.values += 1
    guard !peers.isEmpty else { return }
    lookups[id]!.peers.append(peers)
    for case .query(let query) in lookups[id]!.listeners { events.append(.peers(query, peers)) }
  }

  mutating func takeImmutable(
    _ id: Int, _ candidate: Int, _ body: KRPCMessage.Body, _ datagram: RawSpan, at now: Instant
  ) {
    let isMutableShape = body.key.isPresent || body.signature.isPresent || body.seq != nil
    guard body.value.isPresent, !isMutableShape else {
      if body.token.isPresent, !isMutableShape {
        lookups[id]!.counts.noValues += 1
      } else {
        lookups[id]!.counts.invalidResponses += 1
      }
      return
    }
    guard
      let item = try? ImmutableItem(verifying: datagram.extracting(body.value), target: lookups[id]!.key.target)
    else {
      lookups[id]!.counts.invalidValues += 1
      lookups[id]!.walk.distrust(candidate)
      return
    }
    noteFirstValue(id, at: now)
    lookups[id]!.counts.values += 1
    lookups[id]!.counts.holdersOfNewest += 1
    if lookups[id]!.immutable == nil {
      lookups[id]!.immutable = item
      // Any valid value is the value: nothing better can come.
      finishLookup(id, at: now)
    }
  }

  mutating func takeMutable(
    _ id: Int, _ candidate: Int, _ body: KRPCMessage.Body, _ datagram: RawSpan, at now: Instant
  ) {
    guard case .getMutable(let key, let salt, let floor) = lookups[id]!.key.kind else { return }
    guard body.value.isPresent else { return takeNoValue(id, candidate, body) }
    guard body.key.isPresent, body.signature.isPresent, let seq = body.seq else {
      // A value without its key: what a stranger can plant on libtorrent nodes to hide the item.
      lookups[id]!.counts.hidden += 1
      lookups[id]!.counts.invalidResponses += 1
      lookups[id]!.walk.distrust(candidate)
      return
    }
    guard let item = verified(id, seq: seq, body, datagram, key: key, salt: salt) else {
      lookups[id]!.counts.invalidValues += 1
      lookups[id]!.walk.distrust(candidate)
      return
    }
    lookups[id]!.walk.holds(candidate, seq: seq)
    if let floor, floor > 0, seq <= floor {
      lookups[id]!.counts.noMoreRecent += 1
      return
    }
    noteFirstValue(id, at: now)
    lookups[id]!.counts.values += 1
    take(item, in: id)
  }

  private mutating func takeNoValue(_ id: Int, _ candidate: Int, _ body: KRPCMessage.Body) {
    if let seq = body.seq {
      lookups[id]!.counts.noMoreRecent += 1
      lookups[id]!.counts.highestReportedSeq = max(lookups[id]!.counts.highestReportedSeq ?? seq, seq)
      lookups[id]!.walk.holds(candidate, seq: seq)
    } else if body.token.isPresent, !body.values.isPresent {
      lookups[id]!.counts.noValues += 1
    } else {
      lookups[id]!.counts.invalidResponses += 1
    }
  }

  /// The item, if it is what was asked for and validly signed. One that equals the newest so far was checked already.
  private mutating func verified(
    _ id: Int, seq: Int64, _ body: KRPCMessage.Body, _ datagram: RawSpan, key: Ed25519.PublicKey, salt: [UInt8]
  ) -> MutableItem? {
    let value = datagram.extracting(body.value)
    let signature = datagram.extracting(body.signature)
    let sentKey = datagram.extracting(body.key)
    if let newest = lookups[id]!.newest, newest.seq == seq, newest.value.elementsEqual(value),
      newest.signature.withUnsafeBytes({ $0.elementsEqual(signature) }),
      key.withUnsafeBytes({ $0.elementsEqual(sentKey) })
    {
      return newest
    }
    statistics.verifications += 1
    return try? MutableItem(
      verifying: value, seq: seq, signature: signature, key: sentKey, of: key, salt: salt)
  }

  private mutating func take(_ item: MutableItem, in id: Int) {
    if let newest = lookups[id]!.newest {
      guard item.isMoreRecent(than: newest) else {
        if item == newest { lookups[id]!.counts.holdersOfNewest += 1 }
        return
      }
    }
    lookups[id]!.newest = item
    lookups[id]!.counts.holdersOfNewest = 1
    for case .query(let query) in lookups[id]!.listeners { report(item, to: query) }
  }

  /// Tells a query of an item that is better than all it has seen, in whichever family.
  mutating func report(_ item: MutableItem, to query: QueryID) {
    guard queries[query] != nil, queries[query]!.newest.map({ item.isMoreRecent(than: $0) }) ?? true else { return }
    queries[query]!.newest = item
    events.append(.mutableItem(query, item))
  }

  private mutating func noteFirstValue(_ id: Int, at now: Instant) {
    if lookups[id]!.counts.firstValueAfter == nil {
      lookups[id]!.counts.firstValueAfter = lookups[id]!.startedAt.duration(to: now)
    }
  }
}

extension Sequence<UInt8> {
  /// True if the bytes are the same as borrowed ones.
  fileprivate func elementsEqual(_ other: RawSpan) -> Bool { other.withUnsafeBytes { elementsEqual($0) } }
}
