import Addresses
import Configuration
import DNSResolution
import DNSWire
import EventLoops
import Logging
import Pkarr
import PkarrClient
import Republisher

/// What a DNS server can be told, from a file (``load(_:)``) or by a program. The files of pkdns work unchanged: its keys
/// keep their names, meanings and defaults.
public struct PKDNSConfiguration: Hashable, Sendable {
  /// `[general]`: where it listens, and whom it asks.
  public var general = GeneralSettings()
  /// `[dns]`: caches and limits.
  public var dns = DNSSettings()
  /// `[dht]`: names of keys.
  public var dht = DHTSettings()
  /// `[tls]`: DNS over TLS, and the certificate that HTTPS shows as well.
  public var tls: TLSSettings?
  /// `[https]`: DNS over HTTPS.
  public var https = HTTPSSettings()
  /// `[streams]`: limits of connections over TCP and TLS.
  public var streams = StreamLimits()
  /// `[access]`: who is served.
  public var access = AccessSettings()
  /// `[names]`: names that people can remember, each one label in lower case, and the keys that they stand for.
  public var names: [DomainName: PublicKey] = [:]
  /// `[republish]`: the packets that are kept alive in the DHT because they are asked for; nil: none.
  public var republish: PacketKeeperSettings?
  /// `[admin]`: where those who run it look.
  public var admin = AdminSettings()
  /// `[log]`: what is told about the work.
  public var log = LogSettings()

  /// The defaults of pkdns: port 53 on all IPv4 addresses, forwarding to 8.8.8.8.
  public init() {}
}

extension PKDNSConfiguration: Decodable {
  private enum Key: String, CodingKey {
    case general, dns, dht, tls, https, streams, access, names, republish, admin, log
  }

  /// Decodes the root of a file.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    general = try values.decode(.general, default: general)
    // pkdns's own sample has the header of its third table as a comment, so the keys of [dht] stand in [dns].
    dht = try values.decodeIfPresent(PkdnsKeys.self, forKey: .dns)?.apply() ?? dht
    dns = try values.decode(.dns, default: dns)
    if values.contains(.dht) { dht = try values.decode(DHTSettings.self, forKey: .dht) }
    tls = try values.decodeIfPresent(TLSSettings.self, forKey: .tls)
    https = try values.decode(.https, default: https)
    if let endpoint = general.dnsOverHTTPSocket { https.plain.append(endpoint) }
    streams = try values.decode(.streams, default: streams)
    access = try values.decode(.access, default: access)
    names = try values.decodeIfPresent(PetnameTable.self, forKey: .names)?.names ?? names
    if !names.isEmpty, dht.suffixes.isEmpty {
      throw values.invalid(.names, "names stand below a suffix, and dht.top_level_domain is empty")
    }
    republish = try values.decodeIfPresent(PacketKeeperSettings.self, forKey: .republish)
    if republish != nil, !dht.usesDHT {
      throw values.invalid(.republish, "packets are kept alive in the DHT, which dht.dht = false switches off")
    }
    admin = try values.decode(.admin, default: admin)
    log = try values.decode(.log, default: log)
    if general.verbose { log.level = min(log.level, .debug) }
    if !https.encrypted.isEmpty, tls == nil {
      throw values.invalid(.https, "there is no certificate to listen with: write [tls] as well")
    }
  }
}

extension PKDNSConfiguration {
  /// Reads a file (TOML). Relative paths in it belong to the directory that it lies in, after symbolic links.
  ///
  /// Throws `ConfigurationError` for a file that cannot be read and for a mistake in it: unknown keys too.
  public static func load(_ path: String) throws(ConfigurationError) -> PKDNSConfiguration {
    try ConfigurationFile.load(Self.self, path)
  }

  /// Reads a text (TOML). Throws `ConfigurationError` for a mistake in it; `file` names the text there.
  public static func parse(_ text: String, file: String = "configuration") throws(ConfigurationError) -> Self {
    try ConfigurationDecoder().decode(from: text, file: file)
  }
}

extension PKDNSConfiguration {
  /// Where the server listens, and whom it asks.
  public struct GeneralSettings: Hashable, Sendable {
    /// `socket`: addresses for UDP and TCP.
    public var sockets: [Endpoint] = [Endpoint(.anyV4, port: 53)]
    /// `forward`: the name servers for everything that is no key.
    public var forward: [UpstreamServer] = [UpstreamServer(Endpoint(IPAddress(8, 8, 8, 8), port: 53))]
    /// `forward_authorities`: a PEM file with the authorities whose certificates name servers may show; nil: the system's.
    public var forwardAuthorities: String?
    /// `forward_mixed_case`: whether letters are sent in random case over UDP.
    public var forwardMixedCase = true
    /// `dns_over_http_socket`: HTTP without encryption, for a proxy in front.
    public var dnsOverHTTPSocket: Endpoint?
    /// `verbose`: the same as `log.level = "debug"`.
    public var verbose = false
    /// `loops`: how many threads answer queries, each with caches of its own; 0: one for each core.
    public var loops = 1
    /// `packet_cache_file`: where packets are kept over restarts; nil: nowhere.
    public var packetCacheFile: String?
    /// `reload_on_change`: whether the file and the certificates are read again when they change, without `SIGHUP`.
    public var reloadsOnChange = false
    /// `drain_timeout`: how long queries may go on after the server was told to stop.
    public var drainTimeout = Duration.seconds(3)

    /// Port 53 of all IPv4 addresses.
    public init() {}
  }

  /// Names of keys: where they are looked for and how they look.
  public struct DHTSettings: Hashable, Sendable {
    /// `dht_cache_mb`: memory for packets and answers made of them, MiB.
    public var cacheMegabytes = 100
    /// `dht_query_rate_limit`: searches per second that one client may cause; 0: any number.
    public var rateLimit = 5.0
    /// `dht_query_rate_limit_burst`: searches at once; 0: the same as the rate.
    public var rateLimitBurst = 25.0
    /// `top_level_domain`: names below which keys are looked for besides the root; empty: none.
    public var suffixes: [DomainName] = ResolutionPolicy().suffixes
    /// `dht`: whether the DHT is asked.
    public var usesDHT = true
    /// `relays`: the relays that are asked; empty: none.
    public var relays: [RelayURL] = RelayURL.defaults
    /// `bootstrap`: where to look for the first nodes; nil: the well-known ones.
    public var bootstrap: [HostName]?
    /// `network`: `"public"`, or `"isolated"` for one on this machine or in a laboratory.
    public var isIsolated = false
    /// `table_file`: where the nodes of the DHT are kept over restarts; nil: nowhere.
    public var tableFile: String?
    /// `filter_private_addresses`: whether private addresses are taken out of answers for clients with public ones.
    public var filtersPrivateAddresses = true
    /// `unfiltered`: blocks of addresses that any key may answer with.
    public var unfiltered: [AddressPrefix] = []
    /// `follow_delegations`: whether name servers that a key names are asked.
    public var followsDelegations = true
    /// `allowed_servers`: private addresses at which name servers of keys are asked all the same.
    public var allowedServers: [AddressPrefix] = []
    /// `serve_proofs`: whether `_pkarr.KEY` TXT and `GET /pkarr/KEY` give the signed packet.
    public var servesProofs = true
    /// `name_servers`, `soa_server`, `soa_mailbox`: what NS and SOA records say that a packet does not have.
    public var nameServers: [DomainName] = []
    /// See ``nameServers``.
    public var soaServer: DomainName?
    /// See ``nameServers``.
    public var soaMailbox: DomainName?

    /// The public DHT and the well-known relays.
    public init() {}
  }

  /// The certificate, and DNS over TLS.
  public struct TLSSettings: Hashable, Sendable {
    /// `listen`: addresses for DNS over TLS.
    public var listen: [Endpoint] = []
    /// `certificate`, `key`: files of the chain and its private key (PEM).
    public var certificate: String?
    /// See ``certificate``.
    public var key: String?
    /// `development`: make a certificate that only this machine's own authority vouches for, in this directory.
    public var developmentDirectory: String?
    /// `name`: what the certificate is for; told to clients that look for encryption (RFC 9462) and in the profile.
    public var name: String?

    /// Nothing yet.
    public init() {}
  }

  /// DNS over HTTPS.
  public struct HTTPSSettings: Hashable, Sendable {
    /// `listen`: addresses with encryption.
    public var encrypted: [Endpoint] = []
    /// `plain_listen` and `general.dns_over_http_socket`: addresses without, for a proxy in front.
    public var plain: [Endpoint] = []
    /// `path`: where DNS messages are taken; the first is the one that clients are told.
    public var paths = ["/dns-query"]
    /// `trusted_proxies`: whose `x-forwarded-for` is believed.
    public var trustedProxies: [AddressPrefix] = []
    /// `json`: whether questions in the form of an address are answered as JSON.
    public var json = true
    /// `connections`: open connections of one thread.
    public var connections = 4096

    /// Nowhere.
    public init() {}
  }

  /// Who is served.
  public struct AccessSettings: Hashable, Sendable {
    /// `allow`: who is served; empty: everybody.
    public var allow: [AddressPrefix] = []
    /// `deny`: who is not.
    public var deny: [AddressPrefix] = []
    /// `unlimited`: who is under no limit.
    public var unlimited: [AddressPrefix] = []
    /// `proxies`: who says in front of each connection and datagram who the client is (PROXY protocol, version 2), and nothing
    /// else.
    public var proxies: [AddressPrefix] = []
    /// `blocked_names`: names that do not exist for our clients, with all below them.
    public var blockedNames: [DomainName] = []

    /// Everybody.
    public init() {}
  }

  /// Where those who run the server look.
  public struct AdminSettings: Hashable, Sendable {
    /// `listen`: the address of status page, metrics and commands; nil: nowhere.
    public var listen: Endpoint?
    /// `socket`: the Unix socket of the same; nil: none.
    public var socket: String?

    /// Nowhere.
    public init() {}
  }

  /// What is told about the work.
  public struct LogSettings: Hashable, Sendable {
    /// `level`: the least that is written.
    public var level = LogLevel.info
    /// `format`: lines for people or objects for programs.
    public var format = LogFormat.text
    /// `queries`: whether each query is.
    public var queries = false
    /// `clients`: whether the address of the client is, too.
    public var clients = false

    /// Lines for people, from `info` on, none for queries.
    public init() {}
  }
}
