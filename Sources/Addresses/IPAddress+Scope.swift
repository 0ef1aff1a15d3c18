extension IPAddress {
  /// `127.0.0.0/8` and `::1`.
  public var isLoopback: Bool { v4.map { $0 >> 24 == 127 } ?? (self == .loopbackV6) }

  /// `0.0.0.0` and `::`.
  public var isUnspecified: Bool { self == .anyV4 || self == .anyV6 }

  /// `224.0.0.0/4` and `ff00::/8`.
  public var isMulticast: Bool { v4.map { $0 >> 28 == 14 } ?? (high >> 56 == 0xff) }

  /// Private use (RFC 1918), unique local (RFC 4193) and link-local addresses.
  public var isPrivate: Bool {
    guard let v4 else { return high >> 57 == 0xfc >> 1 || high >> 54 == 0xfe80 >> 6 }
    return v4 >> 24 == 10 || v4 >> 20 == 0xac1 || v4 >> 16 == 0xc0a8 || v4 >> 16 == 0xa9fe
  }

  /// True if the address can be reached from anywhere: none of the special-purpose blocks of RFC 6890.
  public var isGlobalUnicast: Bool {
    guard let v4 else {
      // 2000::/3 without the documentation (RFC 3849, RFC 9637), 6to4 (RFC 3056) and Teredo/ORCHID blocks (RFC 2928).
      return high >> 61 == 1 && high >> 32 != 0x2001_0db8 && high >> 44 != 0x3fff0 && high >> 48 != 0x2002
        && high >> 41 != 0x2001_0000 >> 9
    }
    if isLoopback || isPrivate || v4 >> 28 >= 14 || v4 >> 24 == 0 { return false }
    switch v4 >> 8 {
    case 0xc00000, 0xc00002, 0xc63364, 0xcb0071, 0xc05863: return false  // IETF, documentation (RFC 5737), 6to4 relay
    default: break
    }
    let isCarrierGrade = v4 >> 22 == 0x6440_0000 >> 22  // 100.64.0.0/10, RFC 6598
    let isBenchmarking = v4 >> 17 == 0xc612_0000 >> 17  // 198.18.0.0/15, RFC 2544
    return !isCarrierGrade && !isBenchmarking
  }

  /// The address with all but its first `length` bits cleared (bits of the IPv4 address for IPv4).
  public func prefix(_ length: Int) -> IPAddress {
    if let v4 {
      return IPAddress(v4: length <= 0 ? 0 : v4 & ~0 << UInt32(max(0, 32 - length)))
    }
    let highMask: UInt64 = length <= 0 ? 0 : ~0 << UInt64(max(0, 64 - length))
    let lowMask: UInt64 = length <= 64 ? 0 : ~0 << UInt64(max(0, 128 - length))
    return IPAddress(high: high & highMask, low: low & lowMask)
  }
}
