import TestSupport
import Testing
import WireFormat

@Suite struct Base32Tests {
  struct ZBase32: Decodable {
    struct Encode: Decodable {
      let bytesHex: HexBytes
      let z32: String
    }
    struct Decode: Decodable {
      let input: String
      let bytesHex: HexBytes?
      let error: String?
      let note: String
    }
    let encode: [Encode]
    let decode: [Decode]
  }
  struct Timestamps: Decodable {
    struct Row: Decodable {
      let be8Hex: HexBytes
      let crockfordBase32: String
    }
    let encode: [Row]
  }

  @Test("z-base-32 spells bytes as the network does, and reads them back")
  func zBase32() throws {
    let file = try Vectors.load("pkarr/zbase32.json", as: ZBase32.self, keys: .convertFromSnakeCase)
    #expect(file.encode.count == 14 && file.decode.count == 12)
    for row in file.encode {
      #expect(Base32.z.encode(row.bytesHex.bytes) == row.z32)
      #expect(Base32.z.decode(row.z32) == row.bytesHex.bytes)
    }
    for row in file.decode {
      #expect((row.bytesHex == nil) != (row.error == nil))
      #expect(Base32.z.decode(row.input) == row.bytesHex?.bytes, "\(row.note)")
    }
  }

  @Test("Crockford's alphabet spells timestamps, in their order")
  func crockford() throws {
    let rows = try Vectors.load("pkarr/timestamps.json", as: Timestamps.self, keys: .convertFromSnakeCase).encode
    #expect(rows.count == 14)
    for row in rows {
      #expect(Base32.crockford.encode(row.be8Hex.bytes) == row.crockfordBase32)
      #expect(Base32.crockford.decode(row.crockfordBase32) == row.be8Hex.bytes)
    }
    #expect(rows.map(\.crockfordBase32) == rows.map(\.crockfordBase32).sorted())
    for refused in ["I", "L", "O", "U", "a", " 0", "é"] { #expect(Base32.crockford.decode(refused) == nil) }
  }

  @Test("every number of bytes comes back, in ⌈8n/5⌉ characters")
  func roundTrip() {
    for count in 0..<70 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 73 &+ count) }
      let text = Base32.z.encode(bytes)
      #expect(text.utf8.count == (count * 8 + 4) / 5)
      #expect(Base32.z.decode(text) == bytes)
    }
  }
}
