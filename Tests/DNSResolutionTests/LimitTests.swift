import Addresses
import Cryptography
import DNSWire
import Foundation
import MainlineProtocol
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct LimitTests {
  private typealias Options = ResolverHarness.QueryOptions

  private func origin(_ address: IPAddress, _ transport: QueryOrigin.Transport = .udp) -> QueryOrigin {
    QueryOrigin(Endpoint(address, port: 1000), transport)
  }

  /// Counts what becomes of so many queries: answers, cut ones, drops, refusals.
  private func ask(
    _ harness: ResolverHarness, _ count: Int, from origin: QueryOrigin, name: String = "localhost",
    _ options: Options = Options()
  ) throws -> (answers: Int, slips: Int, drops: Int, refusals: Int) {
    var result = (answers: 0, slips: 0, drops: 0, refusals: 0)
    for _ in 0..<count {
      guard let bytes = harness.answer(try ResolverHarness.query(name, .a, options), from: origin) else {
        result.drops += 1
        continue
      }
      let reply = try Reply(bytes)
      if reply.code == 5 {
        #expect(reply.error?.code == 18)
        result.refusals += 1
      } else if reply.message.header.isTruncated || reply.code == 23 {
        #expect(reply.answers.isEmpty && reply.message.questions.count == 1)
        #expect(reply.message.header.isTruncated != (reply.code == 23 && reply.options[10]?.count == 24))
        result.slips += 1
      } else {
        result.answers += 1
      }
    }
    return result
  }

  @Test("over the limit on UDP every second query gets TC=1 and the others nothing, for this client alone")
  func slip() throws {
    let harness = ResolverHarness {
      $0.clients.udpQueriesPerSecond = 10
      $0.clients.udpBurst = 20
    }
    let client = origin(IPAddress(203, 0, 113, 1))
    #expect(try ask(harness, 40, from: client) == (20, 10, 10, 0))
    #expect(try ask(harness, 20, from: origin(IPAddress(203, 0, 113, 2))) == (20, 0, 0, 0))
    harness.advance(seconds: 1)
    #expect(try ask(harness, 10, from: client) == (10, 0, 0, 0))
    let counters = harness.resolver.counters
    #expect(counters.limitedDrops == 10 && counters.limitedSlips == 10)
  }

  @Test("on other transports the limit is another one, and refuses with the reason")
  func streams() throws {
    let harness = ResolverHarness {
      $0.clients.udpQueriesPerSecond = 1
      $0.clients.streamQueriesPerSecond = 5
      $0.clients.streamBurst = 5
    }
    for (index, transport) in [QueryOrigin.Transport.tcp, .tls, .https].enumerated() {
      #expect(try ask(harness, 7, from: origin(IPAddress(203, 0, 113, UInt8(index)), transport)) == (5, 0, 0, 2))
    }
  }

  @Test("a right cookie lifts the UDP limit, a forged one does not")
  func cookies() throws {
    let harness = ResolverHarness {
      $0.clients.udpQueriesPerSecond = 1
      $0.clients.udpBurst = 3
      $0.clients.equalAnswersPerSecond = 2
    }
    let client = origin(IPAddress(203, 0, 113, 1))
    let ownPart: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
    let first = try harness.ask("localhost", .a, from: client, Options(options: [0, 10, 0, 8] + ownPart))
    let cookie = try #require(first.options[10])
    #expect(cookie.count == 24 && Array(cookie.prefix(8)) == ownPart)
    #expect(try ask(harness, 30, from: client, Options(options: [0, 10, 0, 24] + cookie)) == (30, 0, 0, 0))
    var forged = cookie
    forged[23] ^= 1
    #expect(try ask(harness, 30, from: client, Options(options: [0, 10, 0, 24] + forged)).answers < 3)
    // The cookie of one address is none for another.
    let other = origin(IPAddress(198, 51, 100, 1))
    #expect(try ask(harness, 30, from: other, Options(options: [0, 10, 0, 24] + cookie)).answers <= 3)
    #expect(harness.resolver.counters.validCookies == 30)
    // What slips carries a cookie, so that the real client gets through.
    var slipped: Reply?
    for _ in 0..<4 where slipped == nil {
      let query = try ResolverHarness.query("localhost", .a, Options(options: [0, 10, 0, 8] + ownPart))
      if let bytes = harness.answer(query, from: client) { slipped = try Reply(bytes) }
    }
    #expect(slipped?.options[10]?.count == 24)
  }

  @Test("over the limit who sends half a cookie gets BADCOOKIE with a whole one, and then an answer (RFC 7873 §5.2.3)")
  func badCookie() throws {
    let harness = ResolverHarness {
      $0.clients.udpQueriesPerSecond = 1
      $0.clients.udpBurst = 1
    }
    let client = origin(IPAddress(203, 0, 113, 1))
    let half = Options(options: [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8])
    #expect(try ask(harness, 1, from: client, half).answers == 1)
    #expect(harness.answer(try ResolverHarness.query("localhost", .a, half), from: client) == nil)
    let bytes = try #require(harness.answer(try ResolverHarness.query("localhost", .a, half), from: client))
    let reply = try Reply(bytes)
    #expect(reply.code == 23 && !reply.message.header.isTruncated && reply.answers.isEmpty)
    let cookie = try #require(reply.options[10])
    #expect(cookie.prefix(8) == [1, 2, 3, 4, 5, 6, 7, 8] && cookie.count == 24)
    #expect(try ask(harness, 50, from: client, Options(options: [0, 10, 0, 24] + cookie)) == (50, 0, 0, 0))
    // A forger gets hardly more than he sends.
    #expect(bytes.count <= (try ResolverHarness.query("localhost", .a, half)).count + 16)
    #expect(harness.resolver.counters.responses[23] == 1)
  }

  @Test("equal answers to one network are limited, different ones are not")
  func equalAnswers() throws {
    let harness = ResolverHarness { $0.clients.equalAnswersPerSecond = 5 }
    var answers = 0
    for index in 0..<50 {
      answers += try ask(harness, 1, from: origin(IPAddress(203, 0, 113, UInt8(index)))).answers
    }
    #expect(answers == 5)
    for index in 0..<50 {
      let name = "n\(index).localhost"
      #expect(try ask(harness, 1, from: origin(IPAddress(203, 0, 113, UInt8(index))), name: name).answers == 1)
    }
  }

  @Test("searches that one client causes are limited with their burst, and old packets served instead")
  func lookups() throws {
    let harness = ResolverHarness {
      $0.clients.lookupsPerSecond = 5
      $0.clients.lookupBurst = 25
    }
    let client = origin(IPAddress(203, 0, 113, 1), .tcp)
    let known = try harness.publish("@ 60 A 192.0.2.1").publicKey
    #expect(try harness.ask(known.z32, .a, from: client).code == 0)
    harness.advance(seconds: 100)
    var codes: [UInt16] = []
    for _ in 0..<30 { codes.append(try harness.ask(Keypair().publicKey.z32, .a, from: client).code) }
    #expect(codes == Array(repeating: 3, count: 25) + Array(repeating: 5, count: 5))
    let stale = try harness.ask(known.z32, .a, from: client)
    #expect(stale.answers.count == 1 && stale.error?.code == 3)
    #expect(try harness.ask(Keypair().publicKey.z32, .a, from: origin(IPAddress(203, 0, 113, 2), .tcp)).code == 3)
    harness.advance(seconds: 1)
    #expect(try harness.ask(Keypair().publicKey.z32, .a, from: client).code == 3)
    // Through an alias the names found so far come along.
    let owner = Keypair()
    try harness.publish("a 300 CNAME b.\(Keypair().publicKey.z32).", by: owner)
    harness.resolver.policy.clients.lookupsPerSecond = 0.001
    harness.resolver.policy.clients.lookupBurst = 1
    let chained = try harness.ask("a.\(owner.publicKey.z32)", .a, from: origin(IPAddress(203, 0, 113, 3), .tcp))
    #expect(chained.code == 5 && chained.answers.count == 1 && chained.error?.code == 18)
  }

  @Test("access lists refuse, exempt clients are under no limit")
  func access() throws {
    let harness = ResolverHarness {
      $0.clients.udpQueriesPerSecond = 1
      $0.clients.udpBurst = 1
      $0.clients.allowed = [AddressPrefix("192.0.2.0/24")!, AddressPrefix("2001:db8::/32")!]
      $0.clients.denied = [AddressPrefix("192.0.2.66")!]
      $0.clients.unlimited = [AddressPrefix("192.0.2.1")!]
    }
    for address in ["203.0.113.1", "192.0.2.66", "2001:db9::1"] {
      #expect(try ask(harness, 1, from: origin(try #require(IPAddress(address)))) == (0, 0, 0, 1), "\(address)")
    }
    #expect(try ask(harness, 100, from: origin(IPAddress(192, 0, 2, 1))) == (100, 0, 0, 0))
    #expect(try ask(harness, 2, from: origin(try #require(IPAddress("2001:db8::1")))).answers == 1)
    // A network of 64 bits is one client.
    #expect(try ask(harness, 1, from: origin(try #require(IPAddress("2001:db8::2")))).answers == 0)
  }

  @Test("queries in flight are limited, of one client and of all")
  func inFlight() throws {
    let harness = ResolverHarness {
      $0.work.maximumQueriesInFlightPerClient = 3
      $0.work.maximumQueriesInFlight = 5
      $0.work.maximumForwards = 4
    }
    harness.forwardsStaySilent = true
    func pendingCount(_ address: IPAddress, _ count: Int, _ front: String) throws -> Int {
      var pending = 0
      for index in 0..<count {
        let query = try ResolverHarness.query("\(front)\(index).example")
        let (disposition, bytes) = harness.receive(query, from: origin(address, .tcp))
        harness.drive()
        if case .pending = disposition {
          pending += 1
        } else {
          #expect(try [2, 5].contains(Reply(try #require(bytes)).code))
        }
      }
      return pending
    }
    #expect(try pendingCount(IPAddress(203, 0, 113, 1), 6, "a") == 3)
    #expect(try pendingCount(IPAddress(203, 0, 113, 2), 6, "a") == 2)
    #expect(harness.resolver.gauges.queriesInFlight == 5 && harness.forwarded.count <= 4)
    harness.advance(seconds: 4)
    #expect(harness.resolver.gauges.queriesInFlight == 0)
    #expect(try pendingCount(IPAddress(203, 0, 113, 1), 1, "a") == 1)
  }

  @Test("a client that goes frees its place")
  func cancelled() throws {
    let harness = ResolverHarness { $0.work.maximumQueriesInFlightPerClient = 1 }
    harness.forwardsStaySilent = true
    for index in 0..<5 {
      guard case .pending(let id) = harness.receive(try ResolverHarness.query("n\(index).example")).0 else {
        Issue.record("not pending")
        return
      }
      harness.resolver.cancel(id)
      harness.resolver.cancel(id)
    }
    harness.advance(seconds: 5)
    #expect(harness.answers.isEmpty && harness.resolver.gauges.queriesInFlight == 0)
  }

  /// Enough to fill the tables many times over; more with FORGED_SENDERS=1000000 in the environment.
  private static let forgedSenderCount =
    ProcessInfo.processInfo.environment["FORGED_SENDERS"].flatMap { Int($0) } ?? 30_000

  @Test("forged senders without end take bounded memory")
  func forgedSenders() throws {
    var policy = ResolutionPolicy.ClientPolicy()
    policy.rememberedClients = 2000
    var limits = ClientLimits(policy)
    var source = RandomSource(seed: 1)
    for index in 0..<Self.forgedSenderCount {
      let address = IPAddress(v4: UInt32(truncatingIfNeeded: source.next()))
      _ = limits.admit(
        origin(address), hasValidCookie: false, questionHash: UInt64(index),
        now: Instant(nanoseconds: Int64(index) * 1000))
    }
    #expect(limits.count == 2000)
  }

  @Test("internal addresses are removed from key answers for public clients, hints too, unless allowed")
  func rebinding() throws {
    let harness = ResolverHarness()
    let keypair = Keypair()
    let key = keypair.publicKey.z32
    let bad = ["10.0.0.1", "172.31.0.1", "192.168.1.1", "169.254.0.1", "127.0.0.1", "0.0.0.0", "100.64.0.1"]
    try harness.publish(
      (bad + ["192.0.2.1"]).map { "@ 300 A \($0)" }.joined(separator: "\n")
        + """

        v6 300 AAAA ::1
        v6 300 AAAA fd00::1
        v6 300 AAAA fe80::1
        v6 300 AAAA ::ffff:192.0.2.1
        v6 300 AAAA 2001:db8::1
        h 300 HTTPS 1 . ipv4hint=10.0.0.1,192.0.2.1 ipv6hint=::1
        c 300 CNAME inside.example.
        """, by: keypair)
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("inside.example", .a, "10.1.1.1")])
    }
    for _ in 0..<2 {
      let reply = try harness.ask(key)
      #expect(reply.answers == ["\(key) A 192.0.2.1"])
      #expect(reply.error?.code == 17 && reply.error?.text.contains("\(bad.count)") == true)
      #expect(try harness.ask("v6.\(key)", .aaaa).answers == ["v6.\(key) AAAA 2001:db8::1"])
      #expect(try harness.ask("h.\(key)", .https).answers == ["h.\(key) HTTPS 1 . ipv4hint=192.0.2.1"])
      #expect(try harness.ask("c.\(key)").answers == ["c.\(key) CNAME inside.example."])
      // Who is inside himself sees everything.
      for address in ["192.168.7.7", "127.0.0.1", "::1"] {
        #expect(
          try harness.ask(key, .a, from: origin(try #require(IPAddress(address)), .tcp)).answers.count == bad.count + 1)
      }
    }
    // Other names are the business of their own servers.
    #expect(try harness.ask("inside.example").answers == ["inside.example A 10.1.1.1"])
    harness.resolver.policy.keys.unfilteredAddresses = [AddressPrefix("10.0.0.0/8")!]
    #expect(try harness.ask(key).answers.count == 2)
    harness.resolver.policy.keys.unfilteredKeys = [keypair.publicKey.domainName]
    #expect(try harness.ask(key).answers.count == bad.count + 1)
  }
}
