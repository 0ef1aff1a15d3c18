import MainlineProtocol
import Pkarr

/// Signed packets by key, and what is known of keys without one: two tables, so that junk keys never push out packets.
struct PacketCache {
  /// A packet and what is known about it.
  struct Entry {
    var packet: SignedPacket
    var source: PacketSource
    /// When the network last gave it.
    var confirmedAt: Instant
    /// Seconds that it is trusted from then on.
    var freshFor: UInt32
    /// While it is stale, nobody is asked before this.
    var retryAt = Instant.distantPast

    var freshUntil: Instant { confirmedAt.advanced(by: .seconds(Int64(freshFor))) }
  }

  /// A key without a packet.
  struct Absence {
    /// Why: a complete search found none (nil), or it failed.
    var failure: KeyLookupFailure?
    var nodesAsked = 0
    var relaysAsked = 0
    var until = Instant.distantPast
    /// When a complete search last found none; nil if none ever did.
    var confirmedAt: Instant?
    /// How often in a row.
    var count: UInt8 = 0
  }

  /// Seconds for which a confirmed absence may stand in for a search that fails.
  static let absenceStaleness: UInt64 = 3600

  private var packets = RecencyMap<PublicKey, Entry>(capacity: .max)
  private var absences: RecencyMap<PublicKey, Absence>
  private(set) var bytes = 0

  /// Empty tables; so many absent keys are remembered.
  init(absentKeys: Int) { absences = RecencyMap(capacity: absentKeys) }

  var count: Int { packets.count }
  var absentCount: Int { absences.count }

  /// What a packet costs: its bytes and its places in the tables.
  private static func cost(_ entry: Entry) -> Int { entry.packet.bytes.count + 2 * MemoryLayout<Entry>.stride + 128 }

  /// The packet of a key, which becomes the most recently used.
  mutating func use(_ key: PublicKey) -> Entry? { packets.touchIfPresent(key) { $0 } }
  /// The packet of a key.
  func peek(_ key: PublicKey) -> Entry? { packets.peek(key) }
  /// What is known of a key without a packet.
  func absence(of key: PublicKey) -> Absence? { absences.peek(key) }

  /// Takes a packet that the network gave. An older one than is known only confirms that.
  mutating func store(_ entry: Entry, maximumBytes: Int) {
    let key = entry.packet.publicKey
    absences.remove(key)
    var new = entry
    if let old = packets.peek(key) {
      if !entry.packet.isMoreRecent(than: old.packet) {
        new.packet = old.packet
        new.freshFor = old.freshFor
        if !entry.packet.isSame(as: old.packet) { new.source = old.source }
      }
      bytes -= Self.cost(old)
    }
    bytes += Self.cost(new)
    packets.set(key, to: new)
    while bytes > maximumBytes, let oldest = packets.oldest { remove(oldest.key) }
  }

  /// Asks for nothing before an instant.
  mutating func delayRetry(of key: PublicKey, until instant: Instant) {
    _ = packets.touchIfPresent(key) { $0.retryAt = instant }
  }

  /// Remembers that a search found nothing or failed; each time in a row for twice as long.
  mutating func storeAbsence(
    of key: PublicKey, failure: KeyLookupFailure?, nodes: Int = 0, relays: Int = 0, first: UInt32, maximum: UInt32,
    now: Instant
  ) {
    absences.touch(key, initial: Absence()) { absence in
      let isSameKind = (absence.failure == nil) == (failure == nil)
      absence.count = isSameKind ? min(absence.count + 1, 20) : 1
      absence.failure = failure
      if failure == nil { absence.confirmedAt = now }
      absence.nodesAsked = nodes
      absence.relaysAsked = relays
      let seconds = min(UInt64(first) << UInt64(absence.count - 1), UInt64(maximum))
      absence.until = now.advanced(by: .seconds(Int64(max(1, seconds))))
    }
  }

  /// Forgets a packet.
  mutating func remove(_ key: PublicKey) {
    if let entry = packets.peek(key) { bytes -= Self.cost(entry) }
    packets.remove(key)
  }

  /// Forgets that a key has no packet. True if something was known.
  mutating func removeAbsence(_ key: PublicKey) -> Bool {
    defer { absences.remove(key) }
    return absences.peek(key) != nil
  }

  /// Visits all packets, the most recently used last.
  func forEach(_ body: (Entry) -> Bool) { packets.forEach { _, entry in body(entry) } }
}
