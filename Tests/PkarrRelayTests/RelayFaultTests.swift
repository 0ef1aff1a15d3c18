import Addresses
import EventLoops
import Foundation
import HTTP
import Mainline
import Pkarr
import PkarrClient
import Testing

@testable import PkarrRelay

@Suite("A relay without its network", .timeLimit(.minutes(10)))
struct RelayFaultTests {
  @Test("without its network a relay serves what is fresh, says so of all else, and calls itself degraded")
  func networkGone() async throws {
    // Its nodes fall silent but keep their ports: other tests' nodes would answer from ports that were given back.
    let isSilent = LockedValue(false)
    let testnet = try await Testnet(
      nodes: 5, packetFilter: { _, _, _ in isSilent.withLock { $0 } ? .dropped : .delivered })
    let relay = RelayServer.test(on: testnet, options: testOptions()) { configuration in
      configuration.mainline.requestTimeout = .seconds(1)
      configuration.cache.size = 1000
    }
    try await relay.start()
    let client = try RelayClientFixture(relay)
    let fresh = try makePacket(Keypair(), "fresh", ttl: 3600)
    #expect(try await client.put(fresh).status == .noContent)
    var expired = try makePacket(Keypair(), "expired", ttl: 300)
    expired.lastSeen = Timestamp(microseconds: Timestamp.wallClock.microseconds - 400_000_000)
    relay.core?.service.shelf.offer(expired)
    isSilent.withLock { $0 = true }

    func status(_ key: PublicKey, _ query: String) async throws -> Int {
      Int(try await client.get(key, query).status.code)
    }
    for key in [fresh.publicKey, expired.publicKey] {
      #expect(try await status(key, "?policy=CacheOnly") == 200)
      #expect(try await status(key, "?policy=NetworkOnly") == 503)
    }
    let cached = try await client.get(fresh.publicKey)
    #expect(cached.status == .ok && cached.body == fresh.relayPayload)
    #expect(try await status(expired.publicKey, "") == 503)
    let unknown = Keypair().publicKey
    #expect(try await status(unknown, "") == 503)
    #expect(try await status(unknown, "?policy=CacheOnly") == 404)

    let put = try await client.put(try makePacket(Keypair()))
    #expect(put.status == .internalServerError)
    #expect(String(decoding: put.body, as: UTF8.self).hasPrefix("DHT query "))
    // What was not published is not in the cache either; publishing again what is cached fails as well.
    let lost = try makePacket(Keypair())
    #expect(try await client.put(lost).status == .internalServerError)
    #expect(try await status(lost.publicKey, "?policy=CacheOnly") == 404)
    #expect(try await client.put(fresh).status == .internalServerError)

    let isDegraded = await eventually {
      // Nodes count as bad after some silence, so they must be asked.
      _ = try? await client.get(Keypair().publicKey)
      let health = try? await client.send(.get, "/health")
      return health?.status == .ok
        && String(decoding: health?.body ?? [], as: UTF8.self).contains("\"status\":\"degraded\"")
    }
    #expect(isDegraded)
    let health = String(decoding: try await client.send(.get, "/health").body, as: UTF8.self)
    #expect(health.contains("the DHT node") && health.contains("\"packets\":2"), "\(health)")
    #expect(try await client.get(fresh.publicKey).body == fresh.relayPayload)
    await relay.shutdown()
    await testnet.stop()
  }
}
