/// Base-32 text in the alphabets of this stack: five bits a character, most significant first, no padding characters.
public struct Base32: Sendable {
  /// The character of each of the 32 values.
  private let alphabet: [UInt8]
  /// The value of each of the 256 bytes; above 31 for those outside of the alphabet.
  private let values: [UInt8]

  /// z-base-32, lower case only: the text form of public keys.
  public static let z = Base32(alphabet: "ybndrfg8ejkmcpqxot1uwisza345h769")
  /// Crockford's alphabet, upper case only: sortable text of timestamps.
  public static let crockford = Base32(alphabet: "0123456789ABCDEFGHJKMNPQRSTVWXYZ")

  private init(alphabet: String) {
    self.alphabet = Array(alphabet.utf8)
    var values = [UInt8](repeating: .max, count: 256)
    for (value, character) in self.alphabet.enumerated() { values[Int(character)] = UInt8(value) }
    self.values = values
  }

  /// The text of `bytes`: ⌈8n/5⌉ characters, the last group padded with zero bits.
  @inlinable
  public func encode(_ bytes: some Collection<UInt8>) -> String {
    bytes.withContiguousStorageIfAvailable(text(of:)) ?? Array(bytes).withUnsafeBufferPointer(text(of:))
  }

  /// The ⌊5n/8⌋ bytes that `text` spells; nil if it holds a character outside of the alphabet.
  ///
  /// Left-over bits of the last character are dropped unchecked, as the network does: several texts may spell the same
  /// bytes, so never use the text itself as an identity.
  @inlinable
  public func decode(_ text: some StringProtocol) -> [UInt8]? { decode(utf8: text.utf8) }

  /// The ⌊5n/8⌋ bytes that a text in UTF-8 spells; nil if it holds a character outside of the alphabet.
  ///
  /// Left-over bits are dropped as in ``decode(_:)``.
  @inlinable
  public func decode(utf8 text: some Collection<UInt8>) -> [UInt8]? {
    text.withContiguousStorageIfAvailable(bytes(of:)) ?? Array(text).withUnsafeBufferPointer(bytes(of:))
  }

  // MARK: - Five bytes are eight characters

  @usableFromInline
  func text(of bytes: UnsafeBufferPointer<UInt8>) -> String {
    let length = (bytes.count * 8 + 4) / 5
    return String(unsafeUninitializedCapacity: length) { text in
      alphabet.withUnsafeBufferPointer { alphabet in
        // Groups of a known size become code without loops.
        @inline(__always)
        func spell(_ count: Int, at group: Int) {
          var bits: UInt64 = 0
          for offset in 0..<count { bits |= UInt64(bytes[group * 5 + offset]) << UInt64(32 - 8 * offset) }
          for offset in 0..<(count * 8 + 4) / 5 {
            text[group * 8 + offset] = alphabet[Int(bits >> UInt64(35 - 5 * offset) & 31)]
          }
        }
        let (groups, rest) = bytes.count.quotientAndRemainder(dividingBy: 5)
        for group in 0..<groups { spell(5, at: group) }
        spell(rest, at: groups)
      }
      return length
    }
  }

  @usableFromInline
  func bytes(of text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var isSpelled = true
    // Room for one at least: without any, the count would be written to what all empty arrays share.
    let bytes = [UInt8](unsafeUninitializedCapacity: max(1, text.count * 5 / 8)) { bytes, initialized in
      isSpelled = decode(text, into: UnsafeMutableRawBufferPointer(bytes))
      initialized = text.count * 5 / 8
    }
    return isSpelled ? bytes : nil
  }

  /// Writes the ⌊5n/8⌋ bytes that a text spells, for which there must be room; false if it holds a character outside of the
  /// alphabet, and then what is written means nothing.
  package func decode(_ text: UnsafeBufferPointer<UInt8>, into bytes: UnsafeMutableRawBufferPointer) -> Bool {
    precondition(bytes.count >= text.count * 5 / 8)
    // All bits that any value has: one above the lowest five shows a character that is none.
    var seen: UInt64 = 0
    values.withUnsafeBufferPointer { values in
      @inline(__always)
      func read(_ count: Int, at group: Int) {
        var bits: UInt64 = 0
        for offset in 0..<count {
          let value = UInt64(values[Int(text[group * 8 + offset])])
          seen |= value
          bits |= value << UInt64(35 - 5 * offset)
        }
        for offset in 0..<count * 5 / 8 {
          bytes[group * 5 + offset] = UInt8(truncatingIfNeeded: bits >> UInt64(32 - 8 * offset))
        }
      }
      let (groups, rest) = text.count.quotientAndRemainder(dividingBy: 8)
      for group in 0..<groups { read(8, at: group) }
      read(rest, at: groups)
    }
    return seen < 32
  }
}
