/// Base 64 with padding (RFC 4648 §4).
public enum Base64 {
  private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  /// The text of `bytes`: four characters for each three bytes, the last group padded with `=`.
  public static func encode(_ bytes: some Collection<UInt8>) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var bits: UInt32 = 0
    var held: UInt32 = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      held += 8
      while held >= 6 {
        held -= 6
        text.append(alphabet[Int(bits >> held & 63)])
      }
    }
    if held > 0 { text.append(alphabet[Int(bits << (6 - held) & 63)]) }
    while text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    return String(decoding: text, as: UTF8.self)
  }

  /// The text of `bytes` in the alphabet of addresses, without padding (RFC 4648 §5).
  public static func encodeURL(_ bytes: some Collection<UInt8>) -> String {
    String(
      decoding: encode(bytes).utf8.prefix { $0 != UInt8(ascii: "=") }.map { character in
        switch character {
        case UInt8(ascii: "+"): UInt8(ascii: "-")
        case UInt8(ascii: "/"): UInt8(ascii: "_")
        default: character
        }
      }, as: UTF8.self)
  }

  /// The bytes of a text in the alphabet of addresses, without padding (RFC 4648 §5); nil as for ``decode(_:)``.
  public static func decodeURL(_ text: some Collection<UInt8>) -> [UInt8]? { digits(text, addressValues) }

  /// The bytes; nil for other characters, missing padding or bits left over.
  public static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
    guard text.count % 4 == 0 else { return nil }
    let digits = text.prefix { $0 != UInt8(ascii: "=") }
    let padding = text.count - digits.count
    guard padding <= 2, text.dropFirst(digits.count).allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
    return self.digits(digits, values)
  }

  /// The bytes of digits without padding.
  private static func digits(_ digits: some Collection<UInt8>, _ values: [UInt8]) -> [UInt8]? {
    let bytes = digits.withContiguousStorageIfAvailable { contiguousDigits($0, values) }
    return bytes ?? Array(digits).withUnsafeBufferPointer { contiguousDigits($0, values) }
  }

  private static func contiguousDigits(_ digits: UnsafeBufferPointer<UInt8>, _ values: [UInt8]) -> [UInt8]? {
    guard digits.count % 4 != 1 else { return nil }
    var bits: UInt32 = 0
    var held: UInt32 = 0
    var isValid = true
    let bytes = [UInt8](unsafeUninitializedCapacity: digits.count / 4 * 3 + 2) { bytes, count in
      for digit in digits {
        let value = values[Int(digit)]
        guard value != invalid else {
          isValid = false
          return
        }
        bits = bits << 6 | UInt32(value)
        held += 6
        if held >= 8 {
          held -= 8
          bytes[count] = UInt8(truncatingIfNeeded: bits >> held)
          count += 1
        }
      }
    }
    guard isValid, bits & (1 << held - 1) == 0 else { return nil }
    return bytes
  }

  private static let invalid: UInt8 = 0xff
  /// The value of each character.
  private static let values = table(alphabet)
  private static let addressValues = table(alphabet.dropLast(2) + [UInt8(ascii: "-"), UInt8(ascii: "_")])

  private static func table(_ alphabet: [UInt8]) -> [UInt8] {
    var table = [UInt8](repeating: invalid, count: 256)
    for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
    return table
  }
}
