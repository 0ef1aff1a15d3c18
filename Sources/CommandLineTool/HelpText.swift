/// Help for a command, laid out for a width.
struct HelpText {
  let path: CommandPath
  let width: Int
  let style: TextStyle

  /// How a command is called, on one line.
  static func usage(_ path: CommandPath) -> String {
    var words = [path.text]
    if !path.command.subcommands.isEmpty { words.append(path.command.action == nil ? "COMMAND" : "[COMMAND]") }
    var closing = ""
    for argument in path.command.arguments {
      let name = argument.isRepeatable ? "\(argument.name)…" : argument.name
      words.append(argument.isRequired ? name : "[\(name)")
      if !argument.isRequired { closing += "]" }
    }
    return words.joined(separator: " ") + closing + " [options]"
  }

  /// How an option is written: `-v, --verbose`, `--key FILE`.
  static func spelling(_ option: OptionSpecification) -> String {
    let short = option.short.map { "-\($0), " } ?? "    "
    return short + "--\(option.name)" + (option.valueName.map { " \($0)" } ?? "")
  }

  var text: String {
    var lines = TextLayout.wrap(path.command.summary + ".", width: width)
    lines += ["", style.bold("Usage:") + " " + Self.usage(path)]
    for paragraph in TextLayout.paragraphs(path.command.discussion) {
      lines.append("")
      lines += TextLayout.wrap(paragraph, width: width)
    }
    section("Commands", path.command.visibleSubcommands.map { ($0.name, $0.summary) }, &lines)
    section("Arguments", path.command.arguments.map { ($0.name, $0.summary) }, &lines)
    if path.commands.count == 1 {
      let all = path.ownOptions + [CommandParser.version.specification] + path.inheritedOptions
      section("Options", all.map(Self.row), &lines)
    } else {
      section("Options", path.ownOptions.map(Self.row), &lines)
      section("General options", path.inheritedOptions.map(Self.row), &lines)
    }
    if !path.command.examples.isEmpty {
      lines += ["", style.bold("Examples:")]
      for example in path.command.examples {
        lines.append("  \(example.line)")
        lines += TextLayout.wrap(example.meaning, width: width, indent: 6).map(style.dim)
      }
    }
    if !path.command.subcommands.isEmpty { lines += ["", "More: \(path.text) COMMAND --help"] }
    return lines.joined(separator: "\n")
  }

  private static func row(_ option: OptionSpecification) -> (String, String) {
    (spelling(option), option.summary + (option.isRepeatable ? " (may be repeated)" : ""))
  }

  /// Two columns: names, and what they mean, wrapped beside them.
  private func section(_ title: String, _ rows: [(String, String)], _ lines: inout [String]) {
    guard !rows.isEmpty else { return }
    lines += ["", style.bold("\(title):")]
    let column = min(rows.map { $0.0.count }.max() ?? 0, max(20, width / 3)) + 4
    for (name, meaning) in rows {
      let wrapped = TextLayout.wrap(meaning, width: width, indent: column)
      let start = "  " + name
      if start.count + 2 > column {
        lines.append(start)
        lines += wrapped
      } else {
        lines.append(
          start + String(repeating: " ", count: column - start.count) + (wrapped.first?.dropFirst(column) ?? ""))
        lines += wrapped.dropFirst()
      }
    }
  }
}
