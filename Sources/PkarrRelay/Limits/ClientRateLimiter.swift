import Addresses
import MainlineProtocol

/// How much each client address may ask: a token bucket for each.
///
/// A new address starts with the whole burst. An address is forgotten once it has got everything back, or when more
/// addresses than fit were heard of since: then it starts afresh. Each decision is O(1).
public struct ClientRateLimiter: Sendable {
  /// What became of a request.
  public enum Decision: Hashable, Sendable {
    /// It may pass; so many more may follow at once.
    case allowed(remaining: UInt32)
    /// It may not. The whole seconds after which one will pass, rounded up, at least 1.
    case refused(retryAfter: UInt64)
  }

  /// How many addresses are remembered if nothing else is said: about 10 MB.
  public static let defaultCapacity = 100_000

  /// What is allowed. A change holds from the next request on.
  public var limit: RequestLimit
  /// How many of the 128 bits of an IPv6 address make a client: 128 counts addresses one by one, 64 networks.
  public let ipv6PrefixLength: Int
  private var buckets: RecencyMap<IPAddress, RequestBucket>

  /// No client known yet.
  public init(_ limit: RequestLimit, capacity: Int = Self.defaultCapacity, ipv6PrefixLength: Int = 128) {
    self.limit = limit
    self.ipv6PrefixLength = ipv6PrefixLength
    buckets = RecencyMap(capacity: capacity)
  }

  /// How many addresses are remembered.
  public var addressCount: Int { buckets.count }

  /// Counts a request of `address` if it may pass. `now` is in nanoseconds of a clock that does not go back.
  public mutating func admit(_ address: IPAddress, at now: UInt64) -> Decision {
    forgetIdle(at: now)
    let client = address.isIPv4 || ipv6PrefixLength >= 128 ? address : address.prefix(ipv6PrefixLength)
    let limit = limit
    switch buckets.touch(client, initial: RequestBucket(), { $0.take(limit, at: now) }) {
    case .allowed(let remaining): return .allowed(remaining: remaining)
    case .refused(let nanoseconds):
      let (seconds, rest) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
      return .refused(retryAfter: max(1, seconds + (rest > 0 ? 1 : 0)))
    }
  }

  /// Two addresses leave for each that can come, so those that have got everything back never pile up.
  private mutating func forgetIdle(at now: UInt64) {
    for _ in 0..<2 {
      guard let oldest = buckets.oldest, oldest.value.isFull(limit, at: now) else { return }
      buckets.remove(oldest.key)
    }
  }
}
