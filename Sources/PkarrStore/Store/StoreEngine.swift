import EventLoops
import Pkarr

/// What a ``PacketStore`` does: reads on the threads of the callers, writes on one thread of its own.
///
/// Locks are taken in this order: the one of a key's stripe, then `state`. The writer takes only `state`.
final class StoreEngine: Sendable {
  let environment: Environment
  let state: Monitor<StoreState>
  let capacity: Int
  let configuration: PacketStore.Configuration
  /// Stamps that may be given to others before a use of a packet is written.
  let slack: UInt64
  /// Writes that are worth a transaction while nobody waits for them.
  let fullBatch: Int
  /// Offers for one key come one after another, so that none decides by what another is about to replace.
  private let stripes: [Stripe]

  init(
    _ environment: Environment, capacity: Int, configuration: PacketStore.Configuration, lastStamp: UInt64, count: Int
  ) {
    self.environment = environment
    self.capacity = capacity
    self.configuration = configuration
    slack = UInt64(max(0, configuration.recencySlack ?? capacity / 4))
    // A short queue must not be full before the writer begins.
    fullBatch = max(1, min(WriteBatch.limit, configuration.queueLimit / 2))
    stripes = (0..<64).map { _ in Stripe() }
    state = Monitor(
      StoreState(
        lastStamp: lastStamp, storedCount: count, fileSize: environment.size,
        isMappedMemoryLimited: configuration.mappedMemoryLimit != nil))
  }

  private final class Stripe: Sendable {
    let lock = LockedValue(())
  }

  @inline(__always)
  func withStripe<Result>(of key: CacheKey, _ body: () -> Result) -> Result {
    stripes[Int(truncatingIfNeeded: key.second & 63)].lock.withLock { _ in body() }
  }

  /// Wakes the writer if it sleeps. Called under the lock.
  @inline(__always)
  func wake(_ state: inout StoreState) {
    guard state.writerSleeps else { return }
    // It is on its way: nobody else needs to call.
    state.writerSleeps = false
    EventLoop.wakeSoon(self.state)
  }

  /// Tells the writer that a write was queued. The first one makes it look at the clock; the others until a batch is
  /// full need not disturb it, unless somebody waits.
  @inline(__always)
  func announceWrite(_ state: inout StoreState) {
    if state.queue.waiting == 1 || state.queue.waiting >= fullBatch || state.hasWaiters { wake(&state) }
  }
}

// MARK: - Reading

extension StoreEngine {
  /// What a look at the queue found.
  enum Glance {
    /// A packet that waits to be written, and its position.
    case waiting(SignedPacket, position: UInt64)
    /// A removal that waits to be written.
    case removed
    /// Nothing: look into the file, with this reader or a new one, and call ``release`` afterwards.
    case file(Reader?)
    case closed
  }

  /// Looks for a key among the writes that wait; if it is not there, begins a read of the file.
  func glance(_ key: CacheKey, isUse: Bool) -> Glance {
    state.withLock(when: { !$0.isMoving }) { state in
      guard state.phase != .closed else { return .closed }
      if !state.queue.isEmpty, let write = state.queue.write(for: key) {
        guard let packet = write.packet else {
          if isUse { state.statistics.misses += 1 }
          return .removed
        }
        if isUse {
          state.statistics.hits += 1
          if state.lastStamp &- write.stamp > slack, !state.queue.use(key, stamp: state.nextStamp()) {
            state.use(key, stamp: write.stamp, slack: slack)
          }
        }
        return .waiting(packet, position: write.position)
      }
      state.activeReads += 1
      return .file(state.readers.popLast())
    }
  }

  /// What a read of the file found.
  struct Found {
    /// Nil if there was no packet, or a damaged one.
    var stamp: UInt64?
    var isDamaged = false
    /// Where the packet is or would be.
    var place = PagePlace(nil)
  }

  /// Ends a read of the file.
  func release(_ reader: Reader?, _ found: Found, key: CacheKey, isUse: Bool, _ state: inout StoreState) {
    state.activeReads -= 1
    if let reader { state.readers.append(reader) }
    if state.isMoving || state.phase != .open, state.activeReads == 0 { self.state.notify() }
    state.touched.mark(found.place.address)
    state.readsUntilTrim -= 1
    if found.isDamaged {
      if state.damaged.count < StoreState.damagedLimit { state.damaged.insert(key) }
      wake(&state)
    }
    if isUse {
      if let stamp = found.stamp {
        state.statistics.hits += 1
        state.use(key, stamp: stamp, slack: slack)
        if state.uses.count == PendingUses.limit { wake(&state) }
      } else {
        state.statistics.misses += 1
      }
    }
    if state.readsUntilTrim == 0 { wake(&state) }
  }

  /// Reads the value of a key from the file. Anything that cannot be read is as good as absent: this is a cache.
  ///
  /// - Parameter body: Called with a value of a length that can be; nil if it is damaged. To find that out is for `body`,
  ///   since the sum over a packet takes a tenth of the time of a read, and not all need it (``StoredPacket/isIntact(_:)``).
  /// - Returns: The reader, to be given back; what was found; what `body` made of it.
  func read<Result>(
    _ key: CacheKey, with reader: Reader?, _ body: (StoredPacket) -> Result?
  ) -> (Reader?, Found, Result?) {
    guard let reader = try? begin(reader) else { return (reader, Found(), nil) }
    defer { reader.rest() }
    guard let value = try? reader.value(of: KeyBytes(key)) else {
      return (reader, Found(place: PagePlace(reader.placeOfMissing)), nil)
    }
    guard let stored = StoredPacket(value), let result = body(stored) else {
      return (reader, Found(isDamaged: true), nil)
    }
    return (reader, Found(stamp: stored.stamp, place: PagePlace(value.baseAddress)), result)
  }

  private func begin(_ reader: Reader?) throws(StoreError) -> Reader {
    guard let reader else { return try Reader(environment) }
    try reader.renew()
    return reader
  }

  /// The packet of a key.
  func packet(for key: CacheKey, isUse: Bool) -> SignedPacket? {
    switch glance(key, isUse: isUse) {
    case .waiting(let packet, _): return packet
    case .removed, .closed: return nil
    case .file(let reader):
      let (reader, found, packet) = read(key, with: reader) { $0.packet(of: key) }
      state.withLock { release(reader, found, key: key, isUse: isUse, &$0) }
      return packet
    }
  }

  /// Lends the cached form of a packet.
  func withCachedForm<Result>(for key: CacheKey, _ body: (RawSpan) -> Result) -> Result? {
    switch glance(key, isUse: true) {
    case .waiting(let packet, _):
      let form = packet.cachedForm
      return body(form.span.bytes)
    case .removed, .closed: return nil
    case .file(let reader):
      let (reader, found, result) = read(key, with: reader) { $0.isIntact(key) ? body($0.form.bytes) : nil }
      state.withLock { release(reader, found, key: key, isUse: true, &$0) }
      return result
    }
  }

  /// Packets that are cached, as far as is known without waiting for the writer.
  func count(_ state: StoreState) -> Int { min(capacity, max(0, state.storedCount + state.queue.difference)) }

  /// Figures for operators.
  var statistics: CacheStatistics {
    state.withLock { state in
      var statistics = state.statistics
      statistics.count = count(state)
      statistics.capacity = capacity
      statistics.bytesOnDisk = state.fileSize
      statistics.bytesInMemory = state.queue.bytes + 64 * state.uses.count
      statistics.waitingWrites = state.queue.count
      statistics.oldestWaitingWrite = state.queue.oldest.map {
        .nanoseconds(Int64(clamping: MonotonicClock.now - min($0, MonotonicClock.now)))
      }
      return statistics
    }
  }
}
