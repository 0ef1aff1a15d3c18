/// What happens when: a heap with four children a node, earliest first, ties in the order of insertion.
struct EventHeap {
  /// One thing that will happen.
  struct Event {
    enum Kind: UInt8 {
      /// `index` is a datagram that arrives.
      case arrival
      /// `index` is a node whose deadline is due.
      case deadline
      /// `index` is something that a caller wants done.
      case action
    }

    /// Nanoseconds of the simulated clock.
    let time: Int64
    let sequence: UInt64
    let kind: Kind
    let index: UInt32

    static func < (a: Event, b: Event) -> Bool { a.time != b.time ? a.time < b.time : a.sequence < b.sequence }
  }

  private var events: [Event] = []
  private var inserted: UInt64 = 0

  var count: Int { events.count }

  /// The time of the earliest event.
  var nextTime: Int64? { events.first?.time }

  mutating func insert(_ kind: Event.Kind, _ index: UInt32, at time: Int64) {
    inserted &+= 1
    let event = Event(time: time, sequence: inserted, kind: kind, index: index)
    events.append(event)
    var position = events.count &- 1
    while position > 0 {
      let parent = (position &- 1) / 4
      guard event < events[parent] else { break }
      events[position] = events[parent]
      position = parent
    }
    events[position] = event
  }

  mutating func removeFirst() -> Event? {
    guard let first = events.first, let last = events.popLast() else { return nil }
    let count = events.count
    if count == 0 { return first }
    var position = 0
    while true {
      let children = position &* 4 &+ 1
      guard children < count else { break }
      var smallest = children
      for child in children &+ 1..<max(children &+ 1, min(children &+ 4, count)) where events[child] < events[smallest]
      {
        smallest = child
      }
      guard events[smallest] < last else { break }
      events[position] = events[smallest]
      position = smallest
    }
    events[position] = last
    return first
  }
}
