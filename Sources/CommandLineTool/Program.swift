/// A program: a tree of commands.
public struct Program: Sendable {
  /// The root of the tree. Its name is the program's.
  public let root: Command
  /// The version, as `0.1.0`.
  public let version: String
  /// The name of the flag with which a program asks for objects instead of words.
  private static let jsonFlag = "json"

  /// Joins the commands and the version.
  public init(_ root: Command, version: String) {
    self.root = root
    self.version = version
  }

  /// Runs what `words` (the command line without the program's name) ask for.
  ///
  /// - Returns: the status to exit with.
  public func run(_ words: [String]) async -> Int32 {
    let isJSON = words.prefix { $0 != "--" }.contains("--\(Self.jsonFlag)")
    let console = Console(json: isJSON)
    do {
      switch try CommandParser.parse(words, root: root) {
      case .version: try console.print("\(root.name) \(version)")
      case .help(let path):
        try console.print(HelpText(path: path, width: console.output.width, style: console.style).text)
      case .incomplete(let path):
        if isJSON { throw CommandError.usage("\(path.text) needs a command") }
        console.note(HelpText(path: path, width: console.errors.width, style: console.errors.style).text)
        return ExitCode.usage.rawValue
      case .run(let path, let arguments): try await path.command.action?(arguments, console)
      }
      return ExitCode.done.rawValue
    } catch let error as CommandError {
      console.report(error, program: root.name)
      return error.exitCode.rawValue
    } catch is CancellationError {
      return ExitCode.interrupted.rawValue
    } catch {
      console.report(CommandError("internal", "\(error)", exitCode: .refused), program: root.name)
      return ExitCode.refused.rawValue
    }
  }

  /// The completion script for a shell.
  public func completions(for shell: Shell) -> String {
    let tree = CommandPath(root).visibleTree
    return switch shell {
    case .bash: BashCompletions(tree: tree).text
    case .zsh: ZshCompletions(tree: tree).text
    case .fish: FishCompletions(tree: tree).text
    }
  }

  /// The manual page, in roff with the `man` macros.
  public func manualPage(environment: [ManualPage.Entry] = [], files: [ManualPage.Entry] = []) -> String {
    ManualPage(program: self, environment: environment, files: files).text
  }
}

/// Shells that completions can be made for.
public enum Shell: String, CaseIterable, Sendable {
  /// GNU Bash.
  case bash
  /// The Z shell.
  case zsh
  /// fish.
  case fish
}
