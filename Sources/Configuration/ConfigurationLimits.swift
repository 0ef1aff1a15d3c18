/// Bounds that keep a damaged or hostile file from exhausting memory or the stack.
enum ConfigurationLimits {
  /// Largest text, in bytes.
  static let bytes = 1 << 20
  /// Most dots in one key or table header: each is a table in a table, and toml++ frees them recursively. Together with
  /// its limit of 32 nested values no document is deeper than about 550 tables.
  static let dotsInAKey = 16

  /// The line of the first key with more dots than allowed; nil if there is none.
  ///
  /// Counts dots outside of strings and comments since the last character that cannot be part of a key. (Numbers have
  /// one dot at most.)
  static func lineOfTooDeepKey(_ text: String) -> Int? {
    var line = 1
    var dots = 0
    var scanner = Scanner(bytes: Array(text.utf8))
    while let byte = scanner.next() {
      switch byte {
      case UInt8(ascii: "."):
        dots += 1
        if dots > dotsInAKey { return line }
      case UInt8(ascii: "="), UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: "\n"): dots = 0
      default: break
      }
      line += scanner.linesPassed
      scanner.linesPassed = 0
    }
    return nil
  }

  /// Yields the bytes of a TOML text without those inside strings and comments.
  private struct Scanner {
    let bytes: [UInt8]
    var position = 0
    var linesPassed = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> UInt8? {
      guard position < bytes.count else { return nil }
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "#"):
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { position += 1 }
      case UInt8(ascii: "\""), UInt8(ascii: "'"): skipString(quote: byte)
      case UInt8(ascii: "\n"): linesPassed += 1
      default: break
      }
      return byte
    }

    private mutating func skipString(quote: UInt8) {
      let isMultiline = startsWith(quote, 2)
      if isMultiline { position += 2 }
      while position < bytes.count {
        let byte = bytes[position]
        if byte == UInt8(ascii: "\n") {
          if !isMultiline { return }
          linesPassed += 1
        }
        position += 1
        if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\""), position < bytes.count {
          if bytes[position] == UInt8(ascii: "\n") { linesPassed += 1 }
          position += 1
        } else if byte == quote {
          if !isMultiline { return }
          if startsWith(quote, 2) {
            position += 2
            // Up to two quotes may stand right before the closing three.
            while position < bytes.count, bytes[position] == quote { position += 1 }
            return
          }
        }
      }
    }

    private func startsWith(_ byte: UInt8, _ count: Int) -> Bool {
      position + count <= bytes.count && bytes[position..<position + count].allSatisfy { $0 == byte }
    }
  }
}
