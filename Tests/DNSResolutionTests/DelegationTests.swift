import Addresses
import Cryptography
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct DelegationTests {
  private let harness = ResolverHarness()
  private let keypair = Keypair()
  private var key: String { keypair.publicKey.z32 }

  @Test("the delegated server is asked at its glue, without the suffix, and its answer is no authority of ours")
  func glue() throws {
    try harness.publish("sub 300 NS ns.sub\nns.sub 300 A 95.217.214.181", by: keypair)
    let name = "sub.\(key)"
    harness.upstream = { question, server in
      #expect(server == Endpoint(IPAddress(95, 217, 214, 181), port: 53) && !question.recursionDesired)
      return response(to: question, [try! ResourceRecord(name, .a, "37.27.13.182", ttl: 50)], flags: 0x8400)
    }
    for _ in 0..<2 {
      let reply = try harness.ask("\(name).key")
      #expect(reply.answers == ["\(name).key A 37.27.13.182"] && !reply.isAuthoritative && reply.code == 0)
    }
    #expect(harness.forwarded.map(\.question.name.description) == [name])
    harness.advance(seconds: 51)
    _ = try harness.ask("\(name).key")
    #expect(harness.forwarded.count == 2)
  }

  @Test("servers without glue are found by their names, in the DNS and below keys")
  func withoutGlue() throws {
    let host = Keypair()
    try harness.publish("ns 300 A 198.51.100.7", by: host)
    try harness.publish("a 300 NS ns.example.\nb 300 NS ns.\(host.publicKey.z32).", by: keypair)
    var servers: [Endpoint?] = []
    harness.upstream = { question, server in
      servers.append(server)
      guard server != nil else {
        return response(to: question, [try! ResourceRecord("ns.example", .a, "198.51.100.53")])
      }
      return response(to: question, [ResourceRecord(name: question.name, ttl: 9, data: .address(.init(192, 0, 2, 5)))])
    }
    #expect(try harness.ask("a.\(key)").answers == ["a.\(key) A 192.0.2.5"])
    #expect(servers == [nil, Endpoint(IPAddress(198, 51, 100, 53), port: 53)])
    #expect(try harness.ask("x.b.\(key)").answers == ["x.b.\(key) A 192.0.2.5"])
    #expect(servers.last == Endpoint(IPAddress(198, 51, 100, 7), port: 53))
  }

  @Test("internal addresses and our own are never asked, unless the operator allows them")
  func denied() throws {
    let bad = [
      "127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.1.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "203.0.113.53",
    ]
    harness.resolver.policy.keys.ownAddresses = [IPAddress(203, 0, 113, 53)]
    for address in bad {
      let owner = Keypair()
      try harness.publish("s 300 NS ns.s\nns.s 300 A \(address)", by: owner)
      let reply = try harness.ask("s.\(owner.publicKey.z32)")
      #expect(reply.code == 2 && reply.error?.code == 18, "\(address)")
    }
    for address in ["::1", "fe80::1", "fd00::1", "::", "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
      let owner = Keypair()
      try harness.publish("s 300 NS ns.s\nns.s 300 AAAA \(address)", by: owner)
      #expect(try harness.ask("s.\(owner.publicKey.z32)").error?.code == 18, "\(address)")
    }
    #expect(harness.forwarded.isEmpty)
    harness.resolver.policy.keys.allowedServers = [try #require(AddressPrefix("10.0.0.0/8"))]
    try harness.publish("s 300 NS ns.s\nns.s 300 A 10.1.2.3", by: keypair)
    _ = try harness.ask("s.\(key)")
    #expect(harness.forwarded.map(\.server) == [Endpoint(IPAddress(10, 1, 2, 3), port: 53)])
  }

  @Test("a silent server is followed by the next, up to a limit, and then SERVFAIL says so")
  func silence() throws {
    let servers = (1...8).map { "s 300 NS n\($0).s\nn\($0).s 300 A 198.51.100.\($0)" }.joined(separator: "\n")
    try harness.publish(servers, by: keypair)
    let reply = try harness.ask("s.\(key)")
    #expect(reply.code == 2 && reply.error?.code == 22)
    #expect(harness.forwarded.count == 4)
    harness.upstream = { question, server in
      guard server?.address == IPAddress(198, 51, 100, 3) else { return .failure(.timeout) }
      return response(to: question, [ResourceRecord(name: question.name, ttl: 9, data: .address(.init(192, 0, 2, 5)))])
    }
    #expect(try harness.ask("s.\(key)").answers.count == 1)
  }

  @Test("a referral goes on below the cut only, and not for ever")
  func referrals() throws {
    try harness.publish("s 300 NS ns.s\nns.s 300 A 198.51.100.1", by: keypair)
    let key = key
    harness.upstream = { question, server in
      guard server?.address == IPAddress(198, 51, 100, 1) else {
        return response(
          to: question, [ResourceRecord(name: question.name, ttl: 9, data: .address(.init(192, 0, 2, 5)))])
      }
      return response(
        to: question, authorities: [try! ResourceRecord("deep.s.\(key)", .ns, "ns.deep.s.\(key).")],
        additionals: [try! ResourceRecord("ns.deep.s.\(key)", .a, "198.51.100.2")], flags: 0x8000)
    }
    #expect(try harness.ask("x.deep.s.\(key)").answers.count == 1)
    #expect(harness.forwarded.map { $0.server?.address } == [IPAddress(198, 51, 100, 1), IPAddress(198, 51, 100, 2)])
    // The same servers again: no step forward, so no referral.
    harness.upstream = { question, _ in
      response(to: question, authorities: [try! ResourceRecord("s.\(key)", .ns, "ns.s.\(key).")], flags: 0x8000)
    }
    let before = harness.forwarded.count
    _ = try harness.ask("y.s.\(key)")
    #expect(harness.forwarded.count <= before + 4)
  }

  @Test("a delegated server cannot speak for names beside the cut; an alias out of it is resolved here")
  func bailiwick() throws {
    let victim = Keypair()
    try harness.publish("@ 300 A 192.0.2.1", by: victim)
    try harness.publish("s 300 NS ns.s\nns.s 300 A 198.51.100.1", by: keypair)
    let (key, other) = (key, victim.publicKey.z32)
    harness.upstream = { question, server in
      guard server != nil else { return response(to: question, [try! ResourceRecord("example.com", .a, "192.0.2.2")]) }
      return response(
        to: question,
        [
          try! ResourceRecord("s.\(key)", .cname, "\(other)."), try! ResourceRecord(other, .a, "192.0.2.66"),
          try! ResourceRecord("example.com", .a, "192.0.2.66"),
        ])
    }
    #expect(try harness.ask("s.\(key)").answers == ["s.\(key) CNAME \(other).", "\(other) A 192.0.2.1"])
    #expect(try harness.ask("example.com").answers == ["example.com A 192.0.2.2"])
  }

  @Test("servers at the apex answer for what the packet does not hold, unless it has an SOA record")
  func apex() throws {
    try harness.publish("@ 300 NS ns.example.\nhere 300 A 192.0.2.1", by: keypair)
    harness.upstream = { question, server in
      guard server != nil else {
        return response(to: question, [try! ResourceRecord("ns.example", .a, "198.51.100.53")])
      }
      return response(to: question, [ResourceRecord(name: question.name, ttl: 9, data: .address(.init(192, 0, 2, 5)))])
    }
    #expect(try harness.ask("here.\(key)").answers == ["here.\(key) A 192.0.2.1"])
    #expect(try harness.ask("there.\(key)").answers == ["there.\(key) A 192.0.2.5"])
    let own = Keypair()
    try harness.publish("@ 300 NS ns.example.\n@ 300 SOA a. b. 1 2 3 4 5", by: own)
    #expect(try harness.ask("there.\(own.publicKey.z32)").code == 3)
    harness.resolver.policy.keys.followsApexDelegations = false
    #expect(try harness.ask("there.\(key)").code == 3)
  }
}
