import CommandLineTool
import EventLoops
import PlainText

/// Options that several commands share.
enum SharedOptions {
  static let json = Flag("json", "Write one JSON object a line instead of words")

  static let bootstrap = Option<HostName>(
    "bootstrap", short: "b", value: "HOST:PORT", repeatable: true,
    "Join the DHT through this node instead of the public ones",
    parse: { (text: String) throws(InvalidValue) in
      guard let host = HostName(text) else {
        throw InvalidValue(
          "\"\(text)\" is not HOST:PORT", advice: "Write a name or an address and a port, as in router.example:6881.")
      }
      return host
    })

  /// Reads a duration from the command line.
  static func duration(atLeast minimum: Duration) -> @Sendable (String) throws(InvalidValue) -> Duration {
    { (text: String) throws(InvalidValue) in
      guard let duration = DurationText.parse(text) else {
        throw InvalidValue(
          "\"\(text)\" is not a duration", advice: "Write seconds (90) or units (5m, 1h30m, 2d).")
      }
      guard duration >= minimum else {
        throw InvalidValue("\(DurationText.describe(duration)) is less than \(DurationText.describe(minimum))")
      }
      return duration
    }
  }

  /// Reads a whole number from the command line.
  static func number<Number: FixedWidthInteger & Sendable>(
    in range: ClosedRange<Number>
  ) -> @Sendable (String) throws(InvalidValue) -> Number {
    { (text: String) throws(InvalidValue) in
      guard !text.hasPrefix("+"), let number = Number(text), range.contains(number) else {
        throw InvalidValue("\"\(text)\" is not a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return number
    }
  }
}
