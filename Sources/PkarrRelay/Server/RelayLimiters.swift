import Addresses
import HTTP
import MainlineProtocol

/// The three limits of a relay, all on or all off.
struct RelayLimiters: Sendable {
  /// HTTP requests of each client.
  let requests: SharedRateLimiter
  /// DHT operations that each client's requests cause.
  let operations: SharedRateLimiter
  /// Queries of each peer of the DHT.
  let peers: SharedRateLimiter

  /// Nil: no limits.
  init(_ configuration: RateLimiterConfiguration?) {
    requests = SharedRateLimiter(configuration.map { $0.limiter($0.requests) })
    operations = SharedRateLimiter(configuration.map { $0.limiter($0.dhtOperations) })
    peers = SharedRateLimiter(configuration.map { $0.limiter($0.dhtPeers) })
  }

  /// Goes on with others.
  func change(to configuration: RateLimiterConfiguration?) {
    requests.change(to: configuration.map { $0.limiter($0.requests) })
    operations.change(to: configuration.map { $0.limiter($0.dhtOperations) })
    peers.change(to: configuration.map { $0.limiter($0.dhtPeers) })
  }

  /// Decides about queries of others for the node of the DHT.
  func requestFilter(
    _ counter: RelayCounter
  ) -> @Sendable (_ method: QueryMethod, _ target: NodeID?, _ sender: Endpoint) -> Bool {
    { [peers] _, _, sender in
      if peers.allows(sender.address) { return true }
      counter.add { $0.count(.dhtPeers) }
      return false
    }
  }
}
