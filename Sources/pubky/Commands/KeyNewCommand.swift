import CommandLineTool
import Pkarr
import PlainText

/// `pubky key new`
enum KeyNewCommand {
  private static let output = Option(
    "out", short: "o", value: "FILE", completion: .file,
    "Where to write the secret key (default: ~/.config/pubky/default.key)")

  static let command: Command = .init(
    "new", "Make a key",
    discussion: "The file is readable by you alone, and an existing file is never overwritten.",
    options: [output.specification, KeyCommands.json.specification],
    examples: [.init("pubky key new --out my.key", "Make a key and keep its secret half in my.key")],
    action: { arguments, console in try run(arguments, console) })

  private static func run(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) {
    let path = arguments[output] ?? KeyFile.defaultPath
    if path == "-" {
      throw .usage(
        "--out: a secret key is not written to standard output",
        advice: "Name a file; key export shows the secret if you need to see it.")
    }
    if arguments[output] == nil { try NewFile.makeFolders(above: path) }
    let keypair = Keypair()
    try KeyFile.create(path, keypair)
    let key = keypair.publicKey.z32
    if console.isJSON {
      try console.print(json: ["key": .string(key), "file": .string(path)])
    } else if console.isForPerson {
      try console.print(
        "Your key     \(console.style.bold(key))", "Its secret   \(KeyFile.display(path)) (new; keep it safe)")
    } else {
      try console.print(key)
    }
  }
}
