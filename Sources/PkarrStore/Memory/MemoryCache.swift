import EventLoops
import Pkarr

/// Packets in memory: the least recently used one makes room. Nothing survives the process.
public final class MemoryCache: PacketCache {
  private struct State {
    var list = RecencyList()
    var statistics = CacheStatistics()
  }

  /// How many packets are kept when nothing else is said.
  public static let defaultCapacity = 1000

  /// How many packets are kept at most; about 1.4 kB each.
  public let capacity: Int
  private let state = LockedValue(State())

  /// Makes an empty cache; a negative capacity is 0.
  public init(capacity: Int = MemoryCache.defaultCapacity) { self.capacity = max(0, capacity) }

  /// How many packets there are now.
  public var count: Int { state.withLock { $0.list.count } }

  /// The packet of a key, which thereby counts as used.
  public func packet(for key: CacheKey) -> SignedPacket? {
    state.withLock { state in
      guard let packet = state.list.use(key) else {
        state.statistics.misses += 1
        return nil
      }
      state.statistics.hits += 1
      return packet
    }
  }

  /// The packet of a key, which does not count as used.
  public func peek(_ key: CacheKey) -> SignedPacket? { state.withLock { $0.list.peek(key) } }

  /// Takes a packet if it is news; it then counts as used.
  @discardableResult
  public func offer(_ packet: SignedPacket) -> CacheUpdate {
    // Nothing is kept, so nothing is ever in its way.
    guard capacity > 0 else { return .stored }
    let key = packet.publicKey.target
    return state.withLock { state in
      var update = CacheUpdate.stored
      if let current = state.list.peek(key) {
        update = .decide(packet, over: current)
        if case .kept = update { return update }
      } else if state.list.count >= capacity {
        state.list.removeOldest()
        state.statistics.evictions += 1
      }
      state.list.set(packet, for: key)
      return update
    }
  }

  /// Returns at once: memory needs no writing.
  public func flush() async throws(StoreError) {}

  /// The same as ``offer(_:)``: memory needs no writing.
  public func store(_ packet: SignedPacket) async throws(StoreError) -> CacheUpdate { offer(packet) }

  /// Forgets the packet of a key.
  public func remove(_ key: CacheKey) { state.withLock { $0.list.remove(key) } }

  /// Figures for operators.
  public var statistics: CacheStatistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.count = state.list.count
      statistics.capacity = capacity
      statistics.bytesInMemory = state.list.bytes
      return statistics
    }
  }
}
