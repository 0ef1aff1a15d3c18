/// Breaks text into lines.
enum TextLayout {
  /// Lines of at most `width` characters, each after `indent` spaces. A word that is longer stays whole: people copy them.
  static func wrap(_ text: String, width: Int, indent: Int = 0) -> [String] {
    let margin = String(repeating: " ", count: indent)
    let room = max(12, width - indent)
    var lines: [String] = []
    var line = ""
    var length = 0
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if length > 0, length + 1 + word.count > room {
        lines.append(margin + line)
        line = ""
        length = 0
      }
      if length > 0 { line += " " }
      line += word
      length += (length > 0 ? 1 : 0) + word.count
    }
    if length > 0 || lines.isEmpty { lines.append(margin + line) }
    return lines
  }

  /// Paragraphs, which blank lines separate.
  static func paragraphs(_ text: String) -> [String] {
    var paragraphs: [String] = []
    var current: [Substring] = []
    for line: Substring in text.split(separator: "\n", omittingEmptySubsequences: false) + [""] {
      if !line.isEmpty {
        current.append(line)
      } else if !current.isEmpty {
        paragraphs.append(current.joined(separator: "\n"))
        current = []
      }
    }
    return paragraphs
  }
}
