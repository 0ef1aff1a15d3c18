import DNSWire
import Pkarr
import WireFormat

extension KeyZone {
  /// The SOA record of the zone: the packet's own, or one made for it.
  func soa(_ policy: ResolutionPolicy) -> (record: ResourceRecord, isMade: Bool) {
    if let own = records.first(where: { $0.name == apex && $0.type == .soa }) { return (own, false) }
    let serial = UInt32(truncatingIfNeeded: timestamp.microseconds / 1_000_000)
    return (Self.madeSOA(apex: apex, serial: serial, ttl: policy.cache.keyNegativeTTL, policy), true)
  }

  /// An SOA record for an apex of which nothing else is known.
  static func madeSOA(apex: DomainName, serial: UInt32, ttl: UInt32, _ policy: ResolutionPolicy) -> ResourceRecord {
    let mailbox = policy.keys.soaMailbox ?? DomainName.hostmaster.joined(apex) ?? apex
    let data = RecordData.SOA(
      primaryServer: policy.keys.soaServer ?? apex, mailbox: mailbox, serial: serial, refresh: 3600, retry: 600,
      expire: 86_400, minimum: ttl)
    return ResourceRecord(name: apex, ttl: ttl, data: .soa(data))
  }

  /// The SOA record for a negative answer: its TTL is that of the answer (RFC 2308 §3).
  func negativeSOA(_ policy: ResolutionPolicy) -> ResourceRecord { soa(policy).record.forNegativeAnswer }

  /// NS records for a zone that has none at its apex; empty if no names are configured.
  func madeServers(_ policy: ResolutionPolicy) -> [ResourceRecord] {
    policy.keys.nameServers.map { ResourceRecord(name: apex, ttl: policy.cache.keyNegativeTTL, data: .ns($0)) }
  }

  /// The name whose TXT records are the packet itself.
  static func proofName(apex: DomainName) -> DomainName? { DomainName.proof.joined(apex) }

  /// The signed packet in base 64, as text of strings of 254 bytes.
  static func proof(of packet: SignedPacket, name: DomainName, ttl: UInt32) -> ResourceRecord {
    ResourceRecord(name: name, ttl: ttl, data: .txt(RecordData.TXT(Base64.encode(packet.bytes))))
  }
}

extension DomainName {
  fileprivate static let hostmaster = DomainName.literal("hostmaster")
  fileprivate static let proof = DomainName.literal("_pkarr")
}

extension ResourceRecord {
  /// An SOA record with the TTL that a negative answer has: the lesser of its own and its minimum (RFC 2308 §3).
  var forNegativeAnswer: ResourceRecord {
    guard case .soa(let data) = self.data else { return self }
    var record = self
    record.ttl = min(ttl, data.minimum)
    return record
  }
}
