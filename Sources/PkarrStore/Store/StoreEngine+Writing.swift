import EventLoops

extension StoreEngine {
  /// What the thread that writes does until the store is closed.
  func runWriter(_ stateFile: StateFile) {
    let writer = BatchWriter(environment, capacity: capacity, slack: slack) { [self] body throws(StoreError) in
      try exclusively(body)
    }
    var mapped = configuration.mappedMemoryLimit.map { MappedMemory(environment, limit: $0) }
    var quietAt: UInt64?
    while true {
      let (batch, isClosing, isTrimDue) = nextWork(before: quietAt)
      if isTrimDue, let reads = mapped?.trim(state) { state.withLock { $0.readsUntilTrim = reads } }
      if !batch.isEmpty {
        write(batch, writer, stateFile)
        quietAt = MonotonicClock.now + configuration.quietTime.clampedNanoseconds
      } else if isClosing || quietAt.map({ $0 <= MonotonicClock.now }) ?? false {
        settle(stateFile)
        quietAt = nil
        if isClosing { return end() }
      }
    }
  }

  /// How long a write may wait for others that share its transaction, while nobody waits for it. A transaction has a
  /// price of its own: the pages of the trees that all its changes have in common are copied once.
  private static let gatherTime: UInt64 = 10_000_000

  /// The pause after a transaction that holds nothing but uses. They are in no hurry, and must not take the processor from
  /// those who read, which may be the only one.
  private static let pauseAfterUses: UInt64 = 2_500_000

  /// Waits for something to write, or for the time at which the store counts as quiet.
  private func nextWork(before deadline: UInt64?) -> (WriteBatch, isClosing: Bool, isTrimDue: Bool) {
    state.withLock(
      when: { state in
        state.writerSleeps = !hasWork(state)
        return !state.writerSleeps
      },
      orAt: { state in
        let batchDue = state.queue.oldest.map { $0 + Self.gatherTime }
        let usesDue = state.uses.count >= PendingUses.limit ? state.usesDue : nil
        return [batchDue, usesDue, deadline].compactMap(\.self).min()
      }
    ) { state in
      state.writerSleeps = false
      let isTrimDue = state.readsUntilTrim <= 0
      // Uses alone are no reason to write, unless there are many, or this is the last chance.
      guard hasWrites(state) || state.phase != .open else { return (WriteBatch(), false, isTrimDue) }
      return (state.takeBatch(capacity: capacity), state.phase != .open, isTrimDue)
    }
  }

  private func hasWrites(_ state: borrowing StoreState) -> Bool {
    isBatchDue(state) || areUsesDue(state) || !state.damaged.isEmpty
      || state.storedCount > capacity && !state.isSurplusStuck
  }

  private func isBatchDue(_ state: borrowing StoreState) -> Bool {
    guard let oldest = state.queue.oldest else { return false }
    return state.queue.waiting >= fullBatch || state.hasWaiters || MonotonicClock.now >= oldest + Self.gatherTime
  }

  private func areUsesDue(_ state: borrowing StoreState) -> Bool {
    state.uses.count >= PendingUses.limit && MonotonicClock.now >= state.usesDue
  }

  private func hasWork(_ state: borrowing StoreState) -> Bool {
    hasWrites(state) || state.phase != .open || state.readsUntilTrim <= 0
  }

  private func write(_ batch: WriteBatch, _ writer: BatchWriter, _ stateFile: StateFile) {
    var outcome = BatchWriter.Outcome(count: state.withLock { $0.storedCount })
    do throws(StoreError) {
      try stateFile.markOpen()
      outcome = writer.write(batch, count: outcome.count)
    } catch {
      for index in batch.items.indices { outcome.failures[index] = error }
    }
    let waiters = state.withLock { finish(batch, outcome, &$0) }
    // Not under the lock, which they may want at once.
    for (waiter, failure) in waiters {
      waiter.continuation.resume(returning: failure.map { .failure($0) } ?? .success(waiter.update))
    }
  }

  /// Brings the state up to date, and tells everybody who waits for more than the packets of this batch; those who wait for
  /// one of them are returned.
  private func finish(
    _ batch: WriteBatch, _ outcome: BatchWriter.Outcome, _ state: inout StoreState
  ) -> [(StoreWaiter, StoreError?)] {
    var waiters: [(StoreWaiter, StoreError?)] = []
    state.queue.finish(batch.items)
    if batch.items.isEmpty { state.usesDue = MonotonicClock.now + Self.pauseAfterUses }
    state.isSurplusStuck = batch.hasSurplus && outcome.count >= state.storedCount
    state.storedCount = outcome.count
    state.fileSize = environment.size
    state.statistics.evictions += outcome.evictions
    state.statistics.damagedPackets += outcome.damagedPackets
    state.statistics.writeErrors += outcome.failures.count
    state.readsUntilTrim -= 2 * batch.items.count
    if !state.stores.isEmpty {
      for (index, item) in batch.items.enumerated() {
        for waiter in state.stores.removeValue(forKey: item.position) ?? [] {
          waiters.append((waiter, outcome.failures[index]))
        }
      }
    }
    if let error = outcome.failures.values.first { state.lostWrites = error }
    resumeFlushes(&state)
    let room = max(0, configuration.queueLimit - state.queue.count)
    for continuation in state.arrivals.prefix(room) { continuation.resume() }
    state.arrivals.removeFirst(min(room, state.arrivals.count))
    return waiters
  }

  private func resumeFlushes(_ state: inout StoreState) {
    let done = state.flushes.prefix { $0.position <= state.queue.donePosition }
    guard !done.isEmpty else { return }
    for flush in done { flush.continuation.resume(returning: state.lostWrites) }
    state.lostWrites = nil
    state.flushes.removeFirst(done.count)
  }

  /// Brings everything to the disk and says so.
  private func settle(_ stateFile: StateFile) {
    guard !stateFile.isClean else { return }
    do throws(StoreError) {
      try environment.synchronise()
      try stateFile.markClean()
    } catch {
      state.withLock { state in
        state.statistics.writeErrors += 1
        state.lostWrites = error
      }
    }
  }

  /// Keeps all reads out while `body` maps the file anew.
  private func exclusively(_ body: () throws(StoreError) -> Void) throws(StoreError) {
    state.withLock { $0.isMoving = true }
    state.withLock(when: { $0.activeReads == 0 }) { _ in }
    defer {
      state.withLock { $0.isMoving = false }
      state.notify()
    }
    do throws(StoreError) {
      try body()
    } catch {
      // Without a map LMDB cannot even be asked: nobody may, from now on.
      state.withLock { $0.phase = .closed }
      throw error
    }
  }

  /// Closes the file once nobody reads any more.
  private func end() {
    state.withLock { $0.phase = .closed }
    state.withLock(when: { $0.activeReads == 0 }) { state in
      for reader in state.readers { reader.end() }
      state.readers = []
      for continuation in state.arrivals { continuation.resume() }
      state.arrivals = []
      resumeFlushes(&state)
    }
    environment.close()
  }

  /// Begins to close: the writer finishes what is queued.
  func beginClosing() {
    state.withLock { state in
      if state.phase == .open { state.phase = .closing }
    }
    state.notify()
  }
}
