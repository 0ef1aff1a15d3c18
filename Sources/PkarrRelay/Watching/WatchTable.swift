import Addresses
import Pkarr

/// Who follows which key, and the newest packet that they were told of. All who follow one key share its lookups.
struct WatchTable<Watcher: Sendable>: Sendable {
  /// Names somebody who follows a key.
  struct WatchID: Hashable, Sendable {
    fileprivate let value: UInt64
    fileprivate let key: PublicKey
  }

  private struct Watch: Sendable {
    let watcher: Watcher
    let client: IPAddress?
  }

  private struct Followed: Sendable {
    var watches: [UInt64: Watch] = [:]
    var newest: SignedPacket?
  }

  /// How many may follow something.
  let capacity: Int
  /// How many of them may have one address.
  let capacityPerClient: Int
  private var keys: [PublicKey: Followed] = [:]
  private var clients: [IPAddress: Int] = [:]
  private var nextNumber: UInt64 = 0
  /// How many follow something.
  private(set) var count = 0

  /// Nobody follows anything.
  init(capacity: Int, capacityPerClient: Int) {
    self.capacity = capacity
    self.capacityPerClient = capacityPerClient
  }

  /// True if there is a place for one more.
  func hasRoom(for client: IPAddress?) -> Bool {
    count < capacity && client.map { clients[$0, default: 0] < capacityPerClient } ?? true
  }

  /// Somebody follows a key; nil if there is no place for him. `isFirst` if nobody else did.
  mutating func add(_ watcher: Watcher, key: PublicKey, client: IPAddress?) -> (id: WatchID, isFirst: Bool)? {
    guard hasRoom(for: client) else { return nil }
    let id = WatchID(value: nextNumber, key: key)
    nextNumber += 1
    let isFirst = keys[key] == nil
    keys[key, default: Followed()].watches[id.value] = Watch(watcher: watcher, client: client)
    if let client { clients[client, default: 0] += 1 }
    count += 1
    return (id, isFirst)
  }

  /// Somebody follows no longer; the key if nobody follows it any more.
  mutating func remove(_ id: WatchID) -> PublicKey? {
    guard let watch = keys[id.key]?.watches.removeValue(forKey: id.value) else { return nil }
    count -= 1
    if let client = watch.client, let number = clients[client] { clients[client] = number > 1 ? number - 1 : nil }
    guard keys[id.key]?.watches.isEmpty == true else { return nil }
    keys[id.key] = nil
    return id.key
  }

  /// There is a packet. Who is to be told, if it is newer than what they know.
  mutating func news(_ packet: SignedPacket) -> [Watcher] {
    let key = packet.publicKey
    guard let followed = keys[key], followed.newest.map({ packet.isMoreRecent(than: $0) }) ?? true else { return [] }
    keys[key]?.newest = packet
    return followed.watches.values.map(\.watcher)
  }

  /// The newest packet of a key that is followed.
  func newest(_ key: PublicKey) -> SignedPacket? { keys[key]?.newest }

  /// All who follow something.
  var watchers: [Watcher] { keys.values.flatMap { $0.watches.values.map(\.watcher) } }
}
