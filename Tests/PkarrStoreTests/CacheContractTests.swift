import Cryptography
import Pkarr
import TestSupport
import Testing

@testable import PkarrStore

/// What is true of every cache.
@Suite("Both caches")
struct CacheContractTests {
  enum Kind: CaseIterable {
    case memory
    case disk
  }

  /// Runs a body with an empty cache.
  private func with(_ kind: Kind, capacity: Int = 100, _ body: (any PacketCache) async throws -> Void) async throws {
    switch kind {
    case .memory: try await body(MemoryCache(capacity: capacity))
    case .disk:
      let directory = TemporaryDirectory()
      let store = try directory.open(capacity: capacity)
      try await body(store)
      store.close()
    }
  }

  @Test("a packet that was offered is found, before and after it is written", arguments: Kind.allCases)
  func found(kind: Kind) async throws {
    try await with(kind) { cache in
      let packet = Sample.packet(1, lastSeen: 77)
      #expect(cache.packet(for: Sample.key(1)) == nil)
      #expect(cache.offer(packet) == .stored)
      #expect(cache.packet(for: Sample.key(1)) == packet)
      try await cache.flush()
      #expect(cache.packet(for: Sample.key(1)) == packet)
      #expect(cache.packet(for: Sample.key(1))?.lastSeen.microseconds == 77)
      #expect(cache.packet(for: Sample.key(2)) == nil)
      #expect(cache.count == 1 && cache.capacity == 100)
      let statistics = cache.statistics
      #expect(statistics.hits == 3 && statistics.misses == 2 && statistics.hitRate == 0.6)
      #expect(statistics.count == 1 && statistics.capacity == 100)
    }
  }

  @Test("a look does not count as hit or miss", arguments: Kind.allCases)
  func peek(kind: Kind) async throws {
    try await with(kind) { cache in
      cache.offer(Sample.packet(1))
      #expect(cache.peek(Sample.key(1)) != nil && cache.peek(Sample.key(2)) == nil)
      try await cache.flush()
      #expect(cache.peek(Sample.key(1)) != nil && cache.peek(Sample.key(2)) == nil)
      #expect(cache.statistics.hits == 0 && cache.statistics.misses == 0 && cache.statistics.hitRate == nil)
    }
  }

  @Test(
    "news replaces, the same seen later refreshes, and everything else leaves the cache as it is",
    arguments: Kind.allCases, [false, true])
  func updateRule(kind: Kind, isWritten: Bool) async throws {
    try await with(kind) { cache in
      func settle() async throws { if isWritten { try await cache.flush() } }
      let first = Sample.packet(1, version: 10, lastSeen: 100)
      #expect(cache.offer(first) == .stored)
      try await settle()
      #expect(cache.offer(first) == .kept(newer: first))
      #expect(cache.offer(Sample.packet(1, version: 10, lastSeen: 99)) == .kept(newer: first))
      #expect(cache.offer(Sample.packet(1, version: 9, lastSeen: 200)) == .kept(newer: first))
      try await settle()
      let seenAgain = Sample.packet(1, version: 10, lastSeen: 101)
      #expect(cache.offer(seenAgain) == .refreshed)
      try await settle()
      #expect(cache.peek(Sample.key(1)) == seenAgain)
      // The same time: the larger message wins, whenever it was seen.
      let larger = Sample.packet(1, version: 10, lastSeen: 5, fill: 0x42)
      #expect(cache.offer(larger) == .stored)
      try await settle()
      #expect(cache.offer(seenAgain) == .kept(newer: larger))
      let newer = Sample.packet(1, version: 11, lastSeen: 5)
      #expect(cache.offer(newer) == .stored)
      try await settle()
      #expect(cache.peek(Sample.key(1)) == newer && cache.count == 1)
      #expect(try await cache.store(larger) == .kept(newer: newer))
      #expect(try await cache.store(Sample.packet(1, version: 12)) == .stored)
      #expect(cache.versions(2) == [nil, 12])
    }
  }

  @Test("packets of the reference keep their bytes and their order", arguments: Kind.allCases)
  func vectors(kind: Kind) async throws {
    struct Row: Decodable {
      let id: String
      let cachedFormHex: HexBytes
      let cacheKeySha1Hex: HexBytes
      let expectBuildError: String?
    }
    struct Order: Decodable {
      let a: String
      let b: String
      let aMoreRecentThanB: Bool
    }
    struct File: Decodable {
      let packets: [Row]
      let moreRecentThan: [Order]
    }
    let file: File = try Vectors.load("pkarr/signed_packets.json", keys: .convertFromSnakeCase)
    var packets: [String: SignedPacket] = [:]
    var ran = 0
    for row in file.packets where row.expectBuildError == nil {
      let packet = try SignedPacket(cachedForm: row.cachedFormHex.bytes)
      packets[row.id] = packet
      let key = packet.publicKey.target
      #expect(key.bytes == row.cacheKeySha1Hex.bytes)
      try await with(kind) { cache in
        cache.offer(packet)
        try await cache.flush()
        #expect(cache.peek(key)?.cachedForm == row.cachedFormHex.bytes)
        if let store = cache as? PacketStore {
          #expect(store.withCachedForm(for: key) { [UInt8]($0) } == row.cachedFormHex.bytes)
        }
        ran += 1
      }
    }
    #expect(ran >= 37)
    #expect(file.moreRecentThan.count == 3)
    for order in file.moreRecentThan {
      let (a, b) = (try #require(packets[order.a]), try #require(packets[order.b]))
      try await with(kind) { cache in
        cache.offer(b)
        try await cache.flush()
        #expect((cache.offer(a) == .stored) == order.aMoreRecentThanB)
      }
    }
  }

  @Test("what has not been used for longest makes room", arguments: Kind.allCases)
  func leastRecentlyUsed(kind: Kind) async throws {
    try await with(kind, capacity: 3) { cache in
      for key in 0..<3 { cache.offer(Sample.packet(key)) }
      try await cache.flush()
      // A use, and a look, which is none.
      #expect(cache.packet(for: Sample.key(0)) != nil && cache.peek(Sample.key(1)) != nil)
      cache.offer(Sample.packet(3))
      try await cache.flush()
      #expect(cache.keys(6) == [0, 2, 3])
      // To be offered again with news, or seen again, is a use as well.
      cache.offer(Sample.packet(2, version: 2))
      cache.offer(Sample.packet(0, lastSeen: 50))
      cache.offer(Sample.packet(4))
      try await cache.flush()
      #expect(cache.keys(6) == [0, 2, 4])
      #expect(cache.count == 3 && cache.statistics.evictions == 2)
    }
  }

  @Test("a full cache evicts nobody for a key that it has", arguments: Kind.allCases)
  func overwriteWhenFull(kind: Kind) async throws {
    try await with(kind, capacity: 4) { cache in
      for key in 0..<4 { cache.offer(Sample.packet(key)) }
      for version in 2..<20 as Range<UInt64> {
        cache.offer(Sample.packet(Int(version) % 4, version: version, length: Int(version) * 50))
        if version % 3 == 0 { try await cache.flush() }
      }
      try await cache.flush()
      #expect(cache.versions(5) == [16, 17, 18, 19, nil])
      #expect(cache.count == 4 && cache.statistics.evictions == 0)
    }
  }

  @Test("a cache for one packet holds the last one", arguments: Kind.allCases)
  func capacityOne(kind: Kind) async throws {
    try await with(kind, capacity: 1) { cache in
      for key in 0..<300 { cache.offer(Sample.packet(key)) }
      try await cache.flush()
      #expect(cache.keys(300) == [299] && cache.count == 1)
      #expect(cache.offer(Sample.packet(299, version: 2)) == .stored)
      try await cache.flush()
      #expect(cache.versions(300).compactMap { $0 } == [2])
    }
  }

  @Test("a cache for no packet takes everything and holds nothing", arguments: Kind.allCases, [0, -5])
  func capacityZero(kind: Kind, capacity: Int) async throws {
    try await with(kind, capacity: capacity) { cache in
      #expect(cache.capacity == 0)
      #expect(cache.offer(Sample.packet(1)) == .stored)
      #expect(try await cache.store(Sample.packet(2)) == .stored)
      try await cache.flush()
      #expect(cache.count == 0 && cache.keys(3).isEmpty)
    }
  }

  @Test("what is removed is gone, and can come back older", arguments: Kind.allCases, [false, true])
  func remove(kind: Kind, isWritten: Bool) async throws {
    try await with(kind) { cache in
      func settle() async throws { if isWritten { try await cache.flush() } }
      for key in 0..<3 { cache.offer(Sample.packet(key, version: 5)) }
      try await settle()
      cache.remove(Sample.key(1))
      cache.remove(Sample.key(9))
      #expect(cache.keys(3) == [0, 2] && cache.count == 2)
      try await settle()
      #expect(cache.keys(3) == [0, 2] && cache.count == 2)
      #expect(cache.offer(Sample.packet(1, version: 2)) == .stored)
      try await settle()
      #expect(cache.versions(3) == [5, 2, 5] && cache.count == 3)
      cache.remove(Sample.key(1))
      cache.remove(Sample.key(1))
      #expect(try await cache.store(Sample.packet(1, version: 1)) == .stored)
      #expect(cache.versions(3) == [5, 1, 5] && cache.count == 3)
    }
  }

  @Test(
    "offers of one key from many threads leave the newest, and no reader sees time go back", arguments: Kind.allCases)
  func concurrentOffers(kind: Kind) async throws {
    try await with(kind, capacity: 50) { cache in
      let (keys, writers, steps) = (10, 8, 400)
      try await withThrowingTaskGroup(of: Int.self) { group in
        for writer in 0..<writers {
          group.addTask {
            var stored = 0
            for step in 0..<steps {
              let key = (step * 7 + writer) % keys
              // Each version exists once; the order of their arrival is that of the threads.
              let version = UInt64(1 + (step * 31 + writer * 13) % steps * writers + writer)
              if cache.offer(Sample.packet(key, version: version)) == .stored { stored += 1 }
              if step % 50 == 0 { try await cache.flush() }
            }
            return stored
          }
        }
        for _ in 0..<2 {
          group.addTask {
            var last = Array(repeating: UInt64(0), count: keys)
            for step in 0..<2000 {
              let key = step % keys
              let version = cache.packet(for: Sample.key(key))?.timestamp.microseconds ?? 0
              #expect(version >= last[key])
              last[key] = version
            }
            return 0
          }
        }
        var stored = 0
        for try await count in group { stored += count }
        #expect(stored >= keys)
      }
      var expected = Array(repeating: UInt64(0), count: keys)
      for writer in 0..<writers {
        for step in 0..<steps {
          let key = (step * 7 + writer) % keys
          expected[key] = max(expected[key], UInt64(1 + (step * 31 + writer * 13) % steps * writers + writer))
        }
      }
      #expect(cache.versions(keys) == expected)
      try await cache.flush()
      #expect(cache.versions(keys) == expected)
    }
  }
}
