import Addresses
import DNSResolution
import DNSWire
import EventLoops
import Mainline
import Pkarr
import PkarrClient
import Testing

@testable import PKDNS

@Suite("A DNS server on loopback", .timeLimit(.minutes(10)))
struct ServerTests {
  private static func answering() async throws -> ScriptedNameServer {
    try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
  }

  @Test("names of keys come from the DHT, others from the name server, and a chain leads from one to the other")
  func bothKinds() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      let key = try await dns.publish {
        $0.a("@", "203.0.113.5", ttl: .minutes(5)).cname("www", "www.example.", ttl: .minutes(5))
      }
      for transport in [UpstreamServer.Transport.datagrams, .stream] {
        #expect(try await dns.ask(key.z32, over: transport).addresses == ["203.0.113.5"])
        #expect(try await dns.ask("WWW.\(key.z32.uppercased()).KEY", over: transport).addresses == ["192.0.2.1"])
        #expect(try await dns.ask("www.example.org", over: transport).addresses == ["192.0.2.1"])
      }
      #expect(upstream.names.allSatisfy { !$0.contains(key.z32) }, "keys are nobody's business")
      #expect(upstream.names.count == 2, "what is cached is not asked for again: \(upstream.names)")
    }
    await upstream.stop()
  }

  @Test("a key that nobody has published does not exist; with a dead DHT that cannot be told")
  func absent() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      let missing = try await dns.ask(Keypair().publicKey.z32)
      #expect(missing.header.responseCode == 3)
      dns.cutOffNetwork()
      let unknown = try await dns.ask(Keypair().publicKey.z32)
      #expect(unknown.header.responseCode == 2, "not NXDOMAIN: nothing is known")
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"], "other names do not suffer")
    }
    await upstream.stop()
  }

  @Test("a dead name server: others are asked; if all are dead the answer is SERVFAIL, and keys go on")
  func deadUpstream() async throws {
    let silent = try await ScriptedNameServer { _, _ in [] }
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(silent.endpoint), UpstreamServer(upstream.endpoint)]
    ) { dns async throws in
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(silent.endpoint)], settings: "[dns]\ndeadline = 1"
    ) { dns async throws in
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      #expect(try await dns.ask("www.example").header.responseCode == 2)
      #expect(try await dns.ask(key.z32).addresses == ["203.0.113.5"])
    }
    await silent.stop()
    await upstream.stop()
  }

  @Test("forged answers with wrong identifiers drive a question to TCP, and never come through")
  func forgery() async throws {
    let upstream = try await ScriptedNameServer { query, isStream in
      let answer = ScriptedNameServer.answer(query)
      if isStream { return [answer] }
      return (1...200).map { number in
        var forged = ScriptedNameServer.answer(query, 0x0666_0666)
        forged[0] ^= UInt8(truncatingIfNeeded: number)
        forged[1] ^= UInt8(truncatingIfNeeded: number >> 8) | 1
        return forged
      }
    }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
    }
    #expect(upstream.queries.contains { $0.isStream })
    await upstream.stop()
  }

  @Test("answers to another question are not believed")
  func otherQuestion() async throws {
    let upstream = try await ScriptedNameServer { query, _ in
      var other = ScriptedNameServer.answer(query, 0x0666_0666)
      other[13] ^= 1
      return [other, ScriptedNameServer.answer(query)]
    }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
    }
    await upstream.stop()
  }

  @Test("a cut answer of the name server is fetched over TCP; ours is cut for UDP and whole over TCP")
  func truncation() async throws {
    let upstream = try await ScriptedNameServer { query, isStream in
      var answer = ScriptedNameServer.answer(query)
      if !isStream {
        answer[2] |= 2
        return [answer]
      }
      // 200 addresses: more than fits into any datagram of ours.
      answer[6] = 0
      answer[7] = 200
      let record = answer.suffix(16)
      for number in 1..<200 as Range<UInt8> { answer += record.dropLast() + [number &+ 1] }
      return [answer]
    }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      // The client retries over TCP by itself.
      let message = try await dns.ask("big.example")
      #expect(message.addresses.count == 200 && !message.header.isTruncated)
      #expect(try await dns.ask("big.example", over: .stream).addresses.count == 200)
    }
    await upstream.stop()
  }

  @Test("a server that lower-cases questions is believed over TCP")
  func lowerCase() async throws {
    let upstream = try await ScriptedNameServer { query, _ in
      var answer = ScriptedNameServer.answer(query)
      for index in 12..<24 where (0x41...0x5a).contains(answer[index]) { answer[index] |= 0x20 }
      return [answer]
    }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
    }
    await upstream.stop()
  }

  @Test("queries on one TCP connection are answered as answers come, not in order")
  func pipelining() async throws {
    let held = LockedValue<[[UInt8]]>([])
    let upstream = try await ScriptedNameServer { query, _ in
      // The first name is answered only when the second is asked for.
      let answer = ScriptedNameServer.answer(query)
      return held.withLock { held in
        if held.isEmpty {
          held.append(answer)
          return []
        }
        return [answer]
      }
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], settings: "[dns]\ndeadline = 2"
    ) { dns async throws in
      let order = try await PipelinedClient.ask(["first.example", "second.example"], at: dns.endpoint, on: dns.loop)
      #expect(Set(order) == ["first.example", "second.example"] && order.count == 2)
      #expect(order.first == "second.example", "\(order)")
    }
    await upstream.stop()
  }

  @Test(
    "connections of one address and queries of one connection are bounded; who asks too much is answered all the same")
  func streamLimits() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[streams]\nconnections_per_address = 1\nqueries_per_connection = 2\n[dns]\nstream_rate_limit = 0"
    ) { dns async throws in
      let names = (0..<300).map { "n\($0).example" }
      let order = try await PipelinedClient.ask(names, at: dns.endpoint, on: dns.loop)
      #expect(Set(order).count == 300)
    }
    await upstream.stop()
  }

  @Test(
    "a reload changes name servers and limits without losing a query, and a restart is asked for where it is needed")
  func reload() async throws {
    let first = try await Self.answering()
    let second = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query, 0xc000_0202)] }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(first.endpoint)]) { dns async throws in
      #expect(try await dns.ask("one.example").addresses == ["192.0.2.1"])
      var new = dns.server.configuration
      new.general.forward = [UpstreamServer(second.endpoint)]
      new.general.loops = 2
      let asking = Task {
        for number in 0..<100 { _ = try await dns.ask("during\(number).example") }
      }
      await dns.server.reload(new)
      try await asking.value
      #expect(try await dns.ask("two.example").addresses == ["192.0.2.2"])
      #expect(try await dns.ask("one.example").addresses == ["192.0.2.1"], "what is cached stays")
      #expect(dns.lines.all.contains { $0.contains("configuration.reloaded") && $0.contains("general.loops") })
    }
    await first.stop()
    await second.stop()
  }

  @Test("several threads share the port")
  func loops() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], settings: "[general]\nloops = 3"
    ) { dns async throws in
      for number in 0..<40 { #expect(try await dns.ask("n\(number % 4).example").addresses == ["192.0.2.1"]) }
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      for _ in 0..<20 { #expect(try await dns.ask(key.z32, over: .stream).addresses == ["203.0.113.5"]) }
    }
    await upstream.stop()
  }

  @Test("bound to all addresses, replies leave from the one that was asked")
  func wildcard() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      change: { $0.general.sockets = [Endpoint(.anyV4, port: 0)] }
    ) { dns async throws in
      for host in [IPAddress(127, 0, 0, 1), IPAddress(127, 0, 0, 2), IPAddress(127, 1, 2, 3)] {
        // The client believes nobody else, and the second time the answer is ready at once.
        for _ in 0..<2 {
          let message = try await dns.ask("www.example", at: Endpoint(host, port: dns.endpoint.port))
          #expect(message.addresses == ["192.0.2.1"])
        }
      }
    }
    await upstream.stop()
  }

  @Test("packets outlive a restart, with the DHT gone")
  func restart() async throws {
    let upstream = try await Self.answering()
    let file = TemporaryFile.path()
    let key = try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], change: { $0.general.packetCacheFile = file }
    ) { dns async throws in
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      _ = try await dns.ask(key.z32)
      return key
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], nodes: 1, change: { $0.general.packetCacheFile = file }
    ) { dns async throws in
      #expect(try await dns.ask(key.z32).addresses == ["203.0.113.5"])
    }
    TemporaryFile.remove(file)
    await upstream.stop()
  }

  @Test("a port that is taken is named, with the ways out for port 53")
  func portTaken() async throws {
    let taken = try DatagramServer(boundTo: Endpoint(.loopbackV4, port: 0))
    var configuration = PKDNSConfiguration()
    configuration.general.sockets = [taken.localEndpoint]
    do throws(PKDNSStartError) {
      try await PKDNSServer(configuration).start()
      Issue.record("it starts")
    } catch {
      #expect(error.description.contains("\(taken.localEndpoint)"))
      if case .addressInUse = error {} else { Issue.record("\(error)") }
    }
    let advice = try #require(PKDNSStartError.addressInUse(Endpoint(.anyV4, port: 53)).advice)
    #expect(advice.contains("systemd-resolved") && advice.contains("DNSStubListener=no"))
  }

  @Test("hosts that the server needs itself are found through its name servers, aliases followed")
  func hostFinder() async throws {
    let upstream = try await ScriptedNameServer { query, _ in
      guard let question = FirstQuestion(query.span.bytes) else { return [] }
      guard question.name.description.lowercased() == "alias.example." else {
        return [ScriptedNameServer.answer(query, code: question.type == .a ? 0 : 3)]
      }
      var alias = Array(ScriptedNameServer.answer(query).dropLast(16))
      let target = (try? DomainName("host.example"))?.wire ?? []
      alias += [0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, UInt8(target.count)] + target
      return [alias]
    }
    let client = UpstreamClient([UpstreamServer(upstream.endpoint)], on: upstream.loop)
    let finder = HostFinder(upstream: client)
    let endpoint = Endpoint(IPAddress(192, 0, 2, 1), port: 6881)
    #expect(try await finder.endpoints(#require(HostName("host.example:6881"))) == [endpoint])
    #expect(try await finder.endpoints(#require(HostName("alias.example:6881"))) == [endpoint])
    #expect(
      try await finder.endpoints(#require(HostName("192.0.2.9:1"))) == [Endpoint(IPAddress(192, 0, 2, 9), port: 1)])
    await upstream.loop.submit { client.close() }
    await upstream.stop()
  }
}
