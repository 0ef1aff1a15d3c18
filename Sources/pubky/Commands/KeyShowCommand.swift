import CommandLineTool
import PlainText
import WireFormat

/// `pubky key show`
enum KeyShowCommand {
  static let command: Command = .init(
    "show", "Show the public half of a key", arguments: [KeyCommands.file.specification],
    options: [KeyCommands.json.specification],
    examples: [.init("pubky key show my.key", "The text that others look up")],
    action: { arguments, console in try run(arguments, console) })

  private static func run(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) {
    let key = try KeyFile.read(arguments.required(KeyCommands.file), console).publicKey
    let target = Hex.encode(key.target.bytes)
    if console.isJSON {
      try console.print(
        json: [
          "key": .string(key.z32), "uri": .string(key.uri), "hex": .string(Hex.encode(key.bytes)),
          "target": .string(target),
        ])
    } else if console.isForPerson {
      try console.print("Key          \(console.style.bold(key.z32))", "DHT target   \(target)")
    } else {
      try console.print(key.z32)
    }
  }
}
