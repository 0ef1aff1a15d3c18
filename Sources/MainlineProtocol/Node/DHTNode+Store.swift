import Addresses
import Bencode
import Cryptography

/// Storing for others: `put` (BEP 44) and `announce_peer` (BEP 5).
extension DHTNode {
  mutating func answerAnnounce(_ context: QueryContext, _ datagram: RawSpan) {
    let body = context.message.body
    guard body.infoHash.isPresent, body.token.isPresent,
      let infoHash = NodeID(datagram.extracting(body.infoHash)),
      tokens.isValid(
        datagram.extracting(body.token), from: context.sender.address, target: infoHash, at: context.now)
    else { return refuse(.protocol, context, datagram) }
    var port = context.sender.port
    if body.impliedPort ?? 0 == 0 {
      guard let named = body.port, (1...65535).contains(named) else { return refuse(.protocol, context, datagram) }
      port = UInt16(named)
    }
    guard peers.announce(Endpoint(context.sender.address, port: port), for: infoHash, at: context.now) else {
      return refuse(.server, context, datagram)
    }
    acknowledge(context, datagram)
  }

  /// The checks stand in the order of their cost; the signature comes last.
  mutating func answerPut(_ context: QueryContext, _ datagram: RawSpan) {
    do {
      let verdict = try store(context, datagram)
      if verdict == .done { acknowledge(context, datagram) }
    } catch {
      refuse(error, context, datagram)
    }
  }

  private enum StoreVerdict {
    case done
    /// Answered once its signature is checked.
    case waits
    /// Above a limit: no answer.
    case ignored
  }

  private mutating func store(_ context: QueryContext, _ datagram: RawSpan) throws(KRPCError) -> StoreVerdict {
    let body = context.message.body
    let isMutable = !body.mentions.isEmpty
    let salt = datagram.extracting(body.salt)
    let value = datagram.extracting(body.value)
    // The token is bound to the target, which has to be known first: named, or computed from what there is.
    let target: NodeID
    if isMutable, body.key.isPresent {
      target = MutableItem.target(of: datagram.extracting(body.key), salt: salt)
    } else if !isMutable, body.value.isPresent {
      target = NodeID(SHA1.hash(value))
    } else {
      throw .protocol
    }
    guard body.token.isPresent,
      tokens.isValid(datagram.extracting(body.token), from: context.sender.address, target: target, at: context.now)
    else { throw .protocol }
    guard body.value.isPresent else { throw .protocol }
    do throws(ItemError) {
      try ItemValue.check(value)
    } catch .valueTooBig {
      throw .valueTooBig
    } catch {
      throw .protocol
    }
    if Int(body.salt.count) > ItemValue.maximumSaltByteCount { throw .saltTooBig }
    if body.target.isPresent, NodeID(datagram.extracting(body.target)) != target { throw .protocol }
    return isMutable
      ? try storeMutable(context, datagram, target: target, salt: salt, value: value)
      : try storeImmutable(context, target: target, value: value)
  }

  private mutating func storeMutable(
    _ context: QueryContext, _ datagram: RawSpan, target: NodeID, salt: RawSpan, value: RawSpan
  ) throws(KRPCError) -> StoreVerdict {
    let body = context.message.body
    guard body.signature.isPresent, let seq = body.seq, seq >= 0,
      !body.mentions.contains(.cas) || body.cas != nil, !body.mentions.contains(.salt) || body.salt.isPresent
    else { throw .protocol }
    let source = context.sender.address
    // What waits for the same place decides first.
    if waitingPuts.contains(target) { settleWaitingPuts() }
    switch items.judge(
      target: target, seq: seq, value: value, signature: datagram.extracting(body.signature), cas: body.cas,
      from: source, at: context.now)
    {
    case .refreshed: return .done
    case .casMismatch: throw .casMismatch
    case .seqTooLow: throw .seqTooLow
    case .noRoom: throw .server
    case .verify: break
    }
    guard limiter.admitVerification(for: source, at: context.now) else { return .ignored }
    statistics.verifications += 1
    waitingPuts.add(context, datagram, target: target, salt: salt, value: value)
    return .waits
  }

  /// Checks the signatures of the puts that wait, stores and answers.
  mutating func settleWaitingPuts() {
    // Out of the node while it answers; back again for the memory that it holds.
    var waiting = WaitingPuts()
    swap(&waiting, &waitingPuts)
    waiting.settle { context, datagram, target, isValid in
      do throws(KRPCError) {
        guard isValid else { throw .invalidSignature }
        try storeVerified(context, datagram, target: target)
        acknowledge(context, datagram)
      } catch {
        refuse(error, context, datagram)
      }
    }
    swap(&waiting, &waitingPuts)
  }

  private mutating func storeVerified(
    _ context: QueryContext, _ datagram: RawSpan, target: NodeID
  ) throws(KRPCError) {
    let body = context.message.body
    let isStored = items.put(
      key: datagram.extracting(body.key), seq: body.seq ?? 0, signature: datagram.extracting(body.signature),
      value: datagram.extracting(body.value), target: target, from: context.sender.address, at: context.now)
    if !isStored { throw .server }
  }

  private mutating func storeImmutable(
    _ context: QueryContext, target: NodeID, value: RawSpan
  ) throws(KRPCError) -> StoreVerdict {
    guard items.put(immutable: value, target: target, from: context.sender.address, at: context.now) else {
      throw .server
    }
    return .done
  }
}
