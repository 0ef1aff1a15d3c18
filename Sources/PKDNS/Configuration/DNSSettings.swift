import Configuration
import DNSResolution

extension PKDNSConfiguration {
  /// Caches and limits.
  public struct DNSSettings: Hashable, Sendable {
    /// `min_ttl`: how long cached data are trusted at least, in seconds; nil: 60 for keys, what they say for other names.
    public var minimumTTL: UInt32?
    /// `max_ttl`: how long at most, in seconds.
    public var maximumTTL: UInt32 = 86_400
    /// `query_rate_limit`: queries per second of one client over UDP; 0: any number.
    public var rateLimit = 100.0
    /// `query_rate_limit_burst`: queries at once; 0: the same as the rate.
    public var rateLimitBurst = 200.0
    /// `stream_rate_limit`: queries per second of one client over each other transport; 0: any number.
    public var streamRateLimit = 500.0
    /// `stream_rate_limit_burst`: queries at once; 0: the same as the rate.
    public var streamRateLimitBurst = 1000.0
    /// `response_rate_limit`: equal answers per second to one network over UDP; 0: any number.
    public var responseRateLimit = 50.0
    /// `disable_any_queries`: kept for the files of pkdns. ANY is always answered in the shortest way (RFC 8482).
    public var disablesAny = false
    /// `icann_cache_mb`: memory for answers of name servers, MiB; 0: none.
    public var cacheMegabytes = 100
    /// `max_recursion_depth`: steps of one query; each alias and delegation is one.
    public var maximumSteps = 15
    /// `deadline`: how long a client waits at most.
    public var deadline = Duration.seconds(4)
    /// `stale_answer_wait_ms`: how long a client waits for news before it gets old data (RFC 8767).
    public var staleAnswerWait = Duration.milliseconds(1800)
    /// `udp_size`: the longest answer over UDP, in bytes.
    public var udpSize: UInt16 = 1232
    /// `extended_errors`: whether answers say why (RFC 8914).
    public var extendedErrors = true
    /// `nsid`: what clients that ask are told about which of several servers has answered (RFC 5001); empty: nothing.
    public var nsid = ""
    /// `cookie_secret`: 32 hexadecimal digits that servers with one address share (RFC 9018); nil: a random one.
    public var cookieSecret: CookieSecret?
    /// `forward_private_reverse`: whether reverse names of private addresses are forwarded.
    public var forwardsPrivateReverse = false
    /// `trust_forwarded_ad`: whether the AD of name servers is passed on.
    public var trustsForwardedAD = false
    /// `ad_for_verified_keys`: whether answers made of verified packets alone have AD.
    public var marksVerifiedKeyData = false

    /// The defaults of pkdns.
    public init() {}
  }
}
