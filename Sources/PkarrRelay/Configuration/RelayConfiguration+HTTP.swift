import Addresses
import Configuration

extension RelayConfiguration {
  /// Where and how requests are taken.
  public struct HTTPSettings: Hashable, Sendable {
    /// `port`: the TCP port; 0: any free one.
    public var port: UInt16 = 6881
    /// `host`: the addresses to listen on. None: only ``unixSocket``.
    public var host: [IPAddress] = [.anyV4]
    /// `unix_socket`: the path of a socket of this machine to listen on as well.
    public var unixSocket: String?
    /// `threads`: how many threads serve requests; 0: one for each core.
    public var threads = 0
    /// `[http.tls]`: encryption; nil: none, as behind a proxy.
    public var tls: TLSSettings?
    /// `header_timeout`: how long a request's head may take.
    public var headerTimeout = Duration.seconds(10)
    /// `body_timeout`: how long a body may stand still.
    public var bodyTimeout = Duration.seconds(10)
    /// `idle_timeout`: how long a connection may wait for its next request.
    public var idleTimeout = Duration.seconds(75)
    /// `write_timeout`: how long a client may leave an answer unread.
    public var writeTimeout = Duration.seconds(30)
    /// `drain_timeout`: how long requests may go on after the relay was told to stop.
    public var drainTimeout = Duration.seconds(5)
    /// `connections`: how many connections at once.
    public var connections = 10_000
    /// `connections_per_address`: how many of one address; 0: as many as it likes; nil: 256, or no limit behind a proxy.
    public var connectionsPerAddress: Int?
    /// `batch`: how many keys one `POST /resolve` may ask for.
    public var batch = 100
    /// `watchers`: how many clients at once may follow a key.
    public var watchers = 1000
    /// `watchers_per_address`: how many of them may have one address.
    public var watchersPerAddress = 16
    /// `watch_interval`: how often the DHT is asked about a key that is followed.
    public var watchInterval = Duration.seconds(60)

    /// Port 6881 on all IPv4 addresses, without encryption.
    public init() {}
  }

  /// How connections are encrypted.
  public struct TLSSettings: Hashable, Sendable {
    /// `port`: the TCP port for encrypted connections, beside ``HTTPSettings/port`` for the others; nil: all connections to
    /// that port are encrypted.
    public var port: UInt16?
    /// `certificate`: the file of the certificate chain (PEM).
    public var certificate: String?
    /// `key`: the file of its private key (PEM).
    public var key: String?
    /// `development`: make a certificate that only this machine's own authority vouches for.
    public var development = false
    /// `raw_key`: the file of a secret key (64 hexadecimal digits) that stands for the relay itself (RFC 7250).
    public var rawKey: String?

    /// No certificate and no key yet.
    public init() {}
  }
}

extension RelayConfiguration.HTTPSettings: Decodable {
  private enum Key: String, CodingKey {
    case port, host, threads, tls, connections, batch, watchers
    case unixSocket = "unix_socket"
    case headerTimeout = "header_timeout"
    case bodyTimeout = "body_timeout"
    case idleTimeout = "idle_timeout"
    case writeTimeout = "write_timeout"
    case drainTimeout = "drain_timeout"
    case connectionsPerAddress = "connections_per_address"
    case watchersPerAddress = "watchers_per_address"
    case watchInterval = "watch_interval"
  }

  /// Decodes `[http]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    let directory = ConfigurationDirectory(decoder)
    port = try values.decode(.port, default: port)
    host = try values.texts(.host, "an IP address", count: 64) { IPAddress($0) } ?? host
    unixSocket = try values.decodeIfPresent(String.self, forKey: .unixSocket).map(directory.path)
    threads = try values.decode(.threads, default: threads, in: 0...256)
    tls = try values.decodeIfPresent(RelayConfiguration.TLSSettings.self, forKey: .tls)
    if tls?.port == port, port != 0 {
      throw values.invalid(.tls, "its port is also that of [http]; give it another one")
    }
    let seconds = Duration.seconds(1)...Duration.seconds(3600)
    headerTimeout = try values.decode(.headerTimeout, default: headerTimeout, in: seconds)
    bodyTimeout = try values.decode(.bodyTimeout, default: bodyTimeout, in: seconds)
    idleTimeout = try values.decode(.idleTimeout, default: idleTimeout, in: seconds)
    writeTimeout = try values.decode(.writeTimeout, default: writeTimeout, in: seconds)
    drainTimeout = try values.decode(.drainTimeout, default: drainTimeout, in: .zero...(.seconds(3600)))
    connections = try values.decode(.connections, default: connections, in: 1...1_000_000)
    if values.contains(.connectionsPerAddress) {
      connectionsPerAddress = try values.decode(.connectionsPerAddress, default: 0, in: 0...1_000_000)
    }
    batch = try values.decode(.batch, default: batch, in: 0...10_000)
    watchers = try values.decode(.watchers, default: watchers, in: 0...1_000_000)
    watchersPerAddress = try values.decode(.watchersPerAddress, default: watchersPerAddress, in: 1...1_000_000)
    watchInterval = try values.decode(.watchInterval, default: watchInterval, in: .seconds(1)...(.seconds(86_400)))
    if host.isEmpty, unixSocket == nil {
      throw values.invalid(.host, "the list is empty and there is no unix_socket, so nobody could reach the relay")
    }
  }
}

extension RelayConfiguration.TLSSettings: Decodable {
  private enum Key: String, CodingKey {
    case port, certificate, key, development
    case rawKey = "raw_key"
  }

  /// Decodes `[http.tls]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    let directory = ConfigurationDirectory(decoder)
    port = try values.decodeIfPresent(UInt16.self, forKey: .port)
    certificate = try values.decodeIfPresent(String.self, forKey: .certificate).map(directory.path)
    key = try values.decodeIfPresent(String.self, forKey: .key).map(directory.path)
    development = try values.decode(.development, default: false)
    rawKey = try values.decodeIfPresent(String.self, forKey: .rawKey).map(directory.path)
    if certificate != nil, key == nil {
      throw values.invalid(.certificate, "its private key is missing: write key as well")
    }
    if key != nil, certificate == nil {
      throw values.invalid(.key, "its certificate is missing: write certificate as well")
    }
    if development, certificate != nil {
      throw values.invalid(.development, "there is a certificate already; leave out one of the two")
    }
    if !development, certificate == nil, rawKey == nil {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "nothing to encrypt with: write certificate and key, raw_key, or development = true"))
    }
  }
}
