/// A resource record that owns its bytes (RFC 1035 §3.2.1).
public struct ResourceRecord: Hashable, Sendable {
  /// The owner: the name that the record is about.
  public var name: DomainName
  /// The class, `IN` for all that PKARR knows.
  public var `class`: RecordClass
  /// The top bit of the class field: with mDNS, "replace what you have" (RFC 6762 §10.2). Carried, never interpreted.
  public var cacheFlush: Bool
  /// How long the record may be kept, in seconds.
  public var ttl: UInt32
  /// Type and content.
  public var data: RecordData

  /// Makes a record; class `IN` if none is given.
  public init(
    name: DomainName, class: RecordClass = .internet, cacheFlush: Bool = false, ttl: UInt32, data: RecordData
  ) {
    self.name = name
    self.class = `class`
    self.cacheFlush = cacheFlush
    self.ttl = ttl
    self.data = data
  }

  /// The type, which the data decide.
  public var type: RecordType { data.type }
}

extension ResourceRecord: CustomStringConvertible {
  /// Name, TTL, class, type and data as in a zone file, all names absolute.
  public var description: String { "\(name.absoluteDescription) \(ttl) \(`class`) \(type) \(data.presentation)" }
}
