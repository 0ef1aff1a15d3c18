/// Characters that steer a terminal, break a line or reorder text instead of being seen. Text that came from outside is
/// freed of them before it meets a terminal or a log.
public enum ControlCharacters {
  /// True for C0 and C1 controls, DEL, line and paragraph separators, and the bidirectional controls of Unicode (UAX #9).
  public static func contains(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1f, 0x7f...0x9f, 0x2028...0x202e, 0x2066...0x2069, 0x200e, 0x200f, 0x061c: true
    default: false
    }
  }

  /// `text` with each such character spelled as `\n`, `\r`, `\t` or `\u{…}`.
  public static func escape(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: contains) else { return text }
    var escaped = ""
    for scalar in text.unicodeScalars {
      if contains(scalar) { escaped += spelling(of: scalar) } else { escaped.unicodeScalars.append(scalar) }
    }
    return escaped
  }

  /// How one control character is spelled.
  public static func spelling(of scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default: "\\u{\(String(scalar.value, radix: 16))}"
    }
  }
}
