import WireFormat

/// Writes a message, compressing names byte for byte as the PKARR reference does: one table for the whole message, names
/// compared case-sensitively, offsets up to 0x3FFF.
///
/// It does not allocate for messages with up to 48 distinct name suffixes. A message that does not fit sets
/// `output.overflowed`.
public struct MessageWriter: ~Copyable {
  /// What has been written. Check `overflowed` at the end.
  public internal(set) var output: WireWriter
  /// False to write every name in full.
  var compresses = true
  private var table = CompressionTable()

  /// Writes into `buffer`, of which at most 65535 bytes are used; it must outlive the writer. The message starts at its
  /// first byte.
  public init(_ buffer: UnsafeMutableRawBufferPointer) {
    output = WireWriter(UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(65535)))
  }

  /// Writes the header.
  public mutating func writeHeader(
    _ header: MessageHeader, questions: Int = 0, answers: Int = 0, authorities: Int = 0, additionals: Int = 0
  ) {
    output.write(header.id)
    output.write(header.flags)
    output.write(UInt16(truncatingIfNeeded: questions))
    output.write(UInt16(truncatingIfNeeded: answers))
    output.write(UInt16(truncatingIfNeeded: authorities))
    output.write(UInt16(truncatingIfNeeded: additionals))
  }

  /// Writes a question.
  public mutating func write(_ question: Message.Question) {
    write(question.name)
    output.write(question.type.rawValue)
    output.write(question.class.rawValue | (question.unicastResponse ? 0x8000 : 0))
  }

  /// Writes a record.
  public mutating func write(_ record: borrowing ResourceRecord) {
    write(record.name)
    output.write(record.data.type.rawValue)
    output.write(record.class.rawValue | (record.cacheFlush ? 0x8000 : 0))
    output.write(record.ttl)
    let lengthPosition = output.count
    output.write(UInt16(0))
    record.data.write(to: &self)
    guard !output.overflowed else { return }
    output.patch(UInt16(truncatingIfNeeded: output.count - lengthPosition - 2), at: lengthPosition)
  }

  /// Writes a name, or as much of it as has not been written before and a pointer to the rest.
  @inline(__always)
  mutating func write(_ name: borrowing DomainName) {
    guard compresses else { return writeUncompressed(name) }
    let wire = name.wire.span.bytes
    var position = 0
    while true {
      let length = Int(wire.unsafeLoad(fromByteOffset: position, as: UInt8.self))
      guard length > 0 else { return output.write(UInt8(0)) }
      let suffix = wire.extracting(position..<wire.byteCount)
      if let offset = table.find(suffix, in: output.written) { return output.write(0xc000 | offset) }
      let offset = output.count
      output.write(suffix.extracting(first: length &+ 1))
      // A table entry for bytes that did not fit would point to nothing.
      guard !output.overflowed else { return }
      table.insert(suffix, at: offset)
      position &+= length &+ 1
    }
  }

  /// Writes a name in full, and keeps it out of the table.
  mutating func writeUncompressed(_ name: borrowing DomainName) { output.write(name.wire) }
}

extension MessageWriter {
  /// The bytes that `body` writes, or nil if they are more than `capacity`.
  static func bytes(upTo capacity: Int, writing body: (inout MessageWriter) -> Void) -> [UInt8]? {
    withUnsafeTemporaryAllocation(byteCount: capacity, alignment: 8) { buffer in
      var writer = MessageWriter(buffer)
      body(&writer)
      return writer.output.overflowed ? nil : [UInt8](writer.output.written)
    }
  }
}
