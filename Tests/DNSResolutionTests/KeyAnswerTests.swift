import Addresses
import Cryptography
import DNSWire
import Pkarr
import Testing
import WireFormat

@testable import DNSResolution

/// How names of keys are answered: codes, sections, flags.
@Suite struct KeyAnswerTests {
  private typealias Options = ResolverHarness.QueryOptions
  private let harness = ResolverHarness()
  private let keypair = Keypair()
  private var key: String { keypair.publicKey.z32 }

  @Test("records of the name and type are the answer, authoritative while the packet is fresh")
  func positive() throws {
    try harness.publish("www 300 A 192.0.2.1\nwww 600 A 192.0.2.2\nwww 300 TXT hi", by: keypair)
    let reply = try harness.ask("www.\(key)")
    #expect(reply.answers == ["www.\(key) A 192.0.2.1", "www.\(key) A 192.0.2.2"])
    // One TTL for the set (RFC 2181 §5.2).
    #expect(reply.message.answers.map(\.ttl) == [300, 300])
    #expect(reply.code == 0 && reply.isAuthoritative && reply.authorities.isEmpty && reply.error == nil)
    #expect(reply.message.header.recursionAvailable && !reply.message.header.isAuthentic)
  }

  @Test("a name without such records is NODATA, one that does not exist NXDOMAIN, both with SOA and for its TTL")
  func negative() throws {
    try harness.publish("a.b 300 A 192.0.2.1", by: keypair)
    for (name, type, code) in [("a.b", RecordType.aaaa, 0), ("b", .a, 0), ("@", .a, 0), ("c", .a, 3), ("x.a.b", .a, 3)]
    {
      let reply = try harness.ask(name == "@" ? key : "\(name).\(key)", type)
      #expect(reply.code == code && reply.answers.isEmpty && reply.isAuthoritative, "\(name)")
      let soa = try #require(reply.message.authorities.first)
      guard case .soa(let data) = soa.data else {
        Issue.record("no SOA")
        continue
      }
      #expect(soa.name.description == key && soa.ttl == 60 && data.minimum == 60)
      #expect(UInt64(data.serial) == harness.wallClock.microseconds / 1_000_000)
      #expect(data.mailbox.description == "hostmaster.\(key)")
    }
  }

  @Test("SOA and NS of the apex are made if the packet has none; its own win")
  func apexRecords() throws {
    harness.resolver.policy.keys.nameServers = [.literal("ns1.example"), .literal("ns2.example")]
    try harness.publish("www 300 A 192.0.2.1", by: keypair)
    let soa = try harness.ask(key, .soa)
    #expect(soa.message.answers.map(\.type) == [.soa] && soa.error?.code == 29)
    #expect(try harness.ask(key, .ns).answers == ["\(key) NS ns1.example.", "\(key) NS ns2.example."])
    let own = Keypair()
    try harness.publish("@ 300 SOA a.example. b.example. 7 1 2 3 40\n@ 300 NS ns.other.", by: own)
    let name = own.publicKey.z32
    #expect(try harness.ask(name, .soa).answers == ["\(name) SOA a.example. b.example. 7 1 2 3 40"])
    #expect(try harness.ask(name, .ns).answers == ["\(name) NS ns.other."])
    #expect(try harness.ask("nothing.\(name)").message.authorities.map(\.ttl) == [40])
  }

  @Test("aliases are followed from key to key and into other names, in one query and in order")
  func aliases() throws {
    let other = Keypair()
    try harness.publish("a 300 CNAME b.\(key).\nb 300 CNAME www.\(other.publicKey.z32).\n", by: keypair)
    try harness.publish("www 300 CNAME example.com.", by: other)
    harness.upstream = { question, _ in
      response(
        to: question,
        [
          try! ResourceRecord("example.com", .cname, "cdn.example.net."),
          try! ResourceRecord("cdn.example.net", .a, "192.0.2.80", ttl: 20),
        ])
    }
    let reply = try harness.ask("a.\(key)")
    #expect(
      reply.answers == [
        "a.\(key) CNAME b.\(key).", "b.\(key) CNAME www.\(other.publicKey.z32).",
        "www.\(other.publicKey.z32) CNAME example.com.", "example.com CNAME cdn.example.net.",
        "cdn.example.net A 192.0.2.80",
      ])
    #expect(reply.code == 0 && harness.forwarded.count == 1 && harness.lookedUp.count == 2)
    // The whole chain is ready now, but not for longer than its shortest part.
    #expect(try harness.ask("a.\(key)").answers == reply.answers)
    #expect(harness.resolver.counters.keyAnswerHits == 1)
    harness.advance(seconds: 21)
    #expect(try harness.ask("a.\(key)").answers.count == 5)
    #expect(harness.forwarded.count == 2)
  }

  @Test("an alias of another name that leads to a key goes on there")
  func aliasFromElsewhere() throws {
    try harness.publish("www 300 A 192.0.2.1", by: keypair)
    let target = "www.\(key)"
    harness.upstream = { question, _ in
      response(to: question, [try! ResourceRecord("shop.example", .cname, "\(target).")], code: 3)
    }
    for _ in 0..<2 {
      let reply = try harness.ask("shop.example")
      #expect(reply.code == 0 && reply.answers == ["shop.example CNAME \(target).", "\(target) A 192.0.2.1"])
    }
    #expect(harness.forwarded.map(\.question.name.description).allSatisfy { $0 == "shop.example" })
  }

  @Test("DNAME redirects what is below it, and the alias made of it is the answer to who asks for that (RFC 6672)")
  func redirections() throws {
    let hex = try DomainName("example.com").wire.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    try harness.publish("old 300 TYPE39 \\# 13 \(hex)", by: keypair)
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: 300, data: .address(.init(192, 0, 2, 1)))])
    }
    let reply = try harness.ask("a.old.\(key)")
    #expect(reply.message.answers.map(\.type) == [.dname, .cname, .a])
    #expect(reply.answers.suffix(2) == ["a.old.\(key) CNAME a.example.com.", "a.example.com A 192.0.2.1"])
    #expect(try harness.ask("b.old.\(key)", .cname).message.answers.map(\.type) == [.dname, .cname])
    #expect(harness.forwarded.count == 1)
  }

  @Test("a loop of aliases, and more of them than allowed, is SERVFAIL with the reason and with what was found")
  func aliasLoops() throws {
    try harness.publish("a 300 CNAME b.\(key).\nb 300 CNAME a.\(key).\nself 300 CNAME SELF.\(key).", by: keypair)
    for name in ["a", "self"] {
      let reply = try harness.ask("\(name).\(key)")
      #expect(reply.code == 2 && reply.error?.code == 0 && reply.error?.text == "a loop of aliases")
      #expect(!reply.answers.isEmpty)
    }
    let long = Keypair()
    let chain = (0..<20).map { "n\($0) 300 CNAME n\($0 + 1).\(long.publicKey.z32)." }.joined(separator: "\n")
    try harness.publish(chain, by: long)
    let reply = try harness.ask("n0.\(long.publicKey.z32)")
    #expect(reply.code == 2 && reply.error?.text.contains("16") == true)
  }

  @Test("an alias of the root asks for the root, and an alias of a special name ends here")
  func aliasesOfSpecialNames() throws {
    try harness.publish("r 300 CNAME .\nl 300 CNAME localhost.\nt 300 CNAME x.test.", by: keypair)
    harness.upstream = { question, _ in response(to: question) }
    #expect(try harness.ask("r.\(key)").answers == ["r.\(key) CNAME ."])
    #expect(harness.forwarded.map(\.question.name.isRoot) == [true])
    let local = ResolverHarness()
    local.packets = harness.packets
    #expect(try local.ask("l.\(key)").answers == ["l.\(key) CNAME localhost."])
    #expect(try local.ask("t.\(key)").code == 3)
    #expect(local.forwarded.isEmpty)
  }

  @Test("under a suffix the names of the queried key get it back, owners and targets alike")
  func suffixes() throws {
    try harness.publish(
      "a 300 CNAME b.\(key).\nb 300 A 192.0.2.1\n@ 300 MX 10 b.\(key).\nout 300 CNAME x.example.", by: keypair)
    let reply = try harness.ask("A.\(key).KEY")
    // Compressed names take the case of the question.
    #expect(reply.answers == ["A.\(key).KEY CNAME b.\(key).KEY.", "b.\(key).KEY A 192.0.2.1"])
    let mail = try harness.ask("\(key).key", .mx)
    #expect(mail.answers == ["\(key).key MX 10 b.\(key).key."])
    #expect(mail.additionals == ["b.\(key).key A 192.0.2.1"])
    let missing = try harness.ask("no.\(key).key")
    #expect(missing.message.authorities.map(\.name.description) == ["\(key).key"])
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("x.example", .a, "192.0.2.9")]) }
    #expect(try harness.ask("out.\(key).key").answers == ["out.\(key).key CNAME x.example.", "x.example A 192.0.2.9"])
  }

  @Test("a name that would be too long with the suffix stops nothing")
  func suffixTooLong() throws {
    let label = String(repeating: "l", count: 63)
    // 3 · 64 + 1 + 9 with the key's 53 bytes: 255, and no room for `.key`.
    let long = "\(label).\(label).\(label).\(String(repeating: "m", count: 8))"
    try harness.publish("s 300 CNAME \(long).\(key).\n\(long) 300 A 192.0.2.1", by: keypair)
    let reply = try harness.ask("s.\(key).key")
    #expect(reply.answers.first == "s.\(key).key CNAME \(long).\(key).")
    #expect(reply.code == 0)
  }

  @Test("HTTPS and SVCB bring the addresses of their targets along, once")
  func additionals() throws {
    try harness.publish(
      """
      @ 300 HTTPS 1 . alpn=h3
      @ 300 A 192.0.2.1
      @ 300 AAAA 2001:db8::1
      _x 300 SVCB 1 host.\(key). port=5
      host 300 A 192.0.2.2
      _s 300 SRV 0 0 1 host.\(key).
      """, by: keypair)
    #expect(
      try harness.ask(key, .https).additionals == ["\(key) A 192.0.2.1", "\(key) AAAA 2001:db8::1"])
    #expect(try harness.ask("_x.\(key)", .svcb).additionals == ["host.\(key) A 192.0.2.2"])
    #expect(try harness.ask("_s.\(key)", .srv).additionals == ["host.\(key) A 192.0.2.2"])
  }

  @Test("ANY gives one set of records (RFC 8482), class ANY is IN, and other classes are refused")
  func anyAndClasses() throws {
    try harness.publish("@ 300 TXT a\n@ 300 A 192.0.2.1\n@ 300 TXT b", by: keypair)
    #expect(try harness.ask(key, .any).answers == [#"\#(key) TXT "a""#, #"\#(key) TXT "b""#])
    #expect(try harness.ask(key, .a, Options(class: .any)).answers.count == 1)
    #expect(try harness.ask(key, .a, Options(class: .chaos)).code == 5)
    #expect(try harness.ask(key, .axfr).code == 5)
    #expect(try harness.ask("nothing.\(key)", .any).code == 3)
  }

  @Test("unknown types that a packet holds are answered as they are")
  func unknownTypes() throws {
    try harness.publish("@ 300 TYPE65280 \\# 3 010203\n@ 300 TLSA 3 1 1 00", by: keypair)
    let reply = try harness.ask(key, RecordType(rawValue: 65280))
    #expect(reply.message.answers.map(\.data) == [.opaque(RecordType(rawValue: 65280), [1, 2, 3])])
    #expect(try harness.ask(key, .tlsa).message.answers.count == 1)
  }

  @Test("records outside of the signer's key do not count")
  func foreignRecords() throws {
    let victim = Keypair().publicKey.z32
    let name = try DomainName("www.\(victim)")
    let message = try Message(answers: [
      ResourceRecord(name: name, ttl: 300, data: .address(.init(192, 0, 2, 66))),
      ResourceRecord(name: try DomainName("www.\(key)"), ttl: 300, data: .cname(name)),
    ]).encoded()
    let timestamp = harness.wallClock
    let signature = keypair.signature(
      for: SignedPacket.signableBytes(timestamp: timestamp, message: message.span.bytes).span.bytes)
    let bytes = keypair.publicKey.bytes + signature.bytes + timestamp.bytes + message
    let packet = try SignedPacket(bytes)
    harness.packets[keypair.publicKey] = .packet(packet, source: .dht)
    let reply = try harness.ask("www.\(key)")
    #expect(reply.answers == ["www.\(key) CNAME www.\(victim)."] && reply.code == 3)
  }

  @Test("_pkarr TXT is the signed packet in base 64: the proof of the answer")
  func proof() throws {
    let packet = try harness.publish("www 300 A 192.0.2.1", by: keypair)
    for suffix in ["", ".key"] {
      let reply = try harness.ask("_pkarr.\(key)\(suffix)", .txt)
      guard case .txt(let text)? = reply.message.answers.first?.data else {
        Issue.record("no text")
        return
      }
      let bytes = try #require(Base64.decode(text.bytes))
      #expect(try SignedPacket(bytes).isSame(as: packet))
    }
    #expect(try harness.ask("_pkarr.\(key)", .a).code == 0)
    let own = Keypair()
    try harness.publish("_pkarr 300 TXT mine", by: own)
    #expect(
      try harness.ask("_pkarr.\(own.publicKey.z32)", .txt).answers == [#"_pkarr.\#(own.publicKey.z32) TXT "mine""#])
  }

  @Test("AD marks verified data if the operator wants that and the client understands it, and nothing else")
  func authenticData() throws {
    harness.resolver.policy.marksVerifiedKeyData = true
    try harness.publish("a 300 A 192.0.2.1\nc 300 CNAME example.com.", by: keypair)
    let own = Keypair()
    try harness.publish("@ 300 SOA a. b. 1 2 3 4 5", by: own)
    harness.upstream = { question, _ in
      response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.2")], flags: 0x81a0)
    }
    for _ in 0..<2 {
      #expect(try harness.ask("a.\(key)", .a, Options(flags: 0x0120)).message.header.isAuthentic)
      #expect(try harness.ask("a.\(key)", .a, Options(dnssec: true)).message.header.isAuthentic)
      #expect(try !harness.ask("a.\(key)").message.header.isAuthentic)
      // An SOA record that was made is nobody's signed word, and the absence of a packet even less.
      #expect(try !harness.ask("no.\(key)", .a, Options(dnssec: true)).message.header.isAuthentic)
      #expect(try harness.ask("no.\(own.publicKey.z32)", .a, Options(dnssec: true)).message.header.isAuthentic)
      #expect(try !harness.ask(Keypair().publicKey.z32, .a, Options(dnssec: true)).message.header.isAuthentic)
      #expect(try !harness.ask("c.\(key)", .a, Options(dnssec: true)).message.header.isAuthentic)
      #expect(try !harness.ask("example.com", .a, Options(dnssec: true)).message.header.isAuthentic)
    }
    harness.resolver.policy.trustsForwardedAD = true
    #expect(try harness.ask("www.example.com", .a, Options(dnssec: true)).message.header.isAuthentic)
    #expect(try !harness.ask("www.example.com", .a).message.header.isAuthentic)
  }

  @Test("RD=0 is answered from what is known, and refused otherwise, without asking anybody")
  func withoutRecursion() throws {
    try harness.publish("a 300 A 192.0.2.1\nb 300 A 192.0.2.2\ns 300 NS ns.s\nns.s 300 A 203.0.113.3", by: keypair)
    let options = Options(flags: 0)
    #expect(try harness.ask("a.\(key)", .a, options).code == 5)
    #expect(try harness.ask("example.com", .a, options).code == 5)
    #expect(harness.lookedUp.isEmpty && harness.forwarded.isEmpty)
    _ = try harness.ask("a.\(key)")
    for name in ["a", "b"] {
      let reply = try harness.ask("\(name).\(key)", .a, options)
      #expect(reply.code == 0 && reply.answers.count == 1 && !reply.message.header.recursionDesired)
    }
    let referral = try harness.ask("x.s.\(key)", .a, options)
    #expect(referral.authorities == ["s.\(key) NS ns.s."] || referral.authorities == ["s.\(key) NS ns.s.\(key)."])
    #expect(!referral.isAuthoritative && referral.code == 0)
  }
}
