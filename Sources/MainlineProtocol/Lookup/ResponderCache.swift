/// Who answered lookups lately and with which token: a put soon after a get can go straight to those nodes.
///
/// Only nodes with a token are kept, so the result of a `find_node` can never serve a put. Bounded: the lookup that
/// ended longest ago goes first, and everything older than five minutes.
struct ResponderCache: Sendable {
  /// Which token it is: `get` and `get_peers` each have their own.
  enum Kind: Hashable, Sendable {
    case items
    case peers
  }

  /// A node that would store something for the target.
  struct Responder: Hashable, Sendable {
    var contact: NodeContact
    var token: [UInt8]
    /// When the token came.
    var received: Instant
  }

  private struct Key: Hashable, Sendable {
    let kind: Kind
    let target: NodeID
  }

  private struct Lookup: Sendable {
    var responders: [Responder] = []
    var stored = Instant.distantPast
  }

  /// How many lookups are remembered.
  static let capacity = 1000
  /// How many responders of one lookup are remembered: as many as a put can use.
  static let respondersPerLookup = StorageCut.maximum + 8
  /// How long a token is used.
  static let lifetime: Duration = .seconds(300)
  /// With fewer usable tokens than this a put needs a lookup.
  static let minimumForPut = 8

  private var lookups = RecencyMap<Key, Lookup>(capacity: Self.capacity)

  /// Empty.
  init() {}

  /// Number of lookups remembered.
  var count: Int { lookups.count }

  /// Remembers the responders of a finished lookup, best first.
  mutating func store(_ responders: some Sequence<Responder>, for target: NodeID, kind: Kind, at now: Instant) {
    expire(at: now)
    let kept = Array(responders.lazy.filter { !$0.token.isEmpty }.prefix(Self.respondersPerLookup))
    guard !kept.isEmpty else { return }
    lookups.set(Key(kind: kind, target: target), to: Lookup(responders: kept, stored: now))
  }

  /// The responders whose tokens can still be used, best first.
  func responders(for target: NodeID, kind: Kind, at now: Instant) -> [Responder] {
    guard let lookup = lookups.peek(Key(kind: kind, target: target)) else { return [] }
    return lookup.responders.filter { $0.received.duration(to: now) < Self.lifetime }
  }

  /// The responders for a put without a lookup; nil if there are not enough usable tokens.
  func respondersForPut(_ target: NodeID, kind: Kind, at now: Instant) -> [Responder]? {
    let usable = responders(for: target, kind: kind, at: now)
    return usable.count >= Self.minimumForPut ? usable : nil
  }

  /// Forgets what was remembered for a target, for example because its tokens were refused.
  mutating func remove(_ target: NodeID, kind: Kind) { lookups.remove(Key(kind: kind, target: target)) }

  /// Forgets what is too old to be used.
  mutating func expire(at now: Instant) {
    while let oldest = lookups.oldest, oldest.value.stored.duration(to: now) >= Self.lifetime {
      lookups.remove(oldest.key)
    }
  }
}
