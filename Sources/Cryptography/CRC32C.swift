/// CRC-32C (Castagnoli, RFC 3720 appendix B.4): ties DHT node ids to addresses (BEP 42).
public enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
  }

  /// The checksum of the `count` low bytes of `value`, most significant byte first.
  public static func checksum(_ value: UInt64, count: Int) -> UInt32 {
    ~(0..<count).reversed().reduce(~0) { crc, index in
      table[Int((crc ^ UInt32(truncatingIfNeeded: value >> UInt64(8 * index))) & 255)] ^ crc >> 8
    }
  }

  /// The checksum of `bytes`.
  public static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in table[Int((crc ^ UInt32(byte)) & 255)] ^ crc >> 8 }
  }
}
