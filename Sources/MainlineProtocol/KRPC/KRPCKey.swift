import Bencode

/// Short keys as the numbers of `BencodeScanner.takeShortString()`: the bytes in the low seven, the length in the top one; so
/// a `switch` finds them in one compare.
enum Key {
  static let a: UInt64 = 0x0100_0000_0000_0061
  static let e: UInt64 = 0x0100_0000_0000_0065
  static let k: UInt64 = 0x0100_0000_0000_006b
  static let q: UInt64 = 0x0100_0000_0000_0071
  static let r: UInt64 = 0x0100_0000_0000_0072
  static let t: UInt64 = 0x0100_0000_0000_0074
  static let v: UInt64 = 0x0100_0000_0000_0076
  static let y: UInt64 = 0x0100_0000_0000_0079
  static let id: UInt64 = 0x0200_0000_0000_6469
  static let ip: UInt64 = 0x0200_0000_0000_7069
  static let ro: UInt64 = 0x0200_0000_0000_6f72
  static let cas: UInt64 = 0x0300_0000_0073_6163
  static let seq: UInt64 = 0x0300_0000_0071_6573
  static let sig: UInt64 = 0x0300_0000_0067_6973
  static let port: UInt64 = 0x0400_0000_7472_6f70
  static let salt: UInt64 = 0x0400_0000_746c_6173
  static let want: UInt64 = 0x0400_0000_746e_6177
  static let nodes: UInt64 = 0x0500_0073_6564_6f6e
  static let token: UInt64 = 0x0500_006e_656b_6f74
  static let nodes6: UInt64 = 0x0600_3673_6564_6f6e
  static let target: UInt64 = 0x0600_7465_6772_6174
  static let values: UInt64 = 0x0600_7365_756c_6176
  static let samples: UInt64 = 0x0773_656c_706d_6173
}

extension RawSpan {
  /// The number that ``Key`` gives to a key of at most seven bytes; 0 for longer ones. Byte by byte: nearly all keys are
  /// read with `BencodeScanner.takeShortString()`, and only those at the end of a datagram, or oddly spelt, come here.
  func packedKey(_ key: ByteRange) -> UInt64 {
    guard key.count <= 7 else { return 0 }
    var number = UInt64(key.count) << 56
    for index in 0..<Int(key.count) {
      number |= UInt64(unsafeLoad(fromByteOffset: Int(key.offset) &+ index, as: UInt8.self)) << UInt64(8 &* index)
    }
    return number
  }

  /// True if two ranges hold the same bytes.
  func isEqual(_ a: ByteRange, _ b: ByteRange) -> Bool {
    withUnsafeBytes { bytes in
      bytes[Int(a.offset)..<Int(a.offset) + Int(a.count)].elementsEqual(
        bytes[Int(b.offset)..<Int(b.offset) + Int(b.count)])
    }
  }

  /// True if the bytes are those of a literal.
  @inline(__always)
  func isEqual(_ range: ByteRange, _ literal: StaticString) -> Bool {
    withUnsafeBytes { bytes in
      Int(range.count) == literal.utf8CodeUnitCount
        && bytes[Int(range.offset)..<Int(range.offset) + Int(range.count)].elementsEqual(
          UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
  }

  /// True if all bytes are those of a literal.
  func isEqual(_ literal: StaticString) -> Bool {
    withUnsafeBytes {
      $0.elementsEqual(UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }
  }
}
