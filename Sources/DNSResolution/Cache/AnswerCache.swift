import MainlineProtocol

/// Ready answers: messages as on the wire with the places of their TTLs, found by their question.
///
/// Memory is bounded in bytes. When it is full, a new answer takes the place of the one under the hand of a clock, but only
/// if it was asked for more often than that one was used: a flood of junk names replaces junk.
final class AnswerCache {
  /// What is known of an answer besides its bytes. Times are nanoseconds of the monotonic clock.
  struct Entry {
    var hash: UInt64 = 0
    var storedAt: Int64 = 0
    /// From then on it is stale.
    var expiresAt: Int64 = 0
    /// From then on it is of no use.
    var uselessAt: Int64 = 0
    /// A hit after this asks for a refresh.
    var refreshAt: Int64 = .max
    /// While it is stale, nobody is asked before this.
    var retryAt: Int64 = .min
    var firstBlock: Int32 = -1
    /// The next entry with the same place in the table, or the next free one.
    var next: Int32 = -1
    var shape = AnswerShape()
    var variant = AnswerVariant()
    var kind = Kind.answer
    /// Hits since it was stored or last passed by the hand.
    var hits: UInt8 = 0
    /// Failures in a row.
    var failures: UInt8 = 0

    var isUsed: Bool { firstBlock >= 0 }
  }

  /// What an entry is.
  enum Kind: UInt8 {
    /// An answer for clients.
    case answer
    /// An answer that a resolution must go on from: its last alias leads to a key.
    case intermediate
    /// The memory of a failure.
    case failure
  }

  /// Most bytes, what an entry costs included.
  var maximumBytes: Int
  private let arena = BlockArena()
  private var entries: [Entry] = []
  private var heads: [Int32]
  private var firstFree: Int32 = -1
  private var hand = 0
  private(set) var count = 0
  private var sketch: FrequencySketch

  /// An empty cache.
  init(maximumBytes: Int) {
    self.maximumBytes = maximumBytes
    heads = Array(repeating: -1, count: 256)
    sketch = FrequencySketch(capacity: max(1024, maximumBytes / 512))
  }

  private static let entryBytes = MemoryLayout<Entry>.stride + 2 * MemoryLayout<Int32>.stride

  /// Bytes in use.
  var bytes: Int { arena.used * (BlockArena.blockSize + 4) + count * Self.entryBytes }

  /// The place of the answer to a question in lower case; nil if there is none.
  @inline(__always)
  func find(_ hash: UInt64, _ question: UnsafeRawBufferPointer, _ variant: AnswerVariant) -> Int? {
    var slot = heads[Int(truncatingIfNeeded: hash) & (heads.count &- 1)]
    while slot >= 0 {
      let index = Int(slot)
      if entries[index].hash == hash, entries[index].variant == variant,
        Int(entries[index].shape.questionLength) == question.count,
        arena.holds(question, in: entries[index].firstBlock, at: 12)
      {
        return index
      }
      slot = entries[index].next
    }
    return nil
  }

  /// What is known of the answer at a place.
  subscript(index: Int) -> Entry {
    @inline(__always) get { entries[index] }
    @inline(__always) set { entries[index] = newValue }
  }

  /// Lends an entry for change.
  @inline(__always)
  func update<Result>(_ index: Int, _ body: (inout Entry) -> Result) -> Result { body(&entries[index]) }

  /// Copies an answer's bytes to `target`, which has room for ``AnswerShape/contentLength``.
  @inline(__always)
  func copy(_ index: Int, to target: UnsafeMutableRawPointer) {
    arena.copy(entries[index].firstBlock, count: entries[index].shape.contentLength, to: target)
  }

  /// The bytes of an answer.
  func content(_ index: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: entries[index].shape.contentLength) { buffer, count in
      if let base = buffer.baseAddress { copy(index, to: base) }
      count = entries[index].shape.contentLength
    }
  }

  /// Counts a request that found nothing.
  func countMiss(_ hash: UInt64) { sketch.add(hash) }

  /// Puts an answer in the place of an older one to the same question; `entry` holds everything but the links. Returns
  /// false if it is not worth its place.
  @discardableResult
  func insert(_ entry: Entry, content: [UInt8]) -> Bool {
    content.withUnsafeBytes { content in
      guard content.count == entry.shape.contentLength, content.count >= 12 + Int(entry.shape.questionLength) else {
        return false
      }
      let question = UnsafeRawBufferPointer(rebasing: content[12..<(12 + Int(entry.shape.questionLength))])
      if let old = find(entry.hash, question, entry.variant) { remove(old) }
      guard makeRoom(for: entry, byteCount: content.count) else { return false }
      let slot = takeSlot()
      var placed = entry
      placed.firstBlock = arena.store(content)
      let head = Int(truncatingIfNeeded: entry.hash) & (heads.count - 1)
      placed.next = heads[head]
      heads[head] = Int32(slot)
      entries[slot] = placed
      count += 1
      if count > heads.count { growTable() }
      return true
    }
  }

  /// Forgets the answer at a place.
  func remove(_ index: Int) {
    let head = Int(truncatingIfNeeded: entries[index].hash) & (heads.count - 1)
    if heads[head] == Int32(index) {
      heads[head] = entries[index].next
    } else {
      var slot = Int(heads[head])
      while entries[slot].next != Int32(index) { slot = Int(entries[slot].next) }
      entries[slot].next = entries[index].next
    }
    arena.free(entries[index].firstBlock)
    entries[index] = Entry()
    entries[index].next = firstFree
    firstFree = Int32(index)
    count -= 1
  }

  /// Forgets all answers whose question (name, type and class in lower case) fits. Returns how many.
  func removeAll(where isWanted: (UnsafeRawBufferPointer) -> Bool) -> Int {
    var removed = 0
    for index in entries.indices where entries[index].isUsed {
      let bytes = content(index)
      let end = 12 + Int(entries[index].shape.questionLength)
      if bytes.withUnsafeBytes({ isWanted(UnsafeRawBufferPointer(rebasing: $0[12..<end])) }) {
        remove(index)
        removed += 1
      }
    }
    return removed
  }

  private func takeSlot() -> Int {
    if firstFree >= 0 {
      let slot = Int(firstFree)
      firstFree = entries[slot].next
      return slot
    }
    entries.append(Entry())
    return entries.count - 1
  }

  private func growTable() {
    heads = Array(repeating: -1, count: heads.count * 4)
    for index in entries.indices where entries[index].isUsed {
      let head = Int(truncatingIfNeeded: entries[index].hash) & (heads.count - 1)
      entries[index].next = heads[head]
      heads[head] = Int32(index)
    }
  }

  /// Evicts until an answer of so many bytes fits. False if those in its way are worth more.
  private func makeRoom(for entry: Entry, byteCount: Int) -> Bool {
    let needed = BlockArena.blocks(for: byteCount) * (BlockArena.blockSize + 4) + Self.entryBytes
    guard needed <= maximumBytes else { return false }
    let worth = max(1, sketch.estimate(entry.hash))
    // Each step either frees something or lets one answer grow older; a bounded number of steps is enough for one.
    var steps = 0
    while bytes + needed > maximumBytes {
      guard count > 0, steps < 256 else { return false }
      steps += 1
      hand = hand + 1 < entries.count ? hand + 1 : 0
      guard entries[hand].isUsed else { continue }
      if entries[hand].uselessAt <= entry.storedAt || entries[hand].hits < worth {
        remove(hand)
      } else {
        entries[hand].hits /= 2
        if steps > 8 { return false }
      }
    }
    return true
  }
}
