/// Deadlines of things that have numbers, the earliest first. What has been dealt with in the meantime is passed over by
/// who takes it out: nothing is ever removed from the middle.
struct DeadlineQueue: Sendable {
  private struct Entry: Sendable {
    var deadline: UInt64
    var number: UInt64
  }

  private var heap: [Entry] = []

  var count: Int { heap.count }
  /// The earliest deadline.
  var first: UInt64? { heap.first?.deadline }

  mutating func insert(_ number: UInt64, at deadline: UInt64) {
    heap.append(Entry(deadline: deadline, number: number))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if heap[parent].deadline <= heap[child].deadline { break }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  /// Takes out one whose deadline has passed.
  mutating func popDue(at now: UInt64) -> UInt64? {
    guard let first = heap.first, first.deadline <= now else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      siftDown()
    }
    return first.number
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].deadline < heap[least].deadline { least = child }
      if least == parent { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
