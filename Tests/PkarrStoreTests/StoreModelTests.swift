import Cryptography
import Pkarr
import Testing

@testable import PkarrStore

/// Random histories, and what a cache must be after each: a list in the order of use.
@Suite("Caches against a model")
struct StoreModelTests {
  /// The plainest cache there is.
  struct Model {
    let capacity: Int
    /// Keys, the most recently used last.
    var order: [Int] = []
    var packets: [Int: SignedPacket] = [:]

    mutating func use(_ key: Int) {
      guard packets[key] != nil else { return }
      order.removeAll { $0 == key }
      order.append(key)
    }

    mutating func offer(_ key: Int, _ packet: SignedPacket) -> CacheUpdate {
      var update = CacheUpdate.stored
      if let current = packets[key] {
        if packet.bytes == current.bytes {
          guard packet.lastSeen > current.lastSeen else { return .kept(newer: current) }
          update = .refreshed
        } else if !packet.isMoreRecent(than: current) {
          return .kept(newer: current)
        }
      } else if order.count == capacity {
        packets[order.removeFirst()] = nil
      }
      packets[key] = packet
      use(key)
      if order.last != key { order.append(key) }
      return update
    }

    mutating func remove(_ key: Int) {
      packets[key] = nil
      order.removeAll { $0 == key }
    }
  }

  private func run(
    _ capacity: Int, seed: UInt64, steps: Int, reopening: () async throws -> any PacketCache, isExact: Bool
  ) async throws -> Int {
    var random = RandomSource(seed: seed)
    var model = Model(capacity: capacity)
    var cache = try await reopening()
    let keys = capacity * 2 + 1
    var stored = 0
    for step in 0..<steps {
      let key = Int.random(in: 0..<keys, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<9:
        let packet = Sample.packet(
          key, version: .random(in: 1...6, using: &random), length: .random(in: 35...1000, using: &random),
          lastSeen: .random(in: 1...5, using: &random))
        let (update, expected) = (cache.offer(packet), model.offer(key, packet))
        #expect(update == expected, "step \(step) of seed \(seed)")
        if update == .stored { stored += 1 }
        // What waits to be written is not evicted; after that both must agree.
        if isExact { try await cache.flush() }
      case 9..<15:
        #expect(cache.packet(for: Sample.key(key)) == model.packets[key], "step \(step) of seed \(seed)")
        model.use(key)
      case 15..<17:
        #expect(cache.peek(Sample.key(key)) == model.packets[key], "step \(step) of seed \(seed)")
      case 17:
        cache.remove(Sample.key(key))
        model.remove(key)
      case 18: try await cache.flush()
      default: if Int.random(in: 0..<8, using: &random) == 0 { cache = try await reopening() }
      }
      #expect(cache.count == model.packets.count, "step \(step) of seed \(seed)")
    }
    try await cache.flush()
    for key in 0..<keys { #expect(cache.peek(Sample.key(key)) == model.packets[key], "seed \(seed)") }
    return stored
  }

  @Test("memory does what the model does", arguments: [1, 2, 7, 40])
  func memory(capacity: Int) async throws {
    for seed in 0..<5 as Range<UInt64> {
      let cache = MemoryCache(capacity: capacity)
      #expect(try await run(capacity, seed: seed, steps: 3000, reopening: { cache }, isExact: true) > 100)
    }
  }

  @Test("a store does what the model does, over restarts", arguments: [1, 2, 7, 40, 300])
  func store(capacity: Int) async throws {
    for seed in 0..<3 as Range<UInt64> {
      let directory = TemporaryDirectory()
      nonisolated(unsafe) var store: PacketStore?
      var restarts = 0
      let stored = try await run(
        capacity, seed: seed, steps: 2000,
        reopening: {
          let isFirst = store == nil
          store?.close()
          let opened = try directory.open(capacity: capacity)
          #expect(opened.openedFresh == (isFirst ? .firstUse : nil))
          if !isFirst { restarts += 1 }
          store = opened
          return opened
        }, isExact: true)
      #expect(stored > 100 && restarts > 3)
      store?.close()
      // Nothing is lost on the way: each page is in use or free.
      let file = try PageFile(directory.packets)
      _ = try FileAudit.run(file, pageSize: 4096)
    }
  }
}
