/// One-shot timers ordered by deadline, equal deadlines in the order they were added. Any of them can be taken out
/// again in O(log n).
struct TimerHeap<Action> {
  private struct Entry {
    var deadline: UInt64
    var sequence: UInt64
    var slot: UInt32
  }

  private struct Slot {
    var generation: UInt32 = 0
    var position: Int = -1  // in `heap`; -1 if vacant
    var action: Action?
  }

  private var heap: [Entry] = []
  private var slots: [Slot] = []
  private var vacant: [UInt32] = []
  /// The time of the last look. A timer that is added for a time before it queues up behind those that are due already:
  /// one that sets itself again for the past must not come first for ever.
  private var floor: UInt64 = 0
  /// The number that the next timer gets.
  private(set) var nextSequence: UInt64 = 0

  var count: Int { heap.count }
  var nextDeadline: UInt64? { heap.first?.deadline }

  mutating func insert(deadline: UInt64, _ action: Action) -> TimerHandle {
    let slot: UInt32
    if let reused = vacant.popLast() {
      slot = reused
    } else {
      slot = UInt32(slots.count)
      slots.append(Slot())
    }
    slots[Int(slot)].action = action
    heap.append(Entry(deadline: max(deadline, floor), sequence: nextSequence, slot: slot))
    nextSequence += 1
    siftUp(heap.count - 1)
    return TimerHandle(slot: slot, generation: slots[Int(slot)].generation)
  }

  /// Takes a timer out; nil if it has fired or was taken out before.
  mutating func remove(_ handle: TimerHandle) -> Action? {
    guard Int(handle.slot) < slots.count else { return nil }
    let slot = slots[Int(handle.slot)]
    guard slot.generation == handle.generation, slot.position >= 0 else { return nil }
    return remove(at: slot.position)
  }

  /// Takes out the earliest timer if it is due at `now` and was added before the timer numbered `limit`.
  mutating func popDue(at now: UInt64, addedBefore limit: UInt64) -> Action? {
    floor = max(floor, now)
    guard let first = heap.first, first.deadline <= now, first.sequence < limit else { return nil }
    return remove(at: 0)
  }

  /// Takes out the earliest timer whatever its deadline.
  mutating func popFirst() -> Action? { heap.isEmpty ? nil : remove(at: 0) }

  private mutating func remove(at position: Int) -> Action? {
    let slot = Int(heap[position].slot)
    let last = heap.count - 1
    if position != last { swap(position, last) }
    heap.removeLast()
    if position < heap.count {
      siftDown(position)
      siftUp(position)
    }
    let action = slots[slot].action
    slots[slot].action = nil
    slots[slot].position = -1
    slots[slot].generation &+= 1
    vacant.append(UInt32(slot))
    return action
  }

  private func precedes(_ a: Int, _ b: Int) -> Bool {
    (heap[a].deadline, heap[a].sequence) < (heap[b].deadline, heap[b].sequence)
  }

  private mutating func swap(_ a: Int, _ b: Int) {
    heap.swapAt(a, b)
    slots[Int(heap[a].slot)].position = a
    slots[Int(heap[b].slot)].position = b
  }

  private mutating func siftUp(_ start: Int) {
    var child = start
    slots[Int(heap[child].slot)].position = child
    while child > 0 {
      let parent = (child - 1) / 2
      guard precedes(child, parent) else { return }
      swap(child, parent)
      child = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var parent = start
    while true {
      var first = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(child, first) {
        first = child
      }
      if first == parent { break }
      swap(parent, first)
      parent = first
    }
    slots[Int(heap[parent].slot)].position = parent
  }
}

/// Names a timer of an `EventLoop`, to cancel it.
public struct TimerHandle: Hashable, Sendable {
  let slot: UInt32
  let generation: UInt32
}
