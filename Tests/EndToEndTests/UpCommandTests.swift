import Foundation
import HTTP
import Testing

@Suite("pubky up", .serialized, .timeLimit(.minutes(10)))
struct UpCommandTests {
  private static let lastLine = "  Ctrl-C stops everything."

  /// Runs a line as a shell does.
  private func shell(_ line: String, _ pubky: PubkyCommand) async throws -> PubkyCommand.Outcome {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", line]
    process.environment = pubky.environment
    process.currentDirectoryURL = pubky.folder
    return await (try RunningCommand(process, input: "")).end()
  }

  /// The objects that a command has written until it has written `count` of them.
  private func objects(_ count: Int, of command: RunningCommand) async throws -> [[String: JSONField]] {
    var seen = 0
    let lines = await command.lines {
      if $0.hasPrefix("{") { seen += 1 }
      return seen == count
    }
    try #require(lines.count == count)
    return try lines.map { try JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8)) }
  }

  private func page(_ url: String) async throws -> (status: Int, text: String, type: String?) {
    var request = HTTPClientRequest(.get, try #require(HTTPURL(url)))
    request.fields.append(.accept, "text/html")
    let (response, body) = try await HTTPClient().fetch(request, upTo: 1 << 20, timeout: .seconds(60))
    return (Int(response.status.code), String(decoding: body, as: UTF8.self), response.fields[.contentType])
  }

  @Test(
    "a key and a zone are made once, the page is there, what is printed works as it stands, and Ctrl-C is no failure")
  func tour() async throws {
    try await PubkyCommand.inFolder { pubky in
      var keys: Set<String> = []
      for round in 0..<2 {
        let up = try pubky.start("up", "--port", "0")
        defer { up.kill() }
        let lines = await up.lines { $0 == Self.lastLine }
        #expect(lines.last == Self.lastLine)
        let address = try #require(lines.first { $0.contains("/?pk=") }).trimmingCharacters(in: .whitespaces)
        let key = try #require(address.split(separator: "=").last.map(String.init))
        keys.insert(key)
        let page = try await page(address)
        #expect(page.status == 200 && page.text.contains("Look up a key") && page.type?.hasPrefix("text/html") == true)

        let commands = lines.filter { $0.hasPrefix("      /") || $0.hasPrefix("      curl ") }
        #expect(commands.count == 5)
        for line in commands {
          let outcome = try await shell(line, pubky)
          #expect(outcome.status == 0, "\(line): \(outcome.errors)")
          if line.contains(" resolve ") || line.contains("curl ") {
            #expect(outcome.output.contains("_hello") && outcome.output.contains("world"), "\(line)")
          }
        }
        #expect(commands.contains { $0.contains(" resolve \(key) --relay ") })
        #expect(commands.contains { $0.contains(" resolve \(key) --bootstrap 127.0.0.1:") })
        round == 0 ? up.interrupt() : up.terminate()
        let outcome = await up.end()
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors == "All is stopped. The sample key stays in ~/.config/pubky/demo.key.\n")
        #expect(outcome.output.contains("(new; keep it secret)") == (round == 0))
        #expect(outcome.output.contains("4 records, ") && outcome.output.contains("signature verified"))
        #expect(try pubky.mode(".config/pubky/demo.key") == 0o600)
      }
      #expect(keys.count == 1)
      let sample = try String(contentsOfFile: pubky.path(".config/pubky/demo.zone"), encoding: .utf8)
      let example = URL(fileURLWithPath: #filePath).appending(path: "../../../examples/zone").standardized
      #expect(try sample == String(contentsOf: example, encoding: .utf8))
    }
  }

  @Test(
    "--json: an object that says what runs where, then one for each publication, also of what somebody else publishes")
  func json() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet { bootstrap in
        let zone = try pubky.write("my zone", "@ 300 A 192.0.2.1\n")
        let up = try pubky.start("up", zone, "--json", "-p", "0", "--bootstrap", bootstrap, "--every", "1s")
        defer { up.kill() }
        let first = try await objects(2, of: up)
        let (start, publication) = (first[0], first[1])
        for object in first { try Documentation.expect(.object(object)) }
        let (url, key) = (try #require(start["url"]?.text), try #require(start["key"]?.text))
        #expect(start["page"] == .text("\(url)/?pk=\(key)") && start["bootstrap"] == .list([.text(bootstrap)]))
        #expect(start["file"] == .text(pubky.path(".config/pubky/demo.key")) && start["zone"] == .text(zone))
        #expect(start["endpoints"]?.list?.count == 1 && start["dht"]?.list?.count == 1)
        #expect(publication["key"] == .text(key) && publication["next_seconds"] == .integer(1))
        #expect(publication["stored"]?.integer ?? 0 > 0)
        #expect(try await page(url).status == 200)
        for place in [["--relay", url, "--no-dht"], ["--bootstrap", bootstrap]] {
          let found = try await pubky.run(["resolve", key, "@", "A"] + place)
          #expect(found.output == "@\t300\tA\t192.0.2.1\n", "\(found.errors)")
        }

        // Published by hand, as the web app may do: it stays, until the file changes.
        let file = try #require(start["file"]?.text)
        let theirs = try await pubky.run(
          "publish", "-", "-k", file, "-b", bootstrap, "--json", input: "@ 300 A 192.0.2.2\n")
        let foreign = try #require(try theirs.objects().first?["bytes"]?.text)
        #expect(await up.firstLine { $0.contains(foreign) } != nil)
        let client = try HTTPClient()
        let events = try await client.send(
          HTTPClientRequest(.get, try #require(HTTPURL("\(url)/\(key)/events"))))
        try pubky.write("my zone", "@ 300 A 192.0.2.3\n")
        let line = try #require(await up.firstLine { $0.contains("192.0.2.3") })
        // Who follows the key, as the page does, is told.
        let newest = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))["bytes"]?.text
        var told = ""
        while !told.contains(try #require(newest)), let piece = try await events.body.read() {
          told += String(decoding: piece, as: UTF8.self)
        }
        #expect(told.contains("192.0.2.3"))
        withExtendedLifetime(client) {}
        let found = try await pubky.run("resolve", key, "@", "A", "--bootstrap", bootstrap)
        #expect(found.output == "@\t300\tA\t192.0.2.3\n", "\(found.errors)")
        up.interrupt()
        let outcome = await up.end()
        #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(outcome.errors)")
        #expect(!FileManager.default.fileExists(atPath: pubky.path(".config/pubky/demo.zone")))
      }
    }
  }

  @Test("a port that is taken is named with what to do, and nothing stays behind")
  func portTaken() async throws {
    try await PubkyCommand.inFolder { pubky in
      let up = try pubky.start("up", "--port", "0", "--json")
      defer { up.kill() }
      let url = try #require(try await objects(2, of: up)[0]["url"]?.text)
      let port = try #require(url.split(separator: ":").last.map(String.init))
      let second = try await pubky.run("up", "--port", port)
      #expect(second.status == 2 && second.output.isEmpty)
      #expect(second.errors.hasPrefix("pubky: port \(port) is taken by another program\n"), "\(second.errors)")
      #expect(second.errors.contains("choose another port") && second.errors.contains("--port 0"))
      let json = try await pubky.run("up", "--port", port, "--json")
      #expect(json.status == 2 && json.output.isEmpty)
      #expect(try json.error()["error"] == .text("port_in_use"))
      up.interrupt()
      #expect(await up.end().status == 0)
    }
  }

  @Test("a folder that cannot be written, a key that is none and a zone with a mistake stop the start with the reason")
  func mistakes() async throws {
    try await PubkyCommand.inFolder { pubky in
      var elsewhere = pubky
      elsewhere.environment["XDG_CONFIG_HOME"] = try pubky.write("file", "no folder")
      let unwritable = try await elsewhere.run("up", "--port", "0")
      #expect(unwritable.status == 2 && unwritable.output.isEmpty)
      #expect(unwritable.errors.contains("/file/pubky cannot be written: Not a directory"), "\(unwritable.errors)")
      #expect(unwritable.errors.contains("XDG_CONFIG_HOME=FOLDER"))
      #expect(try await elsewhere.run("up", "--port", "0", "--json").error()["error"] == .text("bad_input"))

      let zone = try pubky.write("bad.zone", "www 300s5 CNAME @\n")
      let mistake = try await pubky.run("up", zone, "--port", "0")
      #expect(mistake.status == 2 && mistake.errors.contains(":1:5: \"300s5\" is not a TTL"), "\(mistake.errors)")

      let key = ".config/pubky/demo.key"
      try FileManager.default.removeItem(atPath: pubky.path(key))
      try pubky.write(key, "nonsense")
      let foreign = try await pubky.run("up", "--port", "0")
      #expect(foreign.status == 2 && foreign.output.isEmpty && foreign.errors.contains("demo.key: "))
      #expect(try String(contentsOfFile: pubky.path(key), encoding: .utf8) == "nonsense")
    }
  }

  @Test("help says what is started, which port it takes, and how to reach the public network")
  func help() async throws {
    try await PubkyCommand.inFolder { pubky in
      let help = try await pubky.run("up", "--help")
      #expect(help.status == 0 && help.errors.isEmpty)
      let text = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      for word in ["--port PORT", "default: 6881", "--mainnet", "--bootstrap", "--json", "Ctrl-C"] {
        #expect(text.contains(word), "\(word)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: pubky.folder.path).isEmpty)
    }
  }
}
