import Addresses

/// Decides at how many nodes an item is stored: so many that attackers who crowd around a target lengthen the list
/// instead of displacing the honest nodes ("vertical Sybil" defence).
///
/// The list goes on until it has left the distance within which 20 nodes are expected *and* its nodes are in as many
/// large address blocks as usual. At least 20, at most 64 (pubky/mainline up to 7.0.0 has no upper bound, and stops
/// working above 255).
enum StorageCut {
  static let minimum = 20
  static let maximum = 64

  /// How many of `responders` (those with secure ids first, then by distance) to store at.
  static func count(
    of responders: some Sequence<NodeContact>, target: NodeID, sizeEstimate: Double, averageSubnets: Double,
    maximum: Int = Self.maximum
  ) -> Int {
    // Where the 20th node is expected.
    let expected = 20 * 0x1p128 / (max(0, sizeEstimate) + 1)
    var blocks: Set<AddressBlock> = []
    var available = 0
    var count: Int?
    for responder in responders.prefix(maximum) {
      if count == nil {
        blocks.insert(.continent(responder.endpoint.address))
        let distance = (responder.id ^ target).magnitude
        if distance >= expected, Double(blocks.count) >= averageSubnets { count = available }
      }
      available += 1
      if let count, available >= max(count, minimum) { break }
    }
    return min(available, max(count ?? available, minimum))
  }
}
