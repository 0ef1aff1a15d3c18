/// A completion script for fish: a function says which command was typed so far, and each line holds for one of them.
struct FishCompletions {
  let tree: [CommandPath]

  var text: String {
    let name = tree[0].text
    let steps = tree.dropFirst().map { quote($0.text) }.joined(separator: " ")
    var lines = [
      "# fish completion for \(name)",
      "function __\(name)_is_at",
      "    set -l path \(name)",
      "    for word in (commandline -opc)[2..-1]",
      "        if contains -- \"$path $word\" \(steps)",
      "            set path \"$path $word\"",
      "        end",
      "    end",
      "    test \"$path\" = \"$argv\"",
      "end",
      "complete -c \(name) -f",
    ]
    for path in tree { lines += describe(path) }
    return lines.joined(separator: "\n") + "\n"
  }

  private func describe(_ path: CommandPath) -> [String] {
    let start = "complete -c \(tree[0].text) -n \(quote("__\(tree[0].text)_is_at \(path.text)"))"
    var lines = path.command.visibleSubcommands.map { "\(start) -a \($0.name) -d \(quote($0.summary))" }
    for argument in path.command.arguments {
      switch argument.completion {
      case .none: break
      case .file: lines.append("\(start) -F")
      case .words(let words):
        lines.append("\(start) -a \(quote(words.joined(separator: " "))) -d \(quote(argument.summary))")
      }
    }
    for option in path.allOptions {
      var line = "\(start) -l \(option.name)"
      if let short = option.short { line += " -s \(short)" }
      if option.valueName != nil {
        switch option.completion {
        case .none: line += " -x"
        case .file: line += " -r -F"
        case .words(let words): line += " -x -a \(quote(words.joined(separator: " ")))"
        }
      }
      lines.append("\(line) -d \(quote(option.summary))")
    }
    return lines
  }

  private func quote(_ text: String) -> String {
    "'" + text.map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
  }
}
