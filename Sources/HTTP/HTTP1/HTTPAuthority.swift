/// `host[:port]`, the value of `Host` and `:authority` (RFC 9110 §7.2).
enum HTTPAuthority {
  /// True for a name, an IPv4 address or a bracketed IPv6 address, with or without a port. User names are refused
  /// (RFC 9110 §4.2.4).
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let first = bytes.first else { return false }
    var index = 0
    if first == UInt8(ascii: "[") {
      guard let end = bytes.firstIndex(of: UInt8(ascii: "]")), end > 1 else { return false }
      for byte in bytes[1..<end] where !isHexDigit(byte) && byte != UInt8(ascii: ":") && byte != UInt8(ascii: ".") {
        return false
      }
      index = end + 1
    } else {
      while index < bytes.count, bytes[index] != UInt8(ascii: ":") {
        let byte = bytes[index]
        if byte == UInt8(ascii: "%") {
          guard index + 2 < bytes.count, isHexDigit(bytes[index + 1]), isHexDigit(bytes[index + 2]) else {
            return false
          }
          index += 2
        } else if !isNameCharacter(byte) {
          return false
        }
        index += 1
      }
      if index == 0 { return false }
    }
    return index == bytes.count || bytes[index] == UInt8(ascii: ":") && isPort(bytes[(index + 1)...])
  }

  /// The digits may be missing (RFC 3986 §3.2.3).
  private static func isPort(_ digits: Slice<UnsafeRawBufferPointer>) -> Bool {
    digits.count <= 5 && digits.allSatisfy { (0x30...0x39).contains($0) }
      && digits.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65535
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x46, 0x61...0x66: true
    default: false
    }
  }

  /// unreserved and sub-delims of RFC 3986 §2.
  @inline(__always)
  static func isNameCharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "~"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "("),
      UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
      true
    default: false
    }
  }
}
