import Addresses
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite("Both networks in trouble at once")
struct FaultTests {
  private static func addressed(_ question: ForwardQuestion) -> ForwardResult {
    response(
      to: question, [ResourceRecord(name: question.name, ttl: 60, data: .address(IPAddress(192, 0, 2, 1)))])
  }

  @Test("with both silent, old data stand in on both sides of a chain, and what is new is SERVFAIL in time")
  func bothSilent() throws {
    let harness = ResolverHarness()
    let key = try harness.publish("www 60 CNAME www.example.").publicKey.z32
    harness.upstream = { question, _ in Self.addressed(question) }
    #expect(try harness.ask("www.\(key)").answers.count == 2)
    harness.lookupsStaySilent = true
    harness.forwardsStaySilent = true
    harness.advance(seconds: 100)

    func begin(_ name: String) throws -> PendingQueryID {
      let (disposition, _) = harness.receive(try ResolverHarness.query(name))
      harness.drive()
      guard case .pending(let id) = disposition else { throw CancellationError() }
      return id
    }
    let old = try begin("www.\(key)")
    let newKey = try begin(Keypair().publicKey.z32)
    let newName = try begin("other.example")
    #expect([old, newKey, newName].allSatisfy { harness.answers[$0] == nil }, "everybody waits")
    harness.advance(seconds: 1.8)
    let reply = try Reply(#require(harness.answers[old]))
    #expect(reply.answers.count == 2 && reply.error?.code == 3, "\(reply.answers)")
    #expect(reply.message.answers.allSatisfy { $0.ttl <= 30 })
    harness.advance(seconds: 2.2)
    for id in [newKey, newName] {
      let reply = try Reply(#require(harness.answers[id]))
      #expect(reply.code == 2 && reply.error?.code == 22)
    }
    #expect(harness.resolver.gauges.queriesInFlight == 0)

    // Whatever nobody ends is ended, and with the networks back everything resolves.
    harness.advance(seconds: 120)
    #expect(harness.resolver.gauges.lookupsInFlight == 0 && harness.resolver.gauges.forwardsInFlight == 0)
    harness.lookupsStaySilent = false
    harness.forwardsStaySilent = false
    harness.advance(seconds: 400)
    let back = try harness.ask("www.\(key)")
    #expect(back.answers.count == 2 && back.error == nil)
    #expect(try harness.ask("other.example").code == 0)
  }

  @Test("with both slow, who waits is told in time, and the answers that come later serve the next one at once")
  func bothSlow() throws {
    let harness = ResolverHarness()
    let keypair = Keypair()
    let packet = try harness.publish("@ 300 A 192.0.2.1", by: keypair)
    harness.lookupsStaySilent = true
    harness.forwardsStaySilent = true
    let names = [keypair.publicKey.z32, "www.example"]
    for name in names {
      _ = harness.receive(try ResolverHarness.query(name))
      harness.drive()
    }
    harness.advance(seconds: 4)
    #expect(harness.answers.count == 2)
    for bytes in harness.answers.values { #expect(try Reply(bytes).code == 2) }
    harness.advance(seconds: 5)
    for search in harness.lookedUp {
      harness.resolver.finish(
        lookup: search.id, with: .packet(packet, source: .dht), now: harness.now, wallClock: harness.wallClock)
    }
    for forward in harness.forwarded {
      harness.resolver.finish(
        forward: forward.id, with: Self.addressed(forward.question), now: harness.now, wallClock: harness.wallClock)
    }
    harness.drive()
    for name in names {
      let (disposition, bytes) = harness.receive(try ResolverHarness.query(name))
      #expect(try Reply(#require(bytes, "\(disposition)")).answers.count == 1)
    }
    #expect(harness.lookedUp.count == 1 && harness.forwarded.count == 1)
  }

  @Test("what an answer brings along for other names is not believed, from name servers and from servers of keys")
  func poisoning() throws {
    let harness = ResolverHarness { $0.keys.allowedServers = [AddressPrefix("192.0.2.0/24")!] }
    let key = try harness.publish("d 300 NS ns.d\nns.d 300 A 192.0.2.53").publicKey.z32
    let bad = try [
      ResourceRecord("www.bank.example", .a, "192.0.2.66"), ResourceRecord("bank.example", .ns, "ns.evil.example."),
      ResourceRecord(key, .a, "192.0.2.66"), ResourceRecord("www.\(key)", .cname, "evil.example."),
    ]
    harness.upstream = { question, server in
      if question.name.description == "www.bank.example" {
        return response(to: question, [try! ResourceRecord("www.bank.example", .a, "192.0.2.1")])
      }
      let own = ResourceRecord(name: question.name, ttl: 300, data: .address(IPAddress(192, 0, 2, 2)))
      return response(
        to: question, [own] + bad, authorities: bad, additionals: bad, flags: server == nil ? 0x8180 : 0x8400)
    }
    for round in 0..<20 {
      #expect(try harness.ask("r\(round).example").answers == ["r\(round).example A 192.0.2.2"])
      let delegated = try harness.ask("r\(round).d.\(key)")
      #expect(delegated.answers == ["r\(round).d.\(key) A 192.0.2.2"], "\(delegated.answers)")
      #expect(delegated.additionals.isEmpty && delegated.authorities.isEmpty)
    }
    #expect(try harness.ask("www.bank.example").answers == ["www.bank.example A 192.0.2.1"])
    #expect(try harness.ask(key).answers.isEmpty && harness.ask("www.\(key)").code == 3)
  }
}
