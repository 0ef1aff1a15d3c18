/// Base-32 text in the alphabets of this stack: five bits a character, most significant first, no padding characters.
public struct Base32: Sendable {
  @usableFromInline let alphabet: [UInt8]
  @usableFromInline let values: [UInt8]

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
    String(unsafeUninitializedCapacity: (bytes.count * 8 + 4) / 5) { buffer in
      var position = 0
      var bits: UInt32 = 0
      var held = 0
      for byte in bytes {
        bits = bits << 8 | UInt32(byte)
        held += 8
        while held >= 5 {
          held -= 5
          buffer[position] = alphabet[Int(bits >> UInt32(held) & 31)]
          position += 1
        }
      }
      if held > 0 {
        buffer[position] = alphabet[Int(bits << UInt32(5 - held) & 31)]
        position += 1
      }
      return position
    }
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
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 8 * 5 + 5)
    var bits: UInt32 = 0
    var held = 0
    for character in text {
      let value = values[Int(character)]
      guard value != .max else { return nil }
      bits = bits << 5 | UInt32(value)
      held += 5
      if held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    return bytes
  }
}
