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
    var state = State()
    var offset = 0
    while message.count - offset >= 64 {
      state.absorb(UnsafeRawBufferPointer(rebasing: message[offset..<offset + 64]))
      offset += 64
    }
    // The rest, the bit 1, zeros, and the length in bits: one block, or two if the length does not fit behind.
    withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { tail in
      let rest = message.count - offset
      let size = rest < 56 ? 64 : 128
      tail.initializeMemory(as: UInt8.self, repeating: 0)
      tail.copyMemory(from: UnsafeRawBufferPointer(rebasing: message[offset...]))
      tail[rest] = 0x80
      tail.storeBytes(of: (UInt64(message.count) * 8).bigEndian, toByteOffset: size - 8, as: UInt64.self)
      state.absorb(UnsafeRawBufferPointer(rebasing: tail[..<64]))
      if size == 128 { state.absorb(UnsafeRawBufferPointer(rebasing: tail[64...])) }
    }
    return state.digest
  }

  private struct State {
    var h0: UInt32 = 0x6745_2301
    var h1: UInt32 = 0xefcd_ab89
    var h2: UInt32 = 0x98ba_dcfe
    var h3: UInt32 = 0x1032_5476
    var h4: UInt32 = 0xc3d2_e1f0

    var digest: Digest {
      Digest(first: UInt64(h0) << 32 | UInt64(h1), second: UInt64(h2) << 32 | UInt64(h3), third: h4)
    }

    mutating func absorb(_ block: UnsafeRawBufferPointer) {
      var words = InlineArray<16, UInt32>(repeating: 0)
      for index in 0..<16 {
        words[index] = UInt32(bigEndian: block.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self))
      }
      var a = h0
      var b = h1
      var c = h2
      var d = h3
      var e = h4

      @inline(__always) func rotate(_ x: UInt32, _ count: UInt32) -> UInt32 { x &<< count | x &>> (32 &- count) }
      @inline(__always) func word(_ index: Int) -> UInt32 {
        if index < 16 { return words[index] }
        let mixed =
          words[(index &+ 13) & 15] ^ words[(index &+ 8) & 15] ^ words[(index &+ 2) & 15] ^ words[index & 15]
        words[index & 15] = rotate(mixed, 1)
        return words[index & 15]
      }
      @inline(__always) func step(_ function: UInt32, _ constant: UInt32, _ index: Int) {
        let next = rotate(a, 5) &+ function &+ e &+ constant &+ word(index)
        e = d
        d = c
        c = rotate(b, 30)
        b = a
        a = next
      }
      for index in 0..<20 { step((b & c) | (~b & d), 0x5a82_7999, index) }
      for index in 20..<40 { step(b ^ c ^ d, 0x6ed9_eba1, index) }
      for index in 40..<60 { step((b & c) | (b & d) | (c & d), 0x8f1b_bcdc, index) }
      for index in 60..<80 { step(b ^ c ^ d, 0xca62_c1d6, index) }

      h0 &+= a
      h1 &+= b
      h2 &+= c
      h3 &+= d
      h4 &+= e
    }
  }
}
