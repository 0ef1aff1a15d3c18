import Foundation
import TestSupport
import Testing

@Suite("pubky dns as a service of the system", .serialized, .timeLimit(.minutes(10)))
struct DNSServiceTests {
  /// `nobody` on Debian.
  private static let otherUser = "65534"

  /// Root can become somebody else, who must be able to run the command.
  private static var canBecomeOther: Bool {
    guard getuid() == 0, ChildProcess.find("setpriv") != nil else { return false }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/setpriv")
    process.arguments = ["--reuid", otherUser, "--regid", otherUser, "--clear-groups", ChildProcess.pubky, "--version"]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return false }
    process.waitUntilExit()
    return process.terminationStatus == 0
  }

  @Test("the service manager hears when servers are ready, reload, live and end", arguments: ["dns", "relay"])
  func notify(kind: String) async throws {
    try await PubkyCommand.inFolder { original in
      var pubky = original
      let manager = try NotifySocket(in: pubky.folder)
      pubky.environment["NOTIFY_SOCKET"] = manager.path
      pubky.environment["WATCHDOG_USEC"] = "200000"
      let settings =
        kind == "dns"
        ? "[general]\nsocket = \"127.0.0.1:0\"\n[dht]\nnetwork = \"isolated\"\nrelays = []\nbootstrap = []\n"
        : """
        [http]
        port = 0
        host = "127.0.0.1"
        [mainline]
        host = ["127.0.0.1"]
        network = "isolated"
        port = 0
        bootstrap = []
        [cache]
        path = "\(pubky.path("cache"))"

        """
      let command = try pubky.start(kind, "--config", try pubky.write("settings.toml", settings), "--json")
      defer { command.kill() }
      guard await manager.first("READY=1") != nil else {
        command.kill()
        Issue.record("it is never ready: \(await command.end().errors)")
        return
      }
      #expect(await manager.first("WATCHDOG=1") != nil)
      command.hangUp()
      #expect(await manager.first("RELOADING=1\nMONOTONIC_USEC=") != nil)
      #expect(await manager.first("READY=1") != nil)
      #expect(await manager.first("WATCHDOG=1") != nil)
      command.terminate()
      #expect(await manager.first("STOPPING=1") != nil)
      #expect(await command.end().status == 0)
    }
  }

  @Test("files and certificates are read again when they change, if that is wanted")
  func reloadOnChange() async throws {
    try await RunningDNS.run(general: "reload_on_change = true\n") { server in
      let text = try String(contentsOfFile: server.settings, encoding: .utf8)
      try server.pubky.write("dns.toml", "[generl]\n")
      #expect(await server.command.firstErrorLine { $0.contains("configuration.refused") } != nil)
      // Renamed over, as editors do.
      let new = try server.pubky.write("new.toml", text + "[access]\nblocked_names = [\"example\"]\n")
      try #require(rename(new, server.settings) == 0)
      #expect(await server.command.firstErrorLine { $0.contains("configuration.reloaded") } != nil)
      let blocked = try await server.run("dig", "@127.0.0.1", "-p", server.port, "www.example")
      #expect(blocked.text.contains("NXDOMAIN") && blocked.text.contains("EDE: 15"), "\(blocked.text)")
    }
  }

  /// A server under another user, run by `launcher`; `body` gets the arguments for dig.
  private func runAsOther(
    _ launcher: String, _ arguments: [String], socket: String, _ body: (RunningCommand) async throws -> Void
  ) async throws {
    try await PubkyCommand.inFolder { pubky in
      try #require(chmod(pubky.folder.path, 0o755) == 0)
      let settings = try pubky.write(
        "dns.toml",
        """
        [general]
        socket = "\(socket)"
        forward = "127.0.0.1:9"
        [dht]
        network = "isolated"
        relays = []
        bootstrap = []

        """)
      let process = Process()
      process.executableURL = URL(filePath: try #require(ChildProcess.find(launcher)))
      process.arguments = arguments + [ChildProcess.pubky, "dns", "--config", settings, "--json"]
      process.currentDirectoryURL = pubky.folder
      process.environment = pubky.environment
      let command = try RunningCommand(process, input: "")
      defer { command.kill() }
      guard await command.firstLine({ $0.hasPrefix("{") }) != nil else {
        Issue.record("the server does not start: \(await command.end().errors)")
        return
      }
      try await body(command)
      command.terminate()
      #expect(await command.end().status == 0)
    }
  }

  private func field(_ name: String, of process: Int32) throws -> String {
    let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) } ?? ""
  }

  private func dig(_ arguments: String...) async throws -> String {
    let path = try #require(ChildProcess.find("dig"), "dig is missing: scripts/install-dependencies test")
    let folder = FileManager.default.temporaryDirectory
    return try await ChildProcess(path, arguments, in: folder).outcome().text
  }

  @Test(
    "a user without rights serves port 53 with one capability and no other",
    .enabled(if: canBecomeOther, "needs root, and a build that others may run"))
  func capability() async throws {
    // An address of its own, so that whoever has port 53 of this machine is left alone.
    let address = "127.53.\(getpid() >> 8 & 255).\(max(1, getpid() & 254))"
    let arguments = [
      "--reuid", Self.otherUser, "--regid", Self.otherUser, "--clear-groups", "--no-new-privs",
      "--inh-caps=-all,+net_bind_service", "--ambient-caps=-all,+net_bind_service",
      "--bounding-set=-all,+net_bind_service",
    ]
    try await runAsOther("setpriv", arguments, socket: "\(address):53") { command async throws in
      #expect(try field("Uid", of: command.identifier).hasPrefix(Self.otherUser))
      // CAP_NET_BIND_SERVICE is bit 10.
      #expect(try field("CapEff", of: command.identifier) == "0000000000000400")
      for transport in ["+notcp", "+tcp"] {
        #expect(try await dig("@\(address)", transport, "+short", "localhost") == "127.0.0.1\n")
      }
    }
  }

  @Test(
    "a user without any rights serves port 53 with the sockets that systemd has opened",
    .enabled(if: canBecomeOther, "needs root, and a build that others may run"))
  func inherited() async throws {
    let address = "127.54.\(getpid() >> 8 & 255).\(max(1, getpid() & 254))"
    let script = Peers.path("socket_activation.py")
    let arguments = [script, address, "53", Self.otherUser]
    try await runAsOther("python3", arguments, socket: "127.0.0.1:1") { command async throws in
      #expect(try field("Uid", of: command.identifier).hasPrefix(Self.otherUser))
      #expect(try field("CapEff", of: command.identifier) == "0000000000000000")
      for transport in ["+notcp", "+tcp"] {
        #expect(try await dig("@\(address)", transport, "+short", "localhost") == "127.0.0.1\n")
      }
    }
  }

  @Test("sockets that somebody else has opened are served in the place of those in the settings")
  func activation() async throws {
    let script = Peers.path("socket_activation.py")
    try await runAsOther("python3", [script, "127.0.0.1", "0", "-"], socket: "127.0.0.1:1") { command async throws in
      let line = try #require(await command.firstLine { $0.hasPrefix("{") })
      let fields = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
      let endpoint = try #require(fields["dns"]?.list?.first?.text)
      for transport in ["+notcp", "+tcp"] {
        let text = try await dig("@127.0.0.1", "-p", RunningDNS.port(endpoint), transport, "+short", "localhost")
        #expect(text == "127.0.0.1\n")
      }
    }
  }
}
