import Cryptography
import TestSupport
import Testing
import WireFormat

@testable import MainlineProtocol

@Suite("Items (BEP 44)")
struct ItemTests {
  struct File: Decodable {
    struct Mutable: Decodable {
      let name: String
      let seq: Int64
      let saltHex: HexBytes?
      let vBencodedHex: HexBytes
      let signableHex: HexBytes
      let publicKeyHex: HexBytes
      let signatureHex: HexBytes
      let targetHex: HexBytes
      let seedHex: HexBytes?
    }
    struct Immutable: Decodable {
      let name: String
      let vBencodedHex: HexBytes
      let targetHex: HexBytes
    }
    struct Read: Decodable {
      let name: String
      let valid: Bool
      let reason: String?
      let targetHex: HexBytes
      let kHex: HexBytes
      let saltHex: HexBytes?
      let seq: Int64
      let vBencodedHex: HexBytes
      let sigHex: HexBytes
    }
    struct MostRecent: Decodable {
      struct Item: Decodable {
        let seq: Int64
        let vHex: HexBytes
      }
      let name: String
      let items: [Item]
      let expected: Int
    }
    let mutable: [Mutable]
    let immutable: [Immutable]
    let derivedMutable: [Mutable]
    let readerMustCheck: [Read]
    let mostRecent: [MostRecent]
  }

  private let vectors: File
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 9, count: 32))!

  init() throws { vectors = try Vectors.load("mainline/bep44.json", keys: .convertFromSnakeCase) }

  /// The one vector whose value is above every limit.
  private func isTooBig(_ vector: File.Mutable) -> Bool { vector.vBencodedHex.bytes.count > 1005 }

  @Test("target, signed text and signature of the published and derived mutable items")
  func mutableVectors() throws {
    let all = vectors.mutable + vectors.derivedMutable
    #expect(all.count == 15)
    #expect(all.filter(isTooBig).count == 1)
    for vector in all {
      let key = try Ed25519.PublicKey(vector.publicKeyHex.bytes)
      let salt = vector.saltHex?.bytes ?? []
      let value = vector.vBencodedHex.bytes
      let signature = try #require(Ed25519.Signature(vector.signatureHex.bytes))
      #expect(MutableItem.target(of: key, salt: salt).bytes == vector.targetHex.bytes, "\(vector.name)")
      if isTooBig(vector) {
        #expect(throws: ItemError.valueTooBig) {
          try MutableItem(key: key, seq: vector.seq, salt: salt, value: value, signature: signature)
        }
        continue
      }
      let item = try MutableItem(key: key, seq: vector.seq, salt: salt, value: value, signature: signature)
      #expect(item.signable == vector.signableHex.bytes, "\(vector.name)")
      #expect(item.target.bytes == vector.targetHex.bytes)
      if let seed = vector.seedHex {
        let secret = try #require(Ed25519.SecretKey(seed: seed.bytes))
        #expect(try MutableItem(signedBy: secret, seq: vector.seq, value: value, salt: salt) == item, "\(vector.name)")
      }
    }
  }

  @Test("immutable items are stored under the SHA-1 of their encoding")
  func immutableVectors() throws {
    #expect(vectors.immutable.count == 8)
    for vector in vectors.immutable {
      let value = vector.vBencodedHex.bytes
      let target = try #require(NodeID(vector.targetHex.bytes))
      #expect(try ImmutableItem(value: value).target == target, "\(vector.name)")
      #expect(try ImmutableItem(verifying: value.span.bytes, target: target).value == value)
      #expect(throws: ItemError.wrongTarget) {
        try ImmutableItem(verifying: value.span.bytes, target: target.flippingBit(100))
      }
    }
  }

  @Test("a reader refuses what is not the owner's, not signed, or not for the target (D1)")
  func readerChecks() throws {
    #expect(vectors.readerMustCheck.count == 8)
    #expect(vectors.readerMustCheck.filter { !$0.valid }.count == 6)
    let wanted = try #require(vectors.readerMustCheck.first { $0.name == "as signed" })
    let owner = try Ed25519.PublicKey(wanted.kHex.bytes)
    for vector in vectors.readerMustCheck {
      let target = try #require(NodeID(vector.targetHex.bytes))
      let byTarget = Result { () throws(ItemError) in
        try MutableItem(
          verifying: vector.vBencodedHex.bytes.span.bytes, seq: vector.seq, signature: vector.sigHex.bytes.span.bytes,
          key: vector.kHex.bytes.span.bytes, salt: vector.saltHex?.bytes ?? [], target: target)
      }
      let byOwner = Result { () throws(ItemError) in
        try MutableItem(
          verifying: vector.vBencodedHex.bytes.span.bytes, seq: vector.seq, signature: vector.sigHex.bytes.span.bytes,
          key: vector.kHex.bytes.span.bytes, of: owner, salt: vector.saltHex?.bytes ?? [])
      }
      #expect(((try? byTarget.get()) != nil) == vector.valid, "\(vector.name)")
      #expect(((try? byOwner.get()) != nil) == vector.valid, "\(vector.name)")
    }
  }

  @Test("of an item by another key it is the key that is refused, before any signature is checked (D1)")
  func foreignKey() throws {
    let item = try MutableItem(signedBy: owner, seq: 1, bytes: [1])
    let stranger = Ed25519.SecretKey(seed: Array(repeating: 8, count: 32))!
    let forged = try MutableItem(signedBy: stranger, seq: 99, bytes: [2])
    #expect(throws: ItemError.wrongTarget) {
      try MutableItem(
        verifying: forged.value.span.bytes, seq: 99, signature: forged.signature.bytes.span.bytes,
        key: forged.key.bytes.span.bytes, salt: [], target: item.target)
    }
    #expect(throws: ItemError.wrongTarget) {
      try MutableItem(
        verifying: forged.value.span.bytes, seq: 99, signature: forged.signature.bytes.span.bytes,
        key: forged.key.bytes.span.bytes, of: item.key, salt: [])
    }
    for length in [0, 31, 33, 64] {
      #expect(throws: ItemError.wrongTarget) {
        try MutableItem(
          verifying: item.value.span.bytes, seq: 1, signature: item.signature.bytes.span.bytes,
          key: [UInt8](repeating: 0, count: length).span.bytes, of: item.key, salt: [])
      }
    }
    for length in [0, 63, 65] {
      #expect(throws: ItemError.invalidSignature) {
        try MutableItem(
          verifying: item.value.span.bytes, seq: 1, signature: [UInt8](repeating: 0, count: length).span.bytes,
          key: item.key.bytes.span.bytes, of: item.key, salt: [])
      }
    }
    // 32 bytes that are no point, under their own target.
    let noPoint = [UInt8](repeating: 0, count: 31) + [2]
    let candidates = (0..<64).map { [UInt8($0)] + noPoint.dropFirst() }
    let bad = try #require(candidates.first { (try? Ed25519.PublicKey($0)) == nil })
    #expect(throws: ItemError.invalidKey) {
      try MutableItem(
        verifying: item.value.span.bytes, seq: 1, signature: item.signature.bytes.span.bytes, key: bad.span.bytes,
        salt: [], target: NodeID(SHA1.hash(bad)))
    }
  }

  @Test("the most recent of several is the same whatever the order of arrival")
  func mostRecent() throws {
    #expect(vectors.mostRecent.count == 4)
    for vector in vectors.mostRecent {
      let items = try vector.items.map { try MutableItem(signedBy: owner, seq: $0.seq, bytes: $0.vHex.bytes) }
      for order in [items, items.reversed(), Array(items[1...]) + [items[0]]] {
        let newest = order.dropFirst().reduce(order[0]) { $1.isMoreRecent(than: $0) ? $1 : $0 }
        #expect(newest == items[vector.expected], "\(vector.name)")
      }
      #expect(items.allSatisfy { !$0.isMoreRecent(than: $0) })
    }
    // By what is held, not by the length in front of it: "10:…" < "9:…" as text.
    let long = try MutableItem(signedBy: owner, seq: 1, bytes: Array(repeating: 0x62, count: 10))
    let short = try MutableItem(signedBy: owner, seq: 1, bytes: Array(repeating: 0x61, count: 9))
    #expect(long.isMoreRecent(than: short))
    #expect(!short.isMoreRecent(than: long))
  }

  @Test("byte strings up to 1000 bytes, other values up to 1000 bytes of encoding")
  func sizes() throws {
    for (count, error) in [(0, nil), (996, nil), (997, nil), (1000, nil), (1001, ItemError.valueTooBig)] {
      let value = ItemValue.encoding(byteString: Array(repeating: 7, count: count))
      if let error {
        #expect(throws: error) { try ItemValue.check(value.span.bytes) }
      } else {
        #expect(throws: Never.self) { try ItemValue.check(value.span.bytes) }
        #expect(ItemValue.byteString(in: value.span.bytes)?.count == count)
      }
    }
    let list = Array("l".utf8) + ItemValue.encoding(byteString: Array(repeating: 7, count: 994)) + Array("e".utf8)
    #expect(list.count == 1000)
    #expect(throws: Never.self) { try ItemValue.check(list.span.bytes) }
    let longer = Array("l".utf8) + ItemValue.encoding(byteString: Array(repeating: 7, count: 995)) + Array("e".utf8)
    #expect(throws: ItemError.valueTooBig) { try ItemValue.check(longer.span.bytes) }
    #expect(throws: ItemError.saltTooBig) {
      try MutableItem(signedBy: owner, seq: 1, bytes: [], salt: Array(repeating: 1, count: 65))
    }
    #expect(throws: Never.self) {
      try MutableItem(signedBy: owner, seq: 1, bytes: [], salt: Array(repeating: 1, count: 64))
    }
  }

  @Test(
    "a value in another spelling than the canonical one is refused before its size is looked at",
    arguments: [
      "", "5", "5:", "5:hell", "5:hello!", "05:hello", "00:", ":", "+1:a", "-1:a", "i01e", "i-0e", "ie", "i5", "l", "d",
      "d1:bi1e1:ai2ee", "d1:ai1e1:ai2ee", "di1ei2ee", "99999999999999999999:a", "1000000:a", "i1ei2e",
    ])
  func notCanonical(text: String) {
    #expect(throws: ItemError.valueNotCanonical) { try ItemValue.check(Array(text.utf8).span.bytes) }
    #expect(ItemValue.byteString(in: Array(text.utf8).span.bytes) == nil)
  }

  @Test("an empty salt is no salt: same target, same signed text, same signature")
  func emptySalt() throws {
    let with = try MutableItem(signedBy: owner, seq: 4, bytes: Array("Hello world!".utf8), salt: [])
    #expect(String(decoding: with.signable, as: UTF8.self) == "3:seqi4e1:v12:Hello world!")
    #expect(with.target == NodeID(SHA1.hash(owner.publicKey.bytes)))
    let salted = try MutableItem(
      signedBy: owner, seq: 4, bytes: Array("Hello world!".utf8), salt: Array("foobar".utf8))
    #expect(String(decoding: salted.signable, as: UTF8.self) == "4:salt6:foobar3:seqi4e1:v12:Hello world!")
    #expect(salted.bytes == Array("Hello world!".utf8))
  }

  @Test("the extremes of seq are signed and read back", arguments: [Int64.min, -1, 0, 1, .max])
  func extremeSeqs(seq: Int64) throws {
    let item = try MutableItem(signedBy: owner, seq: seq, bytes: [1])
    #expect(String(decoding: item.signable, as: UTF8.self).hasPrefix("3:seqi\(seq)e1:v1:"))
    #expect(throws: Never.self) {
      try MutableItem(key: item.key, seq: seq, value: item.value, signature: item.signature)
    }
  }
}
