/// Makes one script of JavaScript modules, and leaves out what only people need: comments, indentation, spaces.
///
/// The modules are read as the files that they are. Each must import only from those before it, by the names that they
/// export; no two may use the same name at their top. Newlines stay where a statement could end. Functions are declared, or
/// written with an arrow.
struct ScriptPacker {
  private let source: [UInt8]
  private var index = 0
  private var packed: [UInt8] = []
  /// For each `${` of a template literal that is open: how many braces are open inside of it.
  private var openTemplates: [Int] = []

  /// A bracket that is open, or the outermost level.
  private struct Level {
    /// True if a statement may follow its end at once: the body of a function, method, loop or condition.
    var isBlock = false
    /// True if the statement of this moment declares variables.
    var declares = false
    /// True if the statement before it did.
    var hasDeclared = false
  }

  private var levels = [Level()]
  /// Private names of classes in the order in which they come; each becomes a short one.
  private var privateNames: [ArraySlice<UInt8>] = []
  /// True if the last byte closed a block.
  private var hasClosedBlock = false

  /// The modules as one script.
  static func pack(_ modules: [String]) -> String {
    let statements = modules.flatMap(statements)
    var packer = ScriptPacker(source: Array(statements.joined(separator: "\n").utf8))
    return packer.run()
  }

  private init(source: [UInt8]) { self.source = source }

  /// The lines of a module without `import …;` and without the word `export`.
  private static func statements(of module: String) -> [Substring] {
    var isImport = false
    var lines: [Substring] = []
    for line in module.split(separator: "\n") {
      if line.hasPrefix("import ") { isImport = true }
      if !isImport { lines.append(line.hasPrefix("export ") ? line.dropFirst("export ".count) : line) }
      if line.hasSuffix(";") { isImport = false }
    }
    return lines
  }

  private mutating func run() -> String {
    while index < source.count {
      switch source[index] {
      case UInt8(ascii: "'"), UInt8(ascii: "\""): copyQuoted(until: source[index])
      case UInt8(ascii: "`"): copyTemplate()
      case UInt8(ascii: "/") where next == UInt8(ascii: "/"): skip(to: "\n")
      case UInt8(ascii: "/") where next == UInt8(ascii: "*"):
        skip(to: "*/")
        index += 2
      case UInt8(ascii: "/") where startsExpression: copyQuoted(until: UInt8(ascii: "/"))
      case UInt8(ascii: " "), UInt8(ascii: "\n"): copySpace()
      case UInt8(ascii: "{"):
        if !openTemplates.isEmpty { openTemplates[openTemplates.count - 1] += 1 }
        levels.append(Level(isBlock: startsBlock))
        copy()
      case UInt8(ascii: "}"):
        if packed.last == UInt8(ascii: ";") { packed.removeLast() }
        if openTemplates.last == 0 {
          openTemplates.removeLast()
          copyTemplate()
        } else {
          if !openTemplates.isEmpty { openTemplates[openTemplates.count - 1] -= 1 }
          copy()
          hasClosedBlock = closeLevel().isBlock
        }
      case UInt8(ascii: "#"): copyPrivateName()
      case UInt8(ascii: "("), UInt8(ascii: "["):
        levels.append(Level())
        copy()
      case UInt8(ascii: ")"), UInt8(ascii: "]"):
        closeLevel()
        copy()
      case UInt8(ascii: ";"):
        levels[levels.count - 1].hasDeclared = levels[levels.count - 1].declares
        levels[levels.count - 1].declares = false
        copy()
      // Where nothing is assigned again, it may be.
      case UInt8(ascii: "c") where starts("const "): copyDeclaration(6)
      case UInt8(ascii: "l") where starts("let "): copyDeclaration(4)
      case UInt8(ascii: "=") where next == UInt8(ascii: ">"):
        removeParentheses()
        copy()
      default: copy()
      }
    }
    return String(decoding: packed, as: UTF8.self)
  }

  private var next: UInt8? { index + 1 < source.count ? source[index + 1] : nil }

  @discardableResult
  private mutating func closeLevel() -> Level { levels.count > 1 ? levels.removeLast() : levels[0] }

  /// True if a brace here opens the body of a function, method, class, loop or condition, and no object.
  private var startsBlock: Bool {
    packed.last == UInt8(ascii: ")") || ["else", "try", "catch", "finally"].contains { endsWithWord($0) }
  }

  private func endsWithWord(_ word: String) -> Bool {
    packed.suffix(word.utf8.count).elementsEqual(word.utf8)
      && !(packed.dropLast(word.utf8.count).last.map(Self.isWord) ?? false)
  }

  /// `#name`, as a name of one or two letters.
  private mutating func copyPrivateName() {
    copy()
    let name = source[index...].prefix(while: Self.isWord)
    index += name.count
    if !privateNames.contains(name) { privateNames.append(name) }
    var number = privateNames.firstIndex(of: name) ?? 0
    repeat {
      packed.append(UInt8(ascii: "a") + UInt8(number % 26))
      number /= 26
    } while number > 0
  }

  /// `let`, or a comma behind the declaration before it.
  private mutating func copyDeclaration(_ length: Int) {
    index += length
    levels[levels.count - 1].declares = true
    if packed.last == UInt8(ascii: ";"), levels[levels.count - 1].hasDeclared {
      packed[packed.count - 1] = UInt8(ascii: ",")
    } else {
      packed += Array("let ".utf8)
    }
  }

  private mutating func copy() {
    hasClosedBlock = false
    packed.append(source[index])
    index += 1
  }

  private mutating func skip(to end: StaticString) {
    let end = String(describing: end)
    while index < source.count, !source[index...].starts(with: end.utf8) { index += 1 }
  }

  /// A string or a regular expression, whose end does not count inside of brackets.
  private mutating func copyQuoted(until end: UInt8) {
    var isInBrackets = false
    copy()
    while index < source.count {
      let byte = source[index]
      if byte == UInt8(ascii: "\\") { copy() }
      if byte == UInt8(ascii: "["), end == UInt8(ascii: "/") { isInBrackets = true }
      if byte == UInt8(ascii: "]") { isInBrackets = false }
      copy()
      if byte == end, !isInBrackets { return }
    }
  }

  /// A template literal from its start, or from the end of an expression inside of it, to the next expression or its end.
  private mutating func copyTemplate() {
    copy()
    while index < source.count {
      let byte = source[index]
      if byte == UInt8(ascii: "\\") { copy() }
      if byte == UInt8(ascii: "$"), next == UInt8(ascii: "{") {
        copy()
        copy()
        openTemplates.append(0)
        return
      }
      copy()
      if byte == UInt8(ascii: "`") { return }
    }
  }

  /// True if a slash here begins a regular expression: nothing stands before it that could be divided.
  private var startsExpression: Bool {
    guard let last = packed.last(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\n") }) else { return true }
    if Self.isWord(last) {
      return ["return", "case", "typeof", "of", "in"].contains { endsWithWord($0) }
    }
    return !")]}".utf8.contains(last)
  }

  private func starts(_ word: StaticString) -> Bool {
    source[index...].starts(with: String(describing: word).utf8) && !(packed.last.map(Self.isWord) ?? false)
      && packed.last != UInt8(ascii: ".")
  }

  /// `(name)` before an arrow, as `name`.
  private mutating func removeParentheses() {
    guard packed.last == UInt8(ascii: ")"), let start = packed.lastIndex(of: UInt8(ascii: "(")) else { return }
    let name = packed[(start + 1)...].dropLast()
    guard !name.isEmpty, name.allSatisfy(Self.isWord), start > 0, !Self.isWord(packed[start - 1]) else { return }
    packed.removeLast()
    packed.remove(at: start)
  }

  /// White space: what must stay of it.
  private mutating func copySpace() {
    var hasNewline = false
    while index < source.count, source[index] == UInt8(ascii: " ") || source[index] == UInt8(ascii: "\n") {
      if source[index] == UInt8(ascii: "\n") { hasNewline = true }
      index += 1
    }
    guard let last = packed.last, index < source.count else { return }
    let following = source[index]
    if hasNewline {
      if hasClosedBlock, Self.isWord(following) { return }
      if !"{;,([=>&|?:+\n".utf8.contains(last), !"})]".utf8.contains(following) { packed.append(UInt8(ascii: "\n")) }
    } else if Self.isWord(last) && Self.isWord(following) || last == following && "+-".utf8.contains(last) {
      packed.append(UInt8(ascii: " "))
    }
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, UInt8(ascii: "_"), UInt8(ascii: "$"), UInt8(ascii: "#"), 0x80...: true
    default: false
    }
  }
}
