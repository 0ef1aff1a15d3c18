/// Reads bytes of presentation text, resolving `\DDD` and `\c` (RFC 1035 §5.1).
struct EscapeReader<Bytes: Collection<UInt8>> {
  private let bytes: Bytes
  private var position: Bytes.Index

  init(_ bytes: Bytes) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  /// The next byte and whether it was escaped; nil at the end.
  mutating func next() throws(DomainNameError) -> (byte: UInt8, isEscaped: Bool)? {
    guard let byte = advance() else { return nil }
    guard byte == UInt8(ascii: "\\") else { return (byte, false) }
    guard let first = advance() else { throw .badEscape }
    guard let high = Self.digit(first) else { return (first, true) }
    guard let second = advance(), let middle = Self.digit(second), let third = advance(), let low = Self.digit(third)
    else { throw .badEscape }
    let value = high * 100 + middle * 10 + low
    guard value <= 255 else { throw .badEscape }
    return (UInt8(value), true)
  }

  private mutating func advance() -> UInt8? {
    guard position < bytes.endIndex else { return nil }
    defer { bytes.formIndex(after: &position) }
    return bytes[position]
  }

  private static func digit(_ byte: UInt8) -> Int? { (0x30...0x39).contains(byte) ? Int(byte) - 0x30 : nil }
}

/// Writes bytes as presentation text.
enum Escaping {
  /// What surrounds the bytes, and so which of them need a backslash.
  enum Context {
    /// A name: a dot separates labels, a space would end the word, and zone files give a meaning to the rest.
    case name
    /// A string in quotes.
    case quotes
  }

  /// Appends one byte: as it is, with a backslash, or as `\DDD` outside of printable ASCII.
  static func append(_ byte: UInt8, to text: inout [UInt8], within context: Context) {
    switch (byte, context) {
    case (UInt8(ascii: "\\"), _), (UInt8(ascii: "\""), _),
      (UInt8(ascii: "."), .name), (UInt8(ascii: ";"), .name), (UInt8(ascii: "("), .name), (UInt8(ascii: ")"), .name),
      (UInt8(ascii: "@"), .name), (UInt8(ascii: "$"), .name):
      text.append(UInt8(ascii: "\\"))
      text.append(byte)
    case (0x21...0x7e, _), (0x20, .quotes):
      text.append(byte)
    default:
      text.append(UInt8(ascii: "\\"))
      text.append(UInt8(ascii: "0") + byte / 100)
      text.append(UInt8(ascii: "0") + byte / 10 % 10)
      text.append(UInt8(ascii: "0") + byte % 10)
    }
  }

  /// `"…"` around `bytes`, escaped.
  static func quoted(_ bytes: some Sequence<UInt8>) -> String {
    var text: [UInt8] = [UInt8(ascii: "\"")]
    for byte in bytes { append(byte, to: &text, within: .quotes) }
    text.append(UInt8(ascii: "\""))
    return String(decoding: text, as: UTF8.self)
  }
}
