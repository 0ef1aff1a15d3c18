/// One command: a leaf that does something, or a group of commands.
public struct Command: Sendable {
  /// What is typed.
  public let name: String
  /// One line, in the imperative: `Publish a zone file`.
  public let summary: String
  /// Paragraphs for the help and the manual page.
  public let discussion: String
  /// Options of this command and of all below it.
  public let options: [OptionSpecification]
  /// Positional arguments, the required ones first.
  public let arguments: [ArgumentSpecification]
  /// Lines to copy, each with what it does.
  public let examples: [Example]
  /// Commands below this one.
  public let subcommands: [Command]
  /// True if help, manual and completions leave it out.
  public let isHidden: Bool
  let action: Action?

  /// What a command does.
  public typealias Action = @Sendable (ParsedArguments, Console) async throws -> Void

  /// A line to copy.
  public struct Example: Sendable {
    /// What is typed.
    public let line: String
    /// What it does.
    public let meaning: String

    /// Joins a line and what it does.
    public init(_ line: String, _ meaning: String) {
      self.line = line
      self.meaning = meaning
    }
  }

  /// A command that does something.
  public init(
    _ name: String, _ summary: String, discussion: String = "", arguments: [ArgumentSpecification] = [],
    options: [OptionSpecification] = [], examples: [Example] = [], hidden: Bool = false, action: @escaping Action
  ) {
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.options = options
    self.arguments = arguments
    self.examples = examples
    subcommands = []
    isHidden = hidden
    self.action = action
  }

  /// A group of commands. Its options hold for all of them.
  public init(
    group name: String, _ summary: String, discussion: String = "", options: [OptionSpecification] = [],
    examples: [Example] = [], _ subcommands: [Command]
  ) {
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.options = options
    arguments = []
    self.examples = examples
    self.subcommands = subcommands
    isHidden = false
    action = nil
  }

  /// A command that does something and has commands below it, which do not share its options.
  public init(
    _ name: String, _ summary: String, discussion: String = "", options: [OptionSpecification] = [],
    examples: [Example] = [], subcommands: [Command], action: @escaping Action
  ) {
    self.name = name
    self.summary = summary
    self.discussion = discussion
    self.options = options
    arguments = []
    self.examples = examples
    self.subcommands = subcommands
    isHidden = false
    self.action = action
  }

  var visibleSubcommands: [Command] { subcommands.filter { !$0.isHidden } }
}

/// The commands from the root to one of them: what a person has typed so far.
struct CommandPath: Sendable {
  private(set) var commands: [Command]

  init(_ root: Command) { commands = [root] }

  var command: Command { commands[commands.count - 1] }
  var text: String { commands.map(\.name).joined(separator: " ") }

  /// Options of the command itself.
  var ownOptions: [OptionSpecification] { command.options }
  /// Options that it has from the groups above it, and `--help`.
  var inheritedOptions: [OptionSpecification] {
    commands.dropLast().reversed().filter { $0.action == nil }.flatMap(\.options) + [Self.help.specification]
  }
  var allOptions: [OptionSpecification] { ownOptions + inheritedOptions }

  mutating func descend(to command: Command) { commands.append(command) }

  func descending(to command: Command) -> CommandPath {
    var path = self
    path.descend(to: command)
    return path
  }

  /// This path and all visible ones below it, depth first in the order of the tree.
  var visibleTree: [CommandPath] {
    [self] + command.visibleSubcommands.flatMap { descending(to: $0).visibleTree }
  }

  static let help = Flag("help", short: "h", "Show this help")
}
