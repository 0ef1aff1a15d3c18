import Addresses
import HTTP
import Pkarr
import PkarrStore
import PlainText

/// What one client that follows a key is told. Thousands may follow keys for days, so nothing larger than a tag is kept.
///
/// Its functions are not inlined: what they work with would become part of the memory of the task that calls them.
///
/// Used by one task.
final class PacketFeed: @unchecked Sendable {
  private let key: PublicKey
  private let hub: WatchHub
  private let service: PacketService
  private let client: IPAddress?
  /// The last packet that the client knows: when it was signed, and its tag.
  private var told: (timestamp: Timestamp, tag: String)?
  /// The tag of the last event that the client has seen in an earlier connection.
  private let known: String?
  private var first: SignedPacket?
  /// Where to wait for news, once it has begun.
  private(set) var follower: WatchHub.Follower?

  /// `first`: the packet to begin with, if there is one.
  init(
    of key: PublicKey, for client: IPAddress?, _ first: SignedPacket?, hub: WatchHub, service: PacketService,
    known: String?
  ) {
    self.key = key
    self.first = first
    self.hub = hub
    self.service = service
    self.known = known
    self.client = client
  }

  /// Begins to follow the key: the events that come at once; nil if there is no place.
  @inline(never)
  func begin() -> String? {
    guard let follower = hub.follow(key, client: client) else { return nil }
    self.follower = follower
    var events = ""
    if let first {
      events += tell(first) ?? ""
      self.first = nil
    }
    // What came before the client was in the hub's books.
    if let cached = service.shelf.cache.peek(key.target), told != nil || !cached.isExpired(service.policy),
      let event = news(cached)
    {
      events += event
    }
    return events
  }

  /// Follows no longer.
  @inline(never)
  func end() { follower?.leave() }

  /// An event if there is a newer packet, else a sign of life.
  @inline(never)
  func next() -> String { hub.newest(key).flatMap { news($0) } ?? ServerSentEvents.heartbeat }

  /// The event of a packet, if it is newer than what the client knows.
  private func news(_ packet: SignedPacket) -> String? {
    if let told {
      if packet.timestamp < told.timestamp { return nil }
      // Of one time, the hub and the cache know only what is more recent by its bytes.
      if packet.timestamp == told.timestamp, tag(of: packet) == told.tag { return nil }
    }
    return tell(packet)
  }

  /// The event of a packet; nil if the client has seen it in an earlier connection.
  private func tell(_ packet: SignedPacket) -> String? {
    let tag = tag(of: packet)
    told = (packet.timestamp, tag)
    if tag == known { return nil }
    let data = JSON.object(packet.jsonFields(service.policy) + [RelayHandler.seen(packet)])
    return ServerSentEvents.event(data.description, name: "packet", id: tag)
  }

  private func tag(of packet: SignedPacket) -> String { RenderedPacket(packet, policy: service.policy).tag.text }
}
