/// Which packet is newer, and how long one may be used.
extension SignedPacket {
  /// True if this packet replaces `other` of the same key: its timestamp is larger, or equal and its DNS packet is the
  /// larger one, compared byte by byte.
  public func isMoreRecent(than other: SignedPacket) -> Bool {
    let (own, others) = (timestamp, other.timestamp)
    guard own == others else { return own > others }
    return other.bytes[Self.prefixLength...].lexicographicallyPrecedes(bytes[Self.prefixLength...])
  }

  /// True if the canonical bytes are the same, whenever the packets were seen.
  public func isSame(as other: SignedPacket) -> Bool { bytes == other.bytes }

  /// Whole seconds since ``lastSeen``; 0 if that is in the future.
  public func elapsed(at now: Timestamp = .wallClock) -> UInt64 { now.seconds(since: lastSeen) }

  /// How long the packet may be kept after ``lastSeen``: the smallest time to live of its records within the bounds of
  /// `policy`, and the minimum if it has no records.
  public func ttl(_ policy: CachePolicy = CachePolicy()) -> TimeToLive {
    var smallest: UInt32?
    if var view = try? MessageView(messageSpan) {
      for _ in 0..<view.answerCount {
        guard let record = try? view.next() else { break }
        smallest = min(record.ttl, smallest ?? .max)
      }
    }
    guard let smallest else { return policy.minimumTTL }
    return min(max(TimeToLive(seconds: smallest), policy.minimumTTL), policy.maximumTTL)
  }

  /// Time left until the packet expires; 0 once it has.
  public func expiresIn(_ policy: CachePolicy = CachePolicy(), at now: Timestamp = .wallClock) -> TimeToLive {
    let ttl = ttl(policy).seconds
    return TimeToLive(seconds: ttl - UInt32(clamping: min(UInt64(ttl), elapsed(at: now))))
  }

  /// True once the packet's time to live has passed since ``lastSeen``.
  public func isExpired(_ policy: CachePolicy = CachePolicy(), at now: Timestamp = .wallClock) -> Bool {
    expiresIn(policy, at: now).seconds == 0
  }
}
