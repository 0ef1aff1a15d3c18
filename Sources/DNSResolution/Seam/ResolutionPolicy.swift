import Addresses
import DNSWire
import Pkarr

/// Everything about a resolver that an operator can set. A plain value; the defaults are those of a public resolver.
///
/// All durations are whole units that the name tells; a limit of 0 that says "per second" is off.
public struct ResolutionPolicy: Hashable, Sendable {
  /// Names below which keys are looked for besides the root, such as `key` or `pk.example`; any number of labels. Nothing
  /// below them is ever forwarded.
  public var suffixes: [DomainName] = [DomainName.literal("key")]
  /// Life of cached data.
  public var cache = CachePolicy()
  /// How long things may take and how many may be under way.
  public var work = WorkPolicy()
  /// What clients may ask.
  public var clients = ClientPolicy()
  /// What a key's owner may make the server do and say.
  public var keys = KeyPolicy()
  /// Names that are answered here.
  public var local = LocalPolicy()
  /// Largest answer over UDP in bytes, if the client takes as much (RFC 9715); 512 to 1400. Also the size that is told to
  /// clients.
  public var maximumUDPSize: UInt16 = 1232
  /// Whether extended errors are attached to answers of queries that have an OPT record (RFC 8914).
  public var extendedErrors = true
  /// What clients that ask are told about which of several servers has answered (RFC 5001), at most 64 bytes; nothing is told
  /// if it is empty.
  public var serverIdentifier: [UInt8] = []
  /// Time of an idle connection that is told to TCP and TLS clients that ask (RFC 7828), in units of 100 ms.
  public var keepaliveUnits: UInt16 = 100
  /// Block of answers on encrypted transports whose query was padded (RFC 8467), in bytes; 0 turns padding off.
  public var paddingBlock: UInt16 = 468
  /// AD=1 on answers that come from verified packets alone, if the query has AD or DO. An extension: elsewhere AD means
  /// DNSSEC.
  public var marksVerifiedKeyData = false
  /// Whether AD of the configured servers is passed on to queries with AD or DO. Right only if these servers validate and
  /// the way to them is safe.
  public var trustsForwardedAD = false

  /// The defaults.
  public init() {}

  /// After so long, work that was not ended counts as failed.
  public static let workLifetime: Duration = .seconds(60)
}

extension ResolutionPolicy {
  /// Life of cached data; times in seconds, sizes in bytes.
  public struct CachePolicy: Hashable, Sendable {
    /// Packets are trusted at least this long.
    public var minimumKeyTTL: UInt32 = 60
    /// Packets are trusted at most this long.
    public var maximumKeyTTL: UInt32 = 86_400
    /// Other servers' answers are kept at least this long, except those with a TTL of 0.
    public var minimumForwardedTTL: UInt32 = 0
    /// Other servers' answers are kept at most this long.
    public var maximumForwardedTTL: UInt32 = 86_400
    /// Most seconds that "does not exist" of other servers is kept (RFC 2308 §5).
    public var maximumNegativeTTL: UInt32 = 10_800
    /// TTL of negative answers from packets.
    public var keyNegativeTTL: UInt32 = 60
    /// How long a key without a packet is first taken to have none. Doubles each time that is confirmed.
    public var firstAbsenceTTL: UInt32 = 5
    /// The longest that a key is taken to have no packet.
    public var maximumAbsenceTTL: UInt32 = 300
    /// How long a failure is first remembered (RFC 9520 §3.2, at least 1). Doubles with each further failure.
    public var firstFailureTTL: UInt32 = 5
    /// The longest that a failure is remembered (RFC 9520 §3.2, at most 300).
    public var maximumFailureTTL: UInt32 = 300
    /// A refresh that failed is not tried again earlier (RFC 8767 §5).
    public var failureRecheck: UInt32 = 30
    /// TTL of stale data in answers (RFC 8767 §4).
    public var staleTTL: UInt32 = 30
    /// How long past their time other servers' answers may be used; 0 turns that off.
    public var maximumForwardedStaleness: UInt32 = 86_400
    /// How long past their time packets may be used. A signed packet has no expiry, so by default for ever; 0 turns stale
    /// answers off.
    public var maximumKeyStaleness: UInt32 = .max
    /// How long a client waits before it gets stale data, in milliseconds (RFC 8767 §5); 0 gives them at once.
    public var staleAnswerWaitMilliseconds: UInt32 = 1800
    /// Refreshes what is asked for in the last part of its life, this many percent; 0 turns that off.
    public var prefetchPercent: UInt32 = 10
    /// How often something must have been asked for before it is refreshed ahead of time.
    public var prefetchHits: UInt8 = 3
    /// Memory for packets.
    public var packetBytes = 64 << 20
    /// Memory for ready answers for names of keys.
    public var keyAnswerBytes = 36 << 20
    /// Memory for other servers' answers.
    public var forwardedAnswerBytes = 100 << 20
    /// How many keys without a packet are remembered.
    public var absentKeys = 50_000

    /// The defaults.
    public init() {}
  }

  /// How long things may take and how many may be under way.
  public struct WorkPolicy: Hashable, Sendable {
    /// Every client has its answer after this many milliseconds, SERVFAIL if nothing better.
    public var deadlineMilliseconds: UInt32 = 4000
    /// Queries that may wait for their answers.
    public var maximumQueriesInFlight = 10_000
    /// Queries of one client that may wait for their answers.
    public var maximumQueriesInFlightPerClient = 1000
    /// Searches for packets at the same time.
    public var maximumLookups = 1000
    /// Questions to other servers at the same time.
    public var maximumForwards = 5000
    /// Aliases that are followed in one query.
    public var maximumAliases = 16
    /// Delegations that are followed in one query.
    public var maximumDelegations = 4
    /// Servers that are asked for one delegation.
    public var maximumServersPerDelegation = 4
    /// Outage mode begins when less than this share of the last minute's searches got an answer from anybody (percent).
    public var outagePercent: UInt32 = 20
    /// Least searches within a minute that can tell of an outage.
    public var outageMinimum = 5
    /// Searches per second during an outage, to learn of its end.
    public var outageProbesPerSecond = 1.0

    /// The defaults.
    public init() {}
  }

  /// What clients may ask.
  public struct ClientPolicy: Hashable, Sendable {
    /// Who is served; empty serves everybody.
    public var allowed: [AddressPrefix] = []
    /// Who is not served, even if ``allowed``.
    public var denied: [AddressPrefix] = []
    /// Who is under no limit.
    public var unlimited: [AddressPrefix] = []
    /// Queries per second of one client over UDP without a valid cookie.
    public var udpQueriesPerSecond = 100.0
    /// Queries at once of one client over UDP without a valid cookie.
    public var udpBurst = 200.0
    /// Queries per second of one client over each other transport.
    public var streamQueriesPerSecond = 500.0
    /// Queries at once of one client over each other transport.
    public var streamBurst = 1000.0
    /// Searches for packets per second that one client may cause.
    public var lookupsPerSecond = 5.0
    /// Searches for packets at once that one client may cause.
    public var lookupBurst = 25.0
    /// Equal answers per second to one network over UDP without a valid cookie (response rate limiting).
    public var equalAnswersPerSecond = 50.0
    /// Every so many queries over the limit get an empty answer with TC=1 instead of none (UDP); 0 never.
    public var slip = 2
    /// Bits of an IPv4 address that make a client.
    public var ipv4Bits = 32
    /// Bits of an IPv6 address that make a client.
    public var ipv6Bits = 64
    /// Clients that are remembered.
    public var rememberedClients = 50_000
    /// Secret of server cookies (RFC 9018), 16 bytes: share it among servers with one address. Random if nil.
    public var cookieSecret: CookieSecret?
    /// The secret before the last change: its cookies are still taken.
    public var previousCookieSecret: CookieSecret?

    /// The defaults.
    public init() {}
  }

  /// What a key's owner may make the server do and say.
  public struct KeyPolicy: Hashable, Sendable {
    /// Whether private, loopback and similar addresses are removed from key answers for clients with public addresses
    /// (protection against DNS rebinding).
    public var filtersPrivateAddresses = true
    /// Keys that may answer with any address.
    public var unfilteredKeys: Set<DomainName> = []
    /// Addresses that any key may answer with.
    public var unfilteredAddresses: [AddressPrefix] = []
    /// Whether servers to which a key's owner delegates are asked.
    public var followsDelegations = true
    /// Whether NS records at the apex of a packet without SOA delegate the names that the packet does not hold.
    public var followsApexDelegations = true
    /// Addresses of delegated servers that are asked although they are private.
    public var allowedServers: [AddressPrefix] = []
    /// Addresses that are never asked: what this server listens on.
    public var ownAddresses: [IPAddress] = []
    /// Port of delegated servers.
    public var delegationPort: UInt16 = 53
    /// Whether `_pkarr.KEY` TXT is the signed packet in base 64.
    public var servesProofs = true
    /// Primary server in the SOA records made for packets that have none; the apex itself if nil.
    public var soaServer: DomainName?
    /// Mailbox in the SOA records made for packets that have none; `hostmaster` at the apex if nil.
    public var soaMailbox: DomainName?
    /// Servers in the NS records made for packets that have none; none are made if empty.
    public var nameServers: [DomainName] = []

    /// The defaults.
    public init() {}
  }

  /// Names that are answered here.
  public struct LocalPolicy: Hashable, Sendable {
    /// Names for special use that are not to be answered here but forwarded, such as `home.arpa` or `test`.
    public var forwarded: [DomainName] = []
    /// Names that people can remember, each one label in lower case: below each suffix they are aliases of these keys.
    public var petnames: [DomainName: PublicKey] = [:]
    /// Whether reverse names of private addresses are forwarded, for networks whose servers know them (RFC 6303).
    public var forwardsPrivateReverseNames = false
    /// Names that do not exist for our clients, with everything below them.
    public var blocked: Set<DomainName> = []
    /// What `_dns.resolver.arpa` SVCB answers (RFC 9462): the encrypted ways to this server; NODATA if empty.
    public var designatedResolvers: [ServiceBinding] = []
    /// Addresses of the targets in ``designatedResolvers``.
    public var designatedAddresses: [IPAddress] = []

    /// The defaults.
    public init() {}
  }
}

/// A block of addresses: those that share the first bits of one.
public struct AddressPrefix: Hashable, Sendable {
  /// The address with all further bits cleared.
  public let address: IPAddress
  /// Number of bits that count: 0 to 32 of an IPv4 address, 0 to 128 of an IPv6 address.
  public let length: Int

  /// The block around an address; the length is brought into the range of its family.
  public init(_ address: IPAddress, length: Int) {
    self.length = min(max(length, 0), address.isIPv4 ? 32 : 128)
    self.address = address.prefix(self.length)
  }

  /// True if an address lies in the block. IPv4 addresses lie in IPv4 blocks only.
  public func contains(_ other: IPAddress) -> Bool {
    other.isIPv4 == address.isIPv4 && other.prefix(length) == address
  }
}

extension AddressPrefix: LosslessStringConvertible {
  /// `192.0.2.0/24` or `2001:db8::/32`.
  public var description: String { "\(address)/\(length)" }

  /// Reads `192.0.2.0/24`, or an address alone for exactly this one; nil for anything else.
  public init?(_ text: String) {
    guard let slash = text.lastIndex(of: "/") else {
      guard let address = IPAddress(text) else { return nil }
      self.init(address, length: 128)
      return
    }
    let digits = text[text.index(after: slash)...]
    guard let address = IPAddress(text[..<slash]), (1...3).contains(digits.utf8.count),
      digits.utf8.allSatisfy({ (48...57).contains($0) }), let length = Int(digits),
      length <= (address.isIPv4 ? 32 : 128)
    else { return nil }
    self.init(address, length: length)
  }
}

/// The secret of server cookies: 16 bytes (RFC 9018 §4.1).
public struct CookieSecret: Hashable, Sendable {
  let low: UInt64
  let high: UInt64

  /// Takes 16 bytes; nil for any other number.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    low = bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    high = bytes.dropFirst(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }
}

extension DomainName {
  /// A name that is spelled in the source.
  static func literal(_ text: StaticString) -> DomainName {
    guard let name = try? DomainName(text.description) else { preconditionFailure("a name in the source") }
    return name
  }
}
