extension RecordData {
  /// A 16-bit preference and a host name: data of MX (RFC 1035 §3.3.9), AFSDB and RT (RFC 1183), KX (RFC 2230).
  public struct PreferredHost: Hashable, Sendable {
    /// The lower, the more preferred; the subtype in AFSDB.
    public var preference: UInt16
    /// The host.
    public var host: DomainName

    /// Joins a preference and a host.
    public init(preference: UInt16, host: DomainName) {
      self.preference = preference
      self.host = host
    }
  }
}

extension RecordData.PreferredHost {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    preference = try reader.readUInt16()
    host = try reader.readName()
  }

  func write(to writer: inout MessageWriter, compressed: Bool) {
    writer.output.write(preference)
    compressed ? writer.write(host) : writer.writeUncompressed(host)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    preference = try fields.nextNumber("a preference")
    host = try fields.nextName("a host name")
  }

  func presentation(_ names: NameStyle) -> String { "\(preference) \(names.text(host))" }
}
