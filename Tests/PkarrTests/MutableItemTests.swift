import Cryptography
import Pkarr
import TestSupport
import Testing

@Suite struct MutableItemTests {
  struct File: Decodable {
    struct Signable: Decodable {
      let seq: UInt64
      let vHex: HexBytes
      let saltHex: HexBytes?
      let signableAscii: String
      let signableHex: HexBytes
    }
    struct Document: Decodable {
      let seq: UInt64
      let vHex: HexBytes
      let saltHex: HexBytes?
      let publicKeyHex: HexBytes
      let publicKeyZ32: String
      let signatureHex: HexBytes
      let targetHex: HexBytes
    }
    let signable: [Signable]
    let bep44Document: [Document]
  }

  @Test("what is signed is what BEP 44 signs without salt")
  func signable() throws {
    let file = try Vectors.load("pkarr/bep44.json", as: File.self, keys: .convertFromSnakeCase)
    #expect(file.signable.count == 2 && file.bep44Document.count == 2)
    var unsalted = 0
    for row in file.signable where row.saltHex == nil {
      let signable = SignedPacket.signableBytes(
        timestamp: Timestamp(microseconds: row.seq), message: row.vHex.bytes.span.bytes)
      #expect(signable == row.signableHex.bytes && String(decoding: signable, as: UTF8.self) == row.signableAscii)
      unsalted += 1
    }
    for row in file.bep44Document {
      let key = try PublicKey(row.publicKeyHex.bytes)
      #expect(key.z32 == row.publicKeyZ32)
      let signable = SignedPacket.signableBytes(
        timestamp: Timestamp(microseconds: row.seq), message: row.vHex.bytes.span.bytes)
      let signature = try #require(Ed25519.Signature(row.signatureHex.bytes))
      let isValid = key.isValidSignature(signature, for: signable.span.bytes)
      #expect(isValid == (row.saltHex == nil))
      if row.saltHex == nil {
        #expect(key.target.bytes == row.targetHex.bytes)
        unsalted += 1
      }
    }
    #expect(unsalted == 2)
  }

  private func item(
    _ item: SignedPacket.MutableItem, seq: Int64? = nil, key: [UInt8]? = nil, signature: [UInt8]? = nil,
    value: [UInt8]? = nil, isVerified: Bool
  ) throws(SignedPacketError) -> SignedPacket {
    let (key, value, signature) = (key ?? item.key, value ?? item.value, signature ?? item.signature)
    return try SignedPacket(
      key: key.span.bytes, value: value.span.bytes, seq: seq ?? item.seq, signature: signature.span.bytes,
      isVerified: isVerified, lastSeen: .zero)
  }

  @Test("a packet becomes an item of the DHT and a packet again, verified here or there")
  func roundTrip() throws {
    let packet = try SignedPacket(signedBy: Keypair()) { TXT("a", "b") }
    let parts = try packet.mutableItem()
    #expect(parts.key == packet.publicKey.bytes && parts.value == packet.messageBytes)
    #expect(parts.seq == Int64(packet.timestamp.microseconds) && parts.signature == packet.signature.bytes)
    for isVerified in [true, false] {
      #expect(try item(parts, isVerified: isVerified).isSame(as: packet))
      #expect(throws: SignedPacketError.invalidSignature) { try item(parts, seq: -1, isVerified: isVerified) }
      #expect(throws: SignedPacketError.invalidSignature) {
        try item(parts, signature: Array(parts.signature.dropLast()), isVerified: isVerified)
      }
      #expect(throws: SignedPacketError.invalidPublicKey(.invalidLength(31))) {
        try item(parts, key: Array(parts.key.dropLast()), isVerified: isVerified)
      }
      let noPoint = [2] + [UInt8](repeating: 0, count: 31)
      #expect(throws: SignedPacketError.invalidPublicKey(.notAPoint)) {
        try item(parts, key: noPoint, isVerified: isVerified)
      }
      #expect(throws: SignedPacketError.invalidPublicKey(.notAPoint)) {
        try item(parts, seq: -1, key: noPoint, isVerified: isVerified)
      }
      #expect(throws: SignedPacketError.tooLarge(1105)) {
        try item(parts, value: [UInt8](repeating: 0, count: 1001), isVerified: isVerified)
      }
    }
    #expect(throws: SignedPacketError.invalidSignature) { try item(parts, seq: parts.seq + 1, isVerified: false) }
    #expect(throws: SignedPacketError.self) { try item(parts, value: [1, 2, 3], isVerified: true) }
    #expect(throws: SignedPacketError.tooShort(103)) {
      try item(parts, signature: Array(parts.signature.dropLast()), value: [], isVerified: true)
    }
  }

  @Test("a timestamp that is no positive sequence number is signed and read, but not published")
  func notPublishable() throws {
    let keypair = Keypair()
    for (microseconds, isPublishable) in [
      (0, false), (1, true), (UInt64(Int64.max), true), (UInt64(Int64.max) + 1, false), (.max, false),
    ] as [(UInt64, Bool)] {
      let packet = try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: microseconds)) {
        TXT("a", "b")
      }
      #expect(try SignedPacket(packet.bytes).isSame(as: packet))
      if isPublishable {
        #expect(try packet.mutableItem().seq == Int64(microseconds))
      } else {
        let error = #expect(throws: NotPublishable(timestamp: packet.timestamp)) { try packet.mutableItem() }
        #expect(error?.description.contains("\(microseconds)") == true)
      }
    }
  }
}
