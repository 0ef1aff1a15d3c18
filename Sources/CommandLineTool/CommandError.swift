/// How a command ended.
public enum ExitCode: Int32, Sendable {
  /// It did what was asked.
  case done = 0
  /// What was looked for was not found, or the network refused.
  case refused = 1
  /// The command line or its input was wrong.
  case usage = 2
  /// A person stopped it (128 + SIGINT).
  case interrupted = 130
}

/// What went wrong, in three parts: what, where, what to do.
public struct CommandError: Error, Hashable, Sendable {
  /// A stable word for programs: `usage`, `not_found`.
  public var code: String
  /// What was wrong; one line.
  public var message: String
  /// Where; lines that are shown as they are.
  public var details: [String]
  /// What to do.
  public var advice: String?
  /// How the process ends.
  public var exitCode: ExitCode

  /// Joins the parts.
  public init(
    _ code: String, _ message: String, details: [String] = [], advice: String? = nil, exitCode: ExitCode
  ) {
    self.code = code
    self.message = message
    self.details = details
    self.advice = advice
    self.exitCode = exitCode
  }

  /// The command line was wrong.
  public static func usage(_ message: String, details: [String] = [], advice: String? = nil) -> CommandError {
    CommandError("usage", message, details: details, advice: advice, exitCode: .usage)
  }

  /// What the command was given to read was wrong.
  public static func input(_ message: String, details: [String] = [], advice: String? = nil) -> CommandError {
    CommandError("bad_input", message, details: details, advice: advice, exitCode: .usage)
  }

  /// What was looked for does not exist.
  public static func notFound(_ message: String, details: [String] = [], advice: String? = nil) -> CommandError {
    CommandError("not_found", message, details: details, advice: advice, exitCode: .refused)
  }
}
