import Pkarr

/// Packets in the order of their last use: a dictionary whose entries are also links of a chain, so that each operation
/// takes constant time.
struct RecencyList {
  private struct Link {
    var key: CacheKey
    var packet: SignedPacket
    var newer: Int
    var older: Int
  }

  private static let none = -1
  private var places: [CacheKey: Int] = [:]
  private var links: [Link] = []
  private var newest = none
  private var oldest = none
  /// Bytes of all packets.
  private(set) var bytes = 0

  var count: Int { links.count }

  /// Bytes of a packet with what the list needs for it.
  private static func bytes(of packet: SignedPacket) -> Int {
    packet.bytes.count + MemoryLayout<Link>.stride + MemoryLayout<CacheKey>.stride + 48
  }

  func peek(_ key: CacheKey) -> SignedPacket? { places[key].map { links[$0].packet } }

  /// The packet, which becomes the newest.
  mutating func use(_ key: CacheKey) -> SignedPacket? {
    guard let place = places[key] else { return nil }
    bringForward(place)
    return links[place].packet
  }

  /// Puts or replaces a packet, which becomes the newest.
  mutating func set(_ packet: SignedPacket, for key: CacheKey) {
    bytes += Self.bytes(of: packet)
    if let place = places[key] {
      bytes -= Self.bytes(of: links[place].packet)
      links[place].packet = packet
      bringForward(place)
      return
    }
    let place = links.count
    links.append(Link(key: key, packet: packet, newer: Self.none, older: Self.none))
    places[key] = place
    linkAsNewest(place)
  }

  mutating func remove(_ key: CacheKey) {
    guard let place = places.removeValue(forKey: key) else { return }
    bytes -= Self.bytes(of: links[place].packet)
    unlink(place)
    // The last link moves into the gap, so that the array stays dense.
    let last = links.count - 1
    if place != last {
      links[place] = links[last]
      places[links[place].key] = place
      if links[place].newer == Self.none { newest = place } else { links[links[place].newer].older = place }
      if links[place].older == Self.none { oldest = place } else { links[links[place].older].newer = place }
    }
    links.removeLast()
  }

  /// Removes what was not used for longest.
  mutating func removeOldest() { if oldest != Self.none { remove(links[oldest].key) } }

  private mutating func bringForward(_ place: Int) {
    guard place != newest else { return }
    unlink(place)
    linkAsNewest(place)
  }

  private mutating func unlink(_ place: Int) {
    let (newer, older) = (links[place].newer, links[place].older)
    if newer == Self.none { newest = older } else { links[newer].older = older }
    if older == Self.none { oldest = newer } else { links[older].newer = newer }
  }

  private mutating func linkAsNewest(_ place: Int) {
    links[place].newer = Self.none
    links[place].older = newest
    if newest == Self.none { oldest = place } else { links[newest].newer = place }
    newest = place
  }
}
