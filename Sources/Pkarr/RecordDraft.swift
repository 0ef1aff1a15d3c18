/// A record that is to be published, as given: its name not yet completed, its faults not yet told.
public struct RecordDraft: Hashable, Sendable {
  /// The owner name, relative to the key or ending in it.
  public let name: Name
  /// The class.
  public let `class`: RecordClass
  /// How long the record may be kept.
  public let ttl: TimeToLive
  /// Type and content, or what is wrong with them.
  public let content: Content

  /// An owner name as given.
  public enum Name: Hashable, Sendable {
    /// As text, `@` or `.` for the apex.
    case text(String)
    /// As labels.
    case domain(DomainName)
  }

  /// Data as given.
  public enum Content: Hashable, Sendable {
    /// Data that can be written.
    case data(RecordData)
    /// Data that cannot; told when the packet is signed.
    case faulty(RecordType, SignedPacketBuildError.DataFault)
  }

  init(name: Name, class: RecordClass = .internet, ttl: TimeToLive, content: Content) {
    self.name = name
    self.class = `class`
    self.ttl = ttl
    self.content = content
  }

  /// The record in the zone of an apex.
  func record(below apex: DomainName, allowsAnyName: Bool) throws(SignedPacketBuildError) -> ResourceRecord {
    let given: String
    let full: DomainName
    do throws(DomainNameError) {
      switch name {
      case .text(let text):
        given = text
        full = try PublicKey.fullName(of: try DomainName(text), below: apex)
      case .domain(let domain):
        given = PublicKey.relativeName(of: domain, below: apex)
        full = try PublicKey.fullName(of: domain, below: apex)
      }
      if !allowsAnyName { try full.checkPublishable() }
    } catch {
      throw .invalidName(nameText, error)
    }
    switch content {
    case .data(let data): return ResourceRecord(name: full, class: `class`, ttl: ttl.seconds, data: data)
    case .faulty(let type, let fault): throw .invalidData(name: given, type: type, fault)
    }
  }

  private var nameText: String {
    switch name {
    case .text(let text): text
    case .domain(let domain): domain.description
    }
  }
}

/// What can stand in the list of records of a packet.
public protocol PacketRecord {
  /// The record as given.
  var draft: RecordDraft { get }
}

extension ResourceRecord: PacketRecord {
  /// The record with its class and time to live; the cache-flush bit is dropped.
  public var draft: RecordDraft {
    RecordDraft(name: .domain(name), class: `class`, ttl: TimeToLive(seconds: ttl), content: .data(data))
  }
}

/// Puts the records of ``SignedPacket/init(signedBy:timestamp:_:)`` together; `if`, `switch` and `for` work inside.
@resultBuilder
public enum PacketRecordsBuilder {
  /// One record.
  public static func buildExpression(_ record: some PacketRecord) -> [RecordDraft] { [record.draft] }
  /// Records of another packet.
  public static func buildExpression(_ records: [ResourceRecord]) -> [RecordDraft] { records.map(\.draft) }
  /// One after another.
  public static func buildBlock(_ parts: [RecordDraft]...) -> [RecordDraft] { parts.flatMap { $0 } }
  /// `for`
  public static func buildArray(_ parts: [[RecordDraft]]) -> [RecordDraft] { parts.flatMap { $0 } }
  /// `if`
  public static func buildOptional(_ part: [RecordDraft]?) -> [RecordDraft] { part ?? [] }
  /// `if`
  public static func buildEither(first part: [RecordDraft]) -> [RecordDraft] { part }
  /// `else`
  public static func buildEither(second part: [RecordDraft]) -> [RecordDraft] { part }
  /// `if #available`
  public static func buildLimitedAvailability(_ part: [RecordDraft]) -> [RecordDraft] { part }
}
