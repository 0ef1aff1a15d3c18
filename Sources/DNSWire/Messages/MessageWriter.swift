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

  /// Writes records, one after another.
  public mutating func write(_ records: [ResourceRecord]) {
    records.withUnsafeBufferPointer { buffer in
      guard let first = buffer.baseAddress else { return }
      for index in 0..<buffer.count { write(recordAt: first + index) }
    }
  }

  /// Writes a record.
  public mutating func write(_ record: ResourceRecord) {
    withUnsafePointer(to: record) { write(recordAt: $0) }
  }

  /// Writes a record where it lies: passed as a value it would be copied, which retains and releases each of its arrays.
  private mutating func write(recordAt record: UnsafePointer<ResourceRecord>) {
    write(name: record.pointee.name.wire.span.bytes)
    let classField = record.pointee.class.rawValue | (record.pointee.cacheFlush ? 0x8000 : 0)
    let start = output.count
    // Type and length, both 0 here, are known once the data are written.
    output.write(UInt64(classField) << 32 | UInt64(record.pointee.ttl))
    output.write(UInt16(0))
    let type = ResourceRecord.writeData(of: record, to: &self)
    guard !output.overflowed else { return }
    output.patch(type.rawValue, at: start)
    output.patch(UInt16(truncatingIfNeeded: output.count &- start &- 10), at: start &+ 8)
  }

  /// Writes a name, or as much of it as has not been written before and a pointer to the rest.
  @inline(__always)
  mutating func write(_ name: borrowing DomainName) { write(name: name.wire.span.bytes) }

  private mutating func write(name wire: RawSpan) {
    guard compresses else { return output.write(wire) }
    var position = 0
    var known: UInt16?
    while true {
      let length = Int(wire.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self))
      guard length > 0 else { break }
      known = table.find(wire.extracting(unchecked: position..<wire.byteCount), in: output.written)
      guard known == nil else { break }
      position &+= length &+ 1
    }
    let start = output.count
    if let known {
      output.write(wire.extracting(first: position))
      output.write(0xc000 | known)
    } else {
      output.write(wire)
    }
    // A table entry for bytes that did not fit would point to nothing.
    guard !output.overflowed else { return }
    table.insert(wire, upTo: position, at: start)
  }

  /// Writes a name in full, and keeps it out of the table.
  mutating func writeUncompressed(_ name: borrowing DomainName) { output.write(name.wire.span.bytes) }
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
