extension RecordData {
  /// Data of a NAPTR record (RFC 3403 §4.1). The replacement is never compressed.
  public struct NAPTR: Hashable, Sendable {
    /// The lowest is processed first.
    public var order: UInt16
    /// Preference among equal orders.
    public var preference: UInt16
    /// Flags, at most 255 bytes.
    public let flags: [UInt8]
    /// Services, at most 255 bytes.
    public let services: [UInt8]
    /// Substitution expression, at most 255 bytes.
    public let expression: [UInt8]
    /// The next name to query.
    public var replacement: DomainName

    /// Makes the data of a NAPTR record; nil if a string is longer than 255 bytes.
    public init?(
      order: UInt16, preference: UInt16, flags: [UInt8], services: [UInt8], expression: [UInt8],
      replacement: DomainName
    ) {
      guard max(flags.count, services.count, expression.count) <= 255 else { return nil }
      self.order = order
      self.preference = preference
      self.flags = flags
      self.services = services
      self.expression = expression
      self.replacement = replacement
    }
  }
}

extension RecordData.NAPTR {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    order = try reader.readUInt16()
    preference = try reader.readUInt16()
    flags = try reader.readCharacterString()
    services = try reader.readCharacterString()
    expression = try reader.readCharacterString()
    replacement = try reader.readName()
  }

  func write(to writer: inout MessageWriter) {
    writer.output.write(order)
    writer.output.write(preference)
    for string in [flags, services, expression] {
      writer.output.write(UInt8(truncatingIfNeeded: string.count))
      writer.output.write(string)
    }
    writer.writeUncompressed(replacement)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    order = try fields.nextNumber("an order")
    preference = try fields.nextNumber("a preference")
    flags = try fields.nextCharacterString("flags in quotes")
    services = try fields.nextCharacterString("services in quotes")
    expression = try fields.nextCharacterString("an expression in quotes")
    replacement = try fields.nextName("a replacement name")
  }

  func presentation(_ names: NameStyle) -> String {
    "\(order) \(preference) \(Escaping.quoted(flags)) \(Escaping.quoted(services)) "
      + "\(Escaping.quoted(expression)) \(names.text(replacement))"
  }
}
