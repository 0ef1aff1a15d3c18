extension RecordData {
  /// Data of an SRV record (RFC 2782). The target is never compressed.
  public struct SRV: Hashable, Sendable {
    /// The lowest is tried first.
    public var priority: UInt16
    /// Share among targets of equal priority.
    public var weight: UInt16
    /// The port of the service.
    public var port: UInt16
    /// The host that offers the service; the root means "not offered".
    public var target: DomainName

    /// Makes the data of an SRV record.
    public init(priority: UInt16, weight: UInt16, port: UInt16, target: DomainName) {
      self.priority = priority
      self.weight = weight
      self.port = port
      self.target = target
    }
  }
}

extension RecordData.SRV {
  init(from reader: inout RecordDataReader) throws(MessageError) {
    priority = try reader.readUInt16()
    weight = try reader.readUInt16()
    port = try reader.readUInt16()
    target = try reader.readName()
  }

  func write(to writer: inout MessageWriter) {
    writer.output.write(priority)
    writer.output.write(weight)
    writer.output.write(port)
    writer.writeUncompressed(target)
  }

  init(presentation fields: inout FieldReader) throws(FieldError) {
    priority = try fields.nextNumber("a priority")
    weight = try fields.nextNumber("a weight")
    port = try fields.nextNumber("a port")
    target = try fields.nextName("a target name")
  }

  func presentation(_ names: NameStyle) -> String { "\(priority) \(weight) \(port) \(names.text(target))" }
}
