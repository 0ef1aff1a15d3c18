import Foundation
import TestSupport
import Testing

/// `pubky dns` in a process of its own, with a private DHT and an unbound that knows `example` behind it.
struct RunningDNS {
  let pubky: PubkyCommand
  let command: RunningCommand
  /// Where it listens, each `127.0.0.1:PORT`.
  let dns: String
  let tls: String
  let https: String
  let http: String
  let admin: String
  /// The file of the authority whose certificate it shows.
  let authority: String
  /// A key that is published, with the records of ``zone``.
  let key: String
  /// The file of its settings.
  let settings: String
  /// The entrance of the DHT.
  let bootstrap: String

  static let zone = """
    @ 300 A 203.0.113.5
    www 300 CNAME @
    ext 300 CNAME www.example.
    *.wild 300 A 203.0.113.6
    svc 300 HTTPS 1 . alpn=h2
    _t 300 TXT "hello"

    """

  var port: String { Self.port(dns) }
  static func port(_ endpoint: String) -> String { String(endpoint.split(separator: ":").last ?? "") }

  /// Runs `body` with a server; it ends with it, and must end well. `general` are further lines of that table, `tables` further
  /// tables, `names` what the key is called besides.
  static func run(
    general: String = "", tables: String = "", names: [String] = [], _ body: (RunningDNS) async throws -> Void
  ) async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", Self.zone)
      let upstream = try await Unbound(in: pubky.folder)
      try await pubky.withTestnet { bootstrap in
        let published = try await pubky.run("publish", zone, "--key", file, "--bootstrap", bootstrap)
        try #require(published.status == 0, "\(published.errors)")
        let settings = try pubky.write(
          "dns.toml",
          Self.settings(pubky, general: general, forward: "127.0.0.1:\(upstream.port)", bootstrap: bootstrap) + tables
            + "[names]\n" + names.map { "\($0) = \"\(key)\"\n" }.joined())
        let server = try await start(pubky, key, settings, bootstrap)
        defer { server.command.kill() }
        try await body(server)
        server.command.terminate()
        let outcome = await server.command.end()
        #expect(outcome.status == 0 && outcome.errors.contains("dns.stopped"), "\(outcome.errors)")
      }
      upstream.process.terminate()
      _ = try await upstream.process.outcome()
    }
  }

  static func settings(_ pubky: PubkyCommand, general: String, forward: String, bootstrap: String) -> String {
    """
    [general]
    \(general)
    socket = "127.0.0.1:0"
    forward = "\(forward)"
    [dht]
    network = "isolated"
    bootstrap = ["\(bootstrap)"]
    relays = []
    [tls]
    listen = "127.0.0.1:0"
    development_directory = "\(pubky.path("authority"))"
    [https]
    path = ["/dns-query", "/doh"]
    listen = "127.0.0.1:0"
    plain_listen = "127.0.0.1:0"
    [admin]
    listen = "127.0.0.1:0"
    socket = "\(pubky.path("admin.sock"))"

    """
  }

  private static func start(
    _ pubky: PubkyCommand, _ key: String, _ settings: String, _ bootstrap: String
  ) async throws -> RunningDNS {
    let command = try pubky.start("dns", "--config", settings, "--json")
    guard let line = await command.firstLine({ $0.hasPrefix("{") }) else {
      let outcome = await command.end()
      Issue.record("the server does not start: \(outcome.errors)")
      throw CancellationError()
    }
    let fields = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
    try Documentation.expect(.object(fields))
    func endpoint(_ name: String, _ index: Int = 0) throws -> String {
      let list = try #require(fields[name]?.list)
      return try #require(list.indices.contains(index) ? list[index].text : nil)
    }
    return RunningDNS(
      pubky: pubky, command: command, dns: try endpoint("dns"), tls: try endpoint("tls"), https: try endpoint("https"),
      http: try endpoint("https", 1), admin: try #require(fields["admin"]?.text),
      authority: pubky.path("authority/authority.pem"), key: key, settings: settings, bootstrap: bootstrap)
  }

  /// Runs a foreign program to its end; what it wrote.
  func run(_ program: String, _ arguments: String...) async throws -> ChildProcess.Outcome {
    let path = try #require(ChildProcess.find(program), "\(program) is missing: scripts/install-dependencies test")
    return try await ChildProcess(path, arguments, in: pubky.folder).outcome()
  }

  /// What `dig` or `kdig` writes of the answer section with these arguments, a line for each record.
  func answers(_ program: String, _ arguments: String...) async throws -> [String] {
    let path = try #require(ChildProcess.find(program), "\(program) is missing: scripts/install-dependencies test")
    let outcome = try await ChildProcess(path, ["@127.0.0.1", "+short"] + arguments, in: pubky.folder).outcome()
    #expect(outcome.status == 0, "\(program) \(arguments): \(outcome.errors)")
    return outcome.text.split(separator: "\n").map(String.init)
  }
}

/// A foreign name server that knows `example`, and nothing else.
struct Unbound {
  let process: ChildProcess
  let port: UInt16

  init(in folder: URL) async throws {
    let path = try #require(ChildProcess.find("unbound"), "unbound is missing: scripts/install-dependencies test")
    port = try FreePorts.firstOf(1)
    var lines = [
      "server:", "interface: 127.0.0.1@\(port)", "do-daemonize: no", "username: \"\"", "chroot: \"\"", "pidfile: \"\"",
      "use-syslog: no", "directory: \"\(folder.path)\"", "module-config: \"iterator\"",
      "local-zone: \"example.\" static",
      "local-data: \"www.example. 300 IN A 192.0.2.1\"", "local-data: \"example. 300 IN SOA a. b. 1 2 3 4 5\"",
    ]
    // 4000 bytes: too long for a datagram of anybody.
    for number in 0..<40 {
      lines.append("local-data: 'big.example. 300 IN TXT \"\(String(repeating: "x", count: 90))\(number)\"'")
    }
    let file = folder.appending(path: "unbound.conf")
    try Data(lines.joined(separator: "\n").utf8).write(to: file)
    process = try ChildProcess(path, ["-c", file.path], in: folder)
    try await FreePort.waitForListener(Int(port))
  }
}
