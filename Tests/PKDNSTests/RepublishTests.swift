import Addresses
import HTTP
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Testing

@testable import PKDNS

@Suite("A DNS server that keeps packets alive", .timeLimit(.minutes(10)))
struct DNSRepublishTests {
  /// What the server tells about itself.
  private func text(_ running: RunningPKDNS, _ path: String) async throws -> String {
    let endpoint = try #require(running.server.adminEndpoint)
    let url = try #require(HTTPURL("http://\(endpoint)\(path)"))
    let (_, body) = try await HTTPClient().fetch(HTTPClientRequest(.get, url), upTo: 1 << 20, timeout: .seconds(60))
    return String(decoding: body, as: UTF8.self)
  }

  /// Stores a packet on two nodes only, as if all others had forgotten it.
  private func storeThinly(_ packet: SignedPacket, _ testnet: Testnet) async throws {
    let key = packet.publicKey.verificationKey
    let counts = try await testnet.nodes[0].getMutable(key: key).outcome().counts
    let item = try MutableItem(packet)
    let outcome = try await testnet.nodes[0].repairMutable(item, at: Array(counts.storageNodes.prefix(2)))
    #expect(outcome.stored == 2)
  }

  @Test("a packet that was looked up for a client is put where it is missing; a reload switches that off")
  func lookedUp() async throws {
    try await RunningPKDNS.run(
      forwardingTo: [], settings: "[republish]\nrequests = 1\n", nodes: 24,
      change: { $0.admin.listen = Endpoint(.loopbackV4, port: 0) }
    ) { running in
      let keypair = Keypair()
      let packet = try SignedPacketBuilder().a("@", "203.0.113.5", ttl: .minutes(5)).sign(with: keypair)
      try await storeThinly(packet, running.testnet)
      #expect(try await running.ask(keypair.publicKey.z32).addresses == ["203.0.113.5"])
      let done = "\npubky_dns_republish_checks_total{outcome=\"published\"} 1\n"
      while try await !text(running, "/metrics").contains(done) { try await Task.sleep(for: .milliseconds(100)) }
      let counts = try await running.testnet.nodes[7].getMutable(key: keypair.publicKey.verificationKey).outcome()
        .counts
      #expect(counts.holdersOfNewest >= 10)
      #expect(try await text(running, "/readyz").contains("\"republish\":{\"keys\":1,\"due\":0,\"published\":1"))
      var new = running.server.configuration
      new.republish = nil
      await running.server.reload(new)
      #expect(try await text(running, "/readyz").contains("\"republish\":null"))
      #expect(try await !text(running, "/metrics").contains("pubky_dns_republish"))
      #expect(new.settingsThatNeedRestart(for: running.server.configuration).isEmpty)
    }
  }

  @Test("the table needs the DHT, and its mistakes are named")
  func configuration() throws {
    #expect(try PKDNSConfiguration.parse("").republish == nil)
    #expect(try PKDNSConfiguration.parse("[republish]\nkeys = 7\n").republish?.keys == 7)
    for (text, message) in [
      ("[dht]\ndht = false\n[republish]\n", "packets are kept alive in the DHT, which dht.dht = false switches off"),
      ("[republish]\nkey = 7\n", "no such key. Did you mean keys?"),
    ] {
      #expect { try PKDNSConfiguration.parse(text) } throws: { "\($0)".contains(message) }
    }
  }
}
