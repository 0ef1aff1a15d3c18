import Cryptography
import Pkarr

/// What a cache files packets under: SHA-1 of the public key, 20 bytes (`PublicKey.target`).
public typealias CacheKey = SHA1.Digest

/// Where signed packets are kept between lookups, at most one for each key.
///
/// Any thread may call; nothing waits for the network, and no read writes to disk. When the cache is full, the packet
/// that has not been used for longest makes room. Packets never expire by themselves: how old one may be is for its
/// reader to decide (`SignedPacket.isExpired(_:at:)`).
public protocol PacketCache: Sendable {
  /// How many packets are kept at most. 0: nothing is kept, and a client does without this cache.
  var capacity: Int { get }

  /// How many packets there are now.
  var count: Int { get }

  /// The packet of a key, which thereby counts as used.
  func packet(for key: CacheKey) -> SignedPacket?

  /// The packet of a key, for an onlooker: it does not count as used, nor as a hit or a miss.
  func peek(_ key: CacheKey) -> SignedPacket?

  /// Takes a packet if it is news: if there is none of its key, if it is more recent
  /// (`SignedPacket.isMoreRecent(than:)`), or if it is the same one, seen later.
  ///
  /// Offers for one key are decided one after another, and every read that begins after this returns sees the outcome.
  @discardableResult
  func offer(_ packet: SignedPacket) -> CacheUpdate

  /// Waits until everything offered before is safe against the death of the process (not of the power).
  ///
  /// - Throws: ``StoreError`` if something offered since the last call could not be written.
  func flush() async throws(StoreError)

  /// Offers a packet and waits until the outcome is safe against the death of the process: what may be acknowledged.
  ///
  /// - Throws: ``StoreError`` if it could not be written.
  func store(_ packet: SignedPacket) async throws(StoreError) -> CacheUpdate

  /// Forgets the packet of a key.
  func remove(_ key: CacheKey)

  /// Figures for operators.
  var statistics: CacheStatistics { get }
}

/// What became of a packet that was offered to a cache.
public enum CacheUpdate: Hashable, Sendable {
  /// It is in the cache; there was none of this key, or an older one.
  case stored
  /// It was in the cache already, and has been seen again.
  case refreshed
  /// The cache goes on with the packet that it has, which is more recent, or the same and seen no earlier.
  case kept(newer: SignedPacket)
}

extension CacheUpdate {
  /// What the update rule makes of `offered` when `current` is in the cache.
  static func decide(_ offered: SignedPacket, over current: SignedPacket) -> CacheUpdate {
    if offered.isSame(as: current) {
      return offered.lastSeen > current.lastSeen ? .refreshed : .kept(newer: current)
    }
    return offered.isMoreRecent(than: current) ? .stored : .kept(newer: current)
  }
}
