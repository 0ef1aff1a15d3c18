/// XXH64 (Collet, xxHash fast digest algorithm, v0.1.1): tells bytes that were damaged from those that were written.
/// Against accidents only; whoever wants to can make bytes with any sum.
enum XXHash64 {
  private static let prime1: UInt64 = 0x9e37_79b1_85eb_ca87
  private static let prime2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
  private static let prime3: UInt64 = 0x1656_67b1_9e37_79f9
  private static let prime4: UInt64 = 0x85eb_ca77_c2b2_ae63
  private static let prime5: UInt64 = 0x27d4_eb2f_1656_67c5

  @inline(__always)
  private static func rotate(_ word: UInt64, _ count: UInt64) -> UInt64 { word &<< count | word &>> (64 &- count) }

  @inline(__always)
  private static func round(_ sum: UInt64, _ word: UInt64) -> UInt64 {
    rotate(sum &+ word &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func merge(_ sum: UInt64, _ lane: UInt64) -> UInt64 { (sum ^ round(0, lane)) &* prime1 &+ prime4 }

  /// The sum of `bytes`.
  static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
    let count = bytes.count
    var offset = 0
    var sum = seed &+ prime5
    @inline(__always) func word(_ offset: Int) -> UInt64 {
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    if count >= 32 {
      var lane1 = seed &+ prime1 &+ prime2
      var lane2 = seed &+ prime2
      var lane3 = seed
      var lane4 = seed &- prime1
      while offset &+ 32 <= count {
        lane1 = round(lane1, word(offset))
        lane2 = round(lane2, word(offset &+ 8))
        lane3 = round(lane3, word(offset &+ 16))
        lane4 = round(lane4, word(offset &+ 24))
        offset &+= 32
      }
      sum = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
      sum = merge(merge(merge(merge(sum, lane1), lane2), lane3), lane4)
    }
    sum &+= UInt64(count)
    while offset &+ 8 <= count {
      sum = rotate(sum ^ round(0, word(offset)), 27) &* prime1 &+ prime4
      offset &+= 8
    }
    if offset &+ 4 <= count {
      let half = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
      sum = rotate(sum ^ UInt64(half) &* prime1, 23) &* prime2 &+ prime3
      offset &+= 4
    }
    while offset < count {
      sum = rotate(sum ^ UInt64(bytes[offset]) &* prime5, 11) &* prime1
      offset &+= 1
    }
    sum = (sum ^ sum &>> 33) &* prime2
    sum = (sum ^ sum &>> 29) &* prime3
    return sum ^ sum &>> 32
  }
}
