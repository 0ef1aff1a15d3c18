import WireFormat

/// What is wrong with a word of presentation text.
struct FieldError: Error {
  /// The word, or where one was expected.
  var position: Position
  /// What is wrong, beginning with a verb if the word is to stand in front of it.
  var message: String
  /// What to write instead.
  var hint: String?

  /// A stretch of text within one line.
  struct Position: Hashable {
    /// From 1.
    var line: Int
    /// Offset of its first UTF-8 byte in the whole text.
    var offset: Int
    /// Number of UTF-8 bytes.
    var length: Int
  }
}

/// A word of presentation text, or a string in quotes.
struct Field {
  /// As written, escapes included, without the quotes around it.
  var text: Substring
  /// True for a string in quotes.
  var isQuoted: Bool
  /// True if quotes stand inside of the word (`key="value"`); they are part of ``text``.
  var hasInnerQuotes = false
  /// Where it stands, the quotes included.
  var position: FieldError.Position

  /// An error that says `"word" is not …`.
  func error(_ message: String, hint: String? = nil) -> FieldError {
    FieldError(position: position, message: "\"\(Self.shortened(text))\" \(message)", hint: hint)
  }

  /// The bytes with escapes resolved.
  func bytes() throws(FieldError) -> [UInt8] {
    guard !hasInnerQuotes else {
      throw error(
        "has a quote in the middle", hint: "Put the whole text in quotes, or write \\\" for the quote itself.")
    }
    return try Self.unescaped(text.utf8, in: self)
  }

  /// `bytes` with escapes resolved.
  static func unescaped(_ bytes: some Collection<UInt8>, in field: Field) throws(FieldError) -> [UInt8] {
    var result: [UInt8] = []
    var reader = EscapeReader(bytes)
    do {
      while let (byte, _) = try reader.next() { result.append(byte) }
    } catch {
      throw field.error("has a bad escape", hint: "\(error)".capitalizedFirst + ".")
    }
    return result
  }

  private static func shortened(_ text: Substring) -> String {
    text.count <= 60 ? String(text) : text.prefix(57) + "…"
  }
}

extension String {
  /// With its first character in upper case.
  var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}

/// Reads the fields of one record's data, in order.
struct FieldReader {
  private var fields: ArraySlice<Field>
  /// To what relative names are relative.
  let origin: DomainName
  /// Names that look absolute, but lack the final dot.
  private(set) var dottedRelativeNames: [Field] = []
  /// Where the entry ends, for errors about what is missing.
  private let end: FieldError.Position

  init(_ fields: ArraySlice<Field>, origin: DomainName, end: FieldError.Position) {
    self.fields = fields
    self.origin = origin
    self.end = end
  }

  /// True if fields are left.
  var hasMore: Bool { !fields.isEmpty }

  /// The next field without taking it.
  var peek: Field? { fields.first }

  /// Takes the next field; `expected` says what it should be, for the error if there is none.
  mutating func next(_ expected: String) throws(FieldError) -> Field {
    guard let field = fields.popFirst() else {
      throw FieldError(position: end, message: "\(expected) is missing", hint: nil)
    }
    return field
  }

  /// Undoes taking `field`, the last one taken.
  mutating func putBack(_ field: Field) { fields = fields.prefix(0) + [field] + fields }

  /// Takes a number without sign.
  mutating func nextNumber<Number: FixedWidthInteger & UnsignedInteger>(
    _ expected: String
  ) throws(FieldError) -> Number {
    let field = try next(expected)
    guard let number = DecimalNumber.parse(field.text, as: Number.self) else {
      throw field.error("is not \(expected)", hint: "Write a number from 0 to \(Number.max).")
    }
    return number
  }

  /// Takes seconds, plain or in units.
  mutating func nextDuration(_ expected: String) throws(FieldError) -> UInt32 {
    let field = try next(expected)
    guard let seconds = TimeToLive.parse(field.text) else {
      throw field.error("is not \(expected)", hint: TimeToLive.hint)
    }
    return seconds
  }

  /// Takes a name: `@` is the origin, and without a final dot the origin is added.
  mutating func nextName(_ expected: String) throws(FieldError) -> DomainName {
    let field = try next(expected)
    let name = try Self.name(field, origin: origin)
    if field.text.utf8.contains(UInt8(ascii: ".")), field.text.utf8.last != UInt8(ascii: ".") {
      dottedRelativeNames.append(field)
    }
    return name
  }

  static func name(_ field: Field, origin: DomainName) throws(FieldError) -> DomainName {
    guard !field.isQuoted, !field.hasInnerQuotes else {
      throw field.error("is in quotes, but names are not", hint: "Write the name without quotes.")
    }
    if field.text == "@" { return origin }
    do throws(DomainNameError) {
      let name = try DomainName(field.text)
      guard try !hasEmptyLabel(field.text) else {
        throw DomainNameError.emptyLabel
      }
      return endsInPlainDot(field.text) ? name : try name.appending(origin)
    } catch {
      throw field.error("is not a name: \(error)")
    }
  }

  /// True for two dots in a row or a dot in front: allowed elsewhere, but in a zone file a slip of the pen.
  private static func hasEmptyLabel(_ text: Substring) throws(DomainNameError) -> Bool {
    guard text != "." else { return false }
    var labelIsEmpty = true
    var reader = EscapeReader(text.utf8)
    while let (byte, isEscaped) = try reader.next() {
      let isDot = byte == UInt8(ascii: ".") && !isEscaped
      if isDot, labelIsEmpty { return true }
      labelIsEmpty = isDot
    }
    return false
  }

  /// True if the last character is a dot that no backslash escapes.
  private static func endsInPlainDot(_ text: Substring) -> Bool {
    guard text.utf8.last == UInt8(ascii: ".") else { return false }
    return text.utf8.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count % 2 == 0
  }

  /// Takes a string of at most 255 bytes.
  mutating func nextCharacterString(_ expected: String) throws(FieldError) -> [UInt8] {
    let field = try next(expected)
    let bytes = try field.bytes()
    guard bytes.count <= 255 else {
      throw field.error(
        "has \(bytes.count) bytes; a string may have 255", hint: "Split it into several strings in quotes.")
    }
    return bytes
  }

  /// Takes all that is left as hexadecimal digits, which may be spread over several words.
  mutating func restAsHex(_ expected: String) throws(FieldError) -> [UInt8] {
    var digits: [UInt8] = []
    var last: Field?
    while hasMore {
      let field = try next(expected)
      guard field.text.utf8.allSatisfy(Self.isHexDigit) else {
        throw field.error("is not hexadecimal", hint: "Write two digits (0-9, a-f) for each byte.")
      }
      digits.append(contentsOf: field.text.utf8)
      last = field
    }
    guard let bytes = Hex.decode(String(decoding: digits, as: UTF8.self)) else {
      throw (last ?? Field(text: "", isQuoted: false, position: end)).error("leaves an odd number of digits")
    }
    return bytes
  }

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x46).contains(byte) || (0x61...0x66).contains(byte)
  }

  /// Takes all that is left as base64, which may be spread over several words.
  mutating func restAsBase64(_ expected: String) throws(FieldError) -> [UInt8] {
    let first = try next(expected)
    var text = Array(first.text.utf8)
    while hasMore { text.append(contentsOf: try next(expected).text.utf8) }
    guard let bytes = Base64.decode(text) else { throw first.error("is not base64") }
    return bytes
  }
}
