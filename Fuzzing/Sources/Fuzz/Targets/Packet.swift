import Cryptography
import DNSWire
import Pkarr
import WireFormat

extension FuzzTarget {
  /// Signed packets in their three forms, as they come, and signed by a key of ours: whatever message the input holds.
  static let signedPacket = FuzzTarget(name: "signed-packet", maximumLength: 1200) { input in
    let bytes = [UInt8](input)
    let now = Timestamp(microseconds: 1_784_000_000_000_000)
    if let packet = try? SignedPacket(bytes, lastSeen: now) { checkForms(packet, now) }
    if let packet = try? SignedPacket(cachedForm: bytes, now: now) {
      require(packet.lastSeen <= now.adding(seconds: 60), "a packet was seen in the future")
      checkReading(packet, now)
    }
    if let packet = try? SignedPacket(relayPayload: bytes, publicKey: knownKey, lastSeen: now) {
      checkForms(packet, now)
    }
    checkSigned(bytes, now)
  }

  /// The owner of most packets among the seeds.
  private static let knownKey = try! PublicKey(parsing: "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo")
  private static let keypair = Keypair(Ed25519.SecretKey(seed: [UInt8](repeating: 9, count: 32))!)

  private static func checkSigned(_ message: [UInt8], _ now: Timestamp) {
    let isMessage = (try? MessageView.validate(message.span.bytes)) != nil
    let signable = SignedPacket.signableBytes(timestamp: now, message: message.span.bytes)
    guard isMessage || message.count < 12 else { return }
    let signature = keypair.signature(for: signable.span.bytes)
    let payload = signature.bytes + now.bytes + message
    guard let packet = try? SignedPacket(relayPayload: payload, publicKey: keypair.publicKey, lastSeen: now) else {
      require(!isMessage || message.count > SignedPacket.maximumMessageLength, "a good packet is refused")
      return
    }
    require(isMessage && message.count <= SignedPacket.maximumMessageLength, "a bad packet is accepted")
    checkForms(packet, now)
  }

  /// Each form is read to the same packet.
  private static func checkForms(_ packet: SignedPacket, _ now: Timestamp) {
    require((104...1104).contains(packet.bytes.count), "a packet of \(packet.bytes.count) bytes")
    require((try? SignedPacket(packet.bytes, lastSeen: packet.lastSeen)) == packet, "the canonical form changes")
    require(
      (try? SignedPacket(relayPayload: packet.relayPayload, publicKey: packet.publicKey, lastSeen: packet.lastSeen))
        == packet, "the relay payload changes")
    require((try? SignedPacket(cachedForm: packet.cachedForm, now: now)) == packet, "the cached form changes")
    if let item = try? packet.mutableItem() {
      let again = try? SignedPacket(
        key: item.key.span.bytes, value: item.value.span.bytes, seq: item.seq, signature: item.signature.span.bytes,
        isVerified: false, lastSeen: packet.lastSeen)
      require(again == packet, "the item of the DHT changes")
    }
    checkReading(packet, now)
  }

  /// What is done with every packet that was read.
  private static func checkReading(_ packet: SignedPacket, _ now: Timestamp) {
    require(packet.records.count == packet.recordCount, "records are counted in two ways")
    require(!packet.description(at: now).isEmpty, "a packet without a description")
    _ = packet.expiresIn(at: now)
    for name in ["@", "*", "_foo", "a.b"] {
      for record in packet.records(named: name) {
        require(packet.records.contains(record), "a record was found that is not there")
      }
    }
    if let first = packet.records.first {
      _ = packet.freshRecords(named: packet.publicKey.relativeName(of: first.name), at: now)
    }
    require(!packet.isMoreRecent(than: packet), "a packet is newer than itself")
  }
}
