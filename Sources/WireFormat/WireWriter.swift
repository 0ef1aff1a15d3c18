/// Writes big-endian integers and raw bytes into a buffer that the caller owns.
///
/// It never grows, allocates or throws: a write that does not fit sets ``overflowed`` and leaves the buffer as it was,
/// so a codec writes its fields one after another and checks once at the end.
@frozen
public struct WireWriter: ~Copyable {
  @usableFromInline let base: UnsafeMutableRawPointer
  /// Size of the buffer in bytes.
  public let capacity: Int
  /// Number of bytes written so far.
  @inlinable @inline(__always) public var count: Int { used }
  @usableFromInline var used = 0
  /// True once a write did not fit. It stays true.
  @inlinable @inline(__always) public var overflowed: Bool { hasOverflowed }
  @usableFromInline var hasOverflowed = false

  /// Writes into `buffer`, which must outlive the writer.
  @inlinable
  public init(_ buffer: UnsafeMutableRawBufferPointer) {
    base = buffer.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1)!
    capacity = buffer.baseAddress == nil ? 0 : buffer.count
  }

  /// What was written, to be read while the writer lives.
  public var written: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  @inlinable
  @inline(__always)
  mutating func hasRoom(for size: Int) -> Bool {
    if size <= capacity &- count { return true }
    hasOverflowed = true
    return false
  }

  @inlinable
  @inline(__always)
  mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
    guard hasRoom(for: MemoryLayout<T>.size) else { return }
    base.storeBytes(of: value.bigEndian, toByteOffset: count, as: T.self)
    used &+= MemoryLayout<T>.size
  }

  /// Appends one byte.
  @inlinable @inline(__always) public mutating func write(_ value: UInt8) { store(value) }
  /// Appends two bytes, big-endian.
  @inlinable @inline(__always) public mutating func write(_ value: UInt16) { store(value) }
  /// Appends four bytes, big-endian.
  @inlinable @inline(__always) public mutating func write(_ value: UInt32) { store(value) }
  /// Appends eight bytes, big-endian.
  @inlinable @inline(__always) public mutating func write(_ value: UInt64) { store(value) }

  /// Appends raw bytes.
  @inlinable
  @inline(__always)
  public mutating func write(_ bytes: UnsafeRawBufferPointer) {
    guard hasRoom(for: bytes.count) else { return }
    guard let source = bytes.baseAddress else { return }
    (base + count).copyMemory(from: source, byteCount: bytes.count)
    used &+= bytes.count
  }

  /// Appends raw bytes.
  @inlinable
  @inline(__always)
  public mutating func write(_ bytes: RawSpan) { bytes.withUnsafeBytes { write($0) } }

  /// Appends raw bytes.
  @inlinable
  @inline(__always)
  public mutating func write(_ bytes: [UInt8]) { bytes.withUnsafeBytes { write($0) } }

  /// Appends the UTF-8 bytes of a literal.
  @inlinable
  @inline(__always)
  public mutating func write(_ literal: StaticString) {
    write(UnsafeRawBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
  }

  /// Appends an integer as ASCII decimal digits, with `-` in front if it is negative.
  @inlinable
  @inline(__always)
  public mutating func writeDecimal(_ value: Int) {
    let start = count
    if value < 0 { write(UInt8(ascii: "-")) }
    writeDecimal(UInt64(value.magnitude))
    if overflowed { used = start }
  }

  /// Appends an integer as ASCII decimal digits.
  @inlinable
  @inline(__always)
  public mutating func writeDecimal(_ value: UInt64) {
    if value < 10 { return write(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
    var digits = 0
    var rest = value
    while rest > 0 {
      digits &+= 1
      rest /= 10
    }
    guard hasRoom(for: digits) else { return }
    used &+= digits
    var position = count
    rest = value
    while rest > 0 {
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      position &-= 1
      base.storeBytes(of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit), toByteOffset: position, as: UInt8.self)
      rest = quotient
    }
  }

  /// Overwrites two bytes already written at `offset`: for a length that is known only after what it measures.
  public mutating func patch(_ value: UInt16, at offset: Int) {
    precondition(offset >= 0 && offset + 2 <= count, "patch outside of what was written")
    base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
  }

  /// Forgets everything after the first `count` bytes and clears ``overflowed``: back to an earlier state.
  public mutating func rewind(to count: Int) {
    precondition(count >= 0 && count <= self.count, "rewind can only go back")
    used = count
    hasOverflowed = false
  }
}

extension [UInt8] {
  /// The bytes that `body` writes, or nil if they are more than `capacity`.
  @inlinable
  public init?<Failure: Error>(
    upTo capacity: Int, writing body: (inout WireWriter) throws(Failure) -> Void
  ) throws(Failure) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    defer { buffer.deallocate() }
    var writer = WireWriter(buffer)
    try body(&writer)
    if writer.overflowed { return nil }
    self.init(writer.written)
  }
}
