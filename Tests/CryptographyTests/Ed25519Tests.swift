import Cryptography
import TestSupport
import Testing

@Suite struct Ed25519Tests {
  struct Case: Decodable {
    let seedHex: HexBytes
    let messageHex: HexBytes
    let publicKeyHex: HexBytes
    let signatureHex: HexBytes
  }
  struct File<Row: Decodable>: Decodable { let cases: [Row] }

  private func isValid(_ signature: [UInt8], _ message: [UInt8], _ key: [UInt8]) -> Bool {
    Ed25519.isValid(signature: signature.span.bytes, message: message.span.bytes, publicKey: key.span.bytes)
  }

  @Test("signing and verifying give the values of RFC 8032")
  func rfc8032() throws {
    let cases = try Vectors.load("cryptography/rfc8032.json", as: File<Case>.self, keys: .convertFromSnakeCase).cases
    #expect(cases.count == 4)
    for row in cases {
      let secret = try #require(Ed25519.SecretKey(seed: row.seedHex.bytes))
      #expect(secret.seed == row.seedHex.bytes)
      #expect(secret.publicKey.bytes == row.publicKeyHex.bytes)
      let signature = secret.signature(for: row.messageHex.bytes.span.bytes)
      #expect(signature.bytes == row.signatureHex.bytes)
      let isValid = secret.publicKey.isValidSignature(signature, for: row.messageHex.bytes.span.bytes)
      #expect(isValid)
    }
  }

  @Test("a changed message, signature or key makes the signature invalid")
  func tampering() throws {
    let cases = try Vectors.load("cryptography/rfc8032.json", as: File<Case>.self, keys: .convertFromSnakeCase).cases
    let row = try #require(cases.last)
    let (signature, message, key) = (row.signatureHex.bytes, row.messageHex.bytes, row.publicKeyHex.bytes)
    #expect(isValid(signature, message, key))
    for index in 0..<64 {
      var changed = signature
      changed[index] ^= 1 << UInt8(index & 7)
      #expect(!isValid(changed, message, key))
    }
    for index in message.indices {
      var changed = message
      changed[index] ^= 1
      #expect(!isValid(signature, changed, key))
    }
    for index in key.indices {
      var changed = key
      changed[index] ^= 1
      #expect(!isValid(signature, message, changed))
    }
  }

  @Test("a signature or key of another length is never valid")
  func lengths() {
    let secret = Ed25519.SecretKey()
    let message: [UInt8] = [1, 2, 3]
    let signature = secret.signature(for: message.span.bytes).bytes
    for count in 0..<130 where count != 64 {
      let other = Array((signature + signature + signature).prefix(count))
      #expect(!isValid(other, message, secret.publicKey.bytes))
      #expect(Ed25519.Signature(other) == nil)
    }
    for count in [0, 31, 33, 64] {
      let key = Array((secret.publicKey.bytes + secret.publicKey.bytes).prefix(count))
      #expect(!isValid(signature, message, key))
      #expect(throws: Ed25519.InvalidPublicKey()) { try Ed25519.PublicKey(key) }
      #expect(Ed25519.SecretKey(seed: key) == nil)
    }
  }

  struct StrictnessCase: Decodable {
    let note: String
    let publicKeyHex: HexBytes
    let messageHex: HexBytes
    let signatureHex: HexBytes
    let dalekAccepts: Bool
    let libsodiumAccepts: Bool
  }

  @Test("the accept set is libsodium's, a subset of what the network accepts, and differs only in small-order points")
  func strictness() throws {
    let cases = try Vectors.load(
      "cryptography/eddsa-strictness.json", as: File<StrictnessCase>.self, keys: .convertFromSnakeCase
    ).cases
    #expect(cases.count == 12)
    for row in cases {
      let accepted = isValid(row.signatureHex.bytes, row.messageHex.bytes, row.publicKeyHex.bytes)
      #expect(accepted == row.libsodiumAccepts, "\(row.note)")
      if accepted { #expect(row.dalekAccepts, "\(row.note)") }
      if accepted != row.dalekAccepts { #expect(row.note.contains("small-order"), "\(row.note)") }
    }
    #expect(cases.count { $0.dalekAccepts != $0.libsodiumAccepts } == 4)
  }

  @Test("fresh keys differ, and printing a secret key shows its public key only")
  func freshKeys() {
    let secret = Ed25519.SecretKey()
    #expect(secret.seed != Ed25519.SecretKey().seed)
    var printed = "\(secret)"
    debugPrint(secret, to: &printed)
    dump(secret, to: &printed)
    #expect(printed.contains("SecretKey(of: "))
    let words = secret.seed.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    #expect(!printed.contains("\(words)"))
  }

  @Test("the empty message can be signed and verified")
  func emptyMessage() {
    let secret = Ed25519.SecretKey()
    let message: [UInt8] = []
    let signature = secret.signature(for: message.span.bytes)
    #expect(isValid(signature.bytes, message, secret.publicKey.bytes))
    #expect(!isValid(signature.bytes, [0], secret.publicKey.bytes))
  }
}
