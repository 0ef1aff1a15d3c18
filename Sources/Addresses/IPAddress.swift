/// An IPv4 or IPv6 address as a plain value of sixteen bytes.
///
/// IPv4 is held in its IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 §2.5.5.2), so a mapped address and the address that
/// it maps are the same value.
public struct IPAddress: Hashable, Sendable {
  /// The first eight bytes, big-endian.
  public let high: UInt64
  /// The last eight bytes, big-endian.
  public let low: UInt64

  /// Which of the two internets an address belongs to.
  public enum Family: String, Hashable, Sendable, CaseIterable {
    case ipv4, ipv6
  }

  private static let mappedPrefix: UInt64 = 0x0000_ffff

  /// An IPv6 address from its two halves (IPv4 if it is an IPv4-mapped one).
  @inline(__always)
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// An IPv4 address from its four bytes, big-endian.
  @inline(__always)
  public init(v4: UInt32) {
    high = 0
    low = Self.mappedPrefix << 32 | UInt64(v4)
  }

  /// An IPv4 address `a.b.c.d`.
  public init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) {
    self.init(v4: UInt32(a) << 24 | UInt32(b) << 16 | UInt32(c) << 8 | UInt32(d))
  }

  /// The family: IPv4 for IPv4-mapped addresses as well.
  @inline(__always) public var family: Family { isIPv4 ? .ipv4 : .ipv6 }

  /// True if this is an IPv4 address.
  @inline(__always) public var isIPv4: Bool { high == 0 && low >> 32 == Self.mappedPrefix }

  /// The four bytes of an IPv4 address, big-endian; nil for IPv6.
  @inline(__always) public var v4: UInt32? { isIPv4 ? UInt32(truncatingIfNeeded: low) : nil }

  /// `127.0.0.1`
  public static let loopbackV4 = IPAddress(127, 0, 0, 1)
  /// `::1`
  public static let loopbackV6 = IPAddress(high: 0, low: 1)
  /// `0.0.0.0`
  public static let anyV4 = IPAddress(v4: 0)
  /// `::`
  public static let anyV6 = IPAddress(high: 0, low: 0)
}

// MARK: - Bytes

extension IPAddress {
  /// The four or sixteen bytes of the address, big-endian.
  public var bytes: [UInt8] {
    if let v4 { return (0..<4).map { UInt8(truncatingIfNeeded: v4 >> UInt32(24 - 8 * $0)) } }
    return [high, low].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) } }
  }

  /// An address from four or sixteen bytes, big-endian; nil for any other number.
  public init?(bytes: some Collection<UInt8>) {
    switch bytes.count {
    case 4: self.init(v4: bytes.reduce(0) { $0 << 8 | UInt32($1) })
    case 16:
      self.init(
        high: bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) },
        low: bytes.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) })
    default: return nil
    }
  }
}
