import Configuration

/// `[rate_limiter]`: how much clients and peers may ask. All three limits hold, or none does.
public struct RateLimiterConfiguration: Hashable, Sendable {
  /// `behind_proxy`: whether clients' addresses are taken from header fields. Then nobody must reach the relay around the
  /// proxy: anyone can write those fields.
  public var behindProxy = false
  /// `quota`, `burst`: HTTP requests of one address, whatever they ask for.
  public var requests = RequestLimit.standard
  /// `dht_quota`, `dht_burst`: queries of one peer of the DHT.
  public var dhtPeers = RequestLimit.standard
  /// `user_dht_quota`, `user_dht_burst`: lookups and publications in the DHT that the requests of one address cause.
  public var dhtOperations = RequestLimit.standard
  /// `ipv6_prefix_length`: how many bits of an IPv6 address make a client.
  public var ipv6PrefixLength = 128
  /// `addresses`: how many addresses each limit remembers.
  public var addresses = ClientRateLimiter.defaultCapacity

  /// Two requests a second for each address, everywhere.
  public init() {}

  func limiter(_ limit: RequestLimit) -> ClientRateLimiter {
    ClientRateLimiter(limit, capacity: addresses, ipv6PrefixLength: ipv6PrefixLength)
  }
}

extension RateLimiterConfiguration: Decodable {
  private enum Key: String, CodingKey {
    case quota, burst, addresses
    case behindProxy = "behind_proxy"
    case dhtQuota = "dht_quota"
    case dhtBurst = "dht_burst"
    case userDHTQuota = "user_dht_quota"
    case userDHTBurst = "user_dht_burst"
    case ipv6PrefixLength = "ipv6_prefix_length"
  }

  /// Keys of relays before version 1.0, which had one limit. Their values mean something else than those of today.
  private enum OldKey: String, CodingKey {
    case perSecond = "per_second"
    case burstSize = "burst_size"

    var replacement: String {
      switch self {
      case .perSecond: "quota (as in \"2r/s\"), dht_quota and user_dht_quota have"
      case .burstSize: "burst, dht_burst and user_dht_burst have"
      }
    }
  }

  /// Decodes `[rate_limiter]`.
  public init(from decoder: any Decoder) throws {
    let old = try decoder.container(keyedBy: OldKey.self)
    if let key = old.allKeys.first {
      throw old.invalid(key, "this is a key of relays before 1.0; \(key.replacement) taken its place")
    }
    let values = try decoder.container(keyedBy: Key.self)
    behindProxy = try values.decode(Bool.self, forKey: .behindProxy)
    requests = try Self.limit(values, .quota, .burst)
    dhtPeers = try Self.limit(values, .dhtQuota, .dhtBurst)
    dhtOperations = try Self.limit(values, .userDHTQuota, .userDHTBurst)
    ipv6PrefixLength = try values.decode(.ipv6PrefixLength, default: ipv6PrefixLength, in: 1...128)
    addresses = try values.decode(.addresses, default: addresses, in: 1...10_000_000)
  }

  private static func limit(
    _ values: KeyedDecodingContainer<Key>, _ quotaKey: Key, _ burstKey: Key
  ) throws -> RequestLimit {
    let text = try values.decode(String.self, forKey: quotaKey)
    guard let quota = RequestQuota(text) else {
      throw values.invalid(
        quotaKey, "\"\(text)\" is not a quota; write how many requests in a second, minute, hour or day: 2r/s, 100r/m")
    }
    let burst = try values.decodeIfPresent(UInt32.self, forKey: burstKey)
    do throws(RequestLimitError) {
      return try RequestLimit(quota, burst: burst)
    } catch {
      throw values.invalid(error == .noBurst ? burstKey : quotaKey, "\(error)")
    }
  }
}
