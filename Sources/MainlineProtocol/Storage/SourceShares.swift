import Addresses

/// Counts who brought what is stored here, so that one network cannot fill a store: an IPv4 /24 or IPv6 /64 may hold at
/// most a twentieth of it.
struct SourceShares: Sendable {
  /// How many entries one network may hold.
  let limit: Int
  private var counts: [AddressBlock: Int32] = [:]

  /// A twentieth of `capacity`, at least one; no limit at all if `isOn` is false.
  init(capacity: Int, isOn: Bool) { limit = isOn ? max(1, capacity / 20) : .max }

  /// Whether the network holds as much as it may.
  func isFull(_ network: AddressBlock) -> Bool { limit != .max && Int(counts[network, default: 0]) >= limit }

  /// Charges one entry to a network.
  mutating func add(_ network: AddressBlock) { counts[network, default: 0] += 1 }

  /// Takes one entry off a network's account.
  mutating func remove(_ network: AddressBlock) {
    guard let count = counts[network] else { return }
    counts[network] = count > 1 ? count - 1 : nil
  }
}
