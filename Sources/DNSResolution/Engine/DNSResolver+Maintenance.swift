import DNSWire
import MainlineProtocol
import Pkarr
import WireFormat

extension DNSResolver {
  /// Forgets all answers for a name, and with `subtree` for all names below it. Returns how many answers were forgotten.
  /// Packets of keys stay, see ``flush(_:)``.
  @discardableResult
  public func flush(_ name: DomainName, subtree: Bool = false) -> Int {
    let name = name.lowercased
    func isWanted(_ question: UnsafeRawBufferPointer) -> Bool {
      guard let owner = DomainName(question: question) else { return false }
      return owner == name || subtree && owner.hasSuffix(name)
    }
    return keyAnswers.removeAll(where: isWanted) + forwardedAnswers.removeAll(where: isWanted)
  }

  /// Forgets the packet of a key, what is known of its absence, and all answers for its names. Returns how many packets,
  /// absences and answers were forgotten.
  @discardableResult
  public func flush(_ key: PublicKey) -> Int {
    let apex = key.domainName
    let suffixes = policy.suffixes.map(\.lowercased)
    let names = [apex] + policy.local.petnames.filter { $0.value == key }.map(\.key)
    let removed = keyAnswers.removeAll { question in
      guard let owner = DomainName(question: question) else { return false }
      return owner.hasSuffix(apex)
        || suffixes.contains { suffix in
          guard let inside = owner.removingSuffix(suffix) else { return false }
          return names.contains { inside.hasSuffix($0) }
        }
    }
    let hadPacket = packets.peek(key) != nil
    packets.remove(key)
    let hadAbsence = packets.removeAbsence(key)
    return removed + (hadPacket ? 1 : 0) + (hadAbsence ? 1 : 0)
  }

  /// Where the packet of a key came from, for those who tell their clients; nil if none is held.
  public func provenance(of key: PublicKey, now: Instant) -> PacketProvenance? {
    guard let entry = packets.peek(key) else { return nil }
    let age = max(0, now.nanoseconds &- entry.confirmedAt.nanoseconds) / 1_000_000_000
    return PacketProvenance(
      timestamp: entry.packet.timestamp, source: entry.source, age: UInt64(age), isStale: now >= entry.freshUntil)
  }

  /// First bytes of a snapshot: its kind and version.
  private static let snapshotMagic = Array("pkdns-packets-1\n".utf8)

  /// The packets held, up to so many bytes, the most recently used first: for ``restore(_:now:wallClock:)`` after a
  /// restart.
  ///
  /// A line that tells the kind, then for each packet its length in two bytes and its cached form.
  public func snapshot(maximumBytes: Int = .max, now: Instant, wallClock: Timestamp) -> [UInt8] {
    var recent: [PacketCache.Entry] = []
    packets.forEach { entry in
      recent.append(entry)
      return true
    }
    var bytes = Self.snapshotMagic
    for entry in recent.reversed() {
      var packet = entry.packet
      let age = max(0, now.nanoseconds &- entry.confirmedAt.nanoseconds) / 1000
      packet.lastSeen = wallClock.subtracting(microseconds: UInt64(age))
      let form = packet.cachedForm
      guard bytes.count + form.count + 2 <= maximumBytes else { break }
      bytes += [UInt8(form.count >> 8), UInt8(truncatingIfNeeded: form.count)] + form
    }
    return bytes
  }

  /// Takes packets from ``snapshot(maximumBytes:now:wallClock:)``. Each signature is checked; what is damaged is left
  /// out. Returns how many were taken.
  @discardableResult
  public func restore(_ snapshot: RawSpan, now: Instant, wallClock: Timestamp) -> Int {
    (self.now, self.wallClock) = (now, wallClock)
    let magic = Self.snapshotMagic.count
    guard snapshot.byteCount >= magic, [UInt8](snapshot.extracting(0..<magic)) == Self.snapshotMagic else { return 0 }
    var found: [(SignedPacket, Timestamp)] = []
    var reader = WireReader(snapshot.extracting(magic..<snapshot.byteCount))
    while reader.remaining > 0 {
      guard let length = try? reader.readUInt16(), let form = try? reader.readBytes(Int(length)), form.byteCount > 8,
        let lastSeen = Timestamp(form.extracting(0..<8))
      else { break }
      if let packet = try? SignedPacket(form.extracting(8..<form.byteCount), lastSeen: lastSeen) {
        found.append((packet, lastSeen))
      }
    }
    // The most recently used comes last into the cache.
    for (packet, lastSeen) in found.reversed() where packets.peek(packet.publicKey) == nil {
      // A clock that went back makes a packet old, never young.
      let age = lastSeen > wallClock ? UInt64(Int32.max) : wallClock.seconds(since: lastSeen)
      let confirmedAt = now.advanced(by: .seconds(-Int64(min(age, UInt64(Int32.max)))))
      store(packet, .disk, confirmedAt: confirmedAt)
    }
    return found.count
  }
}
