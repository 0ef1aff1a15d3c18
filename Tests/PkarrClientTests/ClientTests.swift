import Mainline
import Pkarr
import PkarrStore
import Testing

@testable import PkarrClient

/// What a client does, on each kind of network. Most of these are tests of the reference (`client/tests.rs`).
@Suite("A client", .serialized)
struct ClientTests {
  private let key = Samples.keypair.publicKey

  @Test("what one client publishes another one resolves, and then knows", arguments: NetworkKind.allCases)
  func publishAndResolve(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let (writer, reader) = (try await networks.client(), try await networks.client())
      let packet = try Samples.packet()
      let report = try await writer.publish(packet)
      #expect(report.storedNodes >= 1)
      #expect(report.backends.count == (kind == .both ? 2 : 1))
      let first = try await reader.resolution(of: key)
      #expect(first.packet.isSame(as: packet))
      #expect(first.source != .cache && !first.isStale && first.age <= 60)
      #expect(first.expiresIn > .seconds(200) && first.expiresIn <= .minutes(5))
      let again = try await reader.resolution(of: key)
      #expect(again.packet == first.packet && again.source == .cache && !again.isStale)
      // The writer has not to ask either.
      #expect(try await writer.resolution(of: key).source == .cache)
    }
  }

  @Test("an expired packet is looked up anew, and is the same one seen later", arguments: NetworkKind.allCases)
  func expired(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let packet = try Samples.packet()
      try await networks.hold(packet)
      let client = try await networks.client()
      let cached = packet.seen(secondsAgo: 1000)
      client.cache?.offer(cached)
      let resolution = try await client.resolution(of: key)
      #expect(resolution.packet.isSame(as: packet) && resolution.source != .cache)
      #expect(client.cache?.peek(key.target)?.lastSeen ?? .zero > cached.lastSeen)
    }
  }

  @Test("CacheFirst does not return an expired packet though nobody has another", arguments: NetworkKind.allCases)
  func expiredAndGone(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      let cached = try Samples.packet().seen(secondsAgo: 1000)
      client.cache?.offer(cached)
      await #expect(throws: ResolveError.notFound) { try await client.resolve(key) }
      // CacheOnly does, and says that it is stale.
      let resolution = try await client.resolution(of: key, policy: .cacheOnly)
      #expect(resolution.packet == cached && resolution.isStale && resolution.expiresIn == 0)
    }
  }

  @Test(
    "CacheFirst refuses a packet of the network that is older than the expired one", arguments: NetworkKind.allCases)
  func floor(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let (old, new) = (try Samples.packet(1_000_000_000), try Samples.packet(2_000_000_000))
      try await networks.hold(old)
      let client = try await networks.client()
      client.cache?.offer(new.seen(secondsAgo: 1000))
      await #expect(throws: ResolveError.notFound) { try await client.resolve(key) }
      #expect(client.cache?.peek(key.target)?.isSame(as: new) == true)
    }
  }

  @Test("NetworkOnly returns what the network has though the cache knows better", arguments: NetworkKind.allCases)
  func networkOnly(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let (old, new) = (try Samples.packet(1_000_000_000), try Samples.packet(2_000_000_000))
      try await networks.hold(old)
      let client = try await networks.client()
      client.cache?.offer(new)
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: old))
      #expect(try await client.resolve(key).isSame(as: new))
      #expect(client.cache?.peek(key.target)?.isSame(as: new) == true)
    }
  }

  @Test("a maximum time to live of 0 asks the network every time and takes its answer", arguments: NetworkKind.allCases)
  func neverFresh(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client { $0.maximumTTL = 0 }
      try await client.publish(try Samples.packet(1_000_000_000, ttl: 10))
      #expect(try await client.resolution(of: key).source != .cache)
      let newer = try Samples.packet(2_000_000_000, ttl: 10)
      try await networks.hold(newer)
      #expect(try await client.resolve(key).isSame(as: newer))
    }
  }

  @Test("nobody has the packet of an unknown key", arguments: NetworkKind.allCases)
  func notFound(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      for policy in ResolvePolicy.allCases {
        await #expect(throws: ResolveError.notFound) { try await client.resolve(key, policy: policy) }
      }
    }
  }

  @Test("the same packet can be published again and again", arguments: NetworkKind.allCases)
  func repeatedPublication(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      let packet = try Samples.packet()
      for _ in 0..<3 { #expect(try await client.publish(packet).storedNodes >= 1) }
    }
  }

  @Test("a packet that was resolved can be published again", arguments: NetworkKind.allCases)
  func republication(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      try await networks.hold(try Samples.packet())
      let client = try await networks.client()
      let packet = try await client.resolve(key)
      #expect(try await client.publish(packet).storedNodes >= 1)
      #expect(try await networks.client().resolve(key, policy: .networkOnly).isSame(as: packet))
    }
  }

  @Test("an older packet than the cache knows is not even sent", arguments: NetworkKind.allCases)
  func refusedByCache(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      client.cache?.offer(try Samples.packet(2_000_000_000))
      let report = await client.attemptToPublish(try Samples.packet(1_000_000_000))
      #expect(report.result == .failure(.notMostRecent) && report.backends.isEmpty)
      #expect(networks.relays.allSatisfy { $0.requests.isEmpty })
      #expect(try await client.publish(try Samples.packet(2_000_000_000)).storedNodes >= 1)
    }
  }

  @Test("an older packet than the network knows is refused (302, 409)", arguments: NetworkKind.allCases)
  func refusedByNetwork(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      try await networks.client().publish(try Samples.packet(2_000_000_000))
      let other = try await networks.client()
      await #expect(throws: PublishError.notMostRecent) { try await other.publish(try Samples.packet(1_000_000_000)) }
      #expect(other.cache?.peek(key.target) == nil)
    }
  }

  @Test("a client without a cache asks every time", arguments: NetworkKind.allCases, [true, false])
  func noCache(kind: NetworkKind, hasCustomCache: Bool) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client { configuration in
        // A size of 0 counts even if a cache is given, and so does a cache that keeps nothing.
        configuration.cacheSize = hasCustomCache ? 1000 : 0
        configuration.cache = hasCustomCache ? MemoryCache(capacity: 0) : MemoryCache(capacity: 10)
      }
      #expect(client.cache == nil)
      let packet = try Samples.packet()
      try await client.publish(packet)
      for policy in [ResolvePolicy.cacheFirst, .networkOnly] {
        let resolution = try await client.resolution(of: key, policy: policy)
        #expect(resolution.packet.isSame(as: packet) && resolution.source != .cache)
      }
    }
  }

  @Test("a cache that was given is used, and shared with who gave it")
  func customCache() async throws {
    try await withNetworks(.relays) { networks in
      let cache = MemoryCache(capacity: 5)
      let packet = try Samples.packet()
      cache.offer(packet)
      let client = try await networks.client { $0.cache = cache }
      #expect(try await client.resolution(of: key).source == .cache)
      #expect(networks.relay.requests.isEmpty)
    }
  }

  @Test("a newer item of the DHT that is no packet hides the older packet", arguments: [NetworkKind.dht, .both])
  func invalidItem(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      try await networks.hold(try Samples.packet(1_000_000_000))
      try await networks.put(PkarrClientTests.invalidItem(1_000_000_001))
      let client = try await networks.client()
      await #expect(throws: ResolveError.invalidSignedPacket(seq: 1_000_000_001)) {
        try await client.resolve(key, policy: .networkOnly)
      }
      // A packet at least as new covers it.
      let newer = try Samples.packet(1_000_000_002)
      client.cache?.offer(newer.seen(secondsAgo: 1000))
      if kind == .dht { await #expect(throws: ResolveError.notFound) { try await client.resolve(key) } }
      #expect(try await client.publish(newer).storedNodes >= 1)
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: newer))
    }
  }

  @Test("a packet that the DHT cannot store is refused before anything is sent", arguments: NetworkKind.allCases)
  func unpublishable(kind: NetworkKind) async throws {
    try await withNetworks(kind, nodes: 2) { networks in
      let client = try await networks.client()
      for version in [0, 1 << 63, .max] as [UInt64] {
        await #expect(throws: PublishError.notPublishable(.timestamp(Timestamp(microseconds: version)))) {
          try await client.publish(try Samples.packet(version))
        }
      }
      #expect(networks.relays.allSatisfy { $0.requests.isEmpty })
    }
  }

  @Test("many resolve one key at the same time, from tasks of all kinds", arguments: NetworkKind.allCases)
  func concurrentResolutions(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let packet = try Samples.packet()
      try await networks.hold(packet)
      let client = try await networks.client()
      let key = key
      try await withThrowingTaskGroup(of: SignedPacket.self) { group in
        for number in 0..<40 {
          group.addTask {
            let policy = ResolvePolicy.allCases[number % 2 + 1]
            return number % 4 == 0
              ? try await Task.detached { try await client.resolve(key, policy: policy) }.value
              : try await client.resolve(key, policy: policy)
          }
        }
        var count = 0
        for try await found in group {
          #expect(found.isSame(as: packet))
          count += 1
        }
        #expect(count == 40)
      }
    }
  }

  @Test("many publish the same packet at the same time", arguments: NetworkKind.allCases)
  func concurrentPublications(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      let packet = try Samples.packet()
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<20 { group.addTask { try await client.publish(packet).storedNodes } }
        for try await stored in group { #expect(stored >= 1) }
      }
      #expect(client.queue.waitingCount(key) == 0)
    }
  }

  @Test("of many packets published at the same time the newest remains", arguments: NetworkKind.allCases)
  func concurrentVersions(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      let packets = try (1...20).map { try Samples.packet(1_000_000_000 + UInt64($0)) }
      let results = await withTaskGroup(of: Result<Int, PublishError>.self) { group in
        for packet in packets.shuffled() { group.addTask { await client.attemptToPublish(packet).result } }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(
        results.allSatisfy { result in
          if case .failure(let error) = result { error == .notMostRecent } else { true }
        })
      #expect(try await networks.client().resolve(key, policy: .networkOnly).isSame(as: packets[19]))
    }
  }
}
