import MainlineProtocol
import Pkarr

/// Keys ordered by when they are due: a binary heap. A key may be in it several times; who takes one out knows which is
/// true.
struct DueQueue: Sendable {
  /// A key, and when it is due.
  struct Place: Sendable {
    var due: Instant
    var key: PublicKey
  }

  private var heap: [Place] = []

  /// The earliest one.
  var first: Place? { heap.first }

  /// Places that are taken, those of keys that are no longer true included.
  var count: Int { heap.count }

  /// How many places are due by `now` and true. Looks only at those that are due, since nothing below one that is not can be.
  func count(dueBy now: Instant, where isTrue: (Place) -> Bool) -> Int {
    var count = 0
    var open = heap.isEmpty ? [] : [0]
    while let index = open.popLast() {
      guard heap[index].due <= now else { continue }
      if isTrue(heap[index]) { count += 1 }
      for child in [2 * index + 1, 2 * index + 2] where child < heap.count { open.append(child) }
    }
    return count
  }

  /// Drops all places that are not true.
  mutating func sweep(keeping isTrue: (Place) -> Bool) {
    let kept = heap.filter(isTrue)
    heap.removeAll(keepingCapacity: false)
    for place in kept { insert(place.key, due: place.due) }
  }

  /// Adds a key.
  mutating func insert(_ key: PublicKey, due: Instant) {
    heap.append(Place(due: due, key: key))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].due < heap[parent].due else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes out the earliest one.
  mutating func removeFirst() {
    guard let last = heap.popLast(), !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while true {
      var smallest = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].due < heap[smallest].due {
        smallest = child
      }
      guard smallest != parent else { return }
      heap.swapAt(parent, smallest)
      parent = smallest
    }
  }
}
