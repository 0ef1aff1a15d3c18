/// Where a resolution looks, and how fresh its answer must be.
///
/// The texts are those that relays take, in exactly this case.
public enum ResolvePolicy: String, Hashable, Sendable, CaseIterable, Codable {
  /// The cache alone, however old its packet is; on a miss the caches of the relays. Never the DHT.
  case cacheOnly = "CacheOnly"
  /// The cache as long as its packet has not expired, else the first acceptable answer of the network.
  case cacheFirst = "CacheFirst"
  /// The newest packet that the whole network holds; the cache is not read.
  case networkOnly = "NetworkOnly"
}

extension ResolvePolicy: LosslessStringConvertible {
  /// Reads one of the three texts; nil for anything else, another case included.
  public init?(_ text: String) { self.init(rawValue: text) }

  /// The policy as relays write it: `CacheFirst`.
  public var description: String { rawValue }
}
