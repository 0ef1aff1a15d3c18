import Addresses

/// Datagrams that the kernel would not take yet, oldest first.
struct BacklogQueue {
  struct Item {
    var bytes: [UInt8]
    var destination: Endpoint
    var isExpendable: Bool
  }

  /// More are never kept.
  static let capacity = 1000

  private var items: [Item] = []
  private var head = 0

  var count: Int { items.count - head }
  var isEmpty: Bool { count == 0 }

  subscript(index: Int) -> Item { items[head + index] }

  /// Adds a datagram. If that is one too many, the oldest expendable one goes, or the oldest of all.
  /// True if one had to go.
  mutating func append(_ item: Item) -> Bool {
    items.append(item)
    guard count > Self.capacity else { return false }
    items.remove(at: items[head...].firstIndex(where: \.isExpendable) ?? head)
    return true
  }

  mutating func removeFirst(_ number: Int) {
    head += number
    if head == items.count {
      items.removeAll()
      head = 0
    } else if head >= Self.capacity {
      items.removeFirst(head)
      head = 0
    }
  }
}
