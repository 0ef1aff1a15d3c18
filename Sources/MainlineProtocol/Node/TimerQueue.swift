/// What is to be done when: a binary heap by instant. Entries are not taken back; who is called too late finds nothing
/// to do.
package struct TimerQueue<Action: Sendable>: Sendable {
  @usableFromInline
  struct Entry: Sendable {
    @usableFromInline let instant: Instant
    /// Keeps entries of one instant in the order in which they came: the same run each time.
    let order: UInt64
    let action: Action

    func precedes(_ other: Entry) -> Bool {
      instant != other.instant ? instant < other.instant : order < other.order
    }
  }

  @usableFromInline private(set) var heap: [Entry] = []
  private var nextOrder: UInt64 = 0

  /// Nothing to do.
  package init() {}

  /// When the earliest entry is due.
  @inlinable package var next: Instant? { heap.isEmpty ? nil : heap[0].instant }

  /// The earliest entry's action.
  var first: Action? { heap.first?.action }

  /// Adds an entry.
  package mutating func schedule(_ action: Action, at instant: Instant) {
    heap.append(Entry(instant: instant, order: nextOrder, action: action))
    nextOrder += 1
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].precedes(heap[parent]) else { break }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes the earliest entry if it is due.
  package mutating func popDue(at now: Instant) -> Action? {
    guard let first = heap.first, first.instant <= now else { return nil }
    removeFirst()
    return first.action
  }

  /// Gives back memory that is hardly used any more; the next entries have room without asking for it again.
  private mutating func shrink() {
    guard heap.capacity > 16, heap.count * 4 < heap.capacity else { return }
    var smaller: [Entry] = []
    smaller.reserveCapacity(heap.count * 2)
    smaller.append(contentsOf: heap)
    heap = smaller
  }

  /// Takes the earliest entry.
  mutating func removeFirst() {
    heap.swapAt(0, heap.count - 1)
    heap.removeLast()
    shrink()
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].precedes(heap[smallest]) { smallest = child }
      }
      if smallest == parent { return }
      heap.swapAt(smallest, parent)
      parent = smallest
    }
  }
}
