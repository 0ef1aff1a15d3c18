/// Splits a zone file into entries, and entries into words: comments, quotes and parentheses.
struct ZoneFileScanner {
  /// One directive or record: a line, or several joined by parentheses.
  struct Entry {
    /// Its words; at least one.
    var fields: [Field]
    /// True if the line begins with white space, which stands for the last owner.
    var hasOwner: Bool
    /// The line on which it begins.
    var line: Int
    /// Where it ends.
    var end: FieldError.Position
  }

  /// Most words of one entry: as many as record data have bytes.
  private static let wordLimit = 65536

  private let text: Substring.UTF8View
  private var index: String.Index
  /// Offset of `index` in bytes.
  private var offset = 0
  private var line = 1
  private var isAtLineStart = true

  /// Reads `text`, which should be contiguous UTF-8.
  init(_ text: String) {
    self.text = text[...].utf8
    index = text.startIndex
    if self.text.starts(with: [0xef, 0xbb, 0xbf]) {
      for _ in 0..<3 { advance() }
      isAtLineStart = true
    }
  }

  /// The next entry; nil at the end.
  mutating func next() throws(FieldError) -> Entry? {
    var entry = Entry(fields: [], hasOwner: true, line: line, end: here(0))
    var depth = 0
    var outermost = here(1)
    while let byte = peek {
      let isInside = depth > 0
      switch byte {
      case UInt8(ascii: "\n"):
        entry.end = here(1)
        advance()
        if !isInside {
          if !entry.fields.isEmpty { return entry }
          entry.hasOwner = true
        }
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"):
        if isAtLineStart, !isInside { entry.hasOwner = false }
        advance()
      case UInt8(ascii: ";"):
        while let byte = peek, byte != UInt8(ascii: "\n") { advance() }
      case UInt8(ascii: "("):
        if !isInside { outermost = here(1) }
        depth += 1
        advance()
      case UInt8(ascii: ")"):
        guard isInside else { throw failure("\")\" without \"(\" before it") }
        depth -= 1
        advance()
      default:
        if entry.fields.isEmpty { entry.line = line }
        guard entry.fields.count < Self.wordLimit else { throw failure("more words than a record can have") }
        entry.fields.append(byte == UInt8(ascii: "\"") ? try quotedString() : try word())
      }
    }
    guard depth == 0 else {
      throw FieldError(
        position: outermost, message: "\"(\" is never closed", hint: "Add \")\" where the record ends.")
    }
    entry.end = here(1)
    return entry.fields.isEmpty ? nil : entry
  }

  private mutating func quotedString() throws(FieldError) -> Field {
    let start = here(1)
    advance()
    let first = index
    while let byte = peek {
      if byte == UInt8(ascii: "\"") {
        let text = Substring(text[first..<index])
        advance()
        return Field(text: text, isQuoted: true, position: since(start))
      }
      guard byte != UInt8(ascii: "\n") else { break }
      try step()
    }
    throw FieldError(position: start, message: "a quote is never closed", hint: "Add \" where the text ends.")
  }

  private mutating func word() throws(FieldError) -> Field {
    let start = here(1)
    let first = index
    var innerQuote: FieldError.Position?
    var hasInnerQuotes = false
    while let byte = peek {
      if byte == UInt8(ascii: "\"") {
        innerQuote = innerQuote == nil ? here(1) : nil
        hasInnerQuotes = true
        advance()
        continue
      }
      if byte == UInt8(ascii: "\n") || innerQuote == nil && Self.endsWord(byte) { break }
      try step()
    }
    if let innerQuote {
      throw FieldError(position: innerQuote, message: "a quote is never closed", hint: "Add \" where the text ends.")
    }
    return Field(
      text: Substring(text[first..<index]), isQuoted: false, hasInnerQuotes: hasInnerQuotes, position: since(start))
  }

  /// Moves over one character of a word or string, or over a backslash and what it escapes.
  private mutating func step() throws(FieldError) {
    guard let byte = peek else { return }
    if byte == UInt8(ascii: "\\") {
      advance()
      guard let next = peek, next != UInt8(ascii: "\n") else { throw failure("a backslash with nothing after it") }
    }
    guard let byte = peek, byte >= 0x20 && byte != 0x7f || byte == UInt8(ascii: "\t") else {
      throw failure("a control character", hint: "Write it as \\ and three digits, for example \\007.")
    }
    advance()
  }

  private static func endsWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: ";"), UInt8(ascii: "("),
      UInt8(ascii: ")"):
      true
    default: false
    }
  }
}

// MARK: - Position

extension ZoneFileScanner {
  private var peek: UInt8? { index < text.endIndex ? text[index] : nil }

  private mutating func advance() {
    isAtLineStart = text[index] == UInt8(ascii: "\n")
    if isAtLineStart { line += 1 }
    text.formIndex(after: &index)
    offset += 1
  }

  private func here(_ length: Int) -> FieldError.Position {
    FieldError.Position(line: line, offset: offset, length: length)
  }

  /// From `start` up to here, on one line.
  private func since(_ start: FieldError.Position) -> FieldError.Position {
    FieldError.Position(line: start.line, offset: start.offset, length: offset - start.offset)
  }

  private func failure(_ message: String, hint: String? = nil) -> FieldError {
    FieldError(position: here(1), message: message, hint: hint)
  }
}
