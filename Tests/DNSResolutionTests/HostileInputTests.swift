import Addresses
import Cryptography
import DNSWire
import MainlineProtocol
import Pkarr
import Testing

@testable import DNSResolution

/// Bytes of all kinds: never a trap, and whatever comes back is a message.
@Suite struct HostileInputTests {
  private let keypair = Keypair()

  private func harness() throws -> ResolverHarness {
    let harness = ResolverHarness { $0.suffixes = [.literal("key"), .literal("pk.example")] }
    let key = keypair.publicKey.z32
    try harness.publish(
      """
      @ 60 A 192.0.2.1
      * 60 TXT w
      c 60 CNAME example.com.
      d 60 NS ns.d
      ns.d 60 A 198.51.100.1
      l 60 CNAME l.\(key).
      h 60 HTTPS 1 . alpn=h2 ipv4hint=10.0.0.1
      """, by: keypair)
    return harness
  }

  @Test("damaged and random queries are answered with messages, or not at all")
  func queries() throws {
    let harness = try harness()
    var random = RandomSource(seed: 21)
    let key = keypair.publicKey.z32
    var answered = 0
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: 60, data: .cname(.literal("x.test")))])
    }
    for round in 0..<2500 {
      let names = [
        key, "x.\(key).key", "c.\(key)", "a.d.\(key)", "l.\(key)", "example.com", "_pkarr.\(key)",
        "h.\(key).pk.example",
      ]
      var options = ResolverHarness.QueryOptions()
      options.options = [0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]
      var bytes = try ResolverHarness.query(
        names[round % names.count], RecordType(rawValue: UInt16(random.next() % 70)), options)
      for _ in 0..<(random.next() % 4) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.next() % 8 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      if random.next() % 16 == 0 { bytes = random.bytes(Int(random.next() % 80)) }
      let transport = QueryOrigin.Transport.allCases[round % 4]
      let origin = QueryOrigin(Endpoint(IPAddress(203, 0, 113, 1), port: 1), transport)
      guard let reply = harness.answer(bytes, from: origin) else { continue }
      answered += 1
      _ = try Message(parsing: reply, rules: .tolerant)
      #expect(reply[0] == bytes[0] && reply[1] == bytes[1] && reply[2] & 0x80 != 0)
      if transport == .udp { #expect(reply.count <= 1232) }
    }
    #expect(answered > 1200)
    #expect(harness.resolver.gauges.queriesInFlight == 0)
  }

  @Test("damaged replies of other servers are failures or answers, and what comes of them is a message")
  func replies() throws {
    let harness = try harness()
    var random = RandomSource(seed: 22)
    let key = keypair.publicKey.z32
    harness.upstream = { question, server in
      guard
        case .reply(var bytes) = response(
          to: question,
          [
            ResourceRecord(name: question.name, ttl: 5, data: .cname(.literal("www.example.net"))),
            ResourceRecord(name: .literal("www.example.net"), ttl: 5, data: .address(.init(192, 0, 2, 1))),
          ],
          authorities: [ResourceRecord(name: question.name, ttl: 5, data: .ns(.literal("ns.example.net")))],
          flags: server == nil ? 0x8180 : 0x8000)
      else { return .failure(.timeout) }
      for _ in 0..<(random.next() % 6) {
        bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.next() % 10 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      return .reply(bytes)
    }
    for round in 0..<800 {
      let name = round % 2 == 0 ? "n\(round).example" : "n\(round).d.\(key)"
      let bytes = try #require(harness.answer(try ResolverHarness.query(name)))
      _ = try Message(parsing: bytes, rules: .tolerant)
      if round % 100 == 0 { harness.advance(seconds: 1) }
    }
    #expect(harness.resolver.gauges.forwardsInFlight == 0 && harness.resolver.resolutions.isEmpty)
  }

  @Test("time that stands still, goes back or leaps stops nothing")
  func clocks() throws {
    let harness = try harness()
    let key = keypair.publicKey.z32
    for seconds in [0, -100, -1_000_000, 1e9, 0, -1e9] as [Double] {
      harness.now = harness.now.advanced(by: .nanoseconds(Int64(seconds * 1e9)))
      harness.resolver.tick(now: harness.now, wallClock: .zero)
      harness.wallClock = seconds < 0 ? .zero : Timestamp(microseconds: .max)
      #expect(harness.answer(try ResolverHarness.query(key)) != nil)
      #expect(harness.answer(try ResolverHarness.query("example.com")) != nil)
    }
  }

  @Test("extreme settings stop nothing")
  func extremes() throws {
    let harness = try harness()
    let key = keypair.publicKey.z32
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: .max / 3, data: .address(.init(192, 0, 2, 1)))])
    }
    for value in [0, 1, .max] as [UInt32] {
      harness.resolver.policy.cache.minimumKeyTTL = value
      harness.resolver.policy.cache.maximumKeyTTL = value
      harness.resolver.policy.cache.minimumForwardedTTL = value
      harness.resolver.policy.cache.maximumForwardedTTL = value
      harness.resolver.policy.cache.maximumForwardedStaleness = value
      harness.resolver.policy.cache.maximumKeyStaleness = value
      harness.resolver.policy.cache.firstAbsenceTTL = value
      harness.resolver.policy.cache.maximumAbsenceTTL = value
      harness.resolver.policy.cache.failureRecheck = value
      harness.resolver.policy.cache.firstFailureTTL = value
      harness.resolver.policy.cache.staleAnswerWaitMilliseconds = value
      harness.resolver.policy.cache.prefetchPercent = value
      harness.resolver.policy.work.deadlineMilliseconds = value
      harness.resolver.policy.maximumUDPSize = UInt16(truncatingIfNeeded: value)
      harness.resolver.policy.paddingBlock = UInt16(truncatingIfNeeded: value)
      for name in [key, "a\(value).example", Keypair().publicKey.z32, "d.\(key)"] {
        for _ in 0..<3 {
          _ = harness.answer(try ResolverHarness.query(name))
          harness.advance(seconds: 70)
        }
      }
    }
    #expect(harness.resolver.gauges.queriesInFlight == 0)
  }
}
