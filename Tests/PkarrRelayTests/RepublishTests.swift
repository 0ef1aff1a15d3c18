import Foundation
import HTTP
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Republisher
import Testing

@testable import PkarrRelay

@Suite("A relay that keeps alive what it is asked for", .serialized)
struct RelayRepublishTests {
  private func settings(_ change: (inout PacketKeeperSettings) -> Void = { _ in }) -> PacketKeeperSettings {
    var settings = PacketKeeperSettings()
    settings.requests = 1
    settings.rate = 1000
    change(&settings)
    return settings
  }

  private func keeper(_ relay: RelayServer) throws -> PacketKeeper { try #require(relay.core?.service.keeper) }

  private func metrics(_ client: RelayClientFixture) async throws -> String {
    String(decoding: try await client.send(.get, "/metrics").body, as: UTF8.self)
  }

  @Test("a packet that the DHT has lost is put back when clients ask for it; without the table nothing is")
  func lost() async throws {
    for isOn in [false, true] {
      try await withRelay(nodes: 16, configure: { $0.republish = isOn ? settings() : nil }) { relay, client in
        let packet = try makePacket(Keypair())
        relay.core?.service.shelf.offer(packet)
        #expect(try await client.get(packet.publicKey).status == .ok)
        try await keeper(relay).sweep()
        guard isOn else {
          #expect(try await keeper(relay).status() == nil)
          #expect(try await !metrics(client).contains("pubky_relay_republish"))
          let health = try await client.send(.get, "/health").body
          #expect(String(decoding: health, as: UTF8.self).contains("\"republish\":null"))
          return
        }
        #expect(await eventually { (try? await keeper(relay).status()?.totals.published) == 1 })
        let text = try await metrics(client)
        #expect(text.contains("\npubky_relay_republish_keys 1\n"))
        #expect(text.contains("\npubky_relay_republish_checks_total{outcome=\"published\"} 1\n"))
        let health = String(decoding: try await client.send(.get, "/health").body, as: UTF8.self)
        #expect(health.contains("\"republish\":{\"keys\":1,\"due\":0,\"round\":1,\"published\":1,\"already_alive\":0"))
        let node = try await MainlineNode(.isolated(bootstrap: relay.configuration.mainline.bootstrap ?? []))
        let found = try await node.getMutableMostRecent(key: packet.publicKey.verificationKey)
        #expect(found?.seq == packet.timestamp.seq)
        try await node.shutdown()
      }
    }
  }

  @Test("every way to ask counts: one key, many, events, and an answer that lies ready; what is not found does not")
  func requests() async throws {
    try await withRelay(configure: { $0.republish = settings { $0.requests = 2 } }) { relay, client in
      let packets = try (0..<5).map { _ in try makePacket(Keypair()) }
      for packet in packets { relay.core?.service.shelf.offer(packet) }
      let keys = packets.map(\.publicKey)
      for _ in 0..<2 {
        #expect(try await client.get(keys[0]).status == .ok)
        #expect(try await client.send(.post, "/resolve", body: Array(keys[1].z32.utf8)).status == .ok)
        #expect(try await client.get(keys[2], "?policy=CacheOnly").status == .ok)
        let stream = try await client.client.send(client.request(.get, "/\(keys[3])/events"))
        #expect(stream.status == .ok)
        #expect(try await client.get(Keypair().publicKey).status == .notFound)
      }
      // Asked for once only.
      #expect(try await client.get(keys[4]).status == .ok)
      try await keeper(relay).sweep()
      #expect(await eventually { (try? await keeper(relay).status()?.keys) == 4 })
      for key in keys[..<4] { #expect(try await keeper(relay).keptPacket(of: key) != nil) }
    }
  }

  @Test("a newer version that the DHT holds comes into the cache, and is told to who follows the key")
  func newer() async throws {
    let testnet = try await Testnet(nodes: 12)
    let relay = RelayServer.test(on: testnet, options: testOptions()) { configuration in
      configuration.mainline.requestTimeout = .seconds(2)
      configuration.republish = settings()
    }
    try await relay.start()
    let client = try RelayClientFixture(relay)
    let keypair = Keypair()
    let now = Timestamp.wallClock
    let old = try makePacket(keypair, at: now.microseconds - 10_000_000, "old")
    let new = try makePacket(keypair, at: now.microseconds, "new")
    _ = try await testnet.nodes[3].putMutable(try MutableItem(new))
    relay.core?.service.shelf.offer(old)
    #expect(try await client.get(keypair.publicKey).body == old.relayPayload)
    await relay.core?.service.keeper?.sweep()
    #expect(
      await eventually { relay.core?.service.shelf.cache.peek(keypair.publicKey.target)?.isSame(as: new) == true })
    #expect(try await client.get(keypair.publicKey, "?policy=CacheOnly").body == new.relayPayload)
    #expect(await relay.core?.service.keeper?.status()?.totals.superseded == 1)
    // What a client publishes is what is kept alive from then on.
    let newest = try makePacket(keypair, "newest")
    #expect(try await client.put(newest).status == .noContent)
    #expect(await relay.core?.service.keeper?.keptPacket(of: keypair.publicKey)?.isSame(as: newest) == true)
    await relay.shutdown()
    await testnet.stop()
  }

  @Test("it is switched on, changed and switched off without a restart")
  func reload() async throws {
    try await withRelay { relay, client in
      var new = relay.configuration
      #expect(try await keeper(relay).status() == nil)
      new.republish = settings()
      await relay.reload(new)
      let packets = try (0..<6).map { _ in try makePacket(Keypair()) }
      for packet in packets {
        relay.core?.service.shelf.offer(packet)
        _ = try await client.get(packet.publicKey)
      }
      try await keeper(relay).sweep()
      #expect(await eventually { (try? await keeper(relay).status()?.keys) == 6 })
      new.republish?.keys = 2
      await relay.reload(new)
      try await keeper(relay).sweep()
      #expect(await eventually { (try? await keeper(relay).status()?.keys) == 2 })
      new.republish = nil
      await relay.reload(new)
      #expect(try await keeper(relay).status() == nil)
      #expect(relay.configuration.tablesThatNeedRestart(for: new).isEmpty)
    }
  }

  @Test("health says when most of what is kept alive cannot be put, and not when there is nothing to put")
  func health() {
    func check(_ failures: [String: Int]) -> RelayHealth {
      var status = RelayStatus()
      status.node?.goodNodes = 100
      status.republishing = RepublishStatus()
      status.republishing?.keys = 40
      status.republishing?.round.published = 15
      status.republishing?.round.failures = failures
      return RelayHealth(status)
    }
    #expect(check(["not_stored": 16]).reasons == ["16 of 31 packets that are kept alive could not be put"])
    #expect(check(["not_stored": 16]).verdict == .degraded)
    #expect(check(["not_found": 25]).verdict == .ok && check(["not_stored": 3]).verdict == .ok)
  }

  @Test("the table's keys have bounds, and mistakes are named with what to do")
  func configuration() throws {
    let given = try #require(
      try RelayConfiguration.parse(
        """
        [republish]
        keys = 500
        window = "12h"
        requests = 3
        interval = "30m"
        threshold = 8
        rate = 2
        """
      ).republish)
    #expect(given.keys == 500 && given.window == .seconds(43_200) && given.requests == 3)
    #expect(given.interval == .seconds(1800) && given.threshold == 8 && given.rate == 2)
    #expect(try RelayConfiguration.parse("[republish]").republish == PacketKeeperSettings())
    #expect(try RelayConfiguration.parse("[http]").republish == nil)
    for (text, message) in [
      ("[republish]\nthresold = 1", "relay.toml:2:1: republish.thresold: no such key. Did you mean threshold?"),
      ("[republsh]\nkeys = 1", "relay.toml:1:2: republsh: no such key. Did you mean republish?"),
      ("[republish]\nkeys = 0", "relay.toml:2:8: republish.keys: 0 is outside of 1…100000"),
      ("[republish]\nrate = 0", "relay.toml:2:8: republish.rate: 0 is outside of 1…1000"),
      ("[republish]\ninterval = \"1s\"", "relay.toml:2:12: republish.interval: "),
      (
        "[republish]\nkeys = 20000\nrate = 5",
        "relay.toml:3:8: republish.rate: 5 checks a second are 18000 in one interval"
      ),
    ] {
      do {
        _ = try RelayConfiguration.parse(text, file: "relay.toml")
        Issue.record("\(text) is accepted")
      } catch {
        #expect("\(error)".hasPrefix(message), "\(error)")
      }
    }
  }
}
