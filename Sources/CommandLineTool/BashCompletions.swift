/// A completion script for bash: finds the command that was typed so far, then offers what may follow.
struct BashCompletions {
  let tree: [CommandPath]

  private var name: String { tree[0].text }

  var text: String {
    """
    # bash completion for \(name)
    _\(name)() {
      local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" path="\(name)" words="" files=0 word
      COMPREPLY=()
      for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$path $word" in
          \(steps)) path="$path $word" ;;
        esac
      done
      case "$path $previous" in
    \(values)
      esac
      case "$path" in
    \(commands)
      esac
      if [[ "$current" == -* || "$files" == 0 ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
      else
        compopt -o filenames 2>/dev/null
        COMPREPLY=($(compgen -f -- "$current"))
      fi
    }
    complete -F _\(name) \(name)

    """
  }

  private var steps: String {
    let paths = tree.dropFirst().map { "\"\($0.text)\"" }
    return paths.isEmpty ? "\"\"" : paths.joined(separator: "|")
  }

  private var values: String {
    tree.flatMap { path in
      path.allOptions.filter { $0.valueName != nil }.map { option in
        let spellings = ["\"\(path.text) --\(option.name)\""] + (option.short.map { ["\"\(path.text) -\($0)\""] } ?? [])
        let reply =
          switch option.completion {
          case .none: "return"
          case .file: "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$current\")); return"
          case .words(let words):
            "COMPREPLY=($(compgen -W \"\(words.joined(separator: " "))\" -- \"$current\")); return"
          }
        return "    \(spellings.joined(separator: "|"))) \(reply) ;;"
      }
    }.joined(separator: "\n")
  }

  private var commands: String {
    tree.map { path in
      let hints = path.command.arguments.map(\.completion)
      var words = path.command.visibleSubcommands.map(\.name)
      for case .words(let choice) in hints { words += choice }
      words += path.allOptions.map { "--\($0.name)" }
      if path.commands.count == 1 { words.append("--version") }
      return
        "    \"\(path.text)\") words=\"\(words.joined(separator: " "))\"; files=\(hints.contains(.file) ? 1 : 0) ;;"
    }.joined(separator: "\n")
  }
}
