import Addresses
import HTTP
import Pkarr
import PkarrClient
import PkarrStore
import Testing

@testable import PkarrRelay

/// A cache on a disk that is full.
private struct FullCache: PacketCache {
  let memory = MemoryCache(capacity: 10)
  var capacity: Int { memory.capacity }
  var count: Int { memory.count }
  func packet(for key: CacheKey) -> SignedPacket? { memory.packet(for: key) }
  func peek(_ key: CacheKey) -> SignedPacket? { memory.peek(key) }
  func offer(_ packet: SignedPacket) -> CacheUpdate { memory.offer(packet) }
  func flush() async throws(StoreError) { throw .diskFull }
  func store(_ packet: SignedPacket) async throws(StoreError) -> CacheUpdate { throw .diskFull }
  func remove(_ key: CacheKey) { memory.remove(key) }
  var statistics: CacheStatistics { memory.statistics }
}

@Suite("PUT of a packet")
struct PublishTests {
  private let keypair = Keypair()
  private var key: PublicKey { keypair.publicKey }

  @Test("a packet is published and cached, and the answer says on how many nodes it is")
  func published() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000, seen: .zero)
    let before = Timestamp.wallClock
    let response = try await relay.put(packet)
    #expect(response.status == .noContent && response.fields["pkarr-dht-stored-nodes"] == "7")
    #expect(response.bytes == [])
    #expect(relay.network.published.map(\.bytes) == [packet.bytes])
    let cached = try #require(relay.cache.peek(key.target))
    #expect(cached.isSame(as: packet) && cached.lastSeen >= before)
    #expect(relay.counts.published == 1 && relay.counts.publications.count == 1)
  }

  @Test("the same packet may be put again and again, an older one is refused without asking the DHT")
  func order() async throws {
    let relay = RelayFixture()
    let (old, new) = (try makePacket(keypair, at: 1_000_000), try makePacket(keypair, at: 2_000_000))
    for _ in 0..<2 { #expect(try await relay.put(new).status == .noContent) }
    let response = try await relay.put(old)
    #expect(response.status == .conflict && response.text == "packet is not the most recent")
    #expect(relay.network.published.count == 2)
    // It is read for that without counting as used.
    #expect(relay.cache.statistics.hits == 0)
  }

  @Test("If-Match of old clients is ignored")
  func ifMatch() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000)
    let response = try await relay.send(.put, "/\(key)", fields: [.ifMatch: "5"], body: packet.relayPayload)
    #expect(response.status == .noContent)
  }

  @Test("what the DHT fails to do is 500, and a newer packet there 409")
  func dhtFailures() async throws {
    let relay = RelayFixture()
    for (failure, status, text) in [
      (.publicationTimedOut, 500, "DHT query timed out"), (.noClosestNodes, 500, "DHT query found no closest nodes"),
      (.rejected(code: 203, description: "no"), 500, "DHT query returned error response code: 203 no"),
      (.notMostRecent, 409, "packet is not the most recent"),
    ] as [(RelayFailure, Int, String)] {
      relay.network.setPublication(.failure(failure))
      let response = try await relay.put(try makePacket(keypair, at: 1_000_000))
      #expect(response.status.code == status && response.text == text)
      #expect(response.fields[.contentType] == "text/plain; charset=utf-8")
      #expect(relay.cache.peek(key.target) == nil)
    }
  }

  @Test("nothing is acknowledged that the cache could not keep")
  func notKept() async throws {
    let relay = RelayFixture(cache: FullCache())
    let response = try await relay.put(try makePacket(keypair, at: 1_000_000))
    #expect(response.status == .internalServerError && response.text.contains("no room on its disk"))
    #expect(relay.network.published.count == 1)
  }

  @Test(
    "only bodies of the size of a packet are looked at",
    arguments: [(0, 400), (71, 400), (72, 400), (1072, 400), (1073, 413), (1104, 413), (1105, 413), (100_000, 413)])
  func sizes(count: Int, status: Int) async throws {
    let relay = RelayFixture()
    let response = try await relay.send(.put, "/\(key)", body: [UInt8](repeating: 1, count: count))
    #expect(response.status.code == status && !response.text.isEmpty)
    #expect(relay.network.published.isEmpty)
  }

  @Test("a packet as large as can be is published")
  func largest() async throws {
    let relay = RelayFixture()
    var packet = try makePacket(keypair, at: 1)
    for count in stride(from: 950, to: 800, by: -1) where packet.relayPayload.count < 1000 {
      if let larger = try? makePacket(keypair, at: 1_000_000, String(repeating: "x", count: count)) { packet = larger }
    }
    #expect(packet.relayPayload.count > 1060)
    #expect(try await relay.put(packet).status == .noContent)
  }

  @Test("a damaged packet, or one of another key, is refused with the reason")
  func invalid() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000)
    for index in [0, 40, 64, 71, 80] {
      var payload = packet.relayPayload
      payload[index] ^= 1
      let response = try await relay.send(.put, "/\(key)", body: payload)
      #expect(response.status == .badRequest && response.text.contains("signature"), "\(index)")
    }
    #expect(try await relay.send(.put, "/\(Keypair().publicKey)", body: packet.relayPayload).status == .badRequest)
    #expect(relay.network.published.isEmpty && relay.cache.count == 0)
  }

  @Test("a bad key is told before the body is read")
  func badKey() async throws {
    let relay = RelayFixture()
    let response = try await relay.send(.put, "/nokey", body: [UInt8](repeating: 1, count: 2000))
    #expect(response.status == .badRequest && response.text.hasPrefix("Invalid URL: "))
  }

  @Test("a version that the DHT cannot hold is refused, the last that it can is published, and has no date")
  func endOfTime() async throws {
    let relay = RelayFixture()
    for microseconds in [0, UInt64(Int64.max) + 1, .max] {
      let response = try await relay.put(try makePacket(keypair, at: microseconds))
      #expect(response.status == .badRequest && response.text.contains("cannot be published"))
    }
    #expect(relay.network.published.isEmpty)
    #expect(try await relay.put(try makePacket(keypair, at: UInt64(Int64.max))).status == .noContent)
    let response = try await relay.get(key)
    #expect(response.status == .ok && !response.fields.contains(.lastModified))
  }

  @Test("what was published is not missed by a lookup that began before")
  func outdated() async throws {
    let relay = RelayFixture()
    let gate = relay.network.holdStarts()
    let key = key
    let early = Task { try await relay.get(key, .networkOnly).status }
    #expect(await eventually { relay.network.lookups.count == 1 })
    let packet = try makePacket(keypair, at: 1_000_000)
    #expect(try await relay.put(packet).status == .noContent)
    relay.network.set(key, packet)
    let late = Task { try await relay.get(key, .networkOnly).status }
    #expect(await eventually { relay.network.lookups.count == 2 })
    gate.open()
    #expect(try await early.value == .notFound)
    #expect(try await late.value == .ok)
  }
}
