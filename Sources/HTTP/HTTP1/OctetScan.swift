import Glibc

/// Searches bytes eight at a time.
enum OctetScan {
  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let highBits: UInt64 = 0x8080_8080_8080_8080

  /// Where the first control character other than a tab stands between two indices; `end` if there is none.
  @inline(__always)
  static func firstControl(in bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
    var index = start
    while index < end {
      if index + 8 <= end {
        let word = load(bytes, index)
        let suspects = below(word, 0x20) | equal(word, 0x7f)
        if suspects == 0 {
          index += 8
          continue
        }
        index += suspects.trailingZeroBitCount >> 3
      }
      if isControl(bytes[index]) { return index }
      index += 1
    }
    return end
  }

  /// Where the first byte stands that is no visible character of ASCII; `end` if there is none.
  @inline(__always)
  static func firstInvisible(in bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) -> Int {
    var index = start
    while index < end {
      if index + 8 <= end {
        let word = load(bytes, index)
        let suspects = below(word, 0x21) | equal(word, 0x7f) | (word & highBits)
        if suspects == 0 {
          index += 8
          continue
        }
        return index + suspects.trailingZeroBitCount >> 3
      }
      if !(0x21...0x7e).contains(bytes[index]) { return index }
      index += 1
    }
    return end
  }

  /// Where a byte stands first, from an index on; nil if it does not.
  @inline(__always)
  static func first(_ byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard start < bytes.count, let base = bytes.baseAddress else { return nil }
    return memchr(base + start, Int32(byte), bytes.count - start).map { UnsafeRawPointer($0) - base }
  }

  /// True for what must not stand in a field value: control characters, except tabs (RFC 9110 §5.5).
  @inline(__always)
  static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 && byte != 0x09 || byte == 0x7f }

  /// True if the bytes are those of a token, whatever the case of their letters; `lowercased` is in lower case.
  @inline(__always)
  static func isToken(_ bytes: UnsafeRawBufferPointer, _ lowercased: StaticString) -> Bool {
    guard bytes.count == lowercased.utf8CodeUnitCount else { return false }
    for index in 0..<bytes.count where HTTPToken.lowercase(bytes[index]) != lowercased.utf8Start[index] { return false }
    return true
  }

  /// The bytes without the spaces and tabs around them.
  @inline(__always)
  static func trimmed(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Range<Int> {
    var (start, end) = (range.lowerBound, range.upperBound)
    while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
    while start < end, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
    return start..<end
  }

  // Of the marks that these two set, the lowest is right; a borrow can falsify only those above it.

  @inline(__always)
  private static func below(_ word: UInt64, _ limit: UInt64) -> UInt64 { (word &- ones &* limit) & ~word & highBits }

  @inline(__always)
  private static func equal(_ word: UInt64, _ byte: UInt64) -> UInt64 { below(word ^ (ones &* byte), 1) }

  @inline(__always)
  private static func load(_ bytes: UnsafeRawBufferPointer, _ index: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
  }
}
