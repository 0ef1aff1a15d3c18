import Addresses
import DNSResolution
import DNSWire
import EventLoops
import HTTP
import Mainline
import Pkarr
import PkarrClient
import TLS
import Testing

@testable import PKDNS

/// A relay in memory that has one packet, and counts who asks.
private final class MemoryRelay: RelayTransport {
  let packet: SignedPacket
  let isUp = LockedValue(true)
  let requests = LockedValue<[String]>([])

  init(_ packet: SignedPacket) { self.packet = packet }

  func send(_ request: RelayRequest) async throws(RelayTransportError) -> RelayResponse {
    requests.withLock { $0.append(request.url) }
    guard isUp.withLock({ $0 }) else { throw .failed("no route") }
    guard request.url.contains(packet.publicKey.z32) else { return RelayResponse(status: 404) }
    return RelayResponse(status: 200, body: packet.relayPayload)
  }
}

@Suite("Networks behind a DNS server", .timeLimit(.minutes(10)))
struct NetworkTests {
  @Test("keys are found at relays, with the DHT off; a relay that cannot be reached is SERVFAIL, not NXDOMAIN")
  func relays() async throws {
    let keypair = Keypair()
    let packet = try SignedPacketBuilder().a("@", "203.0.113.5", ttl: .seconds(1)).sign(with: keypair)
    let relay = MemoryRelay(packet)
    var configuration = try PKDNSConfiguration.parse("[dht]\ndht = false\nrelays = [\"http://relay.example\"]")
    configuration.general.sockets = [Endpoint(.loopbackV4, port: 0)]
    configuration.general.forward = []
    var options = PKDNSServer.Options()
    options.makeLogger = { _ in .silent }
    options.configureClient = { $0.transport = relay }
    let server = PKDNSServer(configuration, options: options)
    try await server.start()
    let loop = try EventLoop(name: "dns-client")
    try loop.start()
    let client = UpstreamClient([UpstreamServer(server.localEndpoints[0])], on: loop)
    func ask(_ name: String) async throws -> Message {
      guard case .answer(let bytes, _) = await client.answer(to: UpstreamQuestion(try DomainName(name), .a)) else {
        throw CancellationError()
      }
      return try Message(parsing: bytes)
    }
    #expect(try await ask(keypair.publicKey.z32).addresses == ["203.0.113.5"])
    #expect(try await ask(Keypair().publicKey.z32).header.responseCode == 3)
    relay.isUp.withLock { $0 = false }
    #expect(try await ask(Keypair().publicKey.z32).header.responseCode == 2)
    #expect(relay.requests.withLock { $0.count } == 3)
    await loop.submit { client.close() }
    await server.shutdown()
    await loop.shutdown()
  }

  @Test("of the DHT and a relay the newer packet is served, whoever is faster")
  func newest() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    let keypair = Keypair()
    let old = try SignedPacketBuilder().a("@", "203.0.113.1", ttl: .minutes(5))
      .timestamp(Timestamp(microseconds: Timestamp.now().microseconds - 60_000_000)).sign(with: keypair)
    let new = try SignedPacketBuilder().a("@", "203.0.113.2", ttl: .minutes(5)).sign(with: keypair)
    let relay = MemoryRelay(old)
    let testnet = try await Testnet(nodes: 5)
    try await DHTClient(sharing: testnet.nodes[0]).publish(new)
    let client = try await PkarrClient(
      {
        var configuration = PkarrClientConfiguration.noDefaultNetwork
        configuration.sharedNode = testnet.nodes[1]
        configuration.relays = ["http://relay.example"]
        configuration.transport = relay
        return configuration
      }())
    let network = PkarrNetwork(client)
    let packets = LockedValue<[SignedPacket]>([])
    let failure = await network.search(keypair.publicKey) { packet, _ in packets.withLock { $0.append(packet) } }
    #expect(failure == nil)
    let found = packets.withLock { $0 }
    #expect(found.last?.isSame(as: new) == true && found.count <= 2, "each is newer than the one before")
    let status = await network.status()
    #expect(status.usesDHT && status.relayAnswers == 1 && status.isReady)
    await client.shutdown()
    await testnet.stop()
    await upstream.stop()
  }

  @Test("questions are forwarded over TLS and HTTPS, to who proves to be the server and to nobody else")
  func encryptedUpstream() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    let folder = TemporaryFile.path()
    let settings = RunningPKDNS.encrypted(in: folder)
    try await RunningPKDNS.run(forwardingTo: [UpstreamServer(upstream.endpoint)], settings: settings) {
      first async throws in
      let tls = first.server.encryptedEndpoints[0]
      let https = first.server.httpsEndpoints[0]
      let servers = [
        UpstreamServer(tls, .tls(name: "localhost")),
        UpstreamServer(https, .https(path: "/dns-query", name: "localhost")),
        UpstreamServer(tls, .tls(name: nil)),
      ]
      for (number, server) in servers.enumerated() {
        try await RunningPKDNS.run(
          forwardingTo: [server], change: { $0.general.forwardAuthorities = folder + "/authority.pem" }
        ) { second async throws in
          for round in 0..<3 {
            #expect(try await second.ask("n\(number)-\(round).example").addresses == ["192.0.2.1"], "\(server)")
          }
        }
      }
      let impostors = [
        UpstreamServer(tls, .tls(name: "other.example")),
        UpstreamServer(https, .https(path: "/dns-query", name: "other.example")),
      ]
      for server in impostors {
        try await RunningPKDNS.run(
          forwardingTo: [server], settings: "[dns]\ndeadline = 1",
          change: { $0.general.forwardAuthorities = folder + "/authority.pem" }
        ) { second async throws in
          #expect(try await second.ask("www.example").header.responseCode == 2, "\(server)")
        }
      }
    }
    TemporaryFile.remove(folder)
    await upstream.stop()
  }

  @Test("the entrances of the DHT are names that the configured name servers know, not the system's resolver")
  func bootstrapNames() async throws {
    let upstream = try await ScriptedNameServer { query, _ in
      let isIPv4 = FirstQuestion(query.span.bytes)?.type == .a
      return [ScriptedNameServer.answer(query, 0x7f00_0001, code: isIPv4 ? 0 : 3)]
    }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      change: { configuration in
        let ports = (configuration.dht.bootstrap ?? []).map(\.port)
        configuration.dht.bootstrap = ports.compactMap { HostName("entrance.example:\($0)") }
      }
    ) { dns async throws in
      let key = try await dns.publish { $0.a("@", "203.0.113.5", ttl: .minutes(5)) }
      #expect(try await dns.ask(key.z32).addresses == ["203.0.113.5"])
      #expect(upstream.names.contains("entrance.example"))
    }
    await upstream.stop()
  }

  @Test("each question over UDP leaves from a port of its own")
  func ports() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    let client = UpstreamClient([UpstreamServer(upstream.endpoint)], on: upstream.loop)
    for number in 0..<50 {
      _ = await client.answer(to: UpstreamQuestion(try DomainName("n\(number).example"), .a))
    }
    let ports = upstream.clients.map(\.port)
    #expect(ports.count == 50 && Set(ports).count > 45, "\(ports)")
    await upstream.loop.submit { client.close() }
    await upstream.stop()
  }
}
