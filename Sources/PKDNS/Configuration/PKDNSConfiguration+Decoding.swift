import Addresses
import Configuration
import DNSResolution
import DNSWire
import EventLoops
import PkarrClient
import PlainText
import WireFormat

extension PKDNSConfiguration.GeneralSettings: Decodable {
  private enum Key: String, CodingKey {
    case socket, forward, verbose, loops
    case forwardAuthorities = "forward_authorities"
    case forwardMixedCase = "forward_mixed_case"
    case dnsOverHTTPSocket = "dns_over_http_socket"
    case packetCacheFile = "packet_cache_file"
    case drainTimeout = "drain_timeout"
    case reloadsOnChange = "reload_on_change"
  }

  /// Decodes `[general]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    let directory = ConfigurationDirectory(decoder)
    sockets = try values.texts(.socket, "ADDRESS:PORT", count: 16) { Endpoint($0) } ?? sockets
    forward =
      try values.texts(
        .forward, "a name server: ADDRESS[:PORT], tcp://…, tls://ADDRESS[#NAME] or https://ADDRESS/PATH[#NAME]",
        count: 16
      ) { UpstreamServer($0) } ?? forward
    forwardAuthorities = try values.decodeIfPresent(String.self, forKey: .forwardAuthorities).map(directory.path)
    forwardMixedCase = try values.decode(.forwardMixedCase, default: forwardMixedCase)
    dnsOverHTTPSocket = try values.texts(.dnsOverHTTPSocket, "ADDRESS:PORT", count: 1) { Endpoint($0) }?.first
    verbose = try values.decode(.verbose, default: verbose)
    loops = try values.decode(.loops, default: loops, in: 0...64)
    packetCacheFile = try values.decodeIfPresent(String.self, forKey: .packetCacheFile).map(directory.path)
    reloadsOnChange = try values.decode(.reloadsOnChange, default: reloadsOnChange)
    drainTimeout = try values.decode(.drainTimeout, default: drainTimeout, in: .zero...(.seconds(60)))
  }
}

extension PKDNSConfiguration.DNSSettings: Decodable {
  private enum Key: String, CodingKey {
    case deadline, nsid
    case minimumTTL = "min_ttl"
    case maximumTTL = "max_ttl"
    case rateLimit = "query_rate_limit"
    case rateLimitBurst = "query_rate_limit_burst"
    case streamRateLimit = "stream_rate_limit"
    case streamRateLimitBurst = "stream_rate_limit_burst"
    case responseRateLimit = "response_rate_limit"
    case disablesAny = "disable_any_queries"
    case cacheMegabytes = "icann_cache_mb"
    case maximumSteps = "max_recursion_depth"
    case staleAnswerWait = "stale_answer_wait_ms"
    case udpSize = "udp_size"
    case extendedErrors = "extended_errors"
    case cookieSecret = "cookie_secret"
    case forwardsPrivateReverse = "forward_private_reverse"
    case trustsForwardedAD = "trust_forwarded_ad"
    case marksVerifiedKeyData = "ad_for_verified_keys"
  }

  /// Decodes `[dns]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    // pkdns takes any number of seconds; 136 years stand for all that are more.
    if let given = try values.decodeIfPresent(UInt64.self, forKey: .minimumTTL) { minimumTTL = UInt32(clamping: given) }
    if let given = try values.decodeIfPresent(UInt64.self, forKey: .maximumTTL) { maximumTTL = UInt32(clamping: given) }
    rateLimit = try values.rate(.rateLimit, default: rateLimit)
    rateLimitBurst = try values.rate(.rateLimitBurst, default: rateLimitBurst)
    streamRateLimit = try values.rate(.streamRateLimit, default: streamRateLimit)
    streamRateLimitBurst = try values.rate(.streamRateLimitBurst, default: streamRateLimitBurst)
    responseRateLimit = try values.rate(.responseRateLimit, default: responseRateLimit)
    disablesAny = try values.decode(.disablesAny, default: disablesAny)
    cacheMegabytes = try values.decode(.cacheMegabytes, default: cacheMegabytes, in: 0...1_000_000)
    maximumSteps = try values.decode(.maximumSteps, default: maximumSteps, in: 0...255)
    deadline = try values.decode(.deadline, default: deadline, in: .milliseconds(500)...(.seconds(30)))
    let wait = try values.decode(.staleAnswerWait, default: staleAnswerWait.wholeMilliseconds, in: 0...30_000)
    staleAnswerWait = .milliseconds(wait)
    udpSize = try values.decode(.udpSize, default: udpSize, in: 512...1400)
    extendedErrors = try values.decode(.extendedErrors, default: extendedErrors)
    cookieSecret =
      try values.texts(.cookieSecret, "32 hexadecimal digits", count: 1) {
        Hex.decode($0).flatMap { CookieSecret($0) }
      }?.first
    if let text = try values.decodeIfPresent(String.self, forKey: .nsid) {
      guard text.utf8.count <= 64 else { throw values.invalid(.nsid, "at most 64 bytes can be told") }
      nsid = text
    }
    forwardsPrivateReverse = try values.decode(.forwardsPrivateReverse, default: forwardsPrivateReverse)
    trustsForwardedAD = try values.decode(.trustsForwardedAD, default: trustsForwardedAD)
    marksVerifiedKeyData = try values.decode(.marksVerifiedKeyData, default: marksVerifiedKeyData)
  }
}

/// The keys that pkdns has in `[dht]`.
struct PkdnsKeys: Decodable {
  private enum Key: String, CodingKey {
    case cache = "dht_cache_mb"
    case rateLimit = "dht_query_rate_limit"
    case rateLimitBurst = "dht_query_rate_limit_burst"
    case suffixes = "top_level_domain"
  }

  private var settings = PKDNSConfiguration.DHTSettings()

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    settings.cacheMegabytes = try values.decode(.cache, default: settings.cacheMegabytes, in: 1...1_000_000)
    settings.rateLimit = try values.rate(.rateLimit, default: settings.rateLimit)
    settings.rateLimitBurst = try values.rate(.rateLimitBurst, default: settings.rateLimitBurst)
    let names = try values.texts(.suffixes, "a domain name", count: 100) { text in
      text.isEmpty ? DomainName.root : DomainName(configured: text)
    }
    settings.suffixes = names?.filter { !$0.isRoot } ?? settings.suffixes
  }

  /// The settings with these keys, and defaults for all others.
  func apply() -> PKDNSConfiguration.DHTSettings { settings }
}

extension PKDNSConfiguration.DHTSettings: Decodable {
  private enum Key: String, CodingKey {
    case dht, relays, bootstrap, network, unfiltered
    case tableFile = "table_file"
    case filtersPrivateAddresses = "filter_private_addresses"
    case followsDelegations = "follow_delegations"
    case allowedServers = "allowed_servers"
    case servesProofs = "serve_proofs"
    case nameServers = "name_servers"
    case soaServer = "soa_server"
    case soaMailbox = "soa_mailbox"
  }

  private enum Network: String, CaseIterable { case `public`, isolated }

  /// Decodes `[dht]`.
  public init(from decoder: any Decoder) throws {
    self = try PkdnsKeys(from: decoder).apply()
    let values = try decoder.container(keyedBy: Key.self)
    usesDHT = try values.decode(.dht, default: usesDHT)
    relays =
      try values.texts(.relays, "the address of a relay", count: 16) { text in
        do throws(InvalidRelayURL) { return try RelayURL(text) } catch { return nil }
      } ?? relays
    bootstrap = try values.texts(.bootstrap, "HOST:PORT") { HostName($0) }
    isIsolated = try values.decode(.network, default: Network.public) == .isolated
    tableFile = try values.decodeIfPresent(String.self, forKey: .tableFile).map(ConfigurationDirectory(decoder).path)
    filtersPrivateAddresses = try values.decode(.filtersPrivateAddresses, default: filtersPrivateAddresses)
    unfiltered = try values.blocks(.unfiltered) ?? unfiltered
    followsDelegations = try values.decode(.followsDelegations, default: followsDelegations)
    allowedServers = try values.blocks(.allowedServers) ?? allowedServers
    servesProofs = try values.decode(.servesProofs, default: servesProofs)
    nameServers = try values.texts(.nameServers, "a host name", count: 16) { DomainName(configured: $0) } ?? nameServers
    soaServer = try values.texts(.soaServer, "a host name", count: 1) { DomainName(configured: $0) }?.first
    soaMailbox = try values.texts(.soaMailbox, "a name", count: 1) { DomainName(configured: $0) }?.first
    if !usesDHT, relays.isEmpty {
      throw values.invalid(.relays, "neither the DHT nor a relay is to be asked, so no key could be found")
    }
  }
}

extension PKDNSConfiguration.TLSSettings: Decodable {
  private enum Key: String, CodingKey {
    case listen, certificate, key, name
    case developmentDirectory = "development_directory"
  }

  /// Decodes `[tls]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    let directory = ConfigurationDirectory(decoder)
    listen = try values.texts(.listen, "ADDRESS[:PORT]", count: 16) { Endpoint($0, defaultPort: 853) } ?? listen
    certificate = try values.decodeIfPresent(String.self, forKey: .certificate).map(directory.path)
    key = try values.decodeIfPresent(String.self, forKey: .key).map(directory.path)
    developmentDirectory = try values.decodeIfPresent(String.self, forKey: .developmentDirectory).map(directory.path)
    name = try values.decodeIfPresent(String.self, forKey: .name)
    if let name, DomainName(configured: name) == nil { throw values.invalid(.name, "\"\(name)\" is not a host name") }
    guard (certificate == nil) == (key == nil) else {
      throw values.invalid(certificate == nil ? .key : .certificate, "certificate and key belong together: write both")
    }
    guard (certificate == nil) != (developmentDirectory == nil) else {
      throw values.invalid(.certificate, "write either certificate and key, or development_directory")
    }
  }
}

extension PKDNSConfiguration.HTTPSSettings: Decodable {
  private enum Key: String, CodingKey {
    case listen, path, json, connections
    case plain = "plain_listen"
    case trustedProxies = "trusted_proxies"
  }

  /// Decodes `[https]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    encrypted = try values.texts(.listen, "ADDRESS[:PORT]", count: 16) { Endpoint($0, defaultPort: 443) } ?? encrypted
    plain = try values.texts(.plain, "ADDRESS[:PORT]", count: 16) { Endpoint($0, defaultPort: 80) } ?? plain
    paths = try values.texts(.path, "a path such as /dns-query", count: 16) { Self.path($0) } ?? paths
    guard !paths.isEmpty, Set(paths).count == paths.count else {
      throw values.invalid(.path, "a list of different paths such as [\"/dns-query\"] is needed")
    }
    trustedProxies = try values.blocks(.trustedProxies) ?? trustedProxies
    json = try values.decode(.json, default: json)
    connections = try values.decode(.connections, default: connections, in: 1...1_000_000)
  }
}

extension PKDNSConfiguration.HTTPSSettings {
  /// Paths that have a meaning of their own.
  private static let takenPaths = ["/resolve", "/pkarr", "/apple.mobileconfig"]

  private static func path(_ text: String) -> String? {
    let isAllowed = text.utf8.allSatisfy { (0x21...0x7e).contains($0) && !"?#{}%".utf8.contains($0) }
    guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count > 1, isAllowed else { return nil }
    return takenPaths.contains(text) || text.hasPrefix("/pkarr/") ? nil : text
  }
}

extension StreamLimits: Decodable {
  private enum Key: String, CodingKey {
    case connections, idle, write
    case connectionsPerAddress = "connections_per_address"
    case queriesPerConnection = "queries_per_connection"
  }

  /// Decodes `[streams]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    connections = try values.decode(.connections, default: connections, in: 1...1_000_000)
    connectionsPerAddress = try values.decode(.connectionsPerAddress, default: connectionsPerAddress, in: 0...1_000_000)
    queriesPerConnection = try values.decode(.queriesPerConnection, default: queriesPerConnection, in: 1...65_535)
    let seconds = Duration.seconds(1)...Duration.seconds(3600)
    idle = try values.decode(.idle, default: idle, in: seconds)
    write = try values.decode(.write, default: write, in: seconds)
  }
}

extension PKDNSConfiguration.AccessSettings: Decodable {
  private enum Key: String, CodingKey {
    case allow, deny, unlimited, proxies
    case blockedNames = "blocked_names"
  }

  /// Decodes `[access]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    allow = try values.blocks(.allow) ?? allow
    deny = try values.blocks(.deny) ?? deny
    unlimited = try values.blocks(.unlimited) ?? unlimited
    proxies = try values.blocks(.proxies) ?? proxies
    blockedNames =
      try values.texts(.blockedNames, "a domain name", count: 100_000) { DomainName(configured: $0) } ?? blockedNames
  }
}

extension PKDNSConfiguration.AdminSettings: Decodable {
  private enum Key: String, CodingKey { case listen, socket }

  /// Decodes `[admin]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    listen = try values.texts(.listen, "ADDRESS:PORT", count: 1) { Endpoint($0) }?.first
    socket = try values.decodeIfPresent(String.self, forKey: .socket).map(ConfigurationDirectory(decoder).path)
  }
}

extension PKDNSConfiguration.LogSettings: Decodable {
  private enum Key: String, CodingKey { case level, format, queries, clients }

  /// Decodes `[log]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    level = try values.decode(.level, default: level)
    format = try values.decode(.format, default: format)
    queries = try values.decode(.queries, default: queries)
    clients = try values.decode(.clients, default: clients)
  }
}

// MARK: - Values

extension KeyedDecodingContainer {
  /// A number per second, whole or not.
  fileprivate func rate(_ key: Key, default value: Double) throws -> Double {
    guard contains(key) else { return value }
    let given = try (try? decode(Double.self, forKey: key)) ?? Double(decode(UInt32.self, forKey: key))
    guard (0...4_294_967_295).contains(given) else { throw invalid(key, "\(given) is outside of 0…4294967295") }
    return given
  }

  fileprivate func blocks(_ key: Key) throws -> [AddressPrefix]? {
    try texts(key, "an address or a block such as 192.0.2.0/24", count: 10_000) { AddressPrefix($0) }
  }
}

extension Endpoint {
  /// An address with or without a port.
  fileprivate init?(_ text: String, defaultPort: UInt16) {
    if let address = IPAddress(text) {
      self.init(address, port: defaultPort)
    } else {
      self.init(text)
    }
  }
}

extension DomainName {
  /// A name in lower case, absolute whether it ends in a dot or not; nil if it is none or the root.
  init?(configured text: String) {
    guard let name = try? DomainName(text.lowercased()), !name.isRoot else { return nil }
    self = name
  }
}
