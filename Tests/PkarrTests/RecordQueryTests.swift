import Pkarr
import TestSupport
import Testing

@Suite struct RecordQueryTests {
  struct Queries: Decodable {
    struct Case: Decodable {
      let packetId: String
      let query: String
      let normalised: String
      let matchingRecordIndexes: [Int]
    }
    let cases: [Case]
  }

  @Test("a query finds the records that the reference finds, in the order of the packet")
  func queries() throws {
    let cases = try Vectors.load("pkarr/resource_records.json", as: Queries.self, keys: .convertFromSnakeCase).cases
    let packets = try SignedPacketVectorTests.load().packets
    #expect(cases.count == 33)
    for row in cases {
      let vector = try #require(packets.first { $0.id == row.packetId })
      let packet = try SignedPacket(vector.signedPacketHex.bytes)
      let all = packet.records
      #expect(packet.publicKey.fullName(of: row.query) == row.normalised)
      #expect(packet.records(named: row.query) == row.matchingRecordIndexes.map { all[$0] }, "\(row.query)")
    }
  }

  @Test("names are compared byte by byte on their text, composed and replaced characters included")
  func exactBytes() throws {
    let keypair = Keypair()
    let packet = try SignedPacketBuilder().txt("caf\u{e9}", "1", ttl: 60).txt("cafe\u{301}", "2", ttl: 60)
      .txt(#"\255"#, "3", ttl: 60).txt(#"x\.y"#, "4", ttl: 60).allowingAnyName().sign(with: keypair)
    func texts(_ name: String) -> [String?] {
      packet.records(named: name).map { record in
        guard case .txt(let data) = record.data else { return nil }
        return data.text
      }
    }
    #expect(texts("caf\u{e9}") == ["1"] && texts("cafe\u{301}") == ["2"])
    #expect(texts("\u{fffd}") == ["3"] && texts("x.y") == ["4"])
    #expect(texts("*") == ["1", "2", "3"] && texts("*y") == [] && texts("*.y") == ["4"])
    #expect(texts("") == [] && texts("..") == [])
  }

  struct Lifetimes: Decodable {
    struct Defaults: Decodable {
      let minimumTtl: UInt32
      let maximumTtl: UInt32
    }
    struct Case: Decodable {
      let recordTtls: [UInt32]
      let min: UInt32
      let max: UInt32
      let elapsedSeconds: UInt64
      let ttl: UInt32
      let expiresIn: UInt32
      let isExpired: Bool
      let freshRecordIndexes: [Int]
    }
    let defaults: Defaults
    let cases: [Case]
  }

  @Test("a packet lives as long as its shortest record, within bounds, counted from when it was seen")
  func lifetimes() throws {
    let file = try Vectors.load("pkarr/ttl.json", as: Lifetimes.self, keys: .convertFromSnakeCase)
    #expect(file.cases.count == 17)
    #expect(CachePolicy().minimumTTL.seconds == file.defaults.minimumTtl)
    #expect(CachePolicy().maximumTTL.seconds == file.defaults.maximumTtl)
    let keypair = Keypair()
    let seen = Timestamp(microseconds: 1_700_000_000_000_000)
    for row in file.cases {
      var packet = try SignedPacket(signedBy: keypair) {
        for ttl in row.recordTtls { TXT("a", "\(ttl)", ttl: .init(seconds: ttl)) }
      }
      packet.lastSeen = seen
      let policy = CachePolicy(minimumTTL: .init(seconds: row.min), maximumTTL: .init(seconds: row.max))
      let now = seen.adding(seconds: row.elapsedSeconds).adding(microseconds: 999_999)
      #expect(packet.elapsed(at: now) == row.elapsedSeconds)
      #expect(packet.ttl(policy).seconds == row.ttl)
      #expect(packet.expiresIn(policy, at: now).seconds == row.expiresIn)
      #expect(packet.isExpired(policy, at: now) == row.isExpired)
      #expect(packet.freshRecords(named: "a", at: now) == row.freshRecordIndexes.map { packet.records[$0] })
      #expect(packet.freshRecords(named: "b", at: now).isEmpty)
      // A packet that was seen in the future is as fresh as one seen now.
      #expect(packet.elapsed(at: .zero) == 0 && packet.expiresIn(policy, at: .zero).seconds == row.ttl)
      packet.lastSeen = .zero
      #expect(packet.isExpired(policy, at: Timestamp(microseconds: .max)))
    }
  }

  @Test("the bounds of a cache policy keep each other in order, the last one set wins")
  func policy() {
    var policy = CachePolicy()
    policy.minimumTTL = .days(2)
    #expect(policy.maximumTTL == .days(2))
    policy.maximumTTL = .minutes(1)
    #expect(policy.minimumTTL == .minutes(1))
    #expect(CachePolicy(minimumTTL: 10, maximumTTL: 5).maximumTTL == 10)
    policy.maximumTTL = 0
    #expect(policy == CachePolicy(minimumTTL: 0, maximumTTL: 0))
  }
}
