import HTTP
import Pkarr
import PkarrClient
import PkarrStore
import Testing

@testable import PkarrRelay

@Suite("GET of a key")
struct ResolveTests {
  private let keypair = Keypair()
  private var key: PublicKey { keypair.publicKey }

  @Test("a packet that is not cached is looked up once, then answered from the cache, then from memory")
  func sources() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000)
    relay.network.set(key, packet)
    let first = try await relay.get(key)
    #expect(first.status == .ok && first.bytes == packet.relayPayload)
    #expect(relay.network.lookups == [nil])
    #expect(await eventually { relay.core.service.lookups.load.lookups == 0 })
    for _ in 0..<3 { #expect(try await relay.get(key).bytes == packet.relayPayload) }
    #expect(relay.network.lookups.count == 1)
    #expect(relay.counts.packets(from: .dht) == 1 && relay.counts.packets(from: .cache) == 1)
    #expect(relay.counts.packets(from: .memory) == 2)
  }

  @Test("the answer from memory is the answer from the cache")
  func sameAnswer() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    let cached = try await relay.get(key)
    let ready = try await relay.get(key)
    #expect(relay.counts.packets(from: .memory) == 1)
    #expect(cached.fields == ready.fields && cached.bytes == ready.bytes)
    let known = try await relay.get(key, fields: [.ifNoneMatch: ready.fields[.etag] ?? ""])
    #expect(known.status == .notModified && relay.counts.packets(from: .memory) == 2)
  }

  @Test("nothing found is an empty 404")
  func notFound() async throws {
    let relay = RelayFixture()
    for policy in ResolvePolicy.allCases {
      let response = try await relay.get(key, policy)
      #expect(response.status == .notFound && response.bytes == [])
    }
    #expect(relay.network.lookups.count == 2)
  }

  @Test("CacheOnly gives what is cached, however old, and never asks the DHT")
  func cacheOnly() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000, seen: longAgo)
    relay.cache.offer(packet)
    #expect(try await relay.get(key, .cacheOnly).bytes == packet.relayPayload)
    #expect(relay.network.lookups.isEmpty)
  }

  @Test("CacheFirst never gives an expired packet, not even when the DHT has nothing")
  func expired() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 1_000_000, seen: longAgo))
    #expect(try await relay.get(key).status == .notFound)
    #expect(relay.network.lookups == [999_999])
  }

  @Test("CacheFirst asks for the cached version as well, and takes it as seen again")
  func seenAgain() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000, seen: longAgo)
    relay.cache.offer(packet)
    relay.network.set(key, packet)
    let before = Timestamp.wallClock
    #expect(try await relay.get(key).status == .ok)
    let cached = try #require(relay.cache.peek(key.target))
    #expect(cached.isSame(as: packet) && cached.lastSeen >= before)
    #expect(try await relay.get(key).status == .ok && relay.network.lookups.count == 1)
  }

  @Test("CacheFirst hides what is older than the cached packet")
  func floor() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 5_000_000, "new", seen: longAgo))
    let outdated = RelayFailure.invalidSignedPacket(seq: 5_000_000)
    relay.network.set(key, outdated)
    let covered = try await relay.get(key)
    #expect(covered.status == .notFound && !covered.fields.contains(.invalidSignedPacketSeq))
    relay.network.set(key, .invalidSignedPacket(seq: 5_000_001))
    let newer = try await relay.get(key)
    #expect(newer.status == .notFound && newer.fields[.invalidSignedPacketSeq] == "5000001")
  }

  @Test("of two packets of the same time CacheFirst never gives the lesser")
  func sameTime() async throws {
    let (a, b) = (
      try makePacket(keypair, at: 5, "a", seen: longAgo), try makePacket(keypair, at: 5, "b", seen: longAgo)
    )
    let (newer, older) = a.isMoreRecent(than: b) ? (a, b) : (b, a)
    let relay = RelayFixture()
    relay.cache.offer(newer)
    relay.network.set(key, older)
    #expect(try await relay.get(key).status == .notFound)
    #expect(relay.cache.peek(key.target)?.isSame(as: newer) == true)
  }

  @Test("NetworkOnly gives what the DHT holds, older or not, and the cache keeps the newer one")
  func networkOnly() async throws {
    let relay = RelayFixture()
    let (old, new) = (try makePacket(keypair, at: 1_000_000), try makePacket(keypair, at: 2_000_000))
    relay.cache.offer(new)
    relay.network.set(key, old)
    #expect(try await relay.get(key, .networkOnly).bytes == old.relayPayload)
    #expect(relay.network.lookups == [nil])
    #expect(try await relay.get(key, .cacheOnly).bytes == new.relayPayload)
    relay.network.set(key, .invalidSignedPacket(seq: 1))
    #expect(try await relay.get(key, .networkOnly).fields[.invalidSignedPacketSeq] == "1")
  }

  @Test("the first packet is answered at once, and a newer one that comes later is cached")
  func background() async throws {
    let relay = RelayFixture()
    let (old, new) = (try makePacket(keypair, at: 1_000_000), try makePacket(keypair, at: 2_000_000))
    relay.network.set(key, old, new)
    let gate = relay.network.holdEnds()
    #expect(try await relay.get(key).bytes == old.relayPayload)
    #expect(await eventually { relay.cache.peek(key.target)?.isSame(as: new) == true })
    #expect(relay.core.service.lookups.load.lookups == 1)
    gate.open()
    #expect(await eventually { relay.core.service.lookups.load.lookups == 0 })
    #expect(try await relay.get(key).bytes == new.relayPayload)
  }

  @Test("a thousand requests for one key make one lookup")
  func coalesced() async throws {
    let relay = RelayFixture()
    relay.network.set(key, try makePacket(keypair, at: 1_000_000))
    let gate = relay.network.holdStarts()
    let key = key
    try await withThrowingTaskGroup(of: HTTPStatus.self) { group in
      for _ in 0..<1000 { group.addTask { try await relay.get(key).status } }
      #expect(await eventually { relay.core.service.lookups.load.waiters == 1000 })
      gate.open()
      for try await status in group { #expect(status == .ok) }
    }
    #expect(relay.network.lookups.count == 1 && relay.counts.coalesced == 999)
  }

  @Test("a lookup that nobody waits for any more is cancelled")
  func cancelled() async throws {
    let relay = RelayFixture()
    _ = relay.network.holdStarts()
    let key = key
    let tasks = (0..<3).map { _ in Task { try await relay.get(key, .networkOnly).status } }
    #expect(await eventually { relay.core.service.lookups.load.waiters == 3 })
    for task in tasks { task.cancel() }
    for task in tasks { #expect(try await task.value == .serviceUnavailable) }
    #expect(await eventually { relay.network.cancelled == relay.network.lookups.count })
    #expect(relay.core.service.lookups.load == (0, 0))
  }

  @Test("what the DHT fails to do is 503")
  func dhtFailures() async throws {
    let relay = RelayFixture()
    for (failure, text) in [
      (.noNodesQueried, "No DHT nodes were queried"), (.noNodesResponded, "No queried DHT nodes responded"),
      (.noUsableResponses, "No responded DHT nodes returned usable response"),
    ] as [(RelayFailure, String)] {
      relay.network.set(key, failure)
      for policy in [ResolvePolicy.cacheFirst, .networkOnly] {
        let response = try await relay.get(key, policy)
        #expect(response.status == .serviceUnavailable && response.text == text)
      }
    }
  }

  @Test("a cache of size 0 still resolves from the DHT, each time")
  func noCache() async throws {
    let relay = RelayFixture(cache: MemoryCache(capacity: 0)) { $0.cache.size = 0 }
    relay.network.set(key, try makePacket(keypair, at: 1_000_000))
    for _ in 0..<2 {
      #expect(try await relay.get(key).status == .ok)
      #expect(await eventually { relay.core.service.lookups.load.lookups == 0 })
    }
    #expect(relay.network.lookups.count == 2)
  }

  @Test("a conditional request costs a lookup too, and is answered with 304 if nothing changed")
  func conditional() async throws {
    let relay = RelayFixture()
    relay.network.set(key, try makePacket(keypair, at: 784_111_777_000_000))
    let response = try await relay.get(key, .networkOnly, fields: [.ifModifiedSince: "Sun, 06 Nov 1994 08:49:37 GMT"])
    #expect(response.status == .notModified && relay.network.lookups.count == 1)
    #expect(response.fields[.cacheControl] == "public, max-age=600")
  }

  // MARK: What is ready in memory

  @Test("an update replaces the answer in memory, whoever brings it, and an older one never does")
  func updates() async throws {
    let relay = RelayFixture()
    let versions = try (0..<3).map { try makePacket(keypair, at: 1_000_000 + UInt64($0)) }
    relay.cache.offer(versions[0])
    for _ in 0..<2 { _ = try await relay.get(key) }
    #expect(relay.counts.packets(from: .memory) == 1)
    relay.core.service.shelf.offer(versions[2])
    #expect(try await relay.get(key).bytes == versions[2].relayPayload)
    relay.core.service.shelf.offer(versions[1])
    #expect(try await relay.get(key).bytes == versions[2].relayPayload)
    #expect(relay.counts.packets(from: .memory) == 3)
    #expect(try await relay.put(try makePacket(keypair, at: 2_000_000)).status == .noContent)
    #expect(try await relay.get(key).fields[.lastModified] == "Thu, 01 Jan 1970 00:00:02 GMT")
  }

  @Test("what is at hand is answered without a task, however its key is spelled; for anything else there is a handler")
  func atOnce() async throws {
    let relay = RelayFixture()
    func status(_ target: String, _ method: HTTPMethod = .get) -> HTTPStatus? {
      guard case .response(let response) = relay.dispatcher(HTTPRequest(method, target)) else { return nil }
      return response.status
    }
    #expect(status("/\(key)") == nil)
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    #expect(status("/\(key)") == .ok && relay.counts.packets(from: .cache) == 1)
    #expect(status("/\(key)", .head) == .ok && relay.counts.packets(from: .memory) == 1)
    // The last character has four bits more than a key.
    let last = try #require(key.z32.last == "y" ? "b" : key.z32.last == "o" ? "t" : nil)
    #expect(status("/\(key.z32.dropLast())\(last)") == .ok && relay.counts.packets(from: .memory) == 2)
    #expect(status("/\(key)?policy=cache_only") == nil && status("/\(key)", .put) == nil && status("/") == nil)
    #expect(status("/\(key.z32.dropLast())%79") == nil && status("/\(key.z32.dropLast())l") == nil)
    #expect(status("/\(key)", .options) == .ok)
  }

  @Test("an answer made from what was read before an update is not kept")
  func crossing() throws {
    let ready = ReadyAnswers(capacity: 10, cacheCapacity: 10, policy: CachePolicy())
    let (old, new) = (try makePacket(keypair, at: 1_000_000), try makePacket(keypair, at: 2_000_000))
    let version = ready.version(of: key)
    ready.update(new)
    ready.keep(RenderedPacket(old, policy: CachePolicy()), for: key, at: version)
    #expect(ready.answer(for: key, at: .wallClock) == nil)
    ready.keep(RenderedPacket(new, policy: CachePolicy()), for: key, at: ready.version(of: key))
    #expect(ready.answer(for: key, at: .wallClock)?.answer.timestamp == new.timestamp)
    ready.update(old)
    #expect(ready.answer(for: key, at: .wallClock)?.answer.timestamp == new.timestamp)
  }

  @Test("an answer is ready only while its packet is fresh")
  func freshness() throws {
    let ready = ReadyAnswers(capacity: 10, cacheCapacity: 10, policy: CachePolicy())
    let packet = try makePacket(keypair, at: 1, seen: Timestamp(microseconds: 1_000_000_000))
    ready.keep(RenderedPacket(packet, policy: CachePolicy()), for: key, at: ready.version(of: key))
    #expect(ready.answer(for: key, at: Timestamp(microseconds: 1_599_999_999)) != nil)
    #expect(ready.answer(for: key, at: Timestamp(microseconds: 1_600_000_000)) == nil)
  }

  @Test("answers from memory count as uses, so that the cache gives up what is not used")
  func eviction() async throws {
    let relay = RelayFixture(cache: MemoryCache(capacity: 3))
    let keypairs = (0..<4).map { _ in Keypair() }
    for keypair in keypairs[0..<3] {
      #expect(try await relay.put(makePacket(keypair, at: 1_000_000)).status == .noContent)
    }
    for _ in 0..<3 { #expect(try await relay.get(keypairs[0].publicKey).status == .ok) }
    #expect(relay.counts.packets(from: .memory) == 2)
    _ = try await relay.put(makePacket(keypairs[3], at: 1_000_000))
    #expect(try await relay.get(keypairs[0].publicKey, .cacheOnly).status == .ok)
    #expect(try await relay.get(keypairs[1].publicKey, .cacheOnly).status == .notFound)
    #expect(try await relay.get(keypairs[2].publicKey, .cacheOnly).status == .ok)
  }

  @Test("what the cache has given up is not answered from memory")
  func givenUp() async throws {
    let relay = RelayFixture(cache: MemoryCache(capacity: 2))
    _ = try await relay.put(makePacket(keypair, at: 1_000_000))
    for _ in 0..<2 { #expect(try await relay.get(key).status == .ok) }
    for _ in 0..<2 { _ = try await relay.put(makePacket(Keypair(), at: 1_000_000)) }
    #expect(try await relay.get(key).status == .notFound)
  }
}
