/// Where a packet comes from.
public enum PacketSource: Hashable, Sendable {
  /// The client's cache.
  case cache
  /// Nodes of the DHT.
  case dht
  /// A relay.
  case relay(RelayURL)
}

extension PacketSource: CustomStringConvertible {
  /// For a person: `the cache`, `the DHT`, or the relay's address.
  public var description: String {
    switch self {
    case .cache: "the cache"
    case .dht: "the DHT"
    case .relay(let url): url.description
    }
  }
}
