import Foundation
import Testing

@Suite("The command line of pubky")
struct CommandLineTests {
  /// All commands, from the help of each level.
  private func commands(_ pubky: PubkyCommand) async throws -> [[String]] {
    var found: [[String]] = []
    var open: [[String]] = [[]]
    while let path = open.popLast() {
      let help = try await pubky.run(path + ["--help"])
      #expect(help.status == 0 && help.errors.isEmpty)
      #expect(help.output.contains("Usage: pubky"))
      let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
      guard let start = lines.firstIndex(of: "Commands:") else {
        found.append(path)
        continue
      }
      for line in lines[(start + 1)...].prefix(while: { $0.hasPrefix("  ") }) {
        open.append(path + [String(line.split(separator: " ")[0])])
      }
    }
    return found
  }

  @Test("each command has help, and none does anything with a flag that does not exist")
  func help() async throws {
    try await PubkyCommand.inFolder { pubky in
      let all = try await commands(pubky)
      let expected: Set<[String]> = [
        ["key", "new"], ["key", "show"], ["key", "export"], ["publish"], ["republish"], ["resolve"], ["get"],
        ["serve"],
        ["packet", "sign"], ["packet", "inspect"], ["dht", "node"], ["dht", "info"], ["dht", "ping"],
        ["dht", "find-node"], ["dht", "get"],
        ["dht", "put"], ["dht", "peers"], ["dht", "announce"], ["relay"], ["dns", "check"], ["dns", "flush"],
        ["dns", "lookup"],
        ["testnet"], ["up"], ["completions"], ["simulate", "survival"], ["simulate", "latency"],
        ["simulate", "attack"], ["simulate", "traffic"],
      ]
      #expect(Set(all) == expected)
      for path in all {
        let outcome = try await pubky.run(path + ["--no-such-flag"])
        #expect(outcome.status == 2 && outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("pubky: there is no option --no-such-flag\n"))
        let json = try await pubky.run(path + ["--no-such-flag", "--json"])
        #expect(json.status == 2)
        #expect(try json.error()["error"] == .text("usage"))
        #expect(try json.error()["message"]?.text?.contains("--no-such-flag") == true)
      }
    }
  }

  @Test(
    "bad usage is exit code 2 and names what was wrong",
    arguments: [
      ([], "Usage: pubky COMMAND"), (["key"], "Usage: pubky key COMMAND"), (["pubish"], "Did you mean pubky publish?"),
      (["dht", "find_node"], "Did you mean pubky dht find-node?"), (["resolve"], "KEY is missing"),
      (["resolve", "abc"], "KEY: \"abc\" is not a key"), (["resolve", "ABC0"], "Keys are written in lower case"),
      (["resolve", String(repeating: "y", count: 51)], "has 51 characters"),
      (["resolve", String(repeating: "y", count: 52), "@", "NOTYPE"], "TYPE: \"NOTYPE\" is not a record type"),
      (["resolve", String(repeating: "y", count: 52), "--bootstrap", "host"], "\"host\" is not HOST:PORT"),
      (["resolve", String(repeating: "y", count: 52), "--bootstrap", "1.2.3.4:99999"], "is not HOST:PORT"),
      (["resolve", String(repeating: "y", count: 52), "--every", "1m"], "--every needs --watch"),
      (["publish", "-", "--every", "0"], "--every: 0 s is less than 1 s"),
      (["publish", "-", "--evry", "1h"], "Did you mean --every?"),
      (["dht", "get", "xyz0"], "TARGET"), (["dht", "find-node", "12"], "40 hexadecimal digits"),
      (["dht", "ping", "nowhere"], "HOST:PORT"), (["dht", "put", "x", "--salt", "s"], "--salt is for mutable items"),
      (["dht", "put", "x", "--seq", "0"], "--seq: \"0\" is not a whole number from 1"),
      (["dht", "put", String(repeating: "x", count: 1001)], "at most 1000 bytes; this has 1001"),
      (["dht", "announce", String(repeating: "a", count: 40)], "--port PORT is missing"),
      (["dht", "node", "--bind", "x"], "\"x\" is not an IP address"),
      (["dht", "node", "--bind", "127.0.0.1", "--bind", "127.0.0.2"], "one address of each family"),
      (["dht", "node", "--mode", "sever"], "not one of client, server, adaptive"),
      (["dht", "node", "--no-bootstrap", "--bootstrap", "1.2.3.4:5"], "exclude each other"),
      (["testnet", "--nodes", "0"], "--nodes: \"0\" is not a whole number from 1"),
      (["testnet", "--nodes", "100", "--port", "65500"], "beyond 65535"),
      (["up", "--port", "65536"], "\"65536\" is not a whole number from 0 to 65535"),
      (["up", "--mainnet", "--bootstrap", "127.0.0.1:1"], "--mainnet and --bootstrap exclude each other"),
      (["up", "/nowhere.zone"], "/nowhere.zone: a zone file cannot be read"),
      (["get"], "URL is missing"), (["get", "ftp://x/"], "is not an address"), (["get", "a b"], "is not an address"),
      (["get", "localhost", "-H", "nocolon"], "\"nocolon\" is not a field"),
      (["get", "localhost", "-H", "Host: x"], "host is not for you to set"),
      (["get", "localhost", "-H", "a: b\u{7}"], "holds a control character"),
      (["get", "localhost", "-X", "A B"], "is not a method"),
      (["get", "localhost", "-I", "-d", "x"], "--head excludes"),
      (["get", "localhost", "-d", "@/nowhere"], "/nowhere: what is to be sent cannot be read"),
      (["get", "localhost", "--no-dht"], "leaves nobody to ask"), (["serve"], "DIR is missing"),
      (["serve", ".", "--listen", "x"], "\"x\" is not an IP address"), (["serve", "."], "--key FILE is missing"),
      (["completions", "tcsh"], "not one of bash, zsh, fish"),
      (["key", "export", "x"], "--format FORMAT is missing"),
      (["--log-level", "loud", "key", "new"], "--log-level: \"loud\""),
    ] as [([String], String)])
  func badUsage(arguments: [String], message: String) async throws {
    try await PubkyCommand.inFolder { pubky in
      let outcome = try await pubky.run(arguments)
      #expect(outcome.status == 2)
      #expect(outcome.output.isEmpty)
      let flat = outcome.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      #expect(flat.contains(message), "\(outcome.errors)")
    }
  }

  @Test("version, completions and the manual page are there, and their readers accept them")
  func generated() async throws {
    try await PubkyCommand.inFolder { pubky in
      let version = try await pubky.run("--version")
      #expect(version.status == 0 && version.output.wholeMatch(of: /pubky \d+\.\d+\.\d+\n/) != nil)
      let page = try await pubky.run("man").output
      #expect(page.hasPrefix(".TH PUBKY 1"))
      for part in ["packet inspect", "find\\-node", "\\-\\-bootstrap", "NO_COLOR", "EXIT STATUS"] {
        #expect(page.contains(part), "\(part)")
      }
      try pubky.write("pubky.1", page)
      var checked = 0
      for (program, arguments) in [
        ("bash", ["-n", "bash"]), ("zsh", ["-n", "zsh"]), ("fish", ["-n", "fish"]),
        ("groff", ["-ww", "-man", "-Tutf8", "-z", "pubky.1"]),
        ("man", ["--warnings=all", "-l", pubky.path("pubky.1")]),
      ] where Self.exists(program) {
        if ["bash", "zsh", "fish"].contains(program) {
          let script = try await pubky.run("completions", program)
          #expect(script.status == 0)
          try pubky.write(program, script.output)
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [program] + arguments
        process.currentDirectoryURL = pubky.folder
        let errors = Pipe()
        process.standardError = errors
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && said.isEmpty, "\(program): \(said)")
        checked += 1
      }
      #expect(checked >= 1)
    }
  }

  static func exists(_ program: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(program)")
    }
  }

  @Test("nothing is coloured in a pipe, and on a terminal not with NO_COLOR", .enabled(if: exists("script")))
  func colours() async throws {
    try await PubkyCommand.inFolder { pubky in
      let piped = try await pubky.run("key", "--help").output
      #expect(!piped.contains("\u{1b}"))
      func onTerminal(_ variables: [String: String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["script", "-qec", "\(PubkyCommand.executable.path) key --help", "/dev/null"]
        process.environment = pubky.environment.merging(variables) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(said.contains("Usage:"))
        return said
      }
      #expect(try onTerminal(["TERM": "xterm"]).contains("\u{1b}[1m"))
      #expect(try !onTerminal(["TERM": "xterm", "NO_COLOR": "1"]).contains("\u{1b}"))
      #expect(try !onTerminal(["TERM": "dumb"]).contains("\u{1b}"))
    }
  }

  @Test("a full disk is told, not passed over")
  func fullDisk() async throws {
    try await PubkyCommand.inFolder { pubky in
      let process = Process()
      process.executableURL = PubkyCommand.executable
      process.arguments = ["man"]
      process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
      let errors = Pipe()
      process.standardError = errors
      try process.run()
      let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationStatus == 1 && said.contains("No space left on device"))
    }
  }
}
