import Addresses
import Cryptography
import Pkarr
import Testing

@Suite struct BuilderTests {
  let keypair = Keypair()

  @Test("records written as a list and by calls make the same packet")
  func twoWays() throws {
    let timestamp = Timestamp(microseconds: 1_784_000_000_123_456)
    var binding = ServiceBinding(priority: 1, target: .root)
    binding.setPort(443)
    let extra = ResourceRecord(
      name: try DomainName("raw"), class: .chaos, cacheFlush: true, ttl: 9,
      data: .opaque(RecordType(rawValue: 999), [1, 2]))
    let list = try SignedPacket(signedBy: keypair, timestamp: timestamp) {
      TXT("_hello", "world", ttl: .minutes(5))
      A("www", "203.0.113.7", ttl: .hours(1))
      AAAA("www", "2001:db8::1", ttl: .hours(1))
      A("@", IPAddress(192, 0, 2, 1), ttl: 60)
      AAAA(".", .loopbackV6, ttl: 60)
      CNAME("alias", "www.example.com", ttl: 60)
      TXT("t", strings: ["a=1", "b=2"], ttl: 60)
      HTTPS("@", port: 443, ttl: 60)
      SVCB("_svc", binding, ttl: 60)
      Record("n", .ns(try! DomainName("ns.example.com")), ttl: 60)
      extra
      if timestamp > .zero { TXT("yes", "1", ttl: 60) } else { TXT("no", "1", ttl: 60) }
      for index in 0..<2 { TXT("i\(index)", "x", ttl: 60) }
    }
    let calls = try SignedPacketBuilder()
      .timestamp(timestamp)
      .txt("_hello", "world", ttl: .minutes(5))
      .a("www", "203.0.113.7", ttl: .hours(1))
      .aaaa("www", "2001:db8::1", ttl: .hours(1))
      .address("@", IPAddress(192, 0, 2, 1), ttl: 60)
      .address(".", .loopbackV6, ttl: 60)
      .cname("alias", "www.example.com", ttl: 60)
      .txt("t", strings: ["a=1", "b=2"], ttl: 60)
      .https("@", binding, ttl: 60)
      .svcb("_svc", binding, ttl: 60)
      .rdata("n", .ns(try DomainName("ns.example.com")), ttl: 60)
      .record(extra)
      .txt("yes", "1", ttl: 60).txt("i0", "x", ttl: 60).txt("i1", "x", ttl: 60)
      .sign(with: keypair)
    #expect(list.isSame(as: calls))
    #expect(list.records.count == 14)
    let raw = try #require(list.records(named: "raw").first)
    #expect(raw.class == .chaos && !raw.cacheFlush && raw.ttl == 9)
    #expect(try SignedPacket(list.bytes).isSame(as: list))
  }

  @Test("every kind of record can be written in a list")
  func kinds() throws {
    let packet = try SignedPacket(signedBy: keypair) {
      NS("@", "ns1.example.com")
      MX("@", preference: 10, "mail.example.com")
      SRV("_s._tcp", priority: 1, weight: 2, port: 443, "host.example.com")
      SVCB(
        "_svc", priority: 2, target: "svc.example.com", port: 8443, alpn: ["h2", "h3"],
        hints: [.loopbackV4, .loopbackV6])
      HTTPS("@", ServiceBinding(priority: 0, target: try! DomainName("x.example.com")))
    }
    #expect(packet.records.map(\.type) == [.ns, .mx, .srv, .svcb, .https])
    #expect(packet.records.allSatisfy { $0.ttl == 300 && $0.class == .internet })
    guard case .svcb(let binding) = packet.records[3].data else { throw Fault() }
    #expect(binding.alpn == ["h2", "h3"] && binding.port == 8443)
    #expect(binding.ipv4hint == [.loopbackV4] && binding.ipv6hint == [.loopbackV6])
  }
  private struct Fault: Error {}

  @Test("a packet without records is legal, and a builder can be signed again and again")
  func reuse() throws {
    let empty = try SignedPacketBuilder().sign(with: keypair)
    #expect(empty.messageBytes == [0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0] && empty.records.isEmpty)
    #expect(try SignedPacket(signedBy: keypair) {}.messageBytes == empty.messageBytes)
    let builder = SignedPacketBuilder().txt("a", "b", ttl: 1)
    let (first, second) = (try builder.sign(with: keypair), try builder.build(with: keypair))
    #expect(second.timestamp > first.timestamp && second.messageBytes == first.messageBytes)
    #expect(second.isMoreRecent(than: first) && !first.isMoreRecent(than: second))
    let other = try builder.sign(with: Keypair())
    #expect(other.publicKey != first.publicKey)
    #expect(first.lastSeen.seconds(since: first.timestamp) <= 1)
  }

  @Test("a packet that is too large names its size and its largest record")
  func tooLarge() throws {
    let error = #expect(throws: SignedPacketBuildError.self) {
      try SignedPacket(signedBy: keypair) {
        for index in 0..<24 { A("host\(index)", "192.0.2.\(index)") }
        TXT("_bio", String(repeating: "x", count: 388))
      }
    }
    guard case .packetTooLarge(let length, let largest?)? = error else { throw Fault() }
    // 12 of header; hosts with one- and two-digit numbers, the first with the key in full; the text in two strings.
    #expect(length == 12 + 10 * 22 + 14 * 23 + 52 + (5 + 2 + 10 + 390))
    #expect(largest.name == "_bio" && largest.type == .txt && largest.length == 407)
    #expect(
      error?.description == """
        the record is 1,013 bytes, 13 too many
        The largest: TXT _bio (407 bytes). A packet holds 1,000 bytes of DNS data; put long texts elsewhere and point to them.
        """)
    let huge = #expect(throws: SignedPacketBuildError.self) {
      try SignedPacket(signedBy: keypair) { TXT("t", String(repeating: "x", count: 1_000_000)) }
    }
    guard case .packetTooLarge(let least, _)? = huge else { throw Fault() }
    #expect(least > 65535)
    let many = Array(
      repeating: ResourceRecord(name: .root, ttl: 1, data: .a(.init(1))), count: 70000)
    #expect(throws: SignedPacketBuildError.tooManyRecords(70000)) { try SignedPacket(signedBy: keypair, records: many) }
  }

  @Test("data that cannot be written are told at signing, with the name of the record")
  func faults() throws {
    func error(_ record: some PacketRecord) -> SignedPacketBuildError? {
      do throws(SignedPacketBuildError) {
        _ = try SignedPacket(signedBy: keypair) { record }
        return nil
      } catch {
        #expect(error.description.contains("\"n\"") && error.name == "FailedToWrite")
        return error
      }
    }
    #expect(error(A("n", "1.2.3")) == .invalidData(name: "n", type: .a, .notAnAddress("1.2.3")))
    #expect(error(A("n", "::1")) == .invalidData(name: "n", type: .a, .notAnAddress("::1")))
    #expect(error(A("n", "::ffff:1.2.3.4")) == .invalidData(name: "n", type: .a, .notAnAddress("::ffff:1.2.3.4")))
    #expect(error(A("n", .loopbackV6)) == .invalidData(name: "n", type: .a, .notAnAddress("::1")))
    #expect(error(AAAA("n", "1.2.3.4")) == .invalidData(name: "n", type: .aaaa, .notAnAddress("1.2.3.4")))
    #expect(error(AAAA("n", .loopbackV4)) == .invalidData(name: "n", type: .aaaa, .notAnAddress("127.0.0.1")))
    let label = String(repeating: "x", count: 64)
    let fault = SignedPacketBuildError.DataFault.notAName(label, .labelTooLong(64))
    #expect(error(CNAME("n", label)) == .invalidData(name: "n", type: .cname, fault))
    #expect(error(NS("n", label)) == .invalidData(name: "n", type: .ns, fault))
    #expect(error(MX("n", preference: 1, label)) == .invalidData(name: "n", type: .mx, fault))
    #expect(error(SRV("n", port: 1, label)) == .invalidData(name: "n", type: .srv, fault))
    #expect(error(HTTPS("n", target: label)) == .invalidData(name: "n", type: .https, fault))
    #expect(error(SVCB("n", alpn: [""])) == .invalidData(name: "n", type: .svcb, .parameter(.badValue(.alpn))))
    #expect(
      error(TXT("n", strings: ["a", String(repeating: "x", count: 256)]))
        == .invalidData(name: "n", type: .txt, .stringTooLong(256)))
    // A mapped address given as bytes is an AAAA record only if it is spelled as one.
    #expect(error(AAAA("n", "::ffff:1.2.3.4")) == nil)
  }

  @Test("a packet prints its key, age, timestamp, signature and records")
  func printing() throws {
    var packet = try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: 1_784_000_000_123_456)) {
      A("www", "203.0.113.7", ttl: .hours(1))
      TXT("@", "hello \"world\"", ttl: 30)
    }
    packet.lastSeen = Timestamp(microseconds: 1_000_000)
    let text = packet.description(at: Timestamp(microseconds: 8_999_999))
    let lines = text.split(separator: "\n")
    #expect(lines[0] == "SignedPacket (\(keypair.publicKey.z32)):")
    #expect(lines[1] == "  last_seen: 7 seconds ago")
    #expect(lines[2] == "  timestamp: 0035D2EY95H40 (Tue, 14 Jul 2026 03:33:20 GMT)")
    #expect(lines[3].hasPrefix("  signature: ") && lines[3].utf8.count == 13 + 128)
    #expect(lines[4...] == ["  records:", "    www IN 3600 A 203.0.113.7", #"    @ IN 30 TXT "hello \"world\"""#])
    let far = try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: .max)) {}
    #expect(far.description.contains("  timestamp: ZZZZZZZZZZZZY\n"))
    #expect(String(reflecting: far).contains("0 records, 116 bytes"))
  }

  @Test("attributes are read from the strings of a text, and from one long text")
  func attributes() throws {
    let long = "key=" + String(repeating: "v", count: 300)
    let packet = try SignedPacket(signedBy: keypair) {
      TXT("short", strings: ["a=1", "flag", "b=x=y", "a=2", ""])
      TXT("long", long + ";flag;;=none;key=again")
    }
    let texts = packet.records.compactMap { record in
      if case .txt(let text) = record.data { text } else { nil }
    }
    #expect(texts.count == 2 && texts[1].strings.count == 2)
    #expect(texts[0].attributes.map(\.key) == ["a", "flag", "b", ""])
    #expect(texts[0].attributes.map(\.value) == ["1", nil, "x=y", nil])
    #expect(texts[1].longAttributes?.map(\.key) == ["key", "flag"])
    #expect(texts[1].longAttributes?.first?.value == String(long.dropFirst(4)))
  }

  @Test("996 bytes of DNS packet reach every node of the DHT, more only some")
  func reach() throws {
    func packet(_ count: Int) throws -> SignedPacket {
      // Header 12, name 2 + 54, fixed part 10; one length byte for each 254 bytes of text.
      let text = count - 12 - 56 - 10
      return try SignedPacket(signedBy: keypair) { TXT("t", String(repeating: "x", count: text - (text + 254) / 255)) }
    }
    for (count, reach) in [
      (500, SignedPacket.Reach.everybody), (996, .everybody), (997, .someNodes), (1000, .someNodes),
    ] {
      let packet = try packet(count)
      #expect(packet.messageBytes.count == count && packet.reach == reach)
    }
  }

  @Test("when a packet was seen can be set, and does not change the packet")
  func lastSeen() throws {
    let packet = try SignedPacket(signedBy: keypair) { TXT("a", "b") }
    var copy = packet
    copy.lastSeen = .zero
    #expect(copy != packet && copy.isSame(as: packet))
    copy.refresh()
    #expect(copy.lastSeen >= packet.lastSeen)
    copy.refresh(at: packet.lastSeen)
    #expect(copy == packet && copy.hashValue == packet.hashValue)
  }

  @Test("random records come back from every form, and copy into a packet of another key")
  func roundTrip() throws {
    var random = RandomSource(seed: 99)
    let other = Keypair()
    for _ in 0..<300 {
      var builder = SignedPacketBuilder().timestamp(Timestamp(microseconds: random.next()))
      for _ in 0..<Int.random(in: 0...12, using: &random) { builder.append(Self.record(&random)) }
      let packet: SignedPacket
      do throws(SignedPacketBuildError) {
        packet = try builder.sign(with: keypair)
      } catch {
        #expect(error.name == "PacketTooLarge")
        continue
      }
      let key = keypair.publicKey
      #expect(try SignedPacket(packet.bytes).isSame(as: packet))
      #expect(try SignedPacket(relayPayload: packet.relayPayload, publicKey: key).isSame(as: packet))
      #expect(try SignedPacket(cachedForm: packet.cachedForm) == packet)
      #expect(packet.records == builder.drafts.map { try? $0.record(below: key) })
      let again = try SignedPacket(signedBy: keypair, timestamp: packet.timestamp, records: packet.records)
      #expect(again.isSame(as: packet))
      for record in packet.records { #expect(packet.records(named: record.name.text).contains(record)) }
      if let moved = try? SignedPacket(signedBy: other, records: packet.records) {
        #expect(moved.records.map(\.data) == packet.records.map(\.data))
      }
    }
  }

  private static func name(_ random: inout RandomSource) -> String {
    (0..<Int.random(in: 0...3, using: &random)).map { _ in
      ["a", "bb", "_c", "D", "*", "x-y"].randomElement(using: &random)!
    }
    .joined(separator: ".")
  }

  private static func record(_ random: inout RandomSource) -> Record {
    let target = try! DomainName(name(&random))
    var binding = ServiceBinding(priority: UInt16.random(in: 0...9, using: &random), target: target)
    try! binding.set(.init(rawValue: UInt16.random(in: 7...65534, using: &random)), to: random.bytes(5))
    let count = Int.random(in: 0...90, using: &random)
    let data: [RecordData] = [
      .a(.init(UInt32(truncatingIfNeeded: random.next()))), .aaaa(.init(high: random.next(), low: random.next())),
      .cname(target), .ns(target), .ptr(target), .txt(RecordData.TXT(bytes: random.bytes(count))),
      .https(binding), .svcb(binding), .mx(.init(preference: 1, host: target)),
      .srv(.init(priority: 1, weight: 2, port: 3, target: target)),
      .opaque(RecordType(rawValue: 60000), random.bytes(count + 1)), .empty(.a),
    ]
    return Record(
      name(&random), data.randomElement(using: &random)!, ttl: .init(seconds: UInt32(truncatingIfNeeded: random.next()))
    )
  }
}

extension RecordDraft {
  /// The record that a packet of this key should hold.
  fileprivate func record(below key: PublicKey) throws -> ResourceRecord {
    guard case .text(let text) = name, case .data(let data) = content else { throw DomainNameError.emptyLabel }
    return ResourceRecord(name: try key.fullName(of: DomainName(text)), ttl: ttl.seconds, data: data)
  }
}
