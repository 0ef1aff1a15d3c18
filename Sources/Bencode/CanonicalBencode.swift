/// The strict side of bencoding: the one spelling that may be hashed and signed (BEP 3, BEP 44).
public enum CanonicalBencode {
  /// Containers inside each other that are followed.
  public static let maximumDepth = 32

  /// True if `bytes` are exactly one value in its canonical spelling: integers and lengths without leading zeros, no
  /// negative zero, integers within 64 bits, keys strictly ascending by raw bytes, nothing behind.
  public static func isCanonical(_ bytes: RawSpan) -> Bool { (try? check(bytes)) != nil }

  /// True if `bytes` are exactly one value in its canonical spelling.
  public static func isCanonical(_ bytes: [UInt8]) -> Bool { isCanonical(bytes.span.bytes) }

  /// Says what keeps `bytes` from being one canonical value.
  ///
  /// - Throws: `BencodeError` with the offset at which it was noticed.
  public static func check(_ bytes: RawSpan) throws(BencodeError) {
    var checker = Checker(bytes)
    try checker.value()
    guard checker.position == bytes.byteCount else { throw BencodeError(.trailingBytes, at: checker.position) }
  }

  private struct Checker: ~Escapable {
    let bytes: RawSpan
    var position = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    private func peek() throws(BencodeError) -> UInt8 {
      guard position < bytes.byteCount else { throw BencodeError(.truncated, at: position) }
      return bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self)
    }

    /// One value, containers followed with a stack of fixed size: the last key of a dictionary, or nil for a list.
    mutating func value() throws(BencodeError) {
      var stack: [Range<Int>?] = []
      repeat {
        if let top = stack.last {
          if try peek() == UInt8(ascii: "e") {
            position += 1
            stack.removeLast()
            continue
          }
          if let previous = top {
            let key = try string()
            guard previous.isEmpty && previous.lowerBound == 0 || isAscending(previous, key) else {
              throw BencodeError(.notCanonical, at: key.lowerBound)
            }
            stack[stack.count - 1] = key
          }
        }
        switch try peek() {
        case UInt8(ascii: "i"): try integer()
        case UInt8(ascii: "l"), UInt8(ascii: "d"):
          guard stack.count < maximumDepth else { throw BencodeError(.tooDeep, at: position) }
          stack.append(try peek() == UInt8(ascii: "d") ? 0..<0 : nil)
          position += 1
        default: _ = try string()
        }
      } while !stack.isEmpty
    }

    private func isAscending(_ a: Range<Int>, _ b: Range<Int>) -> Bool {
      bytes.withUnsafeBytes { $0[a].lexicographicallyPrecedes($0[b]) }
    }

    /// Digits without a leading zero; returns their number.
    private mutating func digits() throws(BencodeError) -> Int {
      let start = position
      while try (48...57).contains(peek()) { position += 1 }
      let count = position - start
      if count == 0 { throw BencodeError(.unexpectedByte, at: position) }
      if count > 1, bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self) == UInt8(ascii: "0") {
        throw BencodeError(.notCanonical, at: start)
      }
      return count
    }

    private mutating func integer() throws(BencodeError) {
      position += 1
      let isNegative = try peek() == UInt8(ascii: "-")
      if isNegative { position += 1 }
      let start = position
      let count = try digits()
      if isNegative, bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self) == UInt8(ascii: "0") {
        throw BencodeError(.notCanonical, at: start)
      }
      var scanner = BencodeScanner(
        bytes.extracting((start - (isNegative ? 2 : 1))..<min(start + count + 1, bytes.byteCount)))
      guard try scanner.readInteger() != nil else { throw BencodeError(.integerTooLarge, at: start) }
      guard try peek() == UInt8(ascii: "e") else { throw BencodeError(.unexpectedByte, at: position) }
      position += 1
    }

    private mutating func string() throws(BencodeError) -> Range<Int> {
      let start = position
      let count = try digits()
      guard try peek() == UInt8(ascii: ":") else { throw BencodeError(.unexpectedByte, at: position) }
      position += 1
      var length = 0
      for offset in start..<start + count {
        length = length * 10 + Int(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self) - 48)
        if length > bytes.byteCount - position { throw BencodeError(.stringTooLong, at: start) }
      }
      defer { position += length }
      return position..<position + length
    }
  }
}
