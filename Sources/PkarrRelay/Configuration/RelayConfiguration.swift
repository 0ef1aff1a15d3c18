import Addresses
import Configuration
import Logging
import Republisher

/// What a relay can be told, from a file (``load(_:)``) or by a program.
///
/// Every value has a default. There is one trap, kept so that files of other relays mean the same here: ``init()``, a relay
/// without any file, limits its clients to two requests a second; a file without a table `[rate_limiter]` switches all
/// limits off.
public struct RelayConfiguration: Hashable, Sendable {
  /// `[http]`: where and how requests are taken.
  public var http = HTTPSettings()
  /// `[mainline]`: the node of the DHT.
  public var mainline = MainlineSettings()
  /// `[cache]`: the packets that are kept.
  public var cache = CacheSettings()
  /// `[rate_limiter]`: how much clients and peers may ask; nil: as much as they like.
  public var rateLimiter: RateLimiterConfiguration? = RateLimiterConfiguration()
  /// `[republish]`: the packets that are kept alive because they are asked for; nil: none.
  public var republish: PacketKeeperSettings?
  /// `[admin]`: where `/health` and `/metrics` are.
  public var admin = AdminSettings()
  /// `[log]`: what is told about the work.
  public var log = LogSettings()

  /// A relay on port 6881 with a limit of two requests a second and a cache that is lost on restart.
  public init() {}
}

extension RelayConfiguration: Decodable {
  private enum Key: String, CodingKey {
    case http, mainline, cache, republish, admin, log
    case rateLimiter = "rate_limiter"
  }

  /// Decodes the root of a file.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    http = try values.decode(.http, default: http)
    mainline = try values.decode(.mainline, default: mainline)
    cache = try values.decode(.cache, default: cache)
    rateLimiter = try values.decodeIfPresent(RateLimiterConfiguration.self, forKey: .rateLimiter)
    republish = try values.decodeIfPresent(PacketKeeperSettings.self, forKey: .republish)
    admin = try values.decode(.admin, default: admin)
    log = try values.decode(.log, default: log)
    if http.connectionsPerAddress == nil, rateLimiter?.behindProxy == true { http.connectionsPerAddress = 0 }
  }
}

extension RelayConfiguration {
  /// The addresses for those who run the relay.
  public struct AdminSettings: Hashable, Sendable, Decodable {
    /// `listen`: where `/health` and `/metrics` are served, and nowhere else; nil: beside everything else.
    public var listen: Endpoint?

    private enum Key: String, CodingKey { case listen }

    /// Beside everything else.
    public init() {}

    /// Decodes `[admin]`.
    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Key.self)
      listen = try values.texts(.listen, "ADDRESS:PORT", count: 1) { Endpoint($0) }?.first
    }
  }

  /// What is told about the work, and how.
  public struct LogSettings: Hashable, Sendable, Decodable {
    /// `level`: the least that is written.
    public var level = LogLevel.info
    /// `format`: lines for people or objects for programs.
    public var format = LogFormat.text

    private enum Key: String, CodingKey { case level, format }

    /// Lines for people, from `info` on.
    public init() {}

    /// Decodes `[log]`.
    public init(from decoder: any Decoder) throws {
      let values = try decoder.container(keyedBy: Key.self)
      level = try values.decode(.level, default: level)
      format = try values.decode(.format, default: format)
    }
  }
}
