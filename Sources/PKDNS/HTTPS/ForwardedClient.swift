import Addresses
import DNSResolution
import HTTP

/// Who sends a request that came through proxies.
enum ForwardedClient {
  /// The last address of `x-forwarded-for` that is not one of a trusted proxy: what stands before it, anybody can have
  /// written. The other end of the connection if that is no trusted proxy, or if it tells nothing.
  static func address(_ fields: HTTPFields, peer: IPAddress, trusted: [AddressPrefix]) -> IPAddress {
    func isTrusted(_ address: IPAddress) -> Bool { trusted.contains { $0.contains(address) } }
    guard isTrusted(peer) else { return peer }
    var client = peer
    let hops = fields.values("x-forwarded-for").joined(separator: ",").split(separator: ",").suffix(64)
    for hop in hops.reversed() {
      guard let address = IPAddress(hop.drop { $0 == " " }.prefix { $0 != " " }) else { break }
      client = address
      if !isTrusted(address) { break }
    }
    return client
  }
}
