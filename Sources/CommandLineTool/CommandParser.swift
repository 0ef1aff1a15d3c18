import PlainText

/// Turns words into a command and its values.
struct CommandParser {
  /// What a command line asks for.
  enum Request {
    case run(CommandPath, ParsedArguments)
    case help(CommandPath)
    /// A group was named, and none of its commands.
    case incomplete(CommandPath)
    case version
  }

  let root: Command
  private var path: CommandPath
  private var parsed = ParsedArguments()
  private var positionals: [String] = []

  static let version = Flag("version", "Show the version")

  private init(_ root: Command) {
    self.root = root
    path = CommandPath(root)
  }

  /// Parses the words after the name of the program.
  ///
  /// - Throws: `CommandError` that names the word and the nearest known one.
  static func parse(_ words: [String], root: Command) throws(CommandError) -> Request {
    var parser = CommandParser(root)
    return try parser.parse(words)
  }

  private mutating func parse(_ words: [String]) throws(CommandError) -> Request {
    var rest = words[...]
    var onlyPositionals = false
    while let word = rest.popFirst() {
      if onlyPositionals || word == "-" || !word.hasPrefix("-") {
        if !onlyPositionals, path.command.action == nil || !path.command.subcommands.isEmpty {
          if word == "help" { return try help(on: rest) }
          path.descend(to: try subcommand(word))
        } else {
          positionals.append(word)
        }
      } else if word == "--" {
        onlyPositionals = true
      } else if word == "--help" {
        return .help(path)
      } else if word == "--version", path.commands.count == 1 {
        return .version
      } else if word.hasPrefix("--") {
        try takeLong(word.dropFirst(2), &rest)
      } else if try takeShort(word.dropFirst(), &rest) {
        return .help(path)
      }
    }
    guard path.command.action != nil else { return .incomplete(path) }
    try assignPositionals()
    return .run(path, parsed)
  }

  // MARK: Commands

  private func subcommand(_ word: String) throws(CommandError) -> Command {
    if let command = path.command.subcommands.first(where: { $0.name == word }) { return command }
    let known = path.command.visibleSubcommands.map(\.name)
    let guess = Spelling.nearest(to: word, in: known)
    throw .usage(
      "\"\(word)\" is not a command of \(path.text)",
      advice: guess.map { "Did you mean \(path.text) \($0)?" } ?? "Commands: \(known.joined(separator: ", ")).")
  }

  private mutating func help(on words: ArraySlice<String>) throws(CommandError) -> Request {
    for word in words where !word.hasPrefix("-") { path.descend(to: try subcommand(word)) }
    return .help(path)
  }

  // MARK: Options

  private mutating func takeLong(_ text: Substring, _ rest: inout ArraySlice<String>) throws(CommandError) {
    let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    guard let option = path.allOptions.first(where: { $0.name == name }) else { throw unknownOption(name) }
    if option.valueName == nil {
      guard parts.count == 1 else { throw .usage("--\(name) takes no value, but \"\(parts[1])\" was given") }
      try store("", option)
    } else if parts.count == 2 {
      try store(String(parts[1]), option)
    } else {
      try store(nextValue("--\(name)", option, &rest), option)
    }
  }

  /// Takes `-x`, `-xyz` or `-o value`; true if one of them asks for help.
  private mutating func takeShort(_ letters: Substring, _ rest: inout ArraySlice<String>) throws(CommandError) -> Bool {
    var letters = letters
    while let letter = letters.popFirst() {
      if letter == "h" { return true }
      guard let option = path.allOptions.first(where: { $0.short == letter }) else {
        throw .usage("there is no option -\(letter)", advice: seeHelp)
      }
      if option.valueName == nil {
        try store("", option)
      } else if letters.isEmpty {
        try store(nextValue("-\(letter)", option, &rest), option)
      } else {
        try store(String(letters), option)
        letters = ""
      }
    }
    return false
  }

  private func nextValue(
    _ spelled: String, _ option: OptionSpecification, _ rest: inout ArraySlice<String>
  ) throws(CommandError) -> String {
    guard let value = rest.first else {
      throw .usage("\(spelled) needs a value: \(option.valueName ?? "")", advice: option.summary + ".")
    }
    if value.hasPrefix("-"), value != "-" {
      throw .usage(
        "\(spelled) needs a value: \(option.valueName ?? "")",
        advice: "If \(value) is meant, write --\(option.name)=\(value).")
    }
    rest.removeFirst()
    return value
  }

  private mutating func store(_ value: String, _ option: OptionSpecification) throws(CommandError) {
    if parsed.options[option.name] != nil, !option.isRepeatable, option.valueName != nil {
      throw .usage("--\(option.name) was given twice")
    }
    do throws(InvalidValue) {
      try option.check(value)
    } catch {
      throw .usage("--\(option.name): \(error.message)", advice: error.advice)
    }
    parsed.options[option.name, default: []].append(value)
  }

  private func unknownOption(_ name: String) -> CommandError {
    // Perhaps it belongs to a command that was not reached yet.
    let owners = path.command.visibleSubcommands.filter { $0.options.contains { $0.name == name } }
    if let owner = owners.first {
      return .usage(
        "\(path.text) has no option --\(name)",
        advice: "Write it after the command, as in \(path.text) \(owner.name) --\(name).")
    }
    let guess = Spelling.nearest(to: name, in: path.allOptions.map(\.name))
    return .usage("there is no option --\(name)", advice: guess.map { "Did you mean --\($0)?" } ?? seeHelp)
  }

  private var seeHelp: String { "See \(path.text) --help." }

  // MARK: Positional arguments

  private mutating func assignPositionals() throws(CommandError) {
    var rest = positionals[...]
    for argument in path.command.arguments {
      var given = 0
      while let value = rest.first, given == 0 || argument.isRepeatable {
        do throws(InvalidValue) {
          try argument.check(value)
        } catch {
          throw .usage("\(argument.name): \(error.message)", advice: error.advice)
        }
        parsed.arguments[argument.name, default: []].append(value)
        rest.removeFirst()
        given += 1
      }
      if given == 0, argument.isRequired {
        throw .usage(
          "\(argument.name) is missing: \(argument.summary.prefix(1).lowercased())\(argument.summary.dropFirst())",
          advice: "Usage: \(HelpText.usage(path))")
      }
    }
    if let surplus = rest.first {
      throw .usage("\"\(surplus)\" is one argument too many", advice: "Usage: \(HelpText.usage(path))")
    }
  }
}
