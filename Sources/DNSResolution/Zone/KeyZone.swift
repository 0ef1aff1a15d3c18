import Addresses
import DNSWire
import Pkarr

/// The zone of a key, as its packet holds it: what a name and a type find there.
///
/// Only records of class IN at or below the key count. Names are compared without regard to case (RFC 4343).
struct KeyZone: Sendable {
  /// The key's name, in lower case.
  let apex: DomainName
  /// When the packet was signed.
  let timestamp: Timestamp
  /// Records in the order of the packet, owners in lower case, equal ones once, one TTL for each set (RFC 2181 §5.2).
  let records: [ResourceRecord]

  /// Reads a packet.
  init(_ packet: SignedPacket, apex: DomainName) {
    self.apex = apex
    timestamp = packet.timestamp
    var records: [ResourceRecord] = []
    for var record in packet.records where record.class == .internet && record.type != .opt {
      record.name = record.name.lowercased
      record.cacheFlush = false
      guard record.name.hasSuffix(apex) else { continue }
      if let index = records.firstIndex(where: { $0.name == record.name && $0.data == record.data }) {
        records[index].ttl = min(records[index].ttl, record.ttl)
      } else {
        records.append(record)
      }
    }
    var lowest: [SetName: UInt32] = [:]
    for record in records {
      lowest[SetName(record), default: .max] = min(lowest[SetName(record)] ?? .max, record.ttl)
    }
    for index in records.indices { records[index].ttl = lowest[SetName(records[index])] ?? records[index].ttl }
    self.records = records
  }

  private struct SetName: Hashable {
    let name: DomainName
    let type: RecordType

    init(_ record: ResourceRecord) {
      name = record.name
      type = record.type
    }
  }

  /// What a name and type find.
  enum Finding: Hashable, Sendable {
    /// Records of the type, owned by the name.
    case records([ResourceRecord])
    /// The name is an alias; its CNAME record is to be followed.
    case alias(ResourceRecord, target: DomainName)
    /// A DNAME above the name makes it an alias (RFC 6672): the DNAME, the CNAME made of it, and where it leads.
    case redirection(ResourceRecord, alias: ResourceRecord, target: DomainName)
    /// A DNAME above the name leads to a name that is too long.
    case redirectionTooLong(ResourceRecord)
    /// Somebody else answers for the name: the name at the cut, and the servers.
    case delegation(cut: DomainName, servers: [DomainName])
    /// The name exists, perhaps only because something stands below it, but has no such records.
    case noData
    /// The name does not exist.
    case noSuchName
  }

  /// What a name at or below the apex (in lower case) and a type find (RFC 1034 §4.3.2, RFC 4592, RFC 6672, RFC 8020).
  func find(_ name: DomainName, _ type: RecordType) -> Finding {
    if let found = findAbove(name, type) { return found }
    let exact = records(at: name)
    if !exact.isEmpty { return find(type, among: exact) }
    if exists(name) || name == apex { return .noData }
    // The closest encloser: the longest part of the name that exists.
    var encloser = name.parent ?? apex
    while encloser != apex, !exists(encloser) { encloser = encloser.parent ?? apex }
    guard let wildcard = try? DomainName.asterisk.appending(encloser) else { return .noSuchName }
    let sources = records(at: wildcard)
    if sources.isEmpty { return exists(wildcard) ? .noData : .noSuchName }
    let expanded = sources.map { source in
      var record = source
      record.name = name
      return record
    }
    return find(type, among: expanded)
  }

  /// What stands at a node on the way down to the name: a delegation or a DNAME.
  private func findAbove(_ name: DomainName, _ type: RecordType) -> Finding? {
    var path: [DomainName] = []
    var node = name
    while node != apex, let parent = node.parent {
      path.append(node)
      node = parent
    }
    path.append(apex)
    for node in path.reversed() {
      let here = records(at: node)
      // DS at a cut is the parent's (RFC 4035 §3.1.4.1).
      if node != apex, !(node == name && type == .ds) {
        let servers = here.compactMap(\.serverName)
        if !servers.isEmpty { return .delegation(cut: node, servers: servers) }
      }
      if node != name, let redirection = here.first(where: { $0.type == .dname }) {
        return redirect(name, at: node, by: redirection)
      }
    }
    return nil
  }

  private func redirect(_ name: DomainName, at node: DomainName, by record: ResourceRecord) -> Finding? {
    guard case .opaque(_, let bytes) = record.data, let target = try? DomainName(wire: bytes.span.bytes),
      let front = name.removingSuffix(node)
    else { return nil }
    guard let full = try? front.appending(target) else { return .redirectionTooLong(record) }
    let alias = ResourceRecord(name: name, ttl: record.ttl, data: .cname(full))
    return .redirection(record, alias: alias, target: full)
  }

  private func find(_ type: RecordType, among records: [ResourceRecord]) -> Finding {
    if type == .any {
      // One set is enough of an answer (RFC 8482 §4.1).
      guard let first = records.first else { return .noData }
      return .records(records.filter { $0.type == first.type })
    }
    let found = records.filter { $0.type == type }
    if !found.isEmpty { return .records(found) }
    if let alias = records.first(where: { $0.type == .cname }), case .cname(let target) = alias.data {
      return .alias(alias, target: target)
    }
    return .noData
  }

  /// All records of a name, in lower case.
  func records(at name: DomainName) -> [ResourceRecord] { records.filter { $0.name == name } }

  /// True if the name or one below it has records.
  func exists(_ name: DomainName) -> Bool { records.contains { $0.name.hasSuffix(name) } }

  /// Addresses of a host in this zone, those below a delegation (glue) included.
  func addresses(of host: DomainName) -> [IPAddress] {
    let host = host.lowercased
    return records.compactMap { $0.name == host ? $0.data.ipAddress : nil }
  }

  /// Address records of the hosts to which records point, for the additional section.
  func additionalRecords(for answers: [ResourceRecord]) -> [ResourceRecord] {
    var hosts: [DomainName] = []
    for answer in answers {
      guard let host = answer.hostToVisit?.lowercased, !hosts.contains(host), hosts.count < 16 else { continue }
      hosts.append(host)
    }
    return hosts.flatMap { host in
      records.filter { $0.name == host && ($0.type == .a || $0.type == .aaaa) && !answers.contains($0) }
    }
  }
}

extension DomainName {
  /// `*`, the label of wildcards.
  static let asterisk = DomainName.literal("*")
}

extension ResourceRecord {
  /// The server of an NS record.
  var serverName: DomainName? {
    guard case .ns(let server) = data else { return nil }
    return server.lowercased
  }

  /// The host whose addresses one asks for after reading the record.
  fileprivate var hostToVisit: DomainName? {
    switch data {
    case .mx(let data): data.host
    case .srv(let data): data.target
    case .ns(let server): server
    // The root stands for the owner itself (RFC 9460 §2.5.2).
    case .svcb(let binding), .https(let binding): binding.target.isRoot ? name : binding.target
    default: nil
    }
  }
}
