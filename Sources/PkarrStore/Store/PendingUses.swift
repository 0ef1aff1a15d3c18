/// Reads whose packets are to be moved within the index, the last one of each key.
struct PendingUses {
  struct Use {
    let key: CacheKey
    let stamp: UInt64
  }

  private var stamps = KeyTable()
  /// In the order of their stamps, so that the index grows at its end when they are written. Those before `head` are
  /// gone, others may have been overtaken by a later use of their key.
  private var order: [Use] = []
  private var head = 0

  /// Packets.
  var count: Int { stamps.count }

  /// Uses that are remembered before the writer must write them; twice as many are remembered at all.
  static let limit = 2048

  /// Notes that a packet was used at `now`, the stamp that follows the last one, unless a use is noted already that is no
  /// more than `slack` older.
  ///
  /// - Returns: whether it was noted, and so `now` given away.
  mutating func note(_ key: CacheKey, now: UInt64, slack: UInt64) -> Bool {
    // The writer is behind; the packet will be read again if it matters. (Nor is the table looked at then, which is large.)
    if stamps.count >= 2 * Self.limit { return false }
    if let noted = stamps[key], now &- 1 &- noted <= slack { return false }
    stamps[key] = now
    if order.count >= 4 * Self.limit { dropOvertaken() }
    order.append(Use(key: key, stamp: now))
    return true
  }

  /// Leaves at most half of what `order` may hold.
  private mutating func dropOvertaken() {
    order = order[head...].filter { stamps[$0.key] == $0.stamp }
    head = 0
  }

  /// Takes the oldest.
  mutating func take(atMost limit: Int) -> [Use] {
    var taken: [Use] = []
    taken.reserveCapacity(min(limit, stamps.count))
    while head < order.count, taken.count < limit {
      let use = order[head]
      head += 1
      if stamps.remove(use.key, ifNumber: use.stamp) { taken.append(use) }
    }
    if head == order.count {
      order.removeAll(keepingCapacity: true)
      head = 0
    }
    return taken
  }
}
