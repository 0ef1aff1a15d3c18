import DNSWire

/// Names of a key's zone as they are below a suffix: owners, and the hosts to which records point.
///
/// A client that asked for `a.KEY.key` through ordinary DNS must be able to ask for what it finds, and a chain of aliases
/// must hang together; so each name at or below the key gets the suffix back, wherever it stands.
struct SuffixTranslation {
  /// The key's name.
  let apex: DomainName
  /// What to put behind it; nil changes nothing.
  let suffix: DomainName?

  /// The name with the suffix; as it is if it lies elsewhere or would be too long.
  func translate(_ name: DomainName) -> DomainName {
    guard let suffix, name.lowercased.hasSuffix(apex) else { return name }
    return name.joined(suffix) ?? name
  }

  /// The record with translated names; nil if its owner would be too long.
  func translate(_ record: ResourceRecord) -> ResourceRecord? {
    guard let suffix else { return record }
    var record = record
    if record.name.hasSuffix(apex) {
      guard let name = record.name.joined(suffix) else { return nil }
      record.name = name
    }
    switch record.data {
    case .cname(let name): record.data = .cname(translate(name))
    case .ns(let name): record.data = .ns(translate(name))
    case .ptr(let name): record.data = .ptr(translate(name))
    case .mx(let data): record.data = .mx(.init(preference: data.preference, host: translate(data.host)))
    case .srv(var data):
      data.target = translate(data.target)
      record.data = .srv(data)
    case .svcb(var data):
      data.target = translate(data.target)
      record.data = .svcb(data)
    case .https(var data):
      data.target = translate(data.target)
      record.data = .https(data)
    case .soa(var data):
      data.primaryServer = translate(data.primaryServer)
      data.mailbox = translate(data.mailbox)
      record.data = .soa(data)
    case .opaque(.dname, let bytes):
      if let target = try? DomainName(wire: bytes.span.bytes) { record.data = .opaque(.dname, translate(target).wire) }
    default: break
    }
    return record
  }
}
