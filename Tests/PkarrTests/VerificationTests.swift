import Cryptography
import Pkarr
import TestSupport
import Testing

@Suite struct VerificationTests {
  struct File: Decodable {
    struct Case: Decodable {
      let id: String
      let note: String
      let signedPacketHex: HexBytes
      let length: Int
      let expected: String
    }
    let cases: [Case]
  }

  /// The name of an error with its number, as the vector file spells it.
  private func spelled(_ error: SignedPacketError) -> String {
    switch error {
    case .tooShort(let count), .tooLarge(let count): "\(error.name)(\(count))"
    default: error.name
    }
  }

  @Test("a packet is accepted, or refused for the first fault in the order of checks")
  func vectors() throws {
    let cases = try Vectors.load("pkarr/verify.json", as: File.self, keys: .convertFromSnakeCase).cases
    #expect(cases.count == 21)
    for row in cases {
      let bytes = row.signedPacketHex.bytes
      #expect(bytes.count == row.length)
      #expect(verdict { () throws(SignedPacketError) in try SignedPacket(bytes) } == row.expected, "\(row.note)")
      // As a relay payload, if there is a key to expect.
      if let key = try? PublicKey(Array(bytes.prefix(32))) {
        let payload = Array(bytes.dropFirst(32))
        let found = verdict { () throws(SignedPacketError) in try SignedPacket(relayPayload: payload, publicKey: key) }
        #expect(found == row.expected, "\(row.note)")
      }
    }
  }

  @Test("payloads that are checked together get the results that each gets alone")
  func groups() throws {
    let cases = try Vectors.load("pkarr/verify.json", as: File.self, keys: .convertFromSnakeCase).cases
    let all = cases.filter { $0.length >= 32 }.map { row in
      SignedPacket.Unverified(
        relayPayload: Array(row.signedPacketHex.bytes.dropFirst(32)),
        publicKey: Array(row.signedPacketHex.bytes.prefix(32)))
    }
    #expect(SignedPacket.verify([]).isEmpty)
    let lastSeen = Timestamp(microseconds: 7)
    for count in 1...all.count {
      let results = SignedPacket.verify(Array(all.suffix(count)), lastSeen: lastSeen)
      #expect(results.count == count)
      for (member, result) in zip(all.suffix(count), results) {
        let alone = Result { () throws(SignedPacketError) in
          try SignedPacket(member.publicKey + member.relayPayload, lastSeen: lastSeen)
        }
        #expect(result == alone)
      }
    }
    let other = SignedPacket.Unverified(relayPayload: all[0].relayPayload, publicKey: [1, 2, 3])
    #expect(SignedPacket.verify([other]) == [.failure(.invalidPublicKey(.invalidLength(3)))])
  }

  private func verdict(_ read: () throws(SignedPacketError) -> SignedPacket) -> String {
    do throws(SignedPacketError) {
      _ = try read()
      return "ok"
    } catch {
      #expect(!error.description.isEmpty)
      return spelled(error)
    }
  }

  @Test("lengths of a relay payload count the key, and are checked first")
  func payloadLengths() {
    let key = Keypair().publicKey
    #expect(throws: SignedPacketError.tooShort(32)) { try SignedPacket(relayPayload: [], publicKey: key) }
    let zeros = [UInt8](repeating: 0, count: 1073)
    #expect(throws: SignedPacketError.tooLarge(1105)) { try SignedPacket(relayPayload: zeros, publicKey: key) }
    #expect(throws: SignedPacketError.invalidSignature) {
      try SignedPacket(relayPayload: Array(zeros.dropLast()), publicKey: key)
    }
  }

  @Test("the cached form trusts the signature but not the layout, and a last_seen ahead of time is the oldest")
  func cachedForm() throws {
    let packet = try SignedPacket(signedBy: Keypair()) { TXT("a", "b") }
    let now = Timestamp(microseconds: 1_000_000_000_000)
    for count in 0..<112 {
      let bytes = Array(packet.cachedForm.prefix(count))
      #expect(throws: SignedPacketError.tooShort(max(0, count - 8))) { try SignedPacket(cachedForm: bytes, now: now) }
    }
    for (ahead, kept) in [(0, true), (60_000_000, true), (60_000_001, false)] as [(UInt64, Bool)] {
      var other = packet
      other.lastSeen = now.adding(microseconds: ahead)
      let read = try SignedPacket(cachedForm: other.cachedForm, now: now)
      #expect(read.lastSeen == (kept ? other.lastSeen : .zero) && read.isSame(as: packet))
    }
    var bytes = packet.cachedForm
    bytes[8 + 40] ^= 1
    #expect(try SignedPacket(cachedForm: bytes, now: now).signature != packet.signature)
    bytes = packet.cachedForm
    bytes[8 + 104 + 7] = 9
    #expect(throws: SignedPacketError.self) { try SignedPacket(cachedForm: bytes, now: now) }
    bytes = packet.cachedForm
    bytes.replaceSubrange(8..<40, with: [2] + [UInt8](repeating: 0, count: 31))
    #expect(throws: SignedPacketError.invalidPublicKey(.notAPoint)) { try SignedPacket(cachedForm: bytes, now: now) }
    let long = packet.cachedForm + [UInt8](repeating: 0, count: 1000)
    #expect(throws: SignedPacketError.tooLarge(long.count - 8)) { try SignedPacket(cachedForm: long, now: now) }
  }

  @Test("the longest packet has 1104 bytes, its relay payload 1072, its cached form 1112")
  func largest() throws {
    let row = try #require(SignedPacketVectorTests.load().packets.first { $0.id == "exactly-1000" })
    let packet = try SignedPacket(row.signedPacketHex.bytes)
    #expect(packet.bytes.count == SignedPacket.maximumLength && packet.bytes.count == 1104)
    #expect(packet.relayPayload.count == SignedPacket.maximumRelayPayloadLength && packet.relayPayload.count == 1072)
    #expect(packet.cachedForm.count == 1112 && packet.messageBytes.count == 1000)
    #expect(packet.reach == .someNodes)
  }
}

@Suite struct HostileInputTests {
  private func packet() throws -> SignedPacket {
    try SignedPacket(signedBy: Keypair(seed: [UInt8](repeating: 3, count: 32)), timestamp: Timestamp(microseconds: 99))
    {
      A("www", "203.0.113.7", ttl: .hours(1))
      TXT("_hello", "world")
      CNAME("x", "www.example.com")
      HTTPS("@", target: ".", port: 443, alpn: ["h3"], hints: [.loopbackV4])
    }
  }

  @Test("every truncation of a packet is refused")
  func truncations() throws {
    let packet = try packet()
    for count in 0..<packet.bytes.count {
      let expected = count < 104 ? SignedPacketError.tooShort(count) : .invalidSignature
      #expect(throws: expected) { try SignedPacket(Array(packet.bytes.prefix(count))) }
    }
  }

  @Test("every change of one byte is refused, whichever bit")
  func mutations() throws {
    let packet = try packet()
    for index in packet.bytes.indices {
      for change in [UInt8(1), 0x80, 0xff] {
        var bytes = packet.bytes
        bytes[index] ^= change
        #expect(throws: SignedPacketError.self) { try SignedPacket(bytes) }
      }
    }
  }

  @Test("a signed DNS packet with any byte changed or cut is read or refused, and reading it never crashes")
  func signedNonsense() throws {
    let keypair = try Keypair(seed: [UInt8](repeating: 4, count: 32))
    let message = try packet().messageBytes
    var (accepted, refused) = (0, 0)
    func check(_ message: [UInt8]) {
      let timestamp = Timestamp(microseconds: 5)
      let signable = SignedPacket.signableBytes(timestamp: timestamp, message: message.span.bytes)
      let signature = keypair.signature(for: signable.span.bytes)
      do throws(SignedPacketError) {
        let read = try SignedPacket(keypair.publicKey.bytes + signature.bytes + timestamp.bytes + message)
        accepted += 1
        #expect(read.recordCount == read.records.count && read.message.answers == read.records)
        #expect(!read.description.isEmpty && read.ttl().seconds >= 300)
        for record in read.records where record.name.hasSuffix(read.publicKey.domainName) {
          #expect(read.records(named: record.name.text).contains(record))
        }
      } catch {
        guard case .malformedMessage = error else {
          Issue.record("\(error)")
          return
        }
        refused += 1
      }
    }
    for index in message.indices {
      for change in [UInt8(1), 0x40, 0xc0, 0xff] {
        var bytes = message
        bytes[index] ^= change
        check(bytes)
      }
      check(Array(message.prefix(index)))
    }
    var random = RandomSource(seed: 11)
    for _ in 0..<500 {
      var bytes = message
      for _ in 0..<4 {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      check(bytes)
    }
    #expect(accepted > 100 && refused > 100)
  }

  @Test("random bytes of any length are refused in every form")
  func noise() throws {
    var random = RandomSource(seed: 12)
    let key = Keypair().publicKey
    for count in [0, 1, 7, 8, 31, 32, 71, 72, 103, 104, 111, 112, 116, 200, 1072, 1104, 1112, 1113, 5000] {
      for _ in 0..<20 {
        let bytes = random.bytes(count)
        #expect(throws: SignedPacketError.self) { try SignedPacket(bytes) }
        #expect(throws: SignedPacketError.self) { try SignedPacket(relayPayload: bytes, publicKey: key) }
        #expect(throws: SignedPacketError.self) { try SignedPacket(cachedForm: bytes) }
      }
    }
  }
}
