/// A list of keys as programs send one: a JSON array of texts, or one key a line.
enum KeyList {
  /// Why a list cannot be used.
  enum Flaw: Error, Hashable, Sendable, CustomStringConvertible {
    /// It is no UTF-8, or begins as a JSON array and is none of texts.
    case malformed
    /// It has more than so many.
    case tooLong(limit: Int)

    /// What is wrong, for a person.
    var description: String {
      switch self {
      case .malformed: "send a JSON array of keys, or one key a line, in UTF-8"
      case .tooLong(let limit): "at most \(limit) keys can be asked for at once"
      }
    }
  }

  /// Reads at most `limit` keys, as texts. Empty lines are passed over.
  static func read(_ bytes: [UInt8], limit: Int) throws(Flaw) -> [String] {
    let content = bytes.drop(while: isSpace)
    if content.first == UInt8(ascii: "[") { return try readArray(content.dropFirst(), limit: limit) }
    var texts: [String] = []
    for line in content.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
      var line = line.drop(while: isSpace)
      while let last = line.last, isSpace(last) { line.removeLast() }
      if line.isEmpty { continue }
      guard texts.count < limit else { throw .tooLong(limit: limit) }
      guard let text = String(validating: line, as: UTF8.self) else { throw .malformed }
      texts.append(text)
    }
    return texts
  }

  private static func readArray(_ bytes: ArraySlice<UInt8>, limit: Int) throws(Flaw) -> [String] {
    var rest = bytes
    var texts: [String] = []
    rest = rest.drop(while: isSpace)
    if rest.first == UInt8(ascii: "]") {
      rest.removeFirst()
    } else {
      while true {
        guard texts.count < limit else { throw .tooLong(limit: limit) }
        texts.append(try readText(&rest))
        rest = rest.drop(while: isSpace)
        guard let separator = rest.popFirst() else { throw .malformed }
        if separator == UInt8(ascii: "]") { break }
        guard separator == UInt8(ascii: ",") else { throw .malformed }
        rest = rest.drop(while: isSpace)
      }
    }
    guard rest.allSatisfy(isSpace) else { throw .malformed }
    return texts
  }

  /// A JSON string (RFC 8259 §7). No key needs an escape, so of those only `\/` is known, which some programs write.
  private static func readText(_ rest: inout ArraySlice<UInt8>) throws(Flaw) -> String {
    guard rest.popFirst() == UInt8(ascii: "\"") else { throw .malformed }
    var content: [UInt8] = []
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else { throw .malformed }
        return text
      case UInt8(ascii: "\\"):
        guard rest.popFirst() == UInt8(ascii: "/") else { throw .malformed }
        content.append(UInt8(ascii: "/"))
      case 0..<0x20: throw .malformed
      default: content.append(byte)
      }
    }
    throw .malformed
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d }
}
