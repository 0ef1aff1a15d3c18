import Pkarr
import TestSupport
import Testing

/// Packets that the reference implementation, or the DNS library that it depends on, has written.
@Suite struct SignedPacketVectorTests {
  struct Packet: Decodable {
    let id: String
    let seedHex: HexBytes
    let originZ32: String
    let timestamp: UInt64
    let recordsIn: [VectorRecord]
    let namesAfterNormalisation: [String]
    let dnsPacketHex: HexBytes
    let signableHex: HexBytes
    let signatureHex: HexBytes
    let signedPacketHex: HexBytes
    let relayPayloadHex: HexBytes
    let lastSeen: UInt64
    let cachedFormHex: HexBytes
    let cacheKeySha1Hex: HexBytes
    let expectBuildError: String?
    let expectVerifyError: String?

    var builder: SignedPacketBuilder {
      get throws {
        var builder = SignedPacketBuilder().timestamp(Timestamp(microseconds: timestamp))
        for record in recordsIn {
          builder.append(Record(record.name, try record.data, ttl: .init(seconds: record.ttl)))
        }
        return builder
      }
    }
  }
  struct Order: Decodable {
    let a: String
    let b: String
    let aMoreRecentThanB: Bool
    let bMoreRecentThanA: Bool
  }
  struct File: Decodable {
    let packets: [Packet]
    let moreRecentThan: [Order]
  }

  static func load() throws -> File { try Vectors.load("pkarr/signed_packets.json", keys: .convertFromSnakeCase) }

  @Test("the same key, time and records give the same bytes as the reference, in every form")
  func packets() throws {
    let packets = try Self.load().packets
    #expect(packets.count == 39)
    for row in packets {
      let keypair = try Keypair(seed: row.seedHex.bytes)
      #expect(keypair.publicKey.z32 == row.originZ32)
      #expect(keypair.publicKey.target.bytes == row.cacheKeySha1Hex.bytes)
      let builder = try row.builder
      if let expected = row.expectBuildError {
        #expect(row.expectVerifyError != nil)
        let error = #expect(throws: SignedPacketBuildError.self) { try builder.sign(with: keypair) }
        guard case .packetTooLarge(let length, let largest)? = error else {
          Issue.record("\(row.id): \(String(describing: error))")
          continue
        }
        #expect("PacketTooLarge(\(length))" == expected && largest != nil)
        continue
      }
      var packet = try builder.sign(with: keypair)
      packet.lastSeen = Timestamp(microseconds: row.lastSeen)
      #expect(packet.records.map { $0.name.text } == row.namesAfterNormalisation, "\(row.id)")
      #expect(packet.messageBytes == row.dnsPacketHex.bytes, "\(row.id)")
      #expect(packet.signableBytes == row.signableHex.bytes, "\(row.id)")
      #expect(packet.signature.bytes == row.signatureHex.bytes, "\(row.id)")
      #expect(packet.bytes == row.signedPacketHex.bytes, "\(row.id)")
      #expect(packet.relayPayload == row.relayPayloadHex.bytes, "\(row.id)")
      #expect(packet.cachedForm == row.cachedFormHex.bytes, "\(row.id)")
    }
  }

  @Test("every published form is read, and reads back as the packet that it was")
  func parsing() throws {
    let packets = try Self.load().packets
    var accepted = 0
    for row in packets {
      let key = try PublicKey(parsing: row.originZ32)
      if let expected = row.expectVerifyError {
        let count = row.signedPacketHex.bytes.count
        #expect("PacketTooLarge(\(count))" == expected)
        #expect(throws: SignedPacketError.tooLarge(count)) { try SignedPacket(row.signedPacketHex.bytes) }
        #expect(throws: SignedPacketError.tooLarge(count)) {
          try SignedPacket(relayPayload: row.relayPayloadHex.bytes, publicKey: key)
        }
        #expect(throws: SignedPacketError.tooLarge(count)) { try SignedPacket(cachedForm: row.cachedFormHex.bytes) }
        continue
      }
      accepted += 1
      let lastSeen = Timestamp(microseconds: row.lastSeen)
      let canonical = try SignedPacket(row.signedPacketHex.bytes, lastSeen: lastSeen)
      let payload = try SignedPacket(relayPayload: row.relayPayloadHex.bytes, publicKey: key, lastSeen: lastSeen)
      let cached = try SignedPacket(cachedForm: row.cachedFormHex.bytes, now: lastSeen)
      #expect(canonical == payload && canonical == cached, "\(row.id)")
      #expect(canonical.publicKey == key && canonical.timestamp.microseconds == row.timestamp)
      #expect(canonical.records.count == row.recordsIn.count && canonical.recordCount == row.recordsIn.count)
      for (record, expected) in zip(canonical.records, row.recordsIn) {
        let data = try expected.data
        #expect(record.ttl == expected.ttl && record.data == data, "\(row.id)")
      }
    }
    #expect(accepted == 37)
  }

  @Test("of two packets the later timestamp wins, then the larger DNS packet")
  func order() throws {
    let file = try Self.load()
    #expect(file.moreRecentThan.count == 3)
    func packet(_ id: String) throws -> SignedPacket {
      try SignedPacket(try #require(file.packets.first { $0.id == id }).signedPacketHex.bytes)
    }
    for row in file.moreRecentThan {
      let (a, b) = (try packet(row.a), try packet(row.b))
      #expect(a.isMoreRecent(than: b) == row.aMoreRecentThanB)
      #expect(b.isMoreRecent(than: a) == row.bMoreRecentThanA)
      #expect(a.isSame(as: b) == (row.a == row.b))
    }
  }

  struct Rust: Decodable {
    struct Vector: Decodable {
      let title: String
      let seedHex: HexBytes
      let publicKeyHex: HexBytes
      let publicKeyZ32: String
      let timestamp: UInt64
      let records: [VectorRecord]
      let normalizedNames: [String]
      let dnsPacketHex: HexBytes
      let signatureHex: HexBytes
      let relayPayloadHex: HexBytes
      let signedPacketHex: HexBytes
    }
    let vectors: [Vector]
  }

  @Test("packets are those that the Rust crate signs, byte for byte")
  func rust() throws {
    let vectors = try Vectors.load("pkarr/rust-generated.json", as: Rust.self, keys: .convertFromSnakeCase).vectors
    #expect(vectors.count == 20)
    for row in vectors {
      let keypair = try Keypair(seed: row.seedHex.bytes)
      #expect(keypair.publicKey.bytes == row.publicKeyHex.bytes && keypair.publicKey.z32 == row.publicKeyZ32)
      var builder = SignedPacketBuilder()
      builder.timestamp = Timestamp(microseconds: row.timestamp)
      for record in row.records {
        builder = builder.rdata(record.name, try record.data, ttl: .init(seconds: record.ttl))
      }
      let packet = try builder.build(with: keypair)
      #expect(packet.records.map { $0.name.text } == row.normalizedNames, "\(row.title)")
      #expect(packet.messageBytes == row.dnsPacketHex.bytes, "\(row.title)")
      #expect(packet.signature.bytes == row.signatureHex.bytes, "\(row.title)")
      #expect(packet.relayPayload == row.relayPayloadHex.bytes && packet.bytes == row.signedPacketHex.bytes)
      let read = try SignedPacket(row.signedPacketHex.bytes)
      #expect(read.isSame(as: packet))
      let again = try SignedPacket(signedBy: keypair, timestamp: read.timestamp, records: read.records)
      #expect(again.isSame(as: packet), "\(row.title): signing what was parsed gives the same bytes")
    }
  }

  struct Legacy: Decodable {
    struct Packet: Decodable {
      let seedHex: HexBytes
      let originZ32: String
      let timestamp: UInt64
      let signatureHex: HexBytes
      let relayPayloadHex: HexBytes
      let dnsPacketHex: HexBytes
      let records: [VectorRecord]
    }
    let packets: [Packet]
  }

  @Test("a packet of the former JavaScript implementation, without compression, is read")
  func legacy() throws {
    let packets = try Vectors.load("pkarr/legacy.json", as: Legacy.self, keys: .convertFromSnakeCase).packets
    #expect(packets.count == 1)
    for row in packets {
      let key = try Keypair(seed: row.seedHex.bytes).publicKey
      #expect(key.z32 == row.originZ32)
      let packet = try SignedPacket(relayPayload: row.relayPayloadHex.bytes, publicKey: key)
      #expect(packet.timestamp.microseconds == row.timestamp && packet.signature.bytes == row.signatureHex.bytes)
      #expect(packet.messageBytes == row.dnsPacketHex.bytes)
      #expect(packet.records.map { $0.name.text } == row.records.map(\.name))
      let data = try row.records.map { try $0.data }
      #expect(packet.records.map(\.data) == data)
      #expect(packet.records(named: "foo").count == 1 && packet.records(named: "@").count == 1)
    }
  }
}
