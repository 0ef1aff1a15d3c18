import MainlineProtocol
import Pkarr

/// Chooses among the items of a key that a DHT lookup brings.
///
/// The highest version counts even if it is no signed packet: an older packet must not be presented as the current one.
struct PacketSelection: Sendable {
  /// The highest seq of all signed items.
  private(set) var highestSeq: Int64?
  /// The best valid packet so far.
  private(set) var best: SignedPacket?

  /// Takes in an item whose signature was checked; returns the packet that it is if none so far is as good.
  mutating func take(_ item: MutableItem, at now: Timestamp) -> SignedPacket? {
    guard item.seq >= highestSeq ?? item.seq else { return nil }
    highestSeq = item.seq
    guard let packet = SignedPacket(item, lastSeen: now), best.map({ packet.isMoreRecent(than: $0) }) ?? true else {
      return nil
    }
    best = packet
    return packet
  }

  /// What was found, or what `report` makes of it that nothing was.
  func result(_ report: ResolveReport) -> Result<SignedPacket, ResolveError> {
    guard let highestSeq else { return .failure(report.failure) }
    guard let best, best.timestamp.seq >= highestSeq else {
      return .failure(.invalidSignedPacket(seq: highestSeq))
    }
    return .success(best)
  }
}

extension SignedPacket {
  /// The packet that an item of the DHT holds, whose signature was checked; nil if it holds something else.
  package init?(_ item: MainlineProtocol.MutableItem, lastSeen: Timestamp) {
    guard item.salt.isEmpty, let value = item.bytes else { return nil }
    let packet = item.signature.withUnsafeBytes { signature in
      item.key.withUnsafeBytes { key in
        try? SignedPacket(
          key: key.bytes, value: value.span.bytes, seq: item.seq, signature: signature.bytes, isVerified: true,
          lastSeen: lastSeen)
      }
    }
    guard let packet else { return nil }
    self = packet
  }
}

extension MutableItem {
  /// The item that a packet is on the DHT. `isVerified`: its signature was checked just now, and is not checked again.
  ///
  /// - Throws: `PublishError.notPublishable`.
  package init(_ packet: SignedPacket, isVerified: Bool = false) throws(PublishError) {
    guard packet.timestamp.isPublishable else { throw .notPublishable(.timestamp(packet.timestamp)) }
    let (key, seq) = (packet.publicKey.verificationKey, packet.timestamp.seq)
    let value = ItemValue.encoding(byteString: packet.messageBytes)
    do throws(ItemError) {
      if isVerified {
        try self.init(trusting: packet.signature, key: key, seq: seq, value: value)
      } else {
        try self.init(key: key, seq: seq, value: value, signature: packet.signature)
      }
    } catch {
      throw .notPublishable(.signature)
    }
  }
}
