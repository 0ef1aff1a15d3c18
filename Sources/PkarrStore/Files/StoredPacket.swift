import CLMDB
import Glibc
import Pkarr

/// The value of a packet in the file:
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 8 | stamp of the last use, big-endian: the packet's key in the index |
/// | 8 | 4 | low half of XXH64 over the rest, with the cache key as seed, big-endian |
/// | 12 | 8 | `lastSeen`, microseconds since 1970, big-endian |
/// | 20 | 104…1104 | canonical form of the signed packet |
///
/// From offset 12 on it is the cached form of other implementations (`SignedPacket.cachedForm`).
struct StoredPacket {
  static let headerLength = 12
  /// Fewest and most bytes of a value.
  static let lengths = headerLength + 8 + SignedPacket.prefixLength...headerLength + 8 + SignedPacket.maximumLength

  let value: UnsafeRawBufferPointer

  /// Takes a value of a length that can be.
  init?(_ value: UnsafeRawBufferPointer) {
    guard Self.lengths.contains(value.count) else { return nil }
    self.value = value
  }

  /// The stamp of the last use.
  var stamp: UInt64 { UInt64(bigEndian: value.loadUnaligned(as: UInt64.self)) }

  /// When the packet was last seen.
  var lastSeen: Timestamp { Timestamp(microseconds: loadWord(12)) }

  /// The signed time.
  private var timestamp: Timestamp { Timestamp(microseconds: loadWord(20 + 96)) }

  /// The cached form.
  var form: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: value[Self.headerLength...]) }

  /// True if the bytes are those that were written for this key.
  func isIntact(_ key: CacheKey) -> Bool {
    // All at once, since the sum goes through the bytes in order.
    prefetch_bytes(value.baseAddress, value.count)
    return UInt32(bigEndian: value.loadUnaligned(fromByteOffset: 8, as: UInt32.self)) == Self.sum(form, key)
  }

  /// The packet, which must be that of this key; nil if it is damaged.
  func packet(of key: CacheKey) -> SignedPacket? {
    isIntact(key) ? try? SignedPacket(trustedCachedForm: form.bytes) : nil
  }

  private static func sum(_ form: UnsafeRawBufferPointer, _ key: CacheKey) -> UInt32 {
    UInt32(truncatingIfNeeded: XXHash64.hash(form, seed: key.first))
  }

  private func loadWord(_ offset: Int) -> UInt64 {
    UInt64(bigEndian: value.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  /// Bytes of the value for a packet.
  static func length(of packet: SignedPacket) -> Int { headerLength + 8 + packet.bytes.count }

  /// Writes the value for a packet into `length(of:)` bytes.
  static func write(_ packet: SignedPacket, key: CacheKey, stamp: UInt64, to target: UnsafeMutableRawBufferPointer) {
    target.storeBytes(of: stamp.bigEndian, as: UInt64.self)
    target.storeBytes(of: packet.lastSeen.microseconds.bigEndian, toByteOffset: 12, as: UInt64.self)
    packet.bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: target[20...]).copyMemory(from: $0) }
    let sum = sum(UnsafeRawBufferPointer(rebasing: target[12...]), key)
    target.storeBytes(of: sum.bigEndian, toByteOffset: 8, as: UInt32.self)
  }

  /// What the update rule makes of a packet when this one is in the cache, without decoding this one.
  ///
  /// A ``lastSeen`` more than a minute ahead counts as 1970, as it does when it is read (`SignedPacket.init(cachedForm:)`).
  func relation(to offered: SignedPacket, now: @autoclosure () -> Timestamp) -> Relation {
    let own = UnsafeRawBufferPointer(rebasing: value[20...])
    return offered.bytes.withUnsafeBytes { bytes in
      // The signed time decides nearly always, and lies at the front, which is in memory together with the key.
      let offeredTime = offered.timestamp
      if offeredTime != timestamp { return offeredTime > timestamp ? .older : .newer }
      if bytes.count == own.count, memcmp(bytes.baseAddress!, own.baseAddress!, own.count) == 0 {
        let lastSeen = lastSeen > now().adding(seconds: 60) ? .zero : lastSeen
        return offered.lastSeen > lastSeen ? .sameSeenEarlier : .same
      }
      return own[SignedPacket.prefixLength...].lexicographicallyPrecedes(bytes[SignedPacket.prefixLength...])
        ? .older : .newer
    }
  }

  /// What a stored packet is to one that is offered.
  enum Relation {
    /// The offered one is more recent.
    case older
    /// The same bytes, which were last seen before the offered ones.
    case sameSeenEarlier
    /// The same bytes, seen no earlier.
    case same
    /// The offered one is not more recent.
    case newer
  }
}
