import Cryptography
import WireFormat

/// The packet as a mutable item of the Mainline DHT (BEP 44), without salt and cas.
extension SignedPacket {
  /// The parts of a mutable item.
  public struct MutableItem: Hashable, Sendable {
    /// Public key, 32 bytes: field `k`.
    public let key: [UInt8]
    /// The DNS packet, to be bencoded as a byte string: field `v`.
    public let value: [UInt8]
    /// The timestamp: field `seq`.
    public let seq: Int64
    /// 64 bytes: field `sig`.
    public let signature: [UInt8]
  }

  /// The parts that are put into the DHT.
  ///
  /// - Throws: ``NotPublishable`` if the timestamp is no sequence number (0, or beyond 2⁶³ − 1).
  public func mutableItem() throws(NotPublishable) -> MutableItem {
    guard timestamp.isPublishable else { throw NotPublishable(timestamp: timestamp) }
    return MutableItem(key: publicKey.bytes, value: messageBytes, seq: timestamp.seq, signature: signature.bytes)
  }

  /// Takes the parts of an item that the DHT returned.
  ///
  /// - Parameter isVerified: true if the signature was checked already, as a DHT node does on arrival.
  /// - Throws: `SignedPacketError`, in the order of `init(_:lastSeen:)`. A negative `seq` is an invalid signature, for
  ///   nobody could verify the packet by its timestamp.
  public init(
    key: RawSpan, value: RawSpan, seq: Int64, signature: RawSpan, isVerified: Bool, lastSeen: Timestamp = .wallClock
  ) throws(SignedPacketError) {
    try Self.checkLength(key.byteCount + signature.byteCount + 8 + value.byteCount)
    guard key.byteCount == 32 else { throw .invalidPublicKey(.invalidLength(key.byteCount)) }
    let timestamp = Timestamp(seq: seq)
    let canonical = [UInt8](key) + [UInt8](signature) + timestamp.bytes + [UInt8](value)
    guard isVerified, seq >= 0, signature.byteCount == 64 else {
      guard seq >= 0, signature.byteCount == 64 else {
        _ = try Self.publicKey(key)
        throw .invalidSignature
      }
      try self.init(canonical, lastSeen: lastSeen)
      return
    }
    let publicKey = try Self.publicKey(key)
    try Self.checkMessage(value)
    self.init(checked: canonical, publicKey: publicKey, lastSeen: lastSeen)
  }
}

/// A packet whose timestamp cannot be a sequence number of the DHT.
public struct NotPublishable: Error, Hashable, Sendable, CustomStringConvertible {
  /// The timestamp, 0 or beyond 2⁶³ − 1.
  public let timestamp: Timestamp

  /// Names the timestamp.
  public init(timestamp: Timestamp) { self.timestamp = timestamp }

  /// What is wrong, for a person.
  public var description: String {
    "the timestamp \(timestamp.microseconds) cannot be published: the DHT takes 1 to \(Int64.max)"
  }
}
