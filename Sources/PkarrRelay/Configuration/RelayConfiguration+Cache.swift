import Configuration
import Pkarr

extension RelayConfiguration {
  /// The packets that are kept.
  public struct CacheSettings: Hashable, Sendable {
    /// `path`: the directory in which the cache's own one, `pkarr-cache`, lies; nil: a new one below the system's temporary
    /// directory, so that the cache is lost on restart.
    public var path: String?
    /// `size`: how many packets; 0: none.
    public var size = 1_000_000
    /// `minimum_ttl`: packets count as fresh at least this long, whatever their records say.
    public var minimumTTL: TimeToLive = .minutes(5)
    /// `maximum_ttl`: packets count as fresh at most this long.
    public var maximumTTL: TimeToLive = .days(1)
    /// `memory_packets`: how many answers to the most popular keys are kept ready in memory.
    public var memoryPackets = 10_000

    /// A million packets, fresh for five minutes to one day.
    public init() {}

    /// The bounds of freshness.
    public var policy: CachePolicy { CachePolicy(minimumTTL: minimumTTL, maximumTTL: maximumTTL) }
  }
}

extension RelayConfiguration.CacheSettings: Decodable {
  private enum Key: String, CodingKey {
    case path, size
    case minimumTTL = "minimum_ttl"
    case maximumTTL = "maximum_ttl"
    case memoryPackets = "memory_packets"
  }

  /// Decodes `[cache]`.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: Key.self)
    if let given = try values.decodeIfPresent(String.self, forKey: .path) {
      guard let existing = ConfigurationDirectory(decoder).existingPath(given) else {
        throw values.invalid(
          .path, "there is no directory \"\(given)\" beside this file; make it, or write an absolute path")
      }
      path = existing
    }
    size = try values.decode(.size, default: size, in: 0...1_000_000_000)
    minimumTTL = TimeToLive(seconds: try values.decode(.minimumTTL, default: minimumTTL.seconds))
    maximumTTL = TimeToLive(seconds: try values.decode(.maximumTTL, default: maximumTTL.seconds))
    guard minimumTTL <= maximumTTL else {
      let key = values.contains(.minimumTTL) ? Key.minimumTTL : .maximumTTL
      throw values.invalid(
        key, "minimum_ttl (\(minimumTTL)) must be less than or equal to maximum_ttl (\(maximumTTL))")
    }
    memoryPackets = try values.decode(.memoryPackets, default: memoryPackets, in: 0...10_000_000)
  }
}
