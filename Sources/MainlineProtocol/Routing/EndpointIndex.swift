import Addresses

/// Which bucket holds the node at an endpoint, in nine bytes for each.
///
/// An IPv4 endpoint is its own key. An IPv6 endpoint is hashed with the key of the process, so two that share a hash are
/// not to be found; the reader looks into the bucket anyway.
struct EndpointIndex: Sendable {
  private var buckets: [UInt64: UInt8] = [:]

  private static func key(_ endpoint: Endpoint) -> UInt64 {
    if let v4 = endpoint.address.v4 { return UInt64(v4) << 16 | UInt64(endpoint.port) }
    return UInt64(bitPattern: Int64(endpoint.hashValue))
  }

  /// The bucket that the node at this endpoint would be in; nil if there is none.
  func bucket(of endpoint: Endpoint) -> Int? { buckets[Self.key(endpoint)].map(Int.init) }

  mutating func insert(_ endpoint: Endpoint, bucket: Int) { buckets[Self.key(endpoint)] = UInt8(bucket) }

  mutating func remove(_ endpoint: Endpoint) { buckets[Self.key(endpoint)] = nil }
}
