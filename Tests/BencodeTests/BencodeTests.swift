import Bencode
import TestSupport
import Testing

@Suite struct CanonicalBencodeTests {
  struct File: Decodable {
    struct Row: Decodable {
      let name: String
      let hex: HexBytes
      let accept: Bool
    }
    let strict: [Row]
  }

  @Test("exactly the canonical spelling of a value is accepted")
  func strictVectors() throws {
    let rows = try Vectors.load("mainline/bencode.json", as: File.self).strict
    #expect(rows.count == 35)
    for row in rows {
      #expect(CanonicalBencode.isCanonical(row.hex.bytes) == row.accept, "\(row.name)")
    }
  }

  @Test("a canonical value that is decoded and encoded again gives the same bytes")
  func roundTrip() throws {
    let rows = try Vectors.load("mainline/bencode.json", as: File.self).strict.filter(\.accept)
    var trees = 0
    for row in rows {
      guard let value = try? BencodeValue(row.hex.bytes) else { continue }
      #expect(value.encoded == row.hex.bytes, "\(row.name)")
      trees += 1
    }
    #expect(trees > 8)
  }

  @Test("every truncation and every changed byte of a message ends in a value or an error")
  func mutations() throws {
    let message = Array(
      "d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe".utf8)
    #expect(CanonicalBencode.isCanonical(message))
    var accepted = 0
    for index in message.indices {
      #expect(!CanonicalBencode.isCanonical(Array(message[..<index])))
      for value in UInt8.min...UInt8.max {
        var mutated = message
        mutated[index] = value
        var scanner = BencodeScanner(mutated.span.bytes)
        if (try? scanner.skipValue()) != nil { accepted += 1 }
        if CanonicalBencode.isCanonical(mutated) {
          #expect((try? BencodeValue(mutated))?.encoded == mutated)
        }
      }
    }
    #expect(accepted > message.count)
  }
}

@Suite struct BencodeScannerTests {
  @Test("containers inside each other are followed up to the limit without recursion")
  func depth() {
    func nested(_ depth: Int) -> [UInt8] {
      Array(repeating: UInt8(ascii: "l"), count: depth) + Array(repeating: UInt8(ascii: "e"), count: depth)
    }
    func skips(_ bytes: [UInt8]) -> Bool {
      var scanner = BencodeScanner(bytes.span.bytes)
      return (try? scanner.skipValue()) != nil
    }
    #expect(skips(nested(16)))
    #expect(!skips(nested(17)))
    #expect(!skips(Array(repeating: UInt8(ascii: "d"), count: 60_000)))
  }

  @Test("what stands in containers is counted over the whole message, what stands outside of them is not")
  func values() {
    func skips(_ text: String, count: Int) -> Int {
      let bytes = Array(text.utf8)
      var scanner = BencodeScanner(bytes.span.bytes)
      return (0..<count).prefix { _ in (try? scanner.skipValue()) != nil }.count
    }
    let limit = BencodeScanner.maximumValues
    func list(_ values: Int) -> String { "l" + String(repeating: "i1e", count: values) + "e" }
    #expect(skips(list(limit - 1), count: 1) == 1)
    #expect(skips(list(limit), count: 1) == 0, "the list itself is a value too")
    #expect(skips(list(limit / 2 - 1) + list(limit / 2 - 1) + "le", count: 3) == 2)
    #expect(skips("d" + String(repeating: "1:ai1e", count: limit) + "e", count: 1) == 0)
    #expect(skips(String(repeating: "i1e", count: 2 * limit), count: 2 * limit) == 2 * limit)
  }

  @Test("integers are read in full range, and larger ones are passed over")
  func integers() throws {
    func read(_ text: String) throws(BencodeError) -> Int64? {
      let bytes = Array(text.utf8)
      var scanner = BencodeScanner(bytes.span.bytes)
      return try scanner.readInteger()
    }
    #expect(try read("i9223372036854775807e") == .max)
    #expect(try read("i-9223372036854775808e") == .min)
    #expect(try read("i9223372036854775808e") == nil)
    #expect(try read("i10000000000000000000e") == nil && read("i-18446744073709551617e") == nil)
    #expect(try read("i-007e") == -7)
    #expect(try read("i0000000000000000000000000000042e") == 42)
    #expect(try read("i00000000000000000000000010000000000000000000e") == nil)
    for text in ["ie", "i-e", "i+1e", "i1", "i 1e", "1e", ""] {
      #expect(throws: BencodeError.self) { _ = try read(text) }
    }
  }
}
