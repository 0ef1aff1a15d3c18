import CommandLineTool
import Configuration

/// A mistake in a configuration file, as a person or a program is told of it.
enum ConfigurationFailure {
  static func explain(_ error: ConfigurationError) -> CommandError {
    let place = error.position.map { "\(error.file):\($0.line):\($0.column)" } ?? error.file
    return .input(
      error.key.isEmpty ? "\(place): \(error.message)" : "\(place): \(error.key): \(error.message)",
      advice: error.advice)
  }
}
