extension RecordData {
  /// Two names: data of MINFO (RFC 1035 §3.3.7) and RP (RFC 1183 §2.2).
  public struct NamePair: Hashable, Sendable {
    /// The responsible mailbox.
    public var mailbox: DomainName
    /// MINFO: the mailbox for errors. RP: where to find TXT records with more.
    public var second: DomainName

    /// Joins two names.
    public init(mailbox: DomainName, second: DomainName) {
      self.mailbox = mailbox
      self.second = second
    }
  }
}

extension RecordData.NamePair {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    mailbox = try reader.readName()
    second = try reader.readName()
  }

  func write(to writer: inout MessageWriter) {
    writer.write(mailbox)
    writer.write(second)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    mailbox = try fields.nextName("a mailbox name")
    second = try fields.nextName("a second name")
  }

  func presentation(_ names: NameStyle) -> String { "\(names.text(mailbox)) \(names.text(second))" }
}
