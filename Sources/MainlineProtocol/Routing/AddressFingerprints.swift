import Addresses

/// Four bytes for the address of each node of a routing table, all in one place: whether a newcomer may share an address
/// with anybody is answered without a look at the nodes, which lie far apart.
///
/// Two addresses can have one fingerprint, so "maybe" is no more than that; "no" is certain.
struct AddressFingerprints: Sendable {
  private var all: [UInt32] = []

  /// Whether some node may be at this address.
  @inline(__always)
  func mayContain(_ block: AddressBlock) -> Bool { all.contains(block.fingerprint) }

  mutating func insert(_ block: AddressBlock) {
    // Not by doubling: a table soon has its final size.
    if all.count == all.capacity { all.reserveCapacity(all.count + 16) }
    all.append(block.fingerprint)
  }

  mutating func remove(_ block: AddressBlock) {
    guard let place = all.firstIndex(of: block.fingerprint) else { return }
    all.swapAt(place, all.count - 1)
    all.removeLast()
  }
}
