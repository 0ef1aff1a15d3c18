/// What the threads of a store share.
struct StoreState {
  enum Phase {
    case open
    /// The writer finishes what is queued; nobody may add to it.
    case closing
    /// The file is closed.
    case closed
  }

  var phase = Phase.open
  var queue = WriteQueue()

  // Reads.
  /// Transactions that nobody uses.
  var readers: [Reader] = []
  /// Reads that are going on.
  var activeReads = 0
  /// True while the file is mapped anew; reads wait for the end of it.
  var isMoving = false
  /// Reads after which the writer looks at how much of the file is mapped; below 1 if it is time. Without a limit it
  /// never is.
  var readsUntilTrim: Int
  /// The pages that were read.
  var touched = TouchedPages()

  // Uses.
  /// The last stamp that was given to a use.
  var lastStamp: UInt64
  var uses = PendingUses()
  /// When a transaction with nothing but uses may begin (`MonotonicClock`).
  var usesDue: UInt64 = 0
  /// Packets that did not have the bytes that were written.
  var damaged: Set<CacheKey> = []

  // Those who wait for the writer.
  var stores: [UInt64: [StoreWaiter]] = [:]
  var flushes: [(position: UInt64, continuation: FlushContinuation)] = []
  var arrivals: [ArrivalContinuation] = []
  /// What was not written since somebody was told last.
  var lostWrites: StoreError?
  /// True while the writer has nothing to do.
  var writerSleeps = false

  // Figures.
  /// Packets in the file.
  var storedCount: Int
  /// True if packets beyond the capacity could not be dropped.
  var isSurplusStuck = false
  var fileSize: Int
  var statistics = CacheStatistics()

  static let damagedLimit = 256

  init(lastStamp: UInt64, storedCount: Int, fileSize: Int, isMappedMemoryLimited: Bool) {
    readsUntilTrim = isMappedMemoryLimited ? 1 : .max
    self.lastStamp = lastStamp
    self.storedCount = storedCount
    self.fileSize = fileSize
  }

  /// True if somebody waits for a write.
  var hasWaiters: Bool { !stores.isEmpty || !flushes.isEmpty || !arrivals.isEmpty }

  mutating func nextStamp() -> UInt64 {
    lastStamp += 1
    return lastStamp
  }

  /// Notes the use of a packet whose stamp in the file is `stamp`, unless it is recent enough.
  mutating func use(_ key: CacheKey, stamp: UInt64, slack: UInt64) {
    guard lastStamp &- stamp > slack else { return }
    if uses.note(key, now: lastStamp + 1, slack: slack) { lastStamp += 1 }
  }

  /// What the writer can do now.
  mutating func takeBatch(capacity: Int) -> WriteBatch {
    var batch = WriteBatch(items: queue.takeBatch(atMost: WriteBatch.limit))
    batch.hasSurplus = storedCount > capacity && !isSurplusStuck
    for key in damaged.prefix(WriteBatch.limit) {
      damaged.remove(key)
      batch.damaged.append(key)
    }
    let isAlone = batch.items.isEmpty && phase == .open
    batch.uses = uses.take(atMost: isAlone ? WriteBatch.limitOfUsesAlone : WriteBatch.limit)
    return batch
  }
}

typealias StoreContinuation = CheckedContinuation<Result<CacheUpdate, StoreError>, Never>
typealias FlushContinuation = CheckedContinuation<StoreError?, Never>
typealias ArrivalContinuation = CheckedContinuation<Void, Never>

/// Who waits for a write.
struct StoreWaiter {
  let update: CacheUpdate
  let continuation: StoreContinuation
}
