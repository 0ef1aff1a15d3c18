import Pkarr
import TestSupport
import Testing
import WireFormat

@Suite struct KeyTests {
  struct File: Decodable {
    struct Pair: Decodable {
      let seedHex: HexBytes
      let publicKeyHex: HexBytes
      let z32: String
      let uri: String
      let spkiDerHex: HexBytes
      let pkcs8V1DerHex: HexBytes
      let dhtTargetSha1Hex: HexBytes
      let secretKeyFile: String
    }
    struct SPKI: Decodable {
      let publicKeyZ32: String
      let publicKeyHex: HexBytes
      let spkiDerHex: HexBytes
    }
    struct Serde: Decodable {
      let publicKeyZ32: String
      let postcardBytesHex: HexBytes
    }
    struct SecretKeyFiles: Decodable {
      struct Case: Decodable {
        let content: String
        let result: String
        let publicKeyZ32: String?
      }
      let cases: [Case]
    }
    struct Parse: Decodable {
      let input: String
      let result: String
      let publicKeyHex: HexBytes?
      let z32: String?
      let error: String?
      let decodedLength: Int?
    }
    let keypairs: [Pair]
    let spki: [SPKI]
    let serde: [Serde]
    let secretKeyFiles: SecretKeyFiles
    let parse: [Parse]
  }
  let file: File

  init() throws { file = try Vectors.load("pkarr/keys.json", keys: .convertFromSnakeCase) }

  @Test("a seed gives the published key in all its forms")
  func keypairs() throws {
    #expect(file.keypairs.count == 6)
    for row in file.keypairs {
      let pair = try Keypair(seed: row.seedHex.bytes)
      #expect(pair.seed == row.seedHex.bytes)
      #expect(pair.publicKey.bytes == row.publicKeyHex.bytes)
      #expect(pair.publicKey.z32 == row.z32 && "\(pair.publicKey)" == row.z32)
      #expect(pair.publicKey.uri == row.uri)
      #expect(pair.publicKey.subjectPublicKeyInfo == row.spkiDerHex.bytes)
      #expect(pair.pkcs8 == row.pkcs8V1DerHex.bytes)
      #expect(pair.publicKey.target.bytes == row.dhtTargetSha1Hex.bytes)
      #expect(pair.secretKeyText == row.secretKeyFile)
      #expect(try PublicKey(subjectPublicKeyInfo: row.spkiDerHex.bytes) == pair.publicKey)
      #expect(try Keypair(pkcs8: row.pkcs8V1DerHex.bytes) == pair)
      #expect(try Keypair(secretKeyText: row.secretKeyFile) == pair)
      #expect(PublicKey(row.uri) == pair.publicKey)
    }
  }

  @Test("a public key is 32 bytes in binary and 44 in DER")
  func binaryForms() throws {
    #expect(file.spki.count == 1 && file.serde.count == 1)
    for row in file.spki {
      let key = try PublicKey(parsing: row.publicKeyZ32)
      #expect(key.bytes == row.publicKeyHex.bytes)
      #expect(key.subjectPublicKeyInfo == row.spkiDerHex.bytes)
    }
    for row in file.serde { #expect(try PublicKey(parsing: row.publicKeyZ32).bytes == row.postcardBytesHex.bytes) }
  }

  @Test("every text names the key that the network reads in it, or fails for the same reason")
  func parsing() throws {
    #expect(file.parse.count == 58)
    for row in file.parse {
      do throws(PublicKeyError) {
        let key = try PublicKey(parsing: row.input)
        #expect(row.result == "ok", "\(row.input)")
        #expect(key.bytes == row.publicKeyHex?.bytes && key.z32 == row.z32, "\(row.input)")
        #expect(PublicKey(row.input) == key)
      } catch {
        #expect(row.result == "error" && error.name == row.error, "\(row.input): \(error)")
        if case .invalidLength(let count) = error { #expect(count == row.decodedLength, "\(row.input)") }
        #expect(PublicKey(row.input) == nil)
      }
    }
  }

  @Test("lengths are counted in UTF-8 bytes, and no text crashes the parser")
  func hostileText() throws {
    let key = file.keypairs[0].z32
    #expect(throws: PublicKeyError.invalidEncoding) { try PublicKey(parsing: "é" + key) }
    #expect(try PublicKey(parsing: "https://é.\(key)/é").z32 == key)
    #expect(try PublicKey(parsing: "https://\(String(repeating: "a.", count: 100_000))\(key)").z32 == key)
    var random = SystemRandomNumberGenerator()
    let pieces = [":", "/", "//", "@", ".", "?", "#", key, "é", "\u{301}", "\r\n", "a", "pk:", " ", "\u{0}"]
    for _ in 0..<20_000 {
      let text = (0..<Int.random(in: 0..<9, using: &random)).map { _ in pieces.randomElement(using: &random)! }.joined()
      if let parsed = PublicKey(text) { #expect(parsed.z32 == key) }
    }
  }

  @Test("a secret key file holds 64 digits, white space around them ignored, and nothing else")
  func secretKeyFiles() throws {
    #expect(file.secretKeyFiles.cases.count == 10)
    for row in file.secretKeyFiles.cases {
      let pair = try? Keypair(secretKeyText: row.content)
      #expect((pair != nil) == (row.result == "ok"), "\(row.content)")
      #expect(pair?.publicKey.z32 == row.publicKeyZ32)
    }
    let digits = String(repeating: "+f", count: 32)
    #expect(throws: SecretKeyError.notHexadecimal) { try Keypair(secretKeyText: digits) }
    #expect(throws: SecretKeyError.notHexadecimal) { try Keypair(secretKeyText: "invalidhex") }
    #expect(throws: SecretKeyError.oddNumberOfDigits(3)) { try Keypair(secretKeyText: "abc") }
    #expect(throws: SecretKeyError.invalidLength(2)) { try Keypair(secretKeyText: " abcd\n") }
    #expect(throws: SecretKeyError.invalidLength(0)) { try Keypair(secretKeyText: " \n\u{a0}\u{2003} ") }
    #expect(throws: SecretKeyError.notHexadecimal) { try Keypair(secretKeyText: "00 00") }
  }

  @Test("DER of another length, layout or key is refused")
  func foreignDER() throws {
    let pair = Keypair()
    for count in [0, 1, 43, 45] {
      let bytes = Array((pair.publicKey.subjectPublicKeyInfo + [0]).prefix(count))
      #expect(throws: PublicKeyError.invalidLength(count)) { try PublicKey(subjectPublicKeyInfo: bytes) }
    }
    for index in 0..<12 {
      var bytes = pair.publicKey.subjectPublicKeyInfo
      bytes[index] ^= 1
      #expect(throws: PublicKeyError.invalidEncoding) { try PublicKey(subjectPublicKeyInfo: bytes) }
    }
    for index in 0..<16 {
      var bytes = pair.pkcs8
      bytes[index] ^= 1
      #expect(throws: SecretKeyError.unknownFormat) { try Keypair(pkcs8: bytes) }
    }
    #expect(throws: SecretKeyError.invalidLength(47)) { try Keypair(pkcs8: Array(pair.pkcs8.dropLast())) }
    #expect(throws: SecretKeyError.invalidLength(31)) { try Keypair(seed: Array(pair.seed.dropLast())) }
  }

  @Test("keys are values: equal and hashed by their bytes, all random ones different")
  func values() throws {
    let pairs = Set((0..<100).map { _ in Keypair() })
    #expect(pairs.count == 100)
    let keys = Set(pairs.map(\.publicKey))
    #expect(keys.count == 100)
    for pair in pairs {
      #expect(keys.contains(try PublicKey(pair.publicKey.bytes)))
      #expect(pairs.contains(try Keypair(seed: pair.seed)))
      #expect(PublicKey("https://x.\(pair.publicKey)./") == pair.publicKey)
    }
  }

  @Test("a pair signs what its key verifies, the same way each time, and never prints its secret")
  func signing() throws {
    let pair = try Keypair(seed: [UInt8](repeating: 7, count: 32))
    let message = Array("hello".utf8)
    let signature = pair.signature(for: message.span.bytes)
    #expect(signature == pair.signature(for: message.span.bytes))
    let other = Array("hellp".utf8)
    let (valid, validForKey) = (
      pair.isValidSignature(signature, for: message.span.bytes),
      pair.publicKey.isValidSignature(signature, for: message.span.bytes)
    )
    let validForOther = pair.isValidSignature(signature, for: other.span.bytes)
    #expect(valid && validForKey && !validForOther)
    var printed = "\(pair)"
    debugPrint(pair, to: &printed)
    dump(pair, to: &printed)
    #expect(printed.contains("Keypair(\(pair.publicKey.z32))"))
    #expect(!printed.contains("0707") && !printed.contains("506381209866536711"))
    #expect(String(reflecting: pair.publicKey) == "PublicKey(\(pair.publicKey.z32))")
  }
}
