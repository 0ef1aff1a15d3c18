import CommandLineTool
import HTTP
import PlainText

/// `pubky dns lookup`
enum DNSLookupCommand {
  private static let name = Argument("NAME", "The name")
  private static let type = Argument("TYPE", required: false, "The record type (default: A)")
  private static let trace = Flag("trace", "Tell each step on the way to the answer")

  static let command: Command = .init(
    "lookup", "Ask a running DNS server what it answers, and why",
    discussion: """
      The server is asked as its clients ask it, but the answer comes with the steps that led to it: what was cached, who was \
      asked, what they said, what was decided, each with the time since the question. Where the server is reached is told by \
      --admin or --socket, or read from its settings (--config). It is a failure if there are no records.
      """,
    arguments: [name.specification, type.specification],
    options: [trace.specification] + DNSServerAccess.options + [SharedOptions.json.specification],
    examples: [
      .init("pubky dns lookup www.KEY AAAA --trace --admin 127.0.0.1:9153", "Why is there no such address?")
    ],
    action: { arguments, console in
      let access = try DNSServerAccess(arguments)
      var path = "/lookup?name=\(PercentEncoding.encode(try arguments.required(name)))"
      if let type = arguments[type] { path += "&type=\(PercentEncoding.encode(type))" }
      if console.isJSON {
        let (status, body) = try await access.send(.get, path)
        guard status == 200 else { throw refused(body) }
        return try console.print(body.split(separator: "\n").map(String.init))
      }
      let (status, body) = try await access.send(.get, path + "&form=text")
      guard status == 200 else { throw refused(body) }
      let lines = body.split(separator: "\n").map {
        $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      }
      if arguments[trace] { try showSteps(lines, console) }
      try showRecords(lines, console)
    })

  private static func refused(_ body: String) -> CommandError {
    .input("the server refuses: \(ControlCharacters.escape(body.prefix(200).description))")
  }

  private static func showSteps(_ lines: [[String]], _ console: Console) throws(CommandError) {
    var table = Table(["ms", "by", "step"], alignments: [.right])
    for line in lines where line.first == "step" && line.count == 4 {
      let microseconds = Int(line[1]) ?? 0
      let tenths = String(microseconds % 1000 / 100)
      table.add(["\(microseconds / 1000).\(tenths)", line[2], line[3]])
    }
    try console.print(table)
  }

  private static func showRecords(_ lines: [[String]], _ console: Console) throws(CommandError) {
    var table = Table(["name", "ttl", "type", "data"], alignments: [.left, .right])
    var count = 0
    for line in lines where line.first == "record" && line.count == 6 && line[1] == "answer" {
      count += 1
      table.add(Array(line[2...]))
    }
    if count > 0 { return try console.print(table) }
    let code = lines.first { $0.first == "code" }?.last.flatMap { UInt8($0) }
    throw CommandError(
      "not_found", "there are no such records\(code.map { ": " + DNSCheckCommand.codeName($0) } ?? "")",
      exitCode: .refused)
  }
}
