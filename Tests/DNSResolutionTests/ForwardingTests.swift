import Addresses
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct ForwardingTests {
  private typealias Options = ResolverHarness.QueryOptions
  private let harness = ResolverHarness()

  private func soa(_ name: String, ttl: UInt32 = 900, minimum: UInt32 = 300) throws -> ResourceRecord {
    let name = try DomainName(name)
    let data = RecordData.SOA(
      primaryServer: name, mailbox: name, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: minimum)
    return ResourceRecord(name: name, ttl: ttl, data: .soa(data))
  }

  @Test("answers are kept for their TTL, counted down, and asked for once whatever the case")
  func positive() throws {
    harness.upstream = { question, _ in
      response(
        to: question,
        [
          try! ResourceRecord("example.com", .cname, "w.example.net.", ttl: 100),
          try! ResourceRecord("W.example.net", .a, "192.0.2.1", ttl: 40),
        ])
    }
    let first = try harness.ask("example.com")
    #expect(first.answers == ["example.com CNAME w.example.net.", "w.example.net A 192.0.2.1"])
    #expect(!first.isAuthoritative && first.message.answers.map(\.ttl) == [100, 40])
    harness.advance(seconds: 30)
    #expect(try harness.ask("EXAMPLE.com").message.answers.map(\.ttl) == [70, 10])
    harness.advance(seconds: 9.5)
    #expect(try harness.ask("example.com").message.answers.map(\.ttl) == [61, 1])
    #expect(harness.resolver.counters.forwardedAnswerHits == 2)
    harness.advance(seconds: 1)
    #expect(try harness.ask("example.com").message.answers.map(\.ttl) == [100, 40])
    #expect(harness.forwarded.count >= 2)
  }

  @Test("TTL 0 is not kept, one with the top bit is 0, and bounds hold")
  func bounds() throws {
    var ttl: UInt32 = 0
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: ttl, data: .address(.init(192, 0, 2, 1)))])
    }
    for _ in 0..<2 { #expect(try harness.ask("zero.example").message.answers.map(\.ttl) == [0]) }
    ttl = 0x8000_0001
    for _ in 0..<2 { #expect(try harness.ask("negative.example").message.answers.map(\.ttl) == [0]) }
    #expect(harness.forwarded.count == 4)
    ttl = 1_000_000
    #expect(try harness.ask("long.example").message.answers.map(\.ttl) == [86_400])
    harness.resolver.policy.cache.minimumForwardedTTL = 60
    ttl = 5
    _ = try harness.ask("short.example")
    harness.advance(seconds: 30)
    #expect(try harness.ask("short.example").message.answers.map(\.ttl) == [1])
    #expect(harness.forwarded.count == 6)
  }

  @Test("what does not exist is kept for the lesser of the SOA's two times, and not at all without SOA")
  func negative() throws {
    let record = try soa("example", ttl: 900, minimum: 200)
    harness.upstream = { question, _ in response(to: question, authorities: [record], code: 3) }
    let reply = try harness.ask("no.example")
    #expect(reply.code == 3 && reply.message.authorities.map(\.ttl) == [200])
    harness.advance(seconds: 150)
    #expect(try harness.ask("no.example").message.authorities.map(\.ttl) == [50])
    #expect(harness.forwarded.count == 1)
    harness.upstream = { question, _ in response(to: question) }
    for _ in 0..<2 { #expect(try harness.ask("empty.example").code == 0) }
    #expect(harness.forwarded.count == 3)
    let long = try soa("far", ttl: 1_000_000, minimum: 1_000_000)
    harness.upstream = { question, _ in response(to: question, authorities: [long], code: 3) }
    _ = try harness.ask("no.far")
    harness.advance(seconds: 10_799)
    _ = try harness.ask("no.far")
    #expect(harness.forwarded.count == 4)
  }

  @Test("CD and DO ask separately, and signatures go only to those who want them")
  func variants() throws {
    let signature = ResourceRecord(
      name: try DomainName("example.com"), ttl: 300,
      data: .opaque(.rrsig, Array(repeating: 0, count: 18) + [0] + [1, 2]))
    harness.upstream = { question, _ in
      response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.1"), signature])
    }
    #expect(try harness.ask("example.com").message.answers.map(\.type) == [.a])
    #expect(try harness.ask("example.com", .a, Options(dnssec: true)).message.answers.map(\.type) == [.a, .rrsig])
    _ = try harness.ask("example.com", .a, Options(flags: 0x0110))
    #expect(harness.forwarded.map(\.question.checkingDisabled) == [false, false, true])
    #expect(harness.forwarded.map(\.question.wantsDNSSEC) == [false, true, false])
    _ = try harness.ask("example.com", .a, Options(flags: 0x0110))
    #expect(harness.forwarded.count == 3)
  }

  @Test("records that do not belong to the question are left out")
  func scrubbing() throws {
    harness.upstream = { question, _ in
      response(
        to: question,
        [
          try! ResourceRecord("other.example", .a, "192.0.2.66"), try! ResourceRecord("example.com", .txt, "x"),
          try! ResourceRecord("example.com", .a, "192.0.2.1"),
        ],
        authorities: [try! ResourceRecord("bank.example", .ns, "evil.example.")],
        additionals: [try! ResourceRecord("bank.example", .a, "192.0.2.66")])
    }
    let reply = try harness.ask("example.com")
    #expect(reply.answers == ["example.com A 192.0.2.1"] && reply.authorities.isEmpty && reply.additionals.isEmpty)
  }

  @Test("an answer to something else, a broken one, and every failure code are failures of the server")
  func failures() throws {
    let bad: [(ForwardQuestion) -> ForwardResult] = [
      { _ in .reply([]) }, { _ in .reply(Array(repeating: 255, count: 40)) },
      {
        response(
          to: ForwardQuestion(
            name: .literal("x"), type: $0.type, class: .internet, recursionDesired: true, checkingDisabled: false,
            wantsDNSSEC: false))
      },
      { response(to: $0, flags: 0x0100) }, { response(to: $0, code: 2) }, { response(to: $0, code: 1) },
      { response(to: $0, code: 9) }, { _ in .failure(.timeout) }, { _ in .failure(.unreachable("no route")) },
      { _ in .failure(.overloaded) },
    ]
    for (index, make) in bad.enumerated() {
      harness.upstream = { question, _ in make(question) }
      let reply = try harness.ask("n\(index).example")
      #expect(reply.code == 2 && reply.error?.code == 22, "\(index)")
    }
    harness.upstream = { question, _ in response(to: question, code: 5) }
    #expect(try harness.ask("refused.example").code == 5)
    harness.upstream = { question, _ in response(to: question, code: 4) }
    #expect(try harness.ask("notimp.example").code == 4)
  }

  @Test("a failure is remembered for a while, each one in a row for twice as long (RFC 9520)")
  func failureCache() throws {
    harness.upstream = { _, _ in .failure(.timeout) }
    #expect(try harness.ask("down.example").error?.code == 22)
    let again = try harness.ask("down.example")
    #expect(again.code == 2 && again.error?.code == 13 && harness.forwarded.count == 1)
    var waits: [Int] = []
    for _ in 0..<8 {
      let before = harness.forwarded.count
      var seconds = 0
      while harness.forwarded.count == before {
        harness.advance(seconds: 1)
        seconds += 1
        _ = try harness.ask("down.example")
      }
      waits.append(seconds)
    }
    #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300])
  }

  @Test("a cut answer is passed on as cut, and not kept")
  func truncated() throws {
    harness.upstream = { question, _ in
      response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.1")], flags: 0x8380)
    }
    for _ in 0..<2 { #expect(try harness.ask("example.com").message.header.isTruncated) }
    #expect(harness.forwarded.count == 2)
  }

  @Test("queries for one question become one, and all are answered, each in its own words")
  func joining() throws {
    harness.forwardsStaySilent = true
    var ids: [PendingQueryID] = []
    for index in 0..<20 {
      let name = index % 2 == 0 ? "example.com" : "EXAMPLE.com"
      let query = try ResolverHarness.query(name, .a, Options(id: UInt16(index)))
      guard case .pending(let id) = harness.receive(query).0 else {
        Issue.record("not pending")
        return
      }
      ids.append(id)
    }
    harness.drive()
    #expect(harness.forwarded.count == 1 && harness.resolver.gauges.queriesInFlight == 20)
    let record = try ResourceRecord("example.com", .a, "192.0.2.1")
    harness.resolver.finish(
      forward: harness.forwarded[0].id, with: response(to: harness.forwarded[0].question, [record]), now: harness.now,
      wallClock: harness.wallClock)
    harness.drive()
    for (index, id) in ids.enumerated() {
      let reply = try Reply(try #require(harness.answers[id]))
      #expect(reply.message.header.id == UInt16(index))
      #expect(reply.answers == ["\(index % 2 == 0 ? "example" : "EXAMPLE").com A 192.0.2.1"])
    }
    #expect(harness.resolver.gauges.queriesInFlight == 0 && harness.resolver.counters.joined == 19)
  }

  @Test("who waits too long gets SERVFAIL; the answer that comes later fills the cache")
  func deadline() throws {
    harness.forwardsStaySilent = true
    guard case .pending(let id) = harness.receive(try ResolverHarness.query("slow.example")).0 else {
      Issue.record("not pending")
      return
    }
    harness.drive()
    harness.advance(seconds: 3.9)
    #expect(harness.answers[id] == nil)
    harness.advance(seconds: 0.1)
    let reply = try Reply(try #require(harness.answers[id]))
    #expect(reply.code == 2 && reply.error?.code == 22)
    #expect(harness.resolver.gauges.queriesInFlight == 0 && harness.resolver.resolutions.isEmpty)
    harness.resolver.finish(
      forward: harness.forwarded[0].id,
      with: response(to: harness.forwarded[0].question, [try ResourceRecord("slow.example", .a, "192.0.2.1")]),
      now: harness.now, wallClock: harness.wallClock)
    #expect(try harness.ask("slow.example").answers.count == 1)
    // A second end of the same work changes nothing.
    harness.resolver.finish(
      forward: harness.forwarded[0].id, with: .failure(.timeout), now: harness.now, wallClock: harness.wallClock)
    #expect(try harness.ask("slow.example").answers.count == 1)
  }

  @Test("work that nobody ends is ended, and takes nothing with it")
  func lostWork() throws {
    harness.forwardsStaySilent = true
    harness.lookupsStaySilent = true
    _ = harness.receive(try ResolverHarness.query("lost.example"))
    _ = harness.receive(try ResolverHarness.query(Keypair().publicKey.z32))
    harness.drive()
    #expect(harness.resolver.gauges.forwardsInFlight == 1 && harness.resolver.gauges.lookupsInFlight == 1)
    harness.advance(seconds: 16)
    #expect(harness.resolver.gauges.forwardsInFlight == 1)
    harness.advance(seconds: 60)
    let gauges = harness.resolver.gauges
    #expect(gauges.forwardsInFlight == 0 && gauges.lookupsInFlight == 0 && gauges.queriesInFlight == 0)
    harness.advance(seconds: 16)
    #expect(harness.resolver.nextDeadline == nil && harness.resolver.resolutions.isEmpty)
  }

  @Test("an old answer stands in after a while, at once when the servers fail, and says so")
  func stale() throws {
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: 60, data: .address(.init(192, 0, 2, 1)))])
    }
    _ = try harness.ask("old.example")
    harness.advance(seconds: 100)
    harness.forwardsStaySilent = true
    guard case .pending(let id) = harness.receive(try ResolverHarness.query("old.example")).0 else {
      Issue.record("not pending")
      return
    }
    harness.drive()
    harness.advance(seconds: 1.7)
    #expect(harness.answers[id] == nil)
    harness.advance(seconds: 0.1)
    let reply = try Reply(try #require(harness.answers[id]))
    #expect(reply.code == 0 && reply.message.answers.map(\.ttl) == [30])
    #expect(reply.error?.code == 3 && reply.error?.text == "age 101 s")
    // The server fails: for half a minute nobody waits for it any more.
    harness.resolver.finish(
      forward: harness.forwarded[1].id, with: .failure(.timeout), now: harness.now, wallClock: harness.wallClock)
    #expect(try harness.ask("old.example").error?.code == 3)
    #expect(harness.forwarded.count == 2)
    harness.advance(seconds: 31)
    harness.forwardsStaySilent = false
    #expect(try harness.ask("old.example").error == nil)
    #expect(harness.forwarded.count == 3)
  }

  @Test("a stale NXDOMAIN has an error of its own")
  func staleNegative() throws {
    let record = try soa("example", ttl: 60, minimum: 60)
    harness.upstream = { question, _ in response(to: question, authorities: [record], code: 3) }
    _ = try harness.ask("no.example")
    harness.advance(seconds: 100)
    harness.upstream = { _, _ in .failure(.timeout) }
    let reply = try harness.ask("no.example")
    #expect(reply.code == 3 && reply.error?.code == 19)
  }

  @Test("what is asked for often is refreshed in the last tenth of its life, once, and nobody waits")
  func prefetch() throws {
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: 100, data: .address(.init(192, 0, 2, 1)))])
    }
    for name in ["hot.example", "cold.example"] { _ = try harness.ask(name) }
    for _ in 0..<3 { _ = try harness.ask("hot.example") }
    harness.advance(seconds: 89)
    for name in ["hot.example", "cold.example"] { _ = try harness.ask(name) }
    #expect(harness.forwarded.count == 2)
    harness.advance(seconds: 2)
    for name in ["hot.example", "cold.example"] { #expect(try harness.ask(name).message.answers.map(\.ttl) == [9]) }
    #expect(harness.forwarded.count == 3 && harness.forwarded[2].question.name.description == "hot.example")
    #expect(try harness.ask("hot.example").message.answers.map(\.ttl) == [100])
    #expect(harness.resolver.counters.prefetches == 1)
    // One that fails leaves the old answer as it is, and is not tried again.
    harness.advance(seconds: 95)
    harness.upstream = { _, _ in .failure(.timeout) }
    for _ in 0..<6 { #expect(try harness.ask("hot.example").message.answers.map(\.ttl) == [5]) }
    #expect(harness.forwarded.count == 4)
  }

  @Test("what a name server says about its answer is passed on, marked as its words, also from the cache (RFC 8914)")
  func upstreamErrors() throws {
    func explained(_ question: ForwardQuestion, _ options: [UInt8], code: UInt8 = 0) -> ForwardResult {
      let answers =
        code == 0 ? [ResourceRecord(name: question.name, ttl: 60, data: .address(IPAddress(192, 0, 2, 1)))] : []
      guard case .reply(let bytes) = response(to: question, answers, code: code), bytes.count > 2 else {
        return .failure(.timeout)
      }
      // The OPT record is the last; its length are its last two bytes.
      return .reply(bytes.dropLast(2) + [0, UInt8(options.count)] + options)
    }
    func option(_ code: UInt8, _ text: String) -> [UInt8] {
      [0, 15, 0, UInt8(2 + text.utf8.count), 0, code] + text.utf8
    }
    harness.upstream = { question, _ in explained(question, option(4, "forged\u{0}"), code: 0) }
    for _ in 0..<2 {
      let reply = try harness.ask("a.example")
      #expect(reply.answers.count == 1 && reply.error?.code == 4)
      #expect(reply.error?.text == "from the name server: forged")
    }
    harness.upstream = { question, _ in explained(question, [0, 99, 0, 1, 5] + option(6, ""), code: 2) }
    let bogus = try harness.ask("b.example")
    #expect(bogus.code == 2 && bogus.error?.code == 6 && bogus.error?.text == "from the name server")
    // Broken options, and bytes that are no text, stop nothing.
    for options in [[0, 15, 0, 9, 0, 1], [0, 15, 0, 1, 0], [0], [0, 15, 0, 4, 0, 7, 0x1b, 0xff]] as [[UInt8]] {
      harness.upstream = { question, _ in explained(question, options, code: 2) }
      let reply = try harness.ask("c\(options.count).example")
      #expect(reply.code == 2 && reply.error?.text.utf8.allSatisfy { (0x20...0x7e).contains($0) } == true)
    }
  }
}
