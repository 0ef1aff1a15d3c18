import CSodium

/// SipHash-2-4 (Aumasson, Bernstein 2012): a fast keyed hash of 8 bytes, unforgeable without its key.
public struct SipHash: Sendable {
  private let key: (UInt64, UInt64)

  /// Takes a fresh key of 16 bytes from `random`.
  public init(random: inout RandomSource) { key = (random.next(), random.next()) }

  /// Takes a key in its two halves, each little-endian.
  public init(key: (UInt64, UInt64)) { self.key = (key.0.littleEndian, key.1.littleEndian) }

  /// The hash of `message`.
  public func hash(_ message: UnsafeRawBufferPointer) -> UInt64 {
    Sodium.require()
    var output: UInt64 = 0
    withUnsafeBytes(of: key) { key in
      withUnsafeMutableBytes(of: &output) { output in
        _ = crypto_shorthash_siphash24(
          output.baseAddress!, message.baseAddress, UInt64(message.count), key.baseAddress!)
      }
    }
    return UInt64(littleEndian: output)
  }
}
