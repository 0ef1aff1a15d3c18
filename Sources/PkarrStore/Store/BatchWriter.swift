import Pkarr

/// Puts batches into the file, and finds room for them: by a larger file, or by dropping old packets.
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

  private let environment: Environment
  private let capacity: Int
  /// Stops all reads for the time of a call, which maps the file anew.
  private let exclusively: (() throws(StoreError) -> Void) throws(StoreError) -> Void

  /// Pages that should be there besides what a batch needs, since dropping a packet needs some pages too.
  private static let reserve = 64
  /// Items of a batch once the file cannot grow and its last pages are in use.
  private static let smallBatch = 16
  /// How often old packets are dropped for one batch, twice as many each time.
  private static let roundLimit = 9

  init(
    _ environment: Environment, capacity: Int,
    exclusively: @escaping (() throws(StoreError) -> Void) throws(StoreError) -> Void
  ) {
    self.environment = environment
    self.capacity = capacity
    self.exclusively = exclusively
  }

  /// Writes a batch, as much of it as there is room for.
  func write(_ batch: WriteBatch, count: Int) -> Outcome {
    var outcome = Outcome(count: count)
    var start = 0
    var length = batch.items.count
    var round = 0
    var isUpkeepDue = true
    repeat {
      if environment.untouchedPages < Self.reserve, !grow() { length = min(length, Self.smallBatch) }
      let range = start..<min(start + max(1, length), batch.items.count)
      do throws(StoreError) {
        try attempt(batch, range, withUpkeep: isUpkeepDue, &outcome)
        isUpkeepDue = false
        start = range.upperBound
      } catch .diskFull {
        if grow() { continue }
        length = Self.smallBatch
        if round < Self.roundLimit, makeRoom(32 << round, &outcome) {
          round += 1
          continue
        }
        // The uses of packets are only the order in which they are dropped.
        if isUpkeepDue, range.isEmpty { break }
        if isUpkeepDue {
          isUpkeepDue = false
          continue
        }
        for index in start..<batch.items.count { outcome.failures[index] = .diskFull }
        break
      } catch {
        for index in range { outcome.failures[index] = error }
        isUpkeepDue = false
        start = range.upperBound
      }
    } while start < batch.items.count
    return outcome
  }

  private func attempt(
    _ batch: WriteBatch, _ range: Range<Int>, withUpkeep: Bool, _ outcome: inout Outcome
  ) throws(StoreError) {
    var transaction = try WriteTransaction.begin(environment)
    var damagedPackets = 0
    if withUpkeep {
      for key in batch.damaged where try transaction.removeIfDamaged(key) { damagedPackets += 1 }
      for (key, stamp) in batch.uses { try transaction.use(key, stamp: stamp) }
      // A capacity that was lowered is reached in steps.
      let surplus = transaction.count - capacity
      if surplus > 0 { try transaction.evict(min(surplus, WriteBatch.limit)) }
    }
    for item in batch.items[range] {
      switch item.content {
      case .packet(let packet):
        try transaction.put(packet, for: item.key, stamp: item.stamp, capacity: capacity)
      case .nothing: try transaction.remove(item.key)
      }
    }
    let (count, evictions) = (transaction.count, transaction.evictions)
    try transaction.commit()
    outcome.count = count
    outcome.evictions += evictions
    outcome.damagedPackets += damagedPackets
  }

  /// Lets the file grow; false if that is not possible.
  private func grow() -> Bool {
    guard let size = environment.allocateMore() else { return false }
    let environment = environment
    return (try? exclusively { () throws(StoreError) in try environment.remap(to: size) }) != nil
  }

  /// Drops old packets; false if there are none, or there is no room even for that.
  private func makeRoom(_ number: Int, _ outcome: inout Outcome) -> Bool {
    var left = min(number, outcome.count)
    var step = Self.smallBatch
    var transactions = 0
    // What a transaction frees can be used by the one after the next.
    while left > 0 || transactions == 1 {
      do throws(StoreError) {
        var transaction = try WriteTransaction.begin(environment)
        try transaction.evict(max(1, min(step, left)))
        let (count, evictions) = (transaction.count, transaction.evictions)
        try transaction.commit()
        guard evictions > 0 else { return transactions > 0 }
        left -= evictions
        transactions += 1
        outcome.count = count
        outcome.evictions += evictions
      } catch {
        guard step > 1 else { return transactions > 0 }
        step /= 4
      }
    }
    return transactions > 0
  }
}
