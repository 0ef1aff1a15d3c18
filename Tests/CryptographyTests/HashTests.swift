import Cryptography
import TestSupport
import Testing
import WireFormat

@Suite struct SHA1Tests {
  struct File: Decodable {
    struct Example: Decodable {
      let ascii: String
      let `repeat`: Int
      let sha1Hex: HexBytes
    }
    let examples: [Example]
    let byLength: [HexBytes]
  }

  @Test("SHA-1 gives the example values of FIPS 180-4")
  func examples() throws {
    let examples = try Vectors.load("cryptography/sha1.json", as: File.self, keys: .convertFromSnakeCase).examples
    #expect(examples.count == 4)
    for row in examples {
      let message = [UInt8](String(repeating: row.ascii, count: row.repeat).utf8)
      #expect(SHA1.hash(message).bytes == row.sha1Hex.bytes)
    }
  }

  @Test("SHA-1 pads every length from 0 to 200 right, at any alignment")
  func lengths() throws {
    let digests = try Vectors.load("cryptography/sha1.json", as: File.self, keys: .convertFromSnakeCase).byLength
    #expect(digests.count == 201)
    for (count, digest) in digests.enumerated() {
      let message = (0..<count).map { UInt8(truncatingIfNeeded: 31 * $0 + count) }
      #expect(SHA1.hash(message).bytes == digest.bytes)
      let shifted = [0xff] + message
      let unaligned = SHA1.hash(shifted.span.bytes.extracting(1..<shifted.count))
      #expect(unaligned.bytes == digest.bytes)
    }
  }
}

@Suite struct CRC32CTests {
  struct File: Decodable {
    struct Case: Decodable {
      let inputHex: HexBytes
      let crc32cHex: String
    }
    let crc32c: [Case]
  }

  @Test("CRC-32C gives the published values, from bytes and from an integer")
  func vectors() throws {
    let cases = try Vectors.load("mainline/bep42.json", as: File.self, keys: .convertFromSnakeCase).crc32c
    #expect(cases.count == 6)
    for row in cases {
      let expected = try #require(UInt32(row.crc32cHex, radix: 16))
      #expect(CRC32C.checksum(row.inputHex.bytes) == expected)
      if row.inputHex.bytes.count <= 8 {
        let value = row.inputHex.bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        #expect(CRC32C.checksum(value, count: row.inputHex.bytes.count) == expected)
      }
    }
  }
}

@Suite struct SipHashTests {
  @Test("SipHash-2-4 gives the value of its paper, and depends on its key")
  func paper() {
    // Appendix A: key 00…0f, message 00…0e.
    let message = [UInt8](0..<15)
    let hash = SipHash(key: (0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908))
    #expect(message.withUnsafeBytes { hash.hash($0) } == 0xa129_ca61_49be_45e5)
    var random = RandomSource(seed: 1)
    let other = SipHash(random: &random)
    #expect(message.withUnsafeBytes { other.hash($0) } != 0xa129_ca61_49be_45e5)
  }
}

@Suite struct RandomSourceTests {
  @Test("a seeded source is xoshiro256** behind SplitMix64")
  func seeded() {
    // Computed with Python integers from the authors' reference code.
    var random = RandomSource(seed: 42)
    #expect(
      (0..<4).map { _ in random.next() } == [
        1_546_998_764_402_558_742, 6_990_951_692_964_543_102, 12_544_586_762_248_559_009, 17_057_574_109_182_124_193,
      ])
  }

  @Test("the same seed gives the same bytes; the system never repeats itself")
  func repeats() {
    var (first, second, system) = (RandomSource(seed: 3), RandomSource(seed: 3), RandomSource.system)
    #expect(first.bytes(33) == second.bytes(33))
    #expect(first.bytes(0) == [] && system.bytes(0) == [])
    #expect(system.bytes(16) != system.bytes(16))
    #expect(system.next() != system.next())
  }
}
