/// A cursor over the data of one record that also sees the message before them, to which compressed names point.
///
/// Reads stop at the end of the data, those that follow a pointer included: the rule of the PKARR reference.
struct RecordDataReader: ~Escapable {
  /// The message up to the end of the data.
  private let bytes: RawSpan
  /// Byte offset in the message of the next read.
  private(set) var offset: Int
  /// What is remembered from one name to the next.
  private(set) var memory: NameReader.Memory

  /// Reads `bytes[start..<end]`, which the caller has checked to be in range.
  @inline(__always)
  @_lifetime(copy bytes)
  init(_ bytes: RawSpan, from start: Int, to end: Int, memory: NameReader.Memory = NameReader.Memory()) {
    self.bytes = bytes.extracting(unchecked: 0..<end)
    offset = start
    self.memory = memory
  }

  /// Number of bytes not read yet.
  @inline(__always) var remaining: Int { bytes.byteCount &- offset }

  @inline(__always)
  mutating func skip(_ count: Int) throws(MessageError) {
    guard count <= remaining else { throw MessageError(.recordDataTooShort, at: offset) }
    offset &+= count
  }

  @inline(__always)
  private mutating func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(MessageError) -> T {
    let start = offset
    try skip(MemoryLayout<T>.size)
    return T(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: T.self))
  }

  @inline(__always) mutating func readUInt8() throws(MessageError) -> UInt8 { try load(UInt8.self) }
  @inline(__always) mutating func readUInt16() throws(MessageError) -> UInt16 { try load(UInt16.self) }
  @inline(__always) mutating func readUInt32() throws(MessageError) -> UInt32 { try load(UInt32.self) }
  @inline(__always) mutating func readUInt64() throws(MessageError) -> UInt64 { try load(UInt64.self) }

  /// A copy of what was read since `start`.
  func bytes(from start: Int) -> [UInt8] { [UInt8](bytes.extracting(start..<offset)) }

  /// A copy of everything left.
  mutating func readRest() -> [UInt8] {
    let start = offset
    offset = bytes.byteCount
    return bytes(from: start)
  }
}

// MARK: - Names and strings

extension RecordDataReader {
  @inline(__always)
  mutating func skipName() throws(MessageError) {
    offset = try NameReader.skip(bytes, at: offset, &memory)
  }

  mutating func readName() throws(MessageError) -> DomainName {
    let start = offset
    try skipName()
    return NameReader.copy(bytes, at: start)
  }

  @inline(__always)
  mutating func skipCharacterString() throws(MessageError) { try skip(Int(try readUInt8())) }

  /// The bytes of a character-string, at most 255.
  mutating func readCharacterString() throws(MessageError) -> [UInt8] {
    let start = offset &+ 1
    try skipCharacterString()
    return bytes(from: start)
  }
}

// MARK: - Service parameters

extension RecordDataReader {
  /// Checks the value of an SVCB parameter as leniently as the PKARR reference: surplus bytes after a port and any
  /// bytes in `no-default-alpn` pass; list items must be whole.
  mutating func skipParameterValue(_ key: UInt16, length: Int) throws(MessageError) {
    let start = offset
    try skip(length)
    switch key {
    case 0 where length % 2 != 0, 4 where length % 4 != 0, 6 where length % 16 != 0, 3 where length < 2:
      throw MessageError(.recordDataTooShort, at: start)
    case 1:
      var position = start
      while position < offset {
        position &+= Int(bytes.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self)) &+ 1
      }
      guard position == offset else { throw MessageError(.recordDataTooShort, at: start) }
    case 5:
      guard length >= 2 else { throw MessageError(.recordDataTooShort, at: start) }
      let inner = UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt16.self))
      guard Int(inner) == length &- 2 else { throw MessageError(.badRecordData, at: start) }
    default: break
    }
  }
}
