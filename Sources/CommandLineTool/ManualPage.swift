/// A manual page of the whole tree of commands (man(7)).
public struct ManualPage {
  /// A name and what it means.
  public struct Entry: Sendable {
    let name: String
    let meaning: String

    /// Joins a name and what it means.
    public init(_ name: String, _ meaning: String) {
      self.name = name
      self.meaning = meaning
    }
  }

  let program: Program
  let environment: [Entry]
  let files: [Entry]

  var text: String {
    let root = program.root
    var lines = [
      ".TH \(Self.escape(root.name).uppercased()) 1 \"\" \"\(Self.escape(root.name)) \(Self.escape(program.version))\" \"User Commands\"",
      ".SH NAME", "\(Self.escape(root.name)) \\- \(Self.escape(root.summary))",
      ".SH SYNOPSIS", ".B \(Self.escape(root.name))", ".I COMMAND", "[options]",
    ]
    lines += section("DESCRIPTION", TextLayout.paragraphs(root.discussion).flatMap { [".PP", Self.escape($0)] })
    let tree = CommandPath(root).visibleTree
    lines.append(".SH COMMANDS")
    for path in tree where path.command.action != nil { lines += describe(path) }
    lines.append(".SH OPTIONS")
    lines += ["These may stand in every command."]
    lines += root.options.flatMap(Self.entry) + Self.entry(CommandPath.help.specification)
    lines += Self.entry(CommandParser.version.specification)
    lines += section(
      "EXIT STATUS",
      [
        Entry("0", "Done."), Entry("1", "Not found, or refused by the network."),
        Entry("2", "The command line or its input was wrong."), Entry("130", "Stopped by Ctrl-C."),
      ].flatMap(Self.entry))
    lines += section("ENVIRONMENT", environment.flatMap(Self.entry))
    lines += section("FILES", files.flatMap(Self.entry))
    return lines.joined(separator: "\n") + "\n"
  }

  private func section(_ title: String, _ body: [String]) -> [String] { body.isEmpty ? [] : [".SH \(title)"] + body }

  private func describe(_ path: CommandPath) -> [String] {
    var lines = [".SS \(Self.escape(HelpText.usage(path)))", Self.escape(path.command.summary + ".")]
    lines += TextLayout.paragraphs(path.command.discussion).flatMap { [".PP", Self.escape($0)] }
    lines += path.command.arguments.flatMap { Self.entry(Entry($0.name, $0.summary + ".")) }
    // What the groups above it add; the root's options have a section of their own.
    let options = path.ownOptions + path.commands.dropFirst().dropLast().flatMap(\.options)
    lines += options.flatMap(Self.entry)
    for example in path.command.examples {
      lines += [".PP", Self.escape(example.meaning), ".PP", ".nf", ".RS", Self.escape(example.line), ".RE", ".fi"]
    }
    return lines
  }

  private static func entry(_ entry: Entry) -> [String] {
    [".TP", ".B \(escape(entry.name))", escape(entry.meaning)]
  }

  private static func entry(_ option: OptionSpecification) -> [String] {
    var head = option.short.map { "\\fB\\-\($0)\\fR, " } ?? ""
    head += "\\fB\(escape("--\(option.name)"))\\fR"
    if let value = option.valueName { head += " \\fI\(escape(value))\\fR" }
    return [".TP", head, escape(option.summary + (option.isRepeatable ? " (may be repeated)." : "."))]
  }

  /// Text that roff shows as it is: no escapes, no requests at the start of a line, hyphens that can be copied.
  static func escape(_ text: String) -> String {
    var escaped = ""
    var isLineStart = true
    for character in text {
      switch character {
      case "\\": escaped += "\\e"
      case "-": escaped += "\\-"
      case "\"": escaped += "\\(dq"
      case "." where isLineStart, "'" where isLineStart: escaped += "\\&\(character)"
      case "'": escaped += "\\(aq"
      case "~": escaped += "\\(ti"
      case "^": escaped += "\\(ha"
      case "…": escaped += "..."
      default: escaped.append(character)
      }
      isLineStart = character == "\n"
    }
    return escaped
  }
}
