import Addresses

/// The part of an address that one party is taken to control: what limits and votes are counted by.
struct AddressBlock: Hashable, Sendable {
  private let bits: UInt64

  /// One host: an IPv4 address, or an IPv6 /64, which any host has all to itself.
  @inline(__always)
  static func host(_ address: IPAddress) -> AddressBlock {
    AddressBlock(bits: address.isIPv4 ? address.low : address.high)
  }

  /// One local network: an IPv4 /24 or an IPv6 /64.
  @inline(__always)
  static func network(_ address: IPAddress) -> AddressBlock {
    AddressBlock(bits: address.isIPv4 ? address.low >> 8 : address.high)
  }

  /// One endpoint, where a test network has nothing but ports to tell nodes apart.
  @inline(__always)
  static func endpoint(_ endpoint: Endpoint) -> AddressBlock {
    AddressBlock(bits: endpoint.address.low << 16 ^ endpoint.address.high ^ UInt64(endpoint.port))
  }

  /// One operator, roughly: an IPv4 /16 or an IPv6 /32.
  @inline(__always)
  static func provider(_ address: IPAddress) -> AddressBlock {
    AddressBlock(bits: address.isIPv4 ? address.low >> 16 : address.high >> 32)
  }

  /// The operator of a local network.
  func provider(isIPv4: Bool) -> AddressBlock { AddressBlock(bits: bits >> (isIPv4 ? 8 : 32)) }

  /// One of about 64 large blocks: an IPv4 /6, or an IPv6 /20 (a usual allocation to the largest operators).
  @inline(__always)
  static func continent(_ address: IPAddress) -> AddressBlock {
    AddressBlock(bits: address.isIPv4 ? address.low >> 26 : address.high >> 44)
  }

  /// 32 bits that tell blocks apart well enough to count them.
  @inline(__always)
  var fingerprint: UInt32 {
    let mixed = (bits ^ bits &>> 31) &* 0x9e37_79b9_7f4a_7c15
    return UInt32(truncatingIfNeeded: mixed &>> 32)
  }
}
