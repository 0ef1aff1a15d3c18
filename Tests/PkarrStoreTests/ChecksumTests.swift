import Pkarr
import Testing

@testable import PkarrStore

@Suite("Values in the file")
struct ChecksumTests {
  @Test("XXH64 gives the sums of libxxhash 0.8.1")
  func vectors() {
    let bytes = (0..<222).map { UInt8(truncatingIfNeeded: $0 * 7 + $0 / 3) }
    // Length, sum with seed 0, sum with seed 0x9e3779b1.
    let rows: [(Int, UInt64, UInt64)] = [
      (0, 0xef46_db37_51d8_e999, 0xac75_fda2_929b_17ef),
      (1, 0xe934_a84a_db05_2768, 0x5014_6076_43a9_b4c3),
      (4, 0x1be1_2520_c578_82a9, 0x0295_db77_5ee2_2289),
      (7, 0x3627_d4d1_0550_bb0b, 0x73d7_9855_6315_bf13),
      (8, 0x4bf2_f848_ae61_d86e, 0xf4dd_f33e_d63d_3b63),
      (12, 0xa1c5_1498_f9bd_718f, 0xd9fa_150e_798f_d22d),
      (14, 0x9cd9_ca99_31b6_7e76, 0x0c1c_7f5f_8dbc_5703),
      (31, 0xc39b_239c_c390_8b47, 0xa47d_f02a_a5cf_06e1),
      (32, 0xfcde_531d_a24a_08bb, 0x101f_ff6b_9ed7_d2c5),
      (33, 0x87aa_7578_9ca3_ee82, 0x8aeb_8a13_2a39_fa98),
      (63, 0x04ff_6cb6_54a1_c750, 0x1443_107d_2f91_38e7),
      (100, 0xff07_9688_753b_8203, 0x8ae0_19bc_ca88_4ee9),
      (222, 0x789d_e0a2_b28d_b22f, 0xfd38_26b6_111d_4aa6),
    ]
    for (count, plain, seeded) in rows {
      #expect(bytes[..<count].withUnsafeBytes { XXHash64.hash($0, seed: 0) } == plain, "\(count) bytes")
      #expect(bytes[..<count].withUnsafeBytes { XXHash64.hash($0, seed: 0x9e37_79b1) } == seeded, "\(count) bytes")
    }
    // The one that everybody knows.
    #expect(Array("abc".utf8).withUnsafeBytes { XXHash64.hash($0, seed: 0) } == 0x44bc_2cf5_ad77_0999)
  }

  @Test("a flipped bit anywhere behind the stamp is noticed, and so is another key")
  func flips() throws {
    let packet = Sample.packet(3, length: 333)
    let key = Sample.key(3)
    let value = UnsafeMutableRawBufferPointer.allocate(byteCount: StoredPacket.length(of: packet), alignment: 8)
    defer { value.deallocate() }
    StoredPacket.write(packet, key: key, stamp: 9, to: value)
    let stored = try #require(StoredPacket(UnsafeRawBufferPointer(value)))
    #expect(stored.stamp == 9 && stored.isIntact(key) && !stored.isIntact(Sample.key(4)))
    #expect([UInt8](stored.form) == packet.cachedForm)
    for bit in 64..<8 * value.count {
      value[bit / 8] ^= 1 << UInt8(bit % 8)
      #expect(!stored.isIntact(key), "bit \(bit)")
      value[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    #expect(stored.isIntact(key))
  }

  @Test("a packet in the file is compared like one in memory")
  func relation() throws {
    let packets = [
      Sample.packet(1, version: 5, lastSeen: 10), Sample.packet(1, version: 5, lastSeen: 11),
      Sample.packet(1, version: 6, lastSeen: 1), Sample.packet(1, version: 5, lastSeen: 10, fill: 0x42),
      Sample.packet(1, version: 5, length: 101, lastSeen: 10), Sample.packet(1, version: .max),
    ]
    let now = Timestamp(microseconds: 1000)
    for first in packets {
      let value = UnsafeMutableRawBufferPointer.allocate(byteCount: StoredPacket.length(of: first), alignment: 8)
      defer { value.deallocate() }
      StoredPacket.write(first, key: Sample.key(1), stamp: 1, to: value)
      let stored = try #require(StoredPacket(UnsafeRawBufferPointer(value)))
      for second in packets {
        switch (stored.relation(to: second, now: now), CacheUpdate.decide(second, over: first)) {
        case (.older, .stored), (.sameSeenEarlier, .refreshed), (.same, .kept), (.newer, .kept): break
        case let (relation, update): Issue.record("\(relation), \(update)")
        }
      }
    }
    // Seen in the future: as if it were never.
    let future = Sample.packet(1, version: 5, lastSeen: 1000 + 60_000_001)
    let value = UnsafeMutableRawBufferPointer.allocate(byteCount: StoredPacket.length(of: future), alignment: 8)
    defer { value.deallocate() }
    StoredPacket.write(future, key: Sample.key(1), stamp: 1, to: value)
    let stored = try #require(StoredPacket(UnsafeRawBufferPointer(value)))
    #expect(stored.relation(to: packets[0], now: now) == .sameSeenEarlier)
  }
}
