import Addresses
import Cryptography
import DNSWire
import MainlineProtocol
import Pkarr
import Testing

@testable import DNSResolution

/// How long packets and what is known of absent keys live, and what stands in when the network is gone.
@Suite struct PacketLifeTests {
  private let harness = ResolverHarness()
  private let keypair = Keypair()
  private var key: String { keypair.publicKey.z32 }

  @Test("TTLs count down from the last confirmation, never below 1, and an update is seen after one TTL")
  func countdown() throws {
    try harness.publish("a 300 A 192.0.2.1\nb 100 A 192.0.2.2\nc 0 A 192.0.2.3", by: keypair)
    #expect(try harness.ask("a.\(key)").message.answers.map(\.ttl) == [300])
    harness.advance(seconds: 40)
    #expect(try harness.ask("a.\(key)").message.answers.map(\.ttl) == [260])
    #expect(try harness.ask("b.\(key)").message.answers.map(\.ttl) == [60])
    #expect(try harness.ask("c.\(key)").message.answers.map(\.ttl) == [1])
    // The packet is trusted for its lowest TTL within the bounds: 60 seconds here.
    try harness.publish("a 300 A 192.0.2.9", by: keypair)
    harness.advance(seconds: 19)
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.1"])
    harness.advance(seconds: 1)
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.9"])
    #expect(harness.lookedUp.count == 2)
  }

  @Test("an older packet of the network does not replace a newer one, but confirms it")
  func olderPacket() throws {
    let old = try ResolverHarness.packet(keypair, "a 60 A 192.0.2.1", at: Timestamp(microseconds: 1))
    try harness.publish("a 60 A 192.0.2.2", by: keypair)
    _ = try harness.ask("a.\(key)")
    harness.packets[keypair.publicKey] = .packet(old, source: .dht)
    harness.advance(seconds: 61)
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.2"])
    _ = try harness.ask("a.\(key)")
    #expect(harness.lookedUp.count == 2)
    let provenance = try #require(harness.resolver.provenance(of: keypair.publicKey, now: harness.now))
    #expect(provenance.age == 0 && !provenance.isStale && provenance.source == .dht)
  }

  @Test("a newer packet that comes later is taken")
  func learned() throws {
    try harness.publish("a 60 A 192.0.2.1", by: keypair)
    _ = try harness.ask("a.\(key)")
    harness.advance(seconds: 1)
    let new = try ResolverHarness.packet(keypair, "b 60 A 192.0.2.2", at: harness.wallClock)
    harness.resolver.learn(new, from: .relay("https://relay.example"), now: harness.now, wallClock: harness.wallClock)
    #expect(try harness.ask("b.\(key)").answers.count == 1)
    #expect(
      harness.resolver.provenance(of: keypair.publicKey, now: harness.now)?.source == .relay("https://relay.example"))
  }

  @Test("a key without a packet is NXDOMAIN, first for a short time, then for longer ones")
  func absence() throws {
    let reply = try harness.ask("a.\(key)")
    #expect(reply.code == 3 && reply.error?.code == 0 && reply.error?.text.contains("20 nodes, 2 relays") == true)
    #expect(reply.message.authorities.map(\.ttl) == [5])
    var waits: [Int] = []
    for _ in 0..<8 {
      let before = harness.lookedUp.count
      var seconds = 0
      while harness.lookedUp.count == before {
        harness.advance(seconds: 1)
        seconds += 1
        #expect(try harness.ask("b.\(key)").code == 3)
      }
      waits.append(seconds)
    }
    #expect(waits == [5, 10, 20, 40, 80, 160, 300, 300])
    // Once it is published, nothing of that is left.
    try harness.publish("b 300 A 192.0.2.1", by: keypair)
    harness.advance(seconds: 300)
    #expect(try harness.ask("b.\(key)").code == 0)
  }

  @Test("network trouble is SERVFAIL with its kind, remembered for a while, and never NXDOMAIN")
  func failures() throws {
    let rows: [(KeyLookupFailure, UInt16, String)] = [
      (.notReady(routingTableSize: 3), 14, "3 nodes"),
      (.unreachable(nodesAsked: 8, relaysAsked: 1), 22, "8 nodes, 1 relays"),
      (.network("network unreachable"), 23, "network unreachable"), (.invalid("bad signature"), 24, "bad signature"),
      (.timeout, 22, "too long"), (.overloaded, 0, "too many"),
    ]
    for (failure, code, text) in rows {
      let owner = Keypair().publicKey
      harness.packets[owner] = .failure(failure)
      let reply = try harness.ask(owner.z32)
      #expect(reply.code == 2 && reply.error?.code == code && reply.error?.text.contains(text) == true, "\(failure)")
      let cached = try harness.ask("x.\(owner.z32)")
      #expect(cached.code == 2 && cached.error?.code == 13)
      harness.packets[owner] = nil
      harness.advance(seconds: 5)
      #expect(try harness.ask(owner.z32).code == 3)
    }
    let nobody = Keypair().publicKey
    harness.packets[nobody] = .notFound(nodesAsked: 0, relaysAsked: 0)
    #expect(try harness.ask(nobody.z32).error?.code == 22)
  }

  @Test("a packet of another key is no answer")
  func wrongKey() throws {
    let other = try ResolverHarness.packet(Keypair(), "a 60 A 192.0.2.1", at: Timestamp(microseconds: 1))
    harness.packets[keypair.publicKey] = .packet(other, source: .dht)
    #expect(try harness.ask("a.\(key)").error?.code == 24)
  }

  @Test("an old packet stands in after a while without the network, with a short TTL, and says so")
  func stale() throws {
    try harness.publish("a 300 A 192.0.2.1", by: keypair)
    _ = try harness.ask("a.\(key)")
    harness.advance(seconds: 400)
    harness.lookupsStaySilent = true
    guard case .pending(let id) = harness.receive(try ResolverHarness.query("a.\(key)")).0 else {
      Issue.record("not pending")
      return
    }
    harness.drive()
    harness.advance(seconds: 1.7)
    #expect(harness.answers[id] == nil)
    harness.advance(seconds: 0.1)
    let reply = try Reply(try #require(harness.answers[id]))
    #expect(reply.message.answers.map(\.ttl) == [30] && !reply.isAuthoritative)
    #expect(reply.error?.code == 3 && reply.error?.text == "age 401 s")
    #expect(harness.lookedUp.count == 2 && harness.lookedUp[1].reason == .refresh)
    harness.resolver.finish(
      lookup: harness.lookedUp[1].id, with: .failure(.unreachable(nodesAsked: 5, relaysAsked: 1)), now: harness.now,
      wallClock: harness.wallClock)
    // For half a minute it is not asked for again, and nobody waits.
    #expect(try harness.ask("a.\(key)").error?.code == 3)
    #expect(try harness.ask("no.\(key)").error?.code == 19)
    harness.advance(seconds: 29)
    #expect(try harness.ask("a.\(key)").error?.code == 3)
    #expect(harness.lookedUp.count == 2)
    harness.lookupsStaySilent = false
    harness.advance(seconds: 2)
    #expect(try harness.ask("a.\(key)").error == nil)
  }

  @Test("a packet that the network has lost goes on being served as stale, without a search for each query")
  func lapsed() throws {
    try harness.publish("a 60 A 192.0.2.1", by: keypair)
    _ = try harness.ask("a.\(key)")
    harness.packets = [:]
    harness.advance(seconds: 100)
    for _ in 0..<5 { #expect(try harness.ask("a.\(key)").answers.count == 1) }
    #expect(harness.lookedUp.count == 2)
    harness.resolver.policy.cache.maximumKeyStaleness = 200
    harness.advance(seconds: 200)
    #expect(try harness.ask("a.\(key)").code == 3)
  }

  @Test("with no time to wait, old data are given at once and the refresh goes on behind")
  func staleAtOnce() throws {
    harness.resolver.policy.cache.staleAnswerWaitMilliseconds = 0
    try harness.publish("a 60 A 192.0.2.1", by: keypair)
    _ = try harness.ask("a.\(key)")
    try harness.publish("a 60 A 192.0.2.2", by: keypair)
    harness.advance(seconds: 100)
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.1"])
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.2"])
  }

  @Test("during an outage every key seen before goes on, unseen ones are SERVFAIL, and few searches are made")
  func outage() throws {
    let known = try (0..<10).map { index in
      try harness.publish("a 60 A 192.0.2.\(index)").publicKey
    }
    for key in known { #expect(try harness.ask("a.\(key.z32)").code == 0) }
    harness.advance(seconds: 100)
    for key in known { harness.packets[key] = .failure(.unreachable(nodesAsked: 0, relaysAsked: 0)) }
    for key in known { #expect(try harness.ask("a.\(key.z32)").error?.code == 3) }
    #expect(harness.resolver.gauges.isInOutage && harness.resolver.counters.outages == 1)
    harness.lookupsStaySilent = true
    let before = harness.lookedUp.count
    harness.advance(seconds: 40)
    for key in known { #expect(try harness.ask("a.\(key.z32)").error?.code == 3) }
    for _ in 0..<10 {
      let reply = try harness.ask(Keypair().publicKey.z32)
      #expect(reply.code == 2 && reply.error?.code == 22)
    }
    #expect(harness.lookedUp.count == before + 1 && harness.lookedUp.last?.reason == .probe)
    let packet = try ResolverHarness.packet(keypair, "a 60 A 192.0.2.1", at: harness.wallClock)
    harness.resolver.finish(
      lookup: try #require(harness.lookedUp.last).id, with: .packet(packet, source: .dht), now: harness.now,
      wallClock: harness.wallClock)
    // A packet of the wrong key: but somebody answered, so the outage is over.
    #expect(!harness.resolver.gauges.isInOutage)
  }

  @Test("searches for two keys overlap, those for one key are one, whatever the name")
  func overlapping() throws {
    harness.lookupsStaySilent = true
    let (first, second) = (Keypair(), Keypair())
    var ids: [PendingQueryID] = []
    for key in [first, second] {
      for name in ["a", "b", "a"] {
        guard case .pending(let id) = harness.receive(try ResolverHarness.query("\(name).\(key.publicKey.z32)")).0
        else {
          Issue.record("not pending")
          return
        }
        ids.append(id)
      }
    }
    harness.drive()
    #expect(harness.lookedUp.count == 2)
    for lookup in harness.lookedUp.reversed() {
      let owner = lookup.key == first.publicKey ? first : second
      let packet = try ResolverHarness.packet(owner, "a 60 A 192.0.2.1\nb 60 A 192.0.2.2", at: harness.wallClock)
      harness.resolver.finish(
        lookup: lookup.id, with: .packet(packet, source: .dht), now: harness.now, wallClock: harness.wallClock)
    }
    harness.drive()
    for id in ids { #expect(try Reply(try #require(harness.answers[id])).answers.count == 1) }
  }

  @Test("a popular key is looked for again before its packet is old")
  func prefetch() throws {
    try harness.publish("a 100 A 192.0.2.1", by: keypair)
    for _ in 0..<4 { _ = try harness.ask("a.\(key)") }
    harness.advance(seconds: 91)
    #expect(try harness.ask("a.\(key)").message.answers.map(\.ttl) == [9])
    #expect(harness.lookedUp.map(\.reason) == [.miss, .prefetch])
    #expect(try harness.ask("a.\(key)").message.answers.map(\.ttl) == [100])
  }

  @Test("flushing a name or a key makes the network be asked again")
  func flush() throws {
    try harness.publish("a 300 A 192.0.2.1", by: keypair)
    _ = try harness.ask("a.\(key)")
    #expect(harness.resolver.flush(try DomainName("A.\(key)")) == 1)
    _ = try harness.ask("a.\(key)")
    #expect(harness.lookedUp.count == 1)
    _ = try harness.ask("a.\(key).key")
    #expect(harness.resolver.flush(keypair.publicKey) == 3)
    _ = try harness.ask("a.\(key)")
    #expect(harness.lookedUp.count == 2)
    harness.upstream = { question, _ in
      response(to: question, [ResourceRecord(name: question.name, ttl: 60, data: .address(.init(192, 0, 2, 1)))])
    }
    for name in ["a.example", "b.a.example", "ba.example"] { _ = try harness.ask(name) }
    #expect(harness.resolver.flush(try DomainName("a.example"), subtree: true) == 2)
    let absent = Keypair().publicKey
    _ = try harness.ask(absent.z32)
    #expect(harness.resolver.flush(absent) == 1)
  }

  @Test("a snapshot brings packets into a new resolver with the age they have, and damage takes only what it hits")
  func snapshots() throws {
    var keys: [PublicKey] = []
    for index in 0..<5 {
      keys.append(try harness.publish("a 300 A 192.0.2.\(index)").publicKey)
      _ = try harness.ask("a.\(keys[index].z32)")
      harness.advance(seconds: 50)
    }
    let bytes = harness.resolver.snapshot(now: harness.now, wallClock: harness.wallClock)
    let fresh = ResolverHarness()
    (fresh.wallClock, fresh.now) = (harness.wallClock, Instant(nanoseconds: 5_000_000_000))
    fresh.advance(seconds: 10)
    #expect(fresh.resolver.restore(bytes.span.bytes, now: fresh.now, wallClock: fresh.wallClock) == 5)
    fresh.lookupsStaySilent = true
    #expect(try fresh.ask("a.\(keys[4].z32)").message.answers.map(\.ttl) == [240])
    #expect(try fresh.ask("a.\(keys[1].z32)").message.answers.map(\.ttl) == [90])
    #expect(fresh.resolver.provenance(of: keys[0], now: fresh.now)?.source == .disk)
    var damaged = bytes
    damaged[damaged.count - 1] ^= 1
    #expect(ResolverHarness().resolver.restore(damaged.span.bytes, now: fresh.now, wallClock: fresh.wallClock) == 4)
    for length in [0, 5, 16, 17, 18, 100, bytes.count - 1] {
      let part = Array(bytes.prefix(length))
      #expect(ResolverHarness().resolver.restore(part.span.bytes, now: fresh.now, wallClock: fresh.wallClock) < 5)
    }
    let short = harness.resolver.snapshot(maximumBytes: 600, now: harness.now, wallClock: harness.wallClock)
    #expect(short.count <= 600 && short.count > 16)
  }
}
