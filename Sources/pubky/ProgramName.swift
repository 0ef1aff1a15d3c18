/// How this program is called, for lines that people copy.
enum ProgramName {
  /// `pubky`, or the path with which it was started if it was not found by its name.
  static var asTyped: String {
    guard let typed = CommandLine.arguments.first, typed.contains("/") else { return "pubky" }
    return quoted(typed)
  }

  /// A word as a shell takes it for one word.
  static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "-")...UInt8(ascii: ":"): true  // - . / digits :
        case UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: "@"): true
        default: false
        }
      }
    return isPlain
      ? word : "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
  }
}
