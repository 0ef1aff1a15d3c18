/// What is wrong in a zone file, where, and what to write instead.
public struct ZoneFileError: Error, Hashable, Sendable {
  /// Number of the line, from 1; 0 if the error is about the whole text.
  public let line: Int
  /// Column of the offending word in characters, from 1; 0 if the error is about the whole text.
  public let column: Int
  /// Number of characters of the offending word, at least 1.
  public let length: Int
  /// What is wrong, without place: `"300s5" is not a TTL`.
  public let message: String
  /// The line as written, without characters that a terminal would obey; a very long line is cut.
  public let sourceLine: String
  /// What to write instead, as a sentence; nil if there is nothing to add.
  public let hint: String?

  /// Start of ``sourceLine`` in the line of the file, in characters from 0.
  private let sourceStart: Int

  /// An error about the whole text.
  init(message: String, hint: String?) {
    line = 0
    column = 0
    length = 1
    self.message = message
    sourceLine = ""
    self.hint = hint
    sourceStart = 0
  }

  /// Finds line and column of an error in the text.
  init(_ error: FieldError, in text: String) {
    let utf8 = text.utf8
    let place = utf8.index(utf8.startIndex, offsetBy: min(error.position.offset, utf8.count))
    let start = utf8[..<place].lastIndex(of: UInt8(ascii: "\n")).map { utf8.index(after: $0) } ?? utf8.startIndex
    let end = utf8[place...].firstIndex(of: UInt8(ascii: "\n")) ?? utf8.endIndex
    let wordEnd = utf8.index(place, offsetBy: error.position.length, limitedBy: end) ?? end
    line = error.position.line
    column = String(Substring(utf8[start..<place])).count + 1
    length = max(1, String(Substring(utf8[place..<wordEnd])).count)
    message = Self.printable(error.message)
    hint = error.hint
    // A window around the word: lines of a zone are short, but nothing forces them to be.
    sourceStart = max(0, column - 80)
    let source = String(Substring(utf8[start..<end])).dropFirst(sourceStart).prefix(160)
    sourceLine = Self.printable(String(source))
  }

  /// `text` with control and direction characters replaced, so that printing it cannot do anything.
  static func printable(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x0d: continue
      case 0x09: result.unicodeScalars.append(" ")
      case 0x00...0x1f, 0x7f...0x9f, 0x200e...0x200f, 0x2028...0x202e, 0x2066...0x2069:
        result.unicodeScalars.append("\u{fffd}")
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension ZoneFileError: CustomStringConvertible {
  /// The error as a person wants to see it: place and message, the line with the word underlined, and what to do.
  ///
  ///     zone:7: "300s5" is not a TTL
  ///         www  300s5  CNAME  @
  ///              ^^^^^
  ///         Write seconds (300) or units (5m, 1h30m, 2d).
  public func report(file: String) -> String {
    var lines = [line == 0 ? "\(file): \(message)" : "\(file):\(line): \(message)"]
    if line > 0 {
      let indent = max(0, column - 1 - sourceStart)
      let width = min(length, max(1, sourceLine.count - indent))
      lines.append("    " + sourceLine)
      lines.append("    " + String(repeating: " ", count: indent) + String(repeating: "^", count: width))
    }
    if let hint { lines.append("    " + hint) }
    return lines.joined(separator: "\n")
  }

  /// Line, column and message in one line.
  public var description: String { line == 0 ? message : "line \(line), column \(column): \(message)" }
}
