import Addresses
import CommandLineTool
import DNSWire
import EventLoops
import PKDNS
import PlainText
import TLS

/// `pubky dns check`
enum DNSCheckCommand {
  private static let servers = Argument<UpstreamServer>(
    "SERVER", repeatable: true,
    "The server: ADDRESS[:PORT] for UDP and TCP, tls://ADDRESS#NAME, https://ADDRESS/PATH#NAME",
    parse: DNSCommand.upstream)
  private static let name = Option<DomainName>(
    "name", value: "NAME", "An ordinary name to ask for (default: example.com)", parse: domainName)
  private static let key = Option<DomainName>(
    "key", value: "NAME", "A name of a key to ask for (default: a demonstration of pkdns)", parse: domainName)
  private static let authorities = Option(
    "authorities", value: "FILE", completion: .file, "Believe certificates of these authorities (PEM), not the system's"
  )

  /// The live site that pkdns shows its users.
  private static let demonstration = "7fmjpcuuzf54hw18bsgi3zihzyh4awseeuq5tmojefaezjbd64cy"

  static let command: Command = .init(
    "check", "Ask DNS servers for an ordinary name and for a key",
    discussion: """
      Asks each server over each transport for the A records of both names, and tells how it answers and how long that \
      takes. It is a failure if one of them has no records.
      """,
    arguments: [servers.specification],
    options: [
      name.specification, key.specification, authorities.specification, SharedOptions.json.specification,
    ],
    examples: [
      .init("pubky dns check 127.0.0.1:5353", "One on this machine"),
      .init("pubky dns check tls://192.0.2.1#dns.example", "Its encryption, too"),
    ],
    action: { arguments, console in
      guard let name = try arguments[name] ?? DomainName("example.com") as DomainName?,
        let key = try arguments[key] ?? DomainName(demonstration) as DomainName?
      else { return }
      var check = ServerCheck(name: name, keyName: key)
      if let path = arguments[authorities] { check.trust = .file(path: path) }
      let loop = try EventLoop(name: "dns-check")
      try loop.start()
      var failures = 0
      for server in arguments.all(servers).flatMap(ServerCheck.transports) {
        for outcome in await check.run(server, on: loop) {
          if !outcome.isGood { failures += 1 }
          try show(outcome, console)
        }
      }
      await loop.shutdown()
      if failures > 0 {
        throw CommandError(
          "check_failed", "\(NumberText.count(failures, "question")) had no answer with records", exitCode: .refused)
      }
    })

  private static func domainName(_ text: String) throws(InvalidValue) -> DomainName {
    guard let name = try? DomainName(text) else { throw InvalidValue("\"\(text)\" is not a domain name") }
    return name
  }

  private static func show(_ outcome: ServerCheck.Outcome, _ console: Console) throws(CommandError) {
    let took = outcome.took.components
    let milliseconds = took.seconds * 1000 + took.attoseconds / 1_000_000_000_000_000
    if console.isJSON {
      var fields: [JSON.Field] = [
        .init("server", .string("\(outcome.server)")), .init("name", .string("\(outcome.name)")),
        .init("milliseconds", JSON(milliseconds)), .init("good", .bool(outcome.isGood)),
      ]
      switch outcome.result {
      case .success(let answer):
        fields += [.init("code", JSON(answer.code)), .init("answers", JSON(answer.answers))]
      case .failure(let failure): fields.append(.init("failure", .string("\(failure)")))
      }
      if !outcome.explanation.isEmpty { fields.append(.init("explanation", .string(outcome.explanation))) }
      return try console.print(json: .object(fields))
    }
    let what = outcome.isKey ? "key" : "name"
    let text: String
    switch outcome.result {
    case .success(let answer):
      text = "\(codeName(answer.code)), \(NumberText.count(answer.answers, "record"))"
    case .failure(let failure): text = "\(failure)"
    }
    let reason = outcome.explanation.isEmpty ? "" : " (\(ControlCharacters.escape(outcome.explanation)))"
    try console.print(
      "\(outcome.isGood ? "good" : "FAILED")\t\(outcome.server)\t\(what)\t\(milliseconds) ms\t\(text)\(reason)")
  }

  static func codeName(_ code: UInt8) -> String {
    let names = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"]
    return Int(code) < names.count ? names[Int(code)] : "code \(code)"
  }
}
