extension RecordData {
  /// Data of a CAA record (RFC 8659 §4.1).
  public struct CAA: Hashable, Sendable {
    /// Bit 7 is "issuer critical".
    public var flags: UInt8
    /// The property, for example `issue`; at most 255 bytes.
    public let tag: [UInt8]
    /// The value of the property, any bytes.
    public var value: [UInt8]

    /// Makes the data of a CAA record; nil if the tag is longer than 255 bytes.
    public init?(flags: UInt8, tag: [UInt8], value: [UInt8]) {
      guard tag.count <= 255 else { return nil }
      self.flags = flags
      self.tag = tag
      self.value = value
    }
  }
}

extension RecordData.CAA {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    flags = try reader.readUInt8()
    tag = try reader.readCharacterString()
    value = reader.readRest()
  }

  func write(to writer: inout MessageWriter) {
    writer.output.write(flags)
    writer.output.write(UInt8(truncatingIfNeeded: tag.count))
    writer.output.write(tag)
    writer.output.write(value)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    flags = try fields.nextNumber("the flags")
    let field = try fields.next("a tag such as issue")
    tag = try field.bytes()
    guard !tag.isEmpty, tag.count <= 255, tag.allSatisfy(Self.isTagCharacter) else {
      throw field.error("is not a CAA tag", hint: "Write letters and digits, for example issue, issuewild or iodef.")
    }
    value = try fields.next("a value in quotes").bytes()
  }

  /// Nil if the tag is not one that a zone file can spell.
  func presentation(_ names: NameStyle) -> String? {
    guard !tag.isEmpty, tag.allSatisfy(Self.isTagCharacter) else { return nil }
    return "\(flags) \(String(decoding: tag, as: UTF8.self)) \(Escaping.quoted(value))"
  }

  private static func isTagCharacter(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }
}
