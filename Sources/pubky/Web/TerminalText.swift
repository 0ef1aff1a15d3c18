import PlainText

/// Text of strangers on its way to a terminal, piece by piece. Control characters, which could move the cursor, change what
/// stands there or ask the terminal to type, are shown as `\u{1b}` and not obeyed; tabs and ends of lines are.
struct TerminalText {
  /// The first byte of a character that may be a control character (U+0080 to U+009F), or a return before the end of a line.
  private var held: UInt8?

  private static let newline = UInt8(ascii: "\n")
  private static let `return` = UInt8(ascii: "\r")

  /// The piece as it may be written; its last byte may be held back until the next one.
  mutating func shown(_ piece: [UInt8]) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(piece.count)
    for byte in piece {
      if let first = held.take() {
        if first == 0xc2, (0x80...0x9f).contains(byte) {
          Self.show(byte, in: &text)
          continue
        }
        if first == Self.return, byte != Self.newline { Self.show(first, in: &text) } else { text.append(first) }
      }
      switch byte {
      case 0xc2, Self.return: held = byte
      case UInt8(ascii: "\t"), Self.newline: text.append(byte)
      case 0..<0x20, 0x7f: Self.show(byte, in: &text)
      default: text.append(byte)
      }
    }
    return text
  }

  /// What is held back, at the end.
  mutating func end() -> [UInt8] {
    var text: [UInt8] = []
    if let last = held.take() { Self.show(last, in: &text) }
    return text
  }

  private static func show(_ byte: UInt8, in text: inout [UInt8]) {
    text += ControlCharacters.spelling(of: Unicode.Scalar(byte)).utf8
  }
}
