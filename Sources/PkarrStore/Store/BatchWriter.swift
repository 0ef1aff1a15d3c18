import Pkarr

/// Puts batches into the file, and finds room for them: by a larger file, or by dropping old packets.
///
/// LMDB changes no page in place: a transaction needs new pages for all that it touches, and what it frees can be used
/// only by the one after the next. So a file without a free page is stuck for ever, for even dropping a packet takes some.
/// Therefore no transaction begins here that might use up the last ``reserve`` pages.
///
/// Used by the thread that writes, and by nobody else.
struct BatchWriter {
  /// What became of a batch.
  struct Outcome {
    /// For each item of the batch that was not written: why. Empty if all were.
    var failures: [Int: StoreError] = [:]
    var evictions = 0
    var damagedPackets = 0
    /// Packets in the file.
    var count: Int
  }

  /// How far a batch has come.
  private struct Progress {
    var start = 0
    /// Items that may be tried at once.
    var length: Int
    var isUpkeepDue = true
    /// False once the file could not grow.
    var mayGrow = true
    /// Packets to drop in the transaction with the next item, which then needs nothing but the reserve.
    var evictionsDue = 0
    /// Packets that may still be dropped to make room.
    var evictionsLeft: Int
  }

  private let environment: Environment
  private let capacity: Int
  /// Stamps by which a packet's place in the index may lag behind.
  private let slack: UInt64
  /// Stops all reads for the time of a call, which maps the file anew.
  private let exclusively: (() throws(StoreError) -> Void) throws(StoreError) -> Void

  /// Pages that a transaction leaves for the next two.
  private static let reserve = 48
  /// Old packets that are dropped for each new one while there are no pages but the reserve. They leave room on their
  /// pages rather than whole pages, and more than one new packet needs, so that the next ones split fewer of them.
  private static let evictionsForOne = 2
  /// Pages that a change takes in a large tree: two leaves of packets, one that is split, their index, and a share of
  /// what is above.
  private static let pagesOfOne = 8
  /// Writes before a write at which its page is fetched: about a memory access before it is needed.
  private static let pagesAhead = 4

  init(
    _ environment: Environment, capacity: Int, slack: UInt64,
    exclusively: @escaping (() throws(StoreError) -> Void) throws(StoreError) -> Void
  ) {
    self.environment = environment
    self.capacity = capacity
    self.slack = slack
    self.exclusively = exclusively
  }

  /// Writes a batch, as much of it as there is room for.
  func write(_ batch: WriteBatch, count: Int) -> Outcome {
    var outcome = Outcome(count: count)
    var progress = Progress(length: batch.items.count, evictionsLeft: count)
    repeat {
      let range = progress.start..<min(progress.start + progress.length, batch.items.count)
      do throws(StoreError) {
        try advance(batch, range, &progress, &outcome)
      } catch .diskFull {
        if progress.mayGrow, grow() { continue }
        progress.mayGrow = false
        if range.count > 1 {
          let free = environment.freePages(atMost: Self.pagesOfOne * WriteBatch.limit) - Self.reserve
          progress.length = max(1, min(range.count / 2, free / Self.pagesOfOne))
        } else if makeRoom(&progress, &outcome) {
          progress.evictionsDue = Self.evictionsForOne
        } else {
          for index in progress.start..<batch.items.count { outcome.failures[index] = .diskFull }
          break
        }
      } catch {
        for index in range { outcome.failures[index] = error }
        progress.start = range.upperBound
        progress.isUpkeepDue = false
      }
    } while progress.start < batch.items.count || progress.isUpkeepDue
    return outcome
  }

  /// One transaction with a part of a batch.
  ///
  /// - Throws: `StoreError.diskFull` if there are too few free pages for it; anything else is final.
  private func advance(
    _ batch: WriteBatch, _ range: Range<Int>, _ progress: inout Progress, _ outcome: inout Outcome
  ) throws(StoreError) {
    // Counted before the transaction begins, and as far as the whole batch needs.
    let free = environment.freePages(atMost: Self.pagesOfOne * (4 * WriteBatch.limit) + Self.reserve)
    var transaction = try WriteTransaction.begin(environment)
    var damagedPackets = 0
    // A capacity that was lowered is reached in steps.
    let surplus = batch.hasSurplus ? min(max(0, transaction.count - capacity), WriteBatch.limit) : 0
    let upkeep = batch.uses.count + batch.damaged.count + surplus
    if progress.isUpkeepDue, upkeep > 0, free >= needed(range.count + upkeep, transaction) {
      for key in batch.damaged where try transaction.removeIfDamaged(key) { damagedPackets += 1 }
      for use in batch.uses { try transaction.use(use.key, stamp: use.stamp) }
      try transaction.evict(surplus)
    } else if progress.evictionsDue > 0 {
      try transaction.evict(progress.evictionsDue)
    } else if free < needed(range.count, transaction) {
      throw .diskFull
    } else if surplus > 0 {
      // Too few free pages for a large step: a small one takes only the reserve, and frees some for the next.
      try transaction.evict(min(surplus, Self.evictionsForOne))
    }
    for index in range {
      if index + 1 < range.upperBound { batch.items[index + 1].prefetch() }
      if index + Self.pagesAhead < range.upperBound { batch.items[index + Self.pagesAhead].place.prefetch() }
      switch batch.items[index].content {
      case .packet(let packet):
        try transaction.put(
          packet, for: batch.items[index].key, stamp: batch.items[index].stamp, isNew: batch.items[index].isNew,
          capacity: capacity, slack: slack)
      case .nothing: try transaction.remove(batch.items[index].key)
      }
    }
    let (count, evictions) = (transaction.count, transaction.evictions)
    try transaction.commit()
    outcome.count = count
    outcome.evictions += evictions
    outcome.damagedPackets += damagedPackets
    progress.isUpkeepDue = false
    progress.evictionsDue = 0
    progress.start = range.upperBound
  }

  /// Pages for so many changes, and the reserve.
  private func needed(_ changes: Int, _ transaction: borrowing WriteTransaction) -> Int {
    // A small tree cannot be touched in more places than it has.
    min(Self.pagesOfOne * changes, transaction.treePages + 3 * changes) + Self.reserve
  }

  /// Lets the file grow; false if that is not possible.
  private func grow() -> Bool {
    guard let size = environment.allocateMore() else { return false }
    let environment = environment
    return (try? exclusively { () throws(StoreError) in try environment.remap(to: size) }) != nil
  }

  /// Drops old packets until the reserve is there; false if that does not help.
  private func makeRoom(_ progress: inout Progress, _ outcome: inout Outcome) -> Bool {
    // Where dropping some in one transaction with the item was not enough, the reserve is not either.
    let target = Self.reserve + (progress.evictionsDue > 0 ? Self.reserve : 0)
    while true {
      // Pages that somebody still reads cannot be used, however long they have been free.
      try? exclusively {}
      let free = environment.freePages(atMost: target)
      if free >= target { return true }
      guard progress.evictionsLeft > 0 else { return false }
      do throws(StoreError) {
        // Little by little, since what is left must last until freed pages can be used.
        var transaction = try WriteTransaction.begin(environment)
        try transaction.evict(Self.evictionsForOne)
        let (count, evictions) = (transaction.count, transaction.evictions)
        try transaction.commit()
        guard evictions > 0 else { return false }
        progress.evictionsLeft -= evictions
        outcome.count = count
        outcome.evictions += evictions
      } catch {
        return false
      }
    }
  }
}
