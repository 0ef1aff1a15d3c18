import CommandLineTool
import Logging

/// The options about the log, which every command has.
enum LogOptions {
  static let level = Option<LogLevel>(
    "log-level", value: "LEVEL", "Log events from this level on: trace, debug, info, notice, warning, error, critical")
  static let format = Option<LogFormat>("log-format", value: "FORMAT", "How the log looks: text or json")
  static let verbose = Flag("verbose", short: "v", "The same as --log-level info")

  static let all = [level.specification, format.specification, verbose.specification]

  /// The logger that was asked for; without options only errors are logged, since commands speak for themselves.
  static func logger(_ arguments: ParsedArguments) -> Logger {
    let level = arguments[level] ?? (arguments[verbose] ? .info : .error)
    return .standardError(level: level, format: arguments[format] ?? .text)
  }
}
