import CNettle

/// SHA-1 (FIPS 180-4): names DHT targets. Not for signatures or passwords.
public enum SHA1 {
  /// A digest of 20 bytes as three big-endian words.
  public struct Digest: Hashable, Sendable {
    /// Bytes 0 to 7.
    public let first: UInt64
    /// Bytes 8 to 15.
    public let second: UInt64
    /// Bytes 16 to 19.
    public let third: UInt32

    /// The 20 bytes.
    public var bytes: [UInt8] {
      (0..<8).map { UInt8(truncatingIfNeeded: first >> UInt64(56 - 8 * $0)) }
        + (0..<8).map { UInt8(truncatingIfNeeded: second >> UInt64(56 - 8 * $0)) }
        + (0..<4).map { UInt8(truncatingIfNeeded: third >> UInt32(24 - 8 * $0)) }
    }
  }

  /// The digest of `message`.
  public static func hash(_ message: RawSpan) -> Digest { message.withUnsafeBytes { hash($0) } }

  /// The digest of `message`.
  public static func hash(_ message: [UInt8]) -> Digest { message.withUnsafeBytes { hash($0) } }

  /// The digest of `message`.
  public static func hash(_ message: UnsafeRawBufferPointer) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 8) { bytes in
      sha1_hash(message.baseAddress, message.count, bytes.baseAddress)
      return Digest(
        first: UInt64(bigEndian: bytes.load(as: UInt64.self)),
        second: UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)),
        third: UInt32(bigEndian: bytes.load(fromByteOffset: 16, as: UInt32.self)))
    }
  }
}
