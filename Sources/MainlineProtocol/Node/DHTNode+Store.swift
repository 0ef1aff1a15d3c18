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
    let key = datagram.extracting(body.key)
    let signature = datagram.extracting(body.signature)
    let source = context.sender.address
    switch items.judge(
      target: target, seq: seq, value: value, signature: signature, cas: body.cas, from: source, at: context.now)
    {
    case .refreshed: return .done
    case .casMismatch: throw .casMismatch
    case .seqTooLow: throw .seqTooLow
    case .noRoom: throw .server
    case .verify: break
    }
    guard limiter.admitVerification(for: source, at: context.now) else { return .ignored }
    statistics.verifications += 1
    guard MutableItem.isValid(signature: signature, key: key, seq: seq, salt: salt, value: value) else {
      throw .invalidSignature
    }
    let isStored = items.put(
      key: key, seq: seq, signature: signature, value: value, target: target, from: source, at: context.now)
    if !isStored { throw .server }
    return .done
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
