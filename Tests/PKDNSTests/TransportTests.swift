import Addresses
import DNSResolution
import DNSWire
import EventLoops
import Pkarr
import Testing

@testable import PKDNS

/// What must hold whichever way a client comes, and over the server's whole life.
@Suite("A DNS server over each transport", .timeLimit(.minutes(10)))
struct TransportTests {
  private static func answering() async throws -> ScriptedNameServer {
    try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
  }

  @Test("over UDP, TCP, TLS and HTTPS alike: any case, NODATA and NXDOMAIN with SOA, unknown types, SERVFAIL and why")
  func alike() async throws {
    let upstream = try await Self.answering()
    let folder = TemporaryFile.path()
    let settings = RunningPKDNS.encrypted(in: folder)
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)], settings: settings) {
      dns async throws in
      let key = try await dns.publish { $0.a("www", "203.0.113.5", ttl: .minutes(5)) }.z32
      let ways: [(UpstreamServer.Transport, Endpoint)] = [
        (.datagrams, dns.endpoint), (.stream, dns.endpoint),
        (.tls(name: "localhost"), dns.server.encryptedEndpoints[0]),
        (.https(path: "/dns-query", name: "localhost"), dns.server.httpsEndpoints[0]),
      ]
      for (transport, endpoint) in ways {
        func ask(_ name: String, _ type: RecordType = .a) async throws -> Message {
          try await dns.ask(name, type, over: transport, at: endpoint)
        }
        let mixed = "wWw.\(key.uppercased()).kEY"
        let found = try await ask(mixed)
        #expect(found.addresses == ["203.0.113.5"] && found.header.isAuthoritative, "\(transport)")
        #expect(found.header.recursionDesired && found.header.recursionAvailable && found.options != nil)
        for (name, type, code) in [("www.\(key)", RecordType.mx, 0), (key, .a, 0), ("none.\(key)", .a, 3)] {
          let missing = try await ask(name, type)
          #expect(missing.header.responseCode == code && missing.answers.isEmpty, "\(transport) \(name)")
          #expect(missing.authorities.map(\.type) == [.soa])
        }
        #expect(try await ask("www.\(key)", RecordType(rawValue: 65_280)).header.responseCode == 0)
        #expect(try await ask("www.example").addresses == ["192.0.2.1"])
        #expect(try await ask("nothing.key").header.responseCode == 3)
      }
      dns.cutOffNetwork()
      for (transport, endpoint) in ways {
        let failed = try await dns.ask(Keypair().publicKey.z32, over: transport, at: endpoint)
        #expect(failed.header.responseCode == 2, "\(transport)")
        let errors = AnswerJSON.extendedErrors(try failed.encoded())
        // 13 for a client that lost its patience and asked again.
        #expect(errors.first.map { [13, 22, 23].contains($0.code) } == true, "\(errors)")
      }
      #expect(upstream.names.allSatisfy { $0 == "www.example" }, "\(upstream.names)")
    }
    TemporaryFile.remove(folder)
    await upstream.stop()
  }

  @Test("with name servers that cannot be reached at the start, IPv6 ones too, it starts, and names of keys resolve")
  func unreachableAtStart() async throws {
    let nowhere = [
      UpstreamServer(Endpoint(.loopbackV6, port: 1)),
      UpstreamServer(Endpoint(try #require(IPAddress("2001:db8::1")), port: 53)),
      UpstreamServer(Endpoint(.loopbackV4, port: 1)),
    ]
    try await RunningPKDNS.run(forwardingTo: nowhere, settings: "[dns]\ndeadline = \"1s\"") { dns async throws in
      #expect(try await dns.ask("www.example").header.responseCode == 2)
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      #expect(try await dns.ask(key.z32).addresses == ["203.0.113.5"])
    }
  }

  @Test("what is under way when the server is told to end is answered first, and nothing new is taken")
  func drain() async throws {
    let held = LockedValue<[[UInt8]]>([])
    let isOpen = LockedValue(false)
    let upstream = try await ScriptedNameServer { query, _ in
      let answer = ScriptedNameServer.answer(query)
      if isOpen.withLock({ $0 }) { return [answer] }
      held.withLock { $0.append(answer) }
      return []
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[dns]\ndeadline = \"20s\"\n[general]\ndrain_timeout = \"60s\""
    ) { dns async throws in
      async let waiting = dns.ask("www.example", over: .stream)
      while held.withLock({ $0.isEmpty }) { try await Task.sleep(for: .milliseconds(5)) }
      let endpoint = dns.endpoint
      let end = Task { await dns.server.shutdown() }
      // Once nobody listens any more, the end has begun; then the name server answers what it is asked again.
      while (try? StreamListener(boundTo: endpoint)) == nil { try await Task.sleep(for: .milliseconds(5)) }
      isOpen.withLock { $0 = true }
      #expect(try await waiting.addresses == ["192.0.2.1"])
      await end.value
    }
    await upstream.stop()
  }
}
