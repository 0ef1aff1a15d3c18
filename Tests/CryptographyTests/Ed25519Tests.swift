import Cryptography
import TestSupport
import Testing

@Suite struct CurvePointTests {
  struct File: Decodable {
    struct Points: Decodable {
      struct Case: Decodable {
        let bytes_hex: HexBytes
        let note: String
        let decompresses: Bool
      }
      let cases: [Case]
    }
    let point_decompression: Points
  }

  @Test("a public key is accepted exactly if its bytes decompress to a point")
  func decompression() throws {
    let cases = try Vectors.load("pkarr/keys.json", as: File.self).point_decompression.cases
    #expect(cases.count == 8)
    for row in cases {
      #expect(((try? Ed25519.PublicKey(row.bytes_hex.bytes)) != nil) == row.decompresses, "\(row.note)")
    }
  }

  @Test("every key that signing makes is a point, and half of random byte strings are")
  func randomKeys() {
    var random = RandomSource(seed: 7)
    var points = 0
    for _ in 0..<400 {
      let bytes = random.bytes(32)
      #expect((try? Ed25519.PublicKey(Ed25519.SecretKey(seed: bytes)!.publicKey.bytes)) != nil)
      if (try? Ed25519.PublicKey(bytes)) != nil { points += 1 }
    }
    #expect((140...260).contains(points))
  }
}
