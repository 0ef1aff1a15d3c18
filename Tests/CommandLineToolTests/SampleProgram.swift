import PlainText

@testable import CommandLineTool

/// A small tree of commands with one of everything.
enum Sample {
  enum Format: String, CaseIterable { case hex, text }

  static let verbose = Flag("verbose", short: "v", "Say more")
  static let json = Flag("json", "Write objects")
  static let level = Option<Format>("log-format", value: "FORMAT", "How the log looks")
  static let output = Option(
    "out", short: "o", value: "FILE", completion: .file, "Where to write; don't lose it: [really]")
  static let every = Option<Duration>(
    "every", value: "DURATION", "How often",
    parse: { (text: String) throws(InvalidValue) in
      guard let value = DurationText.parse(text) else {
        throw InvalidValue("\"\(text)\" is not a duration", advice: "Write 1h.")
      }
      return value
    })
  static let bootstrap = Option("bootstrap", value: "HOST:PORT", repeatable: true, "Where to begin")
  static let zone = Argument("ZONE", completion: .file, "The zone file")
  static let names = Argument("NAME", required: false, repeatable: true, "Names")

  static let publish = Command(
    "publish", "Publish a zone",
    discussion: "First paragraph\nof two lines.\n\n.Second 'paragraph' \\ with ~ and -dashes.",
    arguments: [zone.specification, names.specification],
    options: [every.specification, bootstrap.specification, output.specification, json.specification],
    examples: [.init("tool publish my.zone --every 1h", "Keep it alive")]
  ) { _, _ in }
  static let make = Command("make", "Make a key", options: [output.specification]) { _, _ in }
  static let secret = Command("secret", "Hidden", hidden: true) { _, _ in }
  static let key = Command(group: "key", "Keys", [make])
  static let root = Command(
    group: "tool", "A tool for tests", discussion: "It's made\nof parts.",
    options: [verbose.specification, level.specification], [key, publish, secret])
  static let program = Program(root, version: "1.2.3")
}
