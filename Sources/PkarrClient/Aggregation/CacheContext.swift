import Pkarr

/// What a resolution with `CacheFirst` brings along from the cache: the packet that an answer must not be older than, and
/// how long packets count as fresh.
public struct CacheContext: Hashable, Sendable {
  /// The cached packet, which has expired; nil if there is none.
  public var cached: SignedPacket?
  /// How long packets count as fresh.
  public var policy: CachePolicy

  /// Joins the parts.
  public init(cached: SignedPacket?, policy: CachePolicy) {
    self.cached = cached
    self.policy = policy
  }

  /// True if the packet is older than the cached one, and so no answer. An equal one is: it may have been seen later.
  public func isBelowFloor(_ packet: SignedPacket) -> Bool { cached?.isMoreRecent(than: packet) ?? false }

  /// True if the cached packet is at least as new as an item of this version that is no signed packet.
  public func covers(invalidSeq seq: Int64) -> Bool {
    guard let cached, seq >= 0 else { return false }
    return cached.timestamp.microseconds >= UInt64(seq)
  }

  /// True if the packet is fresh enough to be returned. With a maximum of 0 every answer of the network is.
  public func accepts(_ packet: SignedPacket, at now: Timestamp = .wallClock) -> Bool {
    policy.maximumTTL == 0 || !packet.isExpired(policy, at: now)
  }

  /// What to ask the DHT for: versions above this, so that those who hold the cached one still return it.
  public var dhtBound: Int64? {
    guard let cached, cached.timestamp > .zero else { return nil }
    let bound = cached.timestamp.subtracting(microseconds: 1).seq
    return bound >= 0 ? bound : nil
  }

  /// What to ask relays for: packets later than this, a second before the cached one since HTTP dates know no fractions.
  public var relayBound: Timestamp? {
    guard let cached, cached.timestamp.microseconds >= 1_000_000 else { return nil }
    return cached.timestamp.subtracting(seconds: 1)
  }
}
