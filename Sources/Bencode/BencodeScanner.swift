/// A range of bytes inside of a message, small enough to keep many of them.
///
/// No string of a message can begin at offset 0, so a range that begins there stands for "absent".
@frozen
public struct ByteRange: Hashable, Sendable {
  /// Offset of the first byte.
  public let offset: UInt16
  /// Number of bytes.
  public let count: UInt16

  /// A range; both numbers must fit 16 bits.
  @inlinable
  @inline(__always)
  public init(offset: Int, count: Int) {
    self.offset = UInt16(truncatingIfNeeded: offset)
    self.count = UInt16(truncatingIfNeeded: count)
  }

  /// The absent range.
  @inlinable @inline(__always) public static var absent: ByteRange { ByteRange(offset: 0, count: 0) }
  /// False for ``absent``.
  @inlinable @inline(__always) public var isPresent: Bool { offset != 0 }
}

/// Walks over bencoded bytes without copying, allocating or recursing: the lenient reader of datagrams.
///
/// It accepts what sloppy writers send: keys in any order, integers with leading zeros, lengths with leading zeros.
/// It never goes beyond the end, and gives up after a fixed number of values or containers inside each other.
@frozen
public struct BencodeScanner: ~Escapable {
  /// The bytes, at most 65,535.
  public let bytes: RawSpan
  /// Offset of the next byte.
  public var position: Int { offset }
  @usableFromInline var offset: Int
  /// How many more values may come inside of containers that are skipped.
  @usableFromInline var valuesLeft: Int

  /// Containers inside each other that ``skipValue()`` follows.
  public static var maximumDepth: Int { 16 }
  /// Values inside of containers that are skipped, keys not counted. Real messages have fewer than 300.
  @inlinable public static var maximumValues: Int { 512 }

  /// Starts at the first byte.
  @inlinable
  @_lifetime(copy bytes)
  public init(_ bytes: RawSpan) {
    self.bytes = bytes
    offset = 0
    valuesLeft = Self.maximumValues
  }

  @inlinable
  @inline(__always)
  func byte(_ index: Int) -> UInt8 { bytes.unsafeLoad(fromByteOffset: index, as: UInt8.self) }

  /// The next byte, not taken.
  @inlinable
  @inline(__always)
  public func peek() throws(BencodeError) -> UInt8 {
    guard offset < bytes.byteCount else { throw BencodeError(.truncated, at: offset) }
    return byte(offset)
  }

  /// Takes the next byte if it is `expected`.
  @inlinable
  @inline(__always)
  public mutating func take(_ expected: UInt8) throws(BencodeError) -> Bool {
    guard try peek() == expected else { return false }
    offset &+= 1
    return true
  }

  /// Goes to an absolute offset, to read something again.
  public mutating func seek(to position: Int) throws(BencodeError) {
    guard position >= 0, position <= bytes.byteCount else { throw BencodeError(.truncated, at: bytes.byteCount) }
    offset = position
  }

  /// Takes a string and returns where its bytes are.
  @inlinable
  @inline(__always)
  public mutating func readString() throws(BencodeError) -> ByteRange {
    let end = bytes.byteCount
    let start = offset
    guard start < end else { throw BencodeError(.truncated, at: start) }
    var length = Int(byte(start) &- 48)
    guard length <= 9 else { throw BencodeError(.unexpectedByte, at: start) }
    offset &+= 1
    while offset < end {
      let digit = byte(offset) &- 48
      if digit > 9 { break }
      length = length &* 10 &+ Int(digit)
      if length > end { throw BencodeError(.stringTooLong, at: start) }
      offset &+= 1
    }
    guard offset < end else { throw BencodeError(.truncated, at: offset) }
    guard byte(offset) == UInt8(ascii: ":") else { throw BencodeError(.unexpectedByte, at: offset) }
    offset &+= 1
    guard length <= end &- offset else { throw BencodeError(.stringTooLong, at: start) }
    let range = ByteRange(offset: offset, count: length)
    offset &+= length
    return range
  }

  /// Takes a string of one to seven bytes as a number: its bytes in the low seven, little-endian, its length in the top one.
  ///
  /// This is for keys, which a `switch` then finds. Returns 0, and takes nothing, for anything else, and close to the end of
  /// the input: ``readString()`` knows more.
  @inlinable
  @inline(__always)
  public mutating func takeShortString() -> UInt64 {
    guard offset &+ 10 <= bytes.byteCount else { return 0 }
    let length = byte(offset) &- 48
    guard length &- 1 < 7, byte(offset &+ 1) == UInt8(ascii: ":") else { return 0 }
    let word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset &+ 2, as: UInt64.self))
    offset &+= 2 &+ Int(length)
    return word & ((1 &<< UInt64(length &* 8)) &- 1) | UInt64(length) &<< 56
  }

  /// Takes an integer; nil if it does not fit 64 bits.
  @inlinable
  @inline(__always)
  public mutating func readInteger() throws(BencodeError) -> Int64? {
    guard try take(UInt8(ascii: "i")) else { throw BencodeError(.unexpectedByte, at: offset) }
    let isNegative = try take(UInt8(ascii: "-"))
    let start = offset
    var magnitude: UInt64 = 0
    while true {
      let digit = try peek() &- 48
      if digit > 9 { break }
      offset &+= 1
      magnitude = magnitude &* 10 &+ UInt64(digit)
    }
    guard offset > start, byte(offset) == UInt8(ascii: "e") else {
      throw BencodeError(.unexpectedByte, at: offset)
    }
    // 19 digits fit 64 bits; more of them, but for zeros in front, do not.
    var first = start
    while offset &- first > 19, byte(first) == UInt8(ascii: "0") { first &+= 1 }
    let fits = offset &- first <= 19
    offset &+= 1
    if !fits || magnitude > UInt64(Int64.max) &+ (isNegative ? 1 : 0) { return nil }
    return isNegative ? Int64(truncatingIfNeeded: 0 &- magnitude) : Int64(truncatingIfNeeded: magnitude)
  }

  /// Takes any value and returns where it is, its own framing included.
  @inlinable
  @inline(__always)
  public mutating func skipValue() throws(BencodeError) -> ByteRange {
    let start = offset
    // Most values are strings; the rest stays out of line, so that the callers stay small.
    if try peek() &- 48 <= 9 { _ = try readString() } else { try skipOther() }
    return ByteRange(offset: start, count: offset &- start)
  }

  /// Takes a string and returns where its bytes are; a value of another type is passed over, and nil returned.
  @inlinable
  @inline(__always)
  public mutating func readStringIfPresent() throws(BencodeError) -> ByteRange? {
    if try peek() &- 48 <= 9 { return try readString() }
    try skipOther()
    return nil
  }

  /// Takes an integer or a container.
  @usableFromInline
  mutating func skipOther() throws(BencodeError) {
    if try peek() == UInt8(ascii: "i") { _ = try readInteger() } else { try skipContainer() }
  }

  /// Follows containers with a counter in place of recursion; bit n of `kinds` tells whether level n is a dictionary.
  @usableFromInline
  mutating func skipContainer() throws(BencodeError) {
    var depth = 0
    var kinds: UInt32 = 0
    repeat {
      let next = try peek()
      if next == UInt8(ascii: "e"), depth > 0 {
        offset &+= 1
        depth &-= 1
        continue
      }
      if depth > 0, kinds & 1 << UInt32(depth) != 0 { _ = try readString() }
      valuesLeft &-= 1
      if valuesLeft < 0 { throw BencodeError(.tooManyValues, at: offset) }
      switch try peek() {
      case UInt8(ascii: "d"), UInt8(ascii: "l"):
        guard depth < Self.maximumDepth else { throw BencodeError(.tooDeep, at: offset) }
        depth &+= 1
        let bit = UInt32(1) << UInt32(depth)
        kinds = byte(offset) == UInt8(ascii: "d") ? kinds | bit : kinds & ~bit
        offset &+= 1
      case UInt8(ascii: "i"): _ = try readInteger()
      default: _ = try readString()
      }
    } while depth > 0
  }
}

extension RawSpan {
  /// The bytes of a range that a scanner of the same bytes returned.
  @inlinable
  @inline(__always)
  @_lifetime(copy self)
  public func extracting(_ range: ByteRange) -> RawSpan {
    extracting(Int(range.offset)..<Int(range.offset) &+ Int(range.count))
  }
}
