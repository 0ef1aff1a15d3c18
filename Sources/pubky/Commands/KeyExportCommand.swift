import CommandLineTool
import Pkarr
import PlainText

/// `pubky key export`
enum KeyExportCommand {
  enum Format: String, CaseIterable {
    case hex, pkcs8, spki, z32

    var isSecret: Bool { self == .hex || self == .pkcs8 }
  }

  private static let format = Option<Format>(
    "format", short: "f", value: "FORMAT",
    "hex and pkcs8 (PEM) are the secret, spki (PEM) and z32 the public half")

  static let command: Command = .init(
    "export", "Write a key in another form", arguments: [KeyCommands.file.specification],
    options: [format.specification, KeyCommands.json.specification],
    examples: [.init("pubky key export my.key --format pkcs8", "A private key that OpenSSL reads")],
    action: { arguments, console in try run(arguments, console) })

  private static func run(_ arguments: ParsedArguments, _ console: Console) throws(CommandError) {
    let format = try arguments.required(format)
    let keypair = try KeyFile.read(arguments.required(KeyCommands.file), console)
    let lines =
      switch format {
      case .hex: [keypair.secretKeyText]
      case .pkcs8: PEM.lines("PRIVATE KEY", keypair.pkcs8)
      case .spki: PEM.lines("PUBLIC KEY", keypair.publicKey.subjectPublicKeyInfo)
      case .z32: [keypair.publicKey.z32]
      }
    if console.isJSON {
      let text = lines.count == 1 ? lines[0] : lines.joined(separator: "\n") + "\n"
      try console.print(
        json: [
          "key": .string(keypair.publicKey.z32), "format": .string(format.rawValue),
          "secret": .bool(format.isSecret), "text": .string(text),
        ])
    } else {
      if format.isSecret, console.output.isInteractive { console.note("This is the secret. Show it to nobody.") }
      try console.print(lines)
    }
  }
}
