/// Choice of a media type by the client's preferences (RFC 9110 §12.5.1).
public enum HTTPAccept {
  /// Members of the field that are looked at.
  static let maximumRanges = 64

  /// The media type that the client likes best; of equal ones that which stands first. Nil if it wants none of them, which
  /// may be answered with 406 or with the first.
  ///
  /// `accept` is the field's value (`fields.joined(.accept)`). Without one, or if no member of it can be read, all types
  /// are equal. The most specific member that covers a type decides: type with parameters, type, `text/*`, `*/*`.
  public static func best(of types: [String], accept: String?) -> String? {
    guard let accept, accept != "*/*" else { return types.first }
    let ranges = members(of: accept.utf8, separator: UInt8(ascii: ",")).prefix(maximumRanges).compactMap(
      MediaRange.init)
    if ranges.isEmpty { return types.first }
    var best: (type: String, quality: Int)?
    for type in types {
      guard let candidate = MediaRange(Substring(type).utf8) else { continue }
      let covering = ranges.filter { $0.covers(candidate) }
      guard let quality = covering.max(by: { $0.specificity < $1.specificity })?.quality, quality > 0 else { continue }
      if best.map({ quality > $0.quality }) ?? true { best = (type, quality) }
    }
    return best?.type
  }

  /// The parts between separators that do not stand in quotes.
  fileprivate static func members(of text: String.UTF8View, separator: UInt8) -> [Substring.UTF8View] {
    members(of: text[...], separator: separator)
  }

  fileprivate static func members(of text: Substring.UTF8View, separator: UInt8) -> [Substring.UTF8View] {
    var isQuoted = false
    var isEscaped = false
    return text.split(omittingEmptySubsequences: true) { byte in
      if isEscaped {
        isEscaped = false
      } else if isQuoted, byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      }
      return byte == separator && !isQuoted
    }
  }
}

/// `type/subtype;parameter=value;q=0.5`, each of type and subtype possibly `*`.
private struct MediaRange {
  let type: String
  let subtype: String
  /// In lower case, without quotes.
  var parameters: Set<String> = []
  /// In thousandths.
  var quality = 1000

  init?(_ text: Substring.UTF8View) {
    let parts = HTTPAccept.members(of: text, separator: UInt8(ascii: ";")).map(Self.trimmed)
    guard let name = parts.first else { return nil }
    let halves = name.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard halves.count == 2, halves.allSatisfy({ !$0.isEmpty && $0.allSatisfy(HTTPToken.contains) }) else { return nil }
    (type, subtype) = (Substring(halves[0]).lowercased(), Substring(halves[1]).lowercased())
    if type == "*", subtype != "*" { return nil }
    for part in parts.dropFirst() {
      let text = Substring(part).lowercased()
      if text.utf8.starts(with: "q=".utf8) {
        guard let quality = Self.quality(text.utf8.dropFirst(2)) else { return nil }
        self.quality = quality
        // What follows are extensions of Accept, not parameters of the type.
        break
      }
      parameters.insert(text.filter { $0 != "\"" })
    }
  }

  /// 0 for `*/*`, 1 for `type/*`, 2 for a type, more with parameters.
  var specificity: Int { type == "*" ? 0 : subtype == "*" ? 1 : 2 + parameters.count }

  func covers(_ candidate: MediaRange) -> Bool {
    (type == "*" || type == candidate.type) && (subtype == "*" || subtype == candidate.subtype)
      && parameters.isSubset(of: candidate.parameters)
  }

  private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
    let start = text.drop { $0 == 0x20 || $0 == 0x09 }
    guard let end = start.lastIndex(where: { $0 != 0x20 && $0 != 0x09 }) else { return start[..<start.startIndex] }
    return start[...end]
  }

  /// `0.5` as 500: at most three decimals, at most 1 (§12.4.2).
  private static func quality(_ text: Substring.UTF8View) -> Int? {
    let bytes = Array(text)
    guard (1...5).contains(bytes.count), bytes[0] == UInt8(ascii: "0") || bytes[0] == UInt8(ascii: "1"),
      bytes.count == 1 || bytes[1] == UInt8(ascii: ".")
    else { return nil }
    var quality = bytes[0] == UInt8(ascii: "1") ? 1000 : 0
    var unit = 100
    for digit in bytes.dropFirst(2) {
      guard (0x30...0x39).contains(digit) else { return nil }
      quality += Int(digit - 0x30) * unit
      unit /= 10
    }
    return quality <= 1000 ? quality : nil
  }
}
