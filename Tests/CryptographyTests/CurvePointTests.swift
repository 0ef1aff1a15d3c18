import Cryptography
import TestSupport
import Testing

@Suite struct CurvePointTests {
  struct Keys: Decodable {
    struct Points: Decodable {
      struct Case: Decodable {
        let bytesHex: HexBytes
        let note: String
        let decompresses: Bool
      }
      let cases: [Case]
    }
    let pointDecompression: Points
  }
  struct Computed: Decodable {
    let pointsHex: [HexBytes]
    let othersHex: [HexBytes]
  }

  private func isPoint(_ bytes: [UInt8]) -> Bool { (try? Ed25519.PublicKey(bytes)) != nil }

  @Test("a public key is accepted exactly if its bytes decompress to a point")
  func decompression() throws {
    let cases = try Vectors.load("pkarr/keys.json", as: Keys.self, keys: .convertFromSnakeCase).pointDecompression.cases
    #expect(cases.count == 8)
    for row in cases { #expect(isPoint(row.bytesHex.bytes) == row.decompresses, "\(row.note)") }
  }

  @Test("the field arithmetic agrees with big integers, at the edges of the field and elsewhere")
  func computed() throws {
    let file = try Vectors.load(
      "cryptography/decompression.json", as: Computed.self, keys: .convertFromSnakeCase)
    #expect(file.pointsHex.count + file.othersHex.count == 373)
    for row in file.pointsHex { #expect(isPoint(row.bytes), "\(row.bytes)") }
    for row in file.othersHex { #expect(!isPoint(row.bytes), "\(row.bytes)") }
  }

  @Test("every key that signing makes is a point, and half of random byte strings are")
  func randomKeys() {
    var random = RandomSource(seed: 7)
    var points = 0
    for _ in 0..<400 {
      let bytes = random.bytes(32)
      #expect(isPoint(Ed25519.SecretKey(seed: bytes)!.publicKey.bytes))
      if isPoint(bytes) { points += 1 }
    }
    #expect((140...260).contains(points))
  }
}
