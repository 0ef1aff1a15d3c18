import CommandLineTool
import HTTP
import PlainText

/// `pubky dns flush`
enum DNSFlushCommand {
  private static let name = Argument("NAME", "The name, or the key")
  private static let subtree = Flag("subtree", "Forget all names below it as well")

  static let command: Command = .init(
    "flush", "Make a running DNS server forget a name",
    discussion: """
      The next query for the name asks the network again. Where the server is reached is told by --admin or --socket, or \
      read from its settings (--config).
      """,
    arguments: [name.specification],
    options: [subtree.specification] + DNSServerAccess.options + [SharedOptions.json.specification],
    examples: [.init("pubky dns flush www.example.com --admin 127.0.0.1:9153", "Forget one name")],
    action: { arguments, console in
      let access = try DNSServerAccess(arguments)
      let name = try arguments.required(name)
      let path = "/flush?name=\(PercentEncoding.encode(name))\(arguments[subtree] ? "&subtree=1" : "")"
      let (status, body) = try await access.send(.post, path)
      guard status == 200 else {
        throw CommandError.input("the server refuses: \(ControlCharacters.escape(body.prefix(200).description))")
      }
      let count = body.split(separator: ":").last.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
      if console.isJSON {
        try console.print(json: ["flushed": JSON(count)])
      } else {
        try console.print("Forgot \(NumberText.count(count, "answer")) for \(name).")
      }
    })
}
