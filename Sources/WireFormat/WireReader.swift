/// The input ended before a field did.
public struct TruncatedInput: Error, Hashable, Sendable {
  /// Byte offset at which the field began.
  public let offset: Int

  /// Records where the field began.
  @inlinable public init(offset: Int) { self.offset = offset }
}

/// A cursor over borrowed bytes that reads big-endian integers and never goes beyond their end.
@frozen
public struct WireReader: ~Escapable {
  /// All bytes, those already read included.
  public let bytes: RawSpan
  /// Byte offset of the next read, at most `bytes.byteCount`.
  @inlinable @inline(__always) public var offset: Int { position }
  @usableFromInline var position: Int

  /// Starts at the first byte.
  @inlinable
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
    position = 0
  }

  /// Number of bytes not read yet.
  @inlinable @inline(__always) public var remaining: Int { bytes.byteCount &- offset }

  @inlinable
  @inline(__always)
  mutating func load<T: FixedWidthInteger & BitwiseCopyable>(_ type: T.Type) throws(TruncatedInput) -> T {
    guard MemoryLayout<T>.size <= remaining else { throw TruncatedInput(offset: offset) }
    let value = bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: T.self)
    position &+= MemoryLayout<T>.size
    return T(bigEndian: value)
  }

  /// Reads one byte.
  @inlinable @inline(__always) public mutating func readUInt8() throws(TruncatedInput) -> UInt8 { try load(UInt8.self) }
  /// Reads two bytes, big-endian.
  @inlinable @inline(__always) public mutating func readUInt16() throws(TruncatedInput) -> UInt16 {
    try load(UInt16.self)
  }
  /// Reads four bytes, big-endian.
  @inlinable @inline(__always) public mutating func readUInt32() throws(TruncatedInput) -> UInt32 {
    try load(UInt32.self)
  }
  /// Reads eight bytes, big-endian.
  @inlinable @inline(__always) public mutating func readUInt64() throws(TruncatedInput) -> UInt64 {
    try load(UInt64.self)
  }

  /// Reads `count` bytes without copying them.
  @inlinable
  @inline(__always)
  @_lifetime(copy self)
  public mutating func readBytes(_ count: Int) throws(TruncatedInput) -> RawSpan {
    guard count >= 0, count <= remaining else { throw TruncatedInput(offset: offset) }
    let slice = bytes.extracting(offset..<(offset &+ count))
    position &+= count
    return slice
  }

  /// Moves to an absolute byte offset.
  public mutating func seek(to offset: Int) throws(TruncatedInput) {
    guard offset >= 0, offset <= bytes.byteCount else { throw TruncatedInput(offset: offset) }
    position = offset
  }
}

extension [UInt8] {
  /// A copy of borrowed bytes.
  @inlinable
  public init(_ bytes: RawSpan) { self = bytes.withUnsafeBytes { [UInt8]($0) } }
}
