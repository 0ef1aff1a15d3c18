import Addresses
import DNSResolution
import DNSWire
import EventLoops
import Mainline
import Pkarr
import Synchronization
import Testing

@testable import PKDNS

/// A client on an address of its own that asks over UDP, and keeps the answers that come.
private final class DatagramClient: UDPSocketHandler, Sendable {
  private let socket: UDPSocket
  private let loop: EventLoop
  private let received = LockedValue<[[UInt8]]>([])

  init(_ address: IPAddress, on loop: EventLoop) async throws {
    let socket = try UDPSocket(boundTo: Endpoint(address, port: 0))
    self.socket = socket
    self.loop = loop
    let failure: SystemError? = await loop.submit {
      do throws(SystemError) {
        try socket.open(on: loop, handler: self)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
    datagrams.forEach { bytes, _, _ in
      let copy = bytes.withUnsafeBytes { [UInt8]($0) }
      received.withLock { $0.append(copy) }
    }
  }

  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {}
  func socketClosed(_ socket: UDPSocket) {}

  func send(_ message: [UInt8], to endpoint: Endpoint) async {
    let socket = socket
    await loop.submit { message.withUnsafeBytes { socket.send($0, to: endpoint) } }
  }

  /// Waits until so many answers have come, or forever.
  func answers(atLeast count: Int) async throws -> [[UInt8]] {
    while received.withLock({ $0.count < count }) { try await Task.sleep(for: .milliseconds(5)) }
    return received.withLock { $0 }
  }

  func close() async {
    let socket = socket
    await loop.submit { socket.close() }
  }
}

@Suite("Networks in trouble behind a DNS server", .timeLimit(.minutes(10)))
struct NetworkFaultTests {
  private static func answering() async throws -> ScriptedNameServer {
    try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
  }

  @Test("a DHT that loses every third datagram, delays others and sends some twice still gives every key")
  func lossyNetwork() async throws {
    let upstream = try await Self.answering()
    let isBad = Atomic<Bool>(false)
    let count = Atomic<Int>(0)
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[dht]\ndht_query_rate_limit = 0\n[dns]\ndeadline = \"30s\"", nodes: 20,
      packetFilter: { _, _, _ in
        guard isBad.load(ordering: .relaxed) else { return .delivered }
        switch count.add(1, ordering: .relaxed).newValue % 6 {
        case 0, 3: return .dropped
        case 1: return .delayed(.milliseconds(30))
        case 2: return .duplicated
        default: return .delivered
        }
      }
    ) { dns async throws in
      var keys: [PublicKey] = []
      for number in 0..<12 {
        keys.append(try await dns.publish { $0.a("@", "203.0.113.\(number)", ttl: .minutes(5)) })
      }
      isBad.store(true, ordering: .relaxed)
      for (number, key) in keys.enumerated() {
        #expect(try await dns.ask(key.z32).addresses == ["203.0.113.\(number)"])
      }
      #expect(count.load(ordering: .relaxed) > 50, "the filter was asked")
    }
    await upstream.stop()
  }

  @Test("with DHT and name servers gone, what was asked before goes on being answered, and the rest is SERVFAIL")
  func allGone() async throws {
    let isUp = Atomic<Bool>(true)
    let upstream = try await ScriptedNameServer { query, _ in
      isUp.load(ordering: .relaxed) ? [ScriptedNameServer.answer(query, ttl: 0)] : []
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[dns]\ndeadline = 1\nstale_answer_wait_ms = 0\nmax_ttl = 0"
    ) { dns async throws in
      // Nothing cached is trusted, so each question asks the networks, and old packets stand in once these are gone.
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      #expect(try await dns.ask(key.z32).addresses == ["203.0.113.5"])
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
      isUp.store(false, ordering: .relaxed)
      dns.cutOffNetwork()
      for _ in 0..<3 {
        let old = try await dns.ask(key.z32)
        #expect(old.addresses == ["203.0.113.5"])
        let unknown = try await dns.ask(Keypair().publicKey.z32)
        #expect(unknown.header.responseCode == 2)
        let elsewhere = try await dns.ask("www.example")
        #expect(elsewhere.header.responseCode == 2)
      }
    }
    await upstream.stop()
  }

  @Test("a client over its limit gets less, while another on the same network is answered each time")
  func neighbours() async throws {
    let upstream = try await Self.answering()
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[dns]\nquery_rate_limit = 0.001\nquery_rate_limit_burst = 50\nresponse_rate_limit = 0",
      change: { $0.general.sockets = [Endpoint(.anyV4, port: 0)] }
    ) { dns async throws in
      let server = Endpoint(.loopbackV4, port: dns.endpoint.port)
      let greedy = try await DatagramClient(IPAddress(127, 0, 0, 2), on: dns.loop)
      let modest = try await DatagramClient(IPAddress(127, 0, 0, 3), on: dns.loop)
      let query = WireQuery(try DomainName("www.example"), .a).bytes
      // Once, so that the answer is ready for all that follow.
      await modest.send(query, to: server)
      _ = try await modest.answers(atLeast: 1)
      for round in 0..<40 {
        for _ in 0..<10 { await greedy.send(query, to: server) }
        await modest.send(query, to: server)
        let answers = try await modest.answers(atLeast: round + 2)
        #expect(answers.allSatisfy { $0[2] & 2 == 0 && $0[7] == 1 }, "whole answers only")
      }
      // 50 whole ones, then an empty one for every second query; the kernel may have dropped some of a flood.
      let answers = try await greedy.answers(atLeast: 60)
      let whole = answers.filter { $0[2] & 2 == 0 }
      #expect(whole.count <= 50 && answers.count <= 50 + 175 && answers.count > whole.count)
      await greedy.close()
      await modest.close()
    }
    await upstream.stop()
  }

  @Test("replies of strangers and with wrong identifiers, thousands of them, neither come through nor stop anything")
  func replyFlood() async throws {
    let upstream = try await ScriptedNameServer { query, isStream in
      guard !isStream else { return [ScriptedNameServer.answer(query)] }
      // Seven wrong ones are borne before the question goes over TCP.
      return (1...7).map { number in
        var forged = ScriptedNameServer.answer(query, 0x0666_0666)
        forged[1] ^= UInt8(number)
        return forged
      } + [ScriptedNameServer.answer(query)]
    }
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)]) { dns async throws in
      let stranger = try await DatagramClient(.loopbackV4, on: dns.loop)
      let forged = ScriptedNameServer.answer(WireQuery(try DomainName("www.example"), .a).bytes, 0x0666_0666)
      for round in 0..<40 {
        for number in 0..<50 {
          var reply = forged
          reply[0] = UInt8(number)
          reply[1] = UInt8(round)
          await stranger.send(reply, to: dns.endpoint)
        }
        #expect(try await dns.ask("n\(round).example").addresses == ["192.0.2.1"])
      }
      await stranger.close()
    }
    await upstream.stop()
  }
}
