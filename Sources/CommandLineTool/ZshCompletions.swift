/// A completion script for zsh: one function for each command.
struct ZshCompletions {
  let tree: [CommandPath]

  private func function(_ path: CommandPath) -> String {
    "_" + path.text.map { $0 == " " || $0 == "-" ? "_" : String($0) }.joined()
  }

  var text: String {
    let name = tree[0].text
    let functions = tree.map { path in
      let body = path.command.visibleSubcommands.isEmpty ? leaf(path) : group(path)
      return "\(function(path))() {\n\(body)\n}\n"
    }
    return "#compdef \(name)\n\n" + functions.joined(separator: "\n")
      + "\nif [ \"$funcstack[1]\" = \"_\(name)\" ]; then _\(name) \"$@\"; else compdef _\(name) \(name); fi\n"
  }

  private func group(_ path: CommandPath) -> String {
    let described = path.command.visibleSubcommands.map {
      "    \(quote("\($0.name):\($0.summary)"))"
    }
    let branches = path.command.visibleSubcommands.map { "        \($0.name)) \(function(path.descending(to: $0))) ;;" }
    return """
        local context state line
        typeset -A opt_args
        local -a commands=(
      \(described.joined(separator: "\n  "))
        )
        _arguments -C \\
      \(options(path)) \\
          '1: :->command' '*:: :->arguments'
        case $state in
          command) _describe -t commands command commands ;;
          arguments)
            case $line[1] in
      \(branches.joined(separator: "\n      "))
            esac ;;
        esac
      """
  }

  private func leaf(_ path: CommandPath) -> String {
    var parts = [options(path)]
    for (index, argument) in path.command.arguments.enumerated() {
      let position = argument.isRepeatable ? "*" : "\(index + 1)"
      let colon = argument.isRequired || argument.isRepeatable ? ":" : "::"
      parts.append("    " + quote("\(position)\(colon)\(escape(argument.name)):\(action(argument.completion))"))
    }
    return "  _arguments -s \\\n" + parts.joined(separator: " \\\n")
  }

  private func options(_ path: CommandPath) -> String {
    path.allOptions.flatMap { option -> [String] in
      let description = "[\(escape(option.summary))]"
      let value = option.valueName.map { ":\(escape($0)):\(action(option.completion))" } ?? ""
      let repeats = option.isRepeatable ? "*" : ""
      let long = quote("\(repeats)--\(option.name)\(option.valueName == nil ? "" : "=")\(description)\(value)")
      let short = option.short.map {
        quote("\(repeats)-\($0)\(option.valueName == nil ? "" : "+")\(description)\(value)")
      }
      return [long] + (short.map { [$0] } ?? [])
    }.map { "    \($0)" }.joined(separator: " \\\n")
  }

  private func action(_ hint: CompletionHint) -> String {
    switch hint {
    case .none: " "
    case .file: "_files"
    case .words(let words): "(\(words.joined(separator: " ")))"
    }
  }

  /// Colons and brackets mean something to `_arguments`.
  private func escape(_ text: String) -> String {
    text.map { ":[]\\".contains($0) ? "\\\($0)" : String($0) }.joined()
  }

  private func quote(_ text: String) -> String {
    "'" + text.map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'"
  }
}
