import CommandLineTool

/// Commands about keys.
enum KeyCommands {
  static let file = Argument("FILE", completion: .file, "The file of the secret key")
  static let json = Flag("json", "Write one JSON object instead of words")

  static let group: Command = .init(
    group: "key", "Make, show and export keys",
    discussion: """
      A key file holds 64 hexadecimal digits: the secret seed of an Ed25519 key. Whoever has it can publish under your \
      key; if it is lost, so is the key.
      """,
    [KeyNewCommand.command, KeyShowCommand.command, KeyExportCommand.command])
}
