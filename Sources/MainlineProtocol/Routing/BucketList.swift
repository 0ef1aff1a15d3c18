/// The buckets of a routing table, from the one of the far half of the space down to the nearest that ever held a node:
/// about as many as the network's size has bits, not 160.
struct BucketList: Sendable {
  /// Bucket 160 first.
  private(set) var all: [RoutingTable.Bucket] = []

  /// Bucket `number`, 0 to 160.
  subscript(number: Int) -> RoutingTable.Bucket {
    @inline(__always)
    _read {
      let row = 160 &- number
      if row < all.count { yield all[row] } else { yield RoutingTable.Bucket() }
    }
    @inline(__always)
    _modify {
      let row = 160 &- number
      if row >= all.count { grow(to: row &+ 1) }
      yield &all[row]
    }
  }

  private mutating func grow(to count: Int) {
    // Not by doubling: once a few lookups have ended there are hardly ever more.
    if count > all.capacity { all.reserveCapacity(count + 1) }
    while all.count < count { all.append(RoutingTable.Bucket()) }
  }
}
