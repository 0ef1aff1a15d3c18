import Addresses
import Cryptography

/// Node ids that are bound to their node's address (BEP 42): an address can have only eight different first 21 bits, so
/// nobody chooses his place in the DHT.
public enum SecureNodeID {
  /// The 21 bits that `address` demands of an id whose last byte is `lastByte` (its low 3 bits count), in the low bits.
  public static func prefix(for address: IPAddress, lastByte: UInt8) -> UInt32 {
    let salt = UInt64(lastByte & 7)
    let checksum: UInt32
    if let v4 = address.v4 {
      checksum = CRC32C.checksum(UInt64(v4 & 0x030f_3fff) | salt << 29, count: 4)
    } else {
      checksum = CRC32C.checksum(address.high & 0x0103_070f_1f3f_7fff | salt << 61, count: 8)
    }
    return checksum >> 11
  }

  /// The first 21 bits of an id, in the low bits.
  @inline(__always)
  public static func prefix(of id: NodeID) -> UInt32 { UInt32(truncatingIfNeeded: id.first &>> 43) }

  /// Whether `id` is one that a node at `address` may have.
  ///
  /// - Parameter exemptsLocalNetworks: whether private, link-local and loopback addresses may have any id, as BEP 42
  ///   says. On the public network nobody has such an address, and a liar would make himself neighbours for free.
  public static func isValid(_ id: NodeID, for address: IPAddress, exemptsLocalNetworks: Bool) -> Bool {
    if exemptsLocalNetworks && (address.isPrivate || address.isLoopback) { return true }
    return prefix(of: id) == prefix(for: address, lastByte: UInt8(truncatingIfNeeded: id.third))
  }

  /// A random id that is valid for `address`.
  public static func generate(for address: IPAddress, using random: inout RandomSource) -> NodeID {
    let rest = NodeID.random(using: &random)
    let prefix = UInt64(prefix(for: address, lastByte: UInt8(truncatingIfNeeded: rest.third)))
    return NodeID(prefix << 43 | rest.first & (1 << 43 - 1), rest.second, rest.third)
  }
}
