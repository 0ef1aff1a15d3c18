import Foundation
import Pkarr
import Testing

/// `pubky serve` that runs.
struct RunningSite {
  let command: RunningCommand
  let key: String
  let endpoint: String
  var url: String { "https://\(key)/" }
  var port: String { String(endpoint.split(separator: ":").last ?? "") }
}

extension PubkyCommand {
  /// Runs a body with a site, which is published by then; it must end well.
  func withSite(
    _ folder: String, key: String, _ more: [String] = [], _ body: (RunningSite) async throws -> Void
  ) async throws {
    let command = try start(["serve", folder, "--key", key, "--port", "0", "--json"] + more)
    defer { command.kill() }
    let lines = await command.lines { $0.contains("\"stored\"") }
    let objects = try lines.map { try JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8)) }
    for object in objects { try Documentation.expect(JSONField.object(object)) }
    guard objects.count == 2 else {
      command.kill()
      let outcome = await command.end()
      Issue.record("the site does not start: \(outcome.output) \(outcome.errors)")
      return
    }
    let name = try #require(objects[0]["key"]?.text)
    #expect(objects[0]["url"] == .text("https://\(name)/") && objects[1]["next_seconds"] == .integer(3600))
    try await body(
      RunningSite(command: command, key: name, endpoint: try #require(objects[0]["endpoints"]?.list?.first?.text)))
    command.terminate()
    let outcome = await command.end()
    #expect(outcome.status == 0, "\(outcome.errors)")
  }
}

@Suite("pubky get and serve", .serialized)
struct WebCommandTests {
  private func makeSite(_ pubky: PubkyCommand) throws -> String {
    let folder = pubky.folder.appending(path: "public")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try Data("<h1>home</h1>".utf8).write(to: folder.appending(path: "index.html"))
    try Data((0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }).write(to: folder.appending(path: "large.bin"))
    try Data("secret".utf8).write(to: folder.appending(path: ".hidden"))
    return folder.path
  }

  @Test("a page is fetched from a key, shown with its head, written to a file, and told to programs")
  func roundTrip() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let folder = try makeSite(pubky)
      try await pubky.withTestnet { bootstrap in
        try await pubky.withSite(folder, key: file, ["-b", bootstrap]) { site in
          let page = try await pubky.run("get", site.url, "-b", bootstrap)
          #expect(page.status == 0 && page.output == "<h1>home</h1>" && page.errors.isEmpty, "\(page.errors)")
          for address in [site.key, "pk:\(site.key)", "\(site.key)/index.html", "http://\(site.key)/"] {
            #expect(try await pubky.run("get", address, "-b", bootstrap).output == "<h1>home</h1>", "\(address)")
          }
          let shown = try await pubky.run("get", "-i", site.url, "-b", bootstrap, "--fresh").output
          #expect(shown.hasPrefix("HTTP/1.1 200 OK\r\n") && shown.hasSuffix("\r\n\r\n<h1>home</h1>"))
          let head = try await pubky.run("get", "-I", site.url, "-b", bootstrap).output
          #expect(head.contains("content-length: 13\r\n") && head.hasSuffix("\r\n\r\n"))
          let part = try await pubky.run("get", site.url, "-H", "Range: bytes=4-7", "-b", bootstrap)
          #expect(part.output == "home")

          let output = pubky.path("copy")
          let written = try await pubky.run("get", site.url + "large.bin", "-o", output, "-b", bootstrap, "--json")
          #expect(written.status == 0, "\(written.errors)")
          let object = try #require(try written.objects().first)
          #expect(object["status"] == .integer(200) && object["length"] == .integer(5_000_000))
          #expect(object["identity"] == .text(site.key) && object["endpoint"] == .text(site.endpoint))
          #expect(
            try Data(contentsOf: URL(fileURLWithPath: output))
              == Data(contentsOf: URL(fileURLWithPath: folder + "/large.bin")))

          // A refusal takes no file's place.
          try pubky.write("kept", "as it was")
          let missing = try await pubky.run("get", site.url + ".hidden", "-o", pubky.path("kept"), "-b", bootstrap)
          #expect(missing.status == 1 && missing.errors.contains("answers 404 Not Found"))
          #expect(try String(contentsOfFile: pubky.path("kept"), encoding: .utf8) == "as it was")
          let json = try await pubky.run("get", site.url, "-X", "DELETE", "-b", bootstrap, "--json")
          #expect(try json.error()["error"] == .text("http_status"))
          #expect(json.status == 1)
          #expect(
            try FileManager.default.contentsOfDirectory(atPath: pubky.folder.path).allSatisfy { !$0.hasPrefix(".copy") }
          )
        }
      }
    }
  }

  @Test("a site moves: what was kept of its key leads nowhere, and the network is asked")
  func moved() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let folder = try makeSite(pubky)
      try await pubky.withTestnet { bootstrap in
        try await pubky.withSite(folder, key: file, ["-b", bootstrap]) { site in
          let first = try await pubky.run("get", site.url, "-b", bootstrap)
          #expect(first.status == 0, "\(first.errors)")
        }
        let gone = try await pubky.run("get", key, "-b", bootstrap, "--json")
        #expect(try gone.error()["error"] == .text("unreachable"))
        #expect(gone.status == 1)
        try await pubky.withSite(folder, key: file, ["-b", bootstrap]) { site in
          let second = try await pubky.run("get", site.url, "-b", bootstrap)
          #expect(second.output == "<h1>home</h1>", "\(second.errors)")
        }
      }
    }
  }

  @Test("a site keeps the other records of its key unless told otherwise, and its address can be named")
  func records() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let folder = try makeSite(pubky)
      try await pubky.withTestnet { bootstrap in
        let zone = "_note TXT \"stays\"\n@ A 192.0.2.1\n"
        #expect(try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, input: zone).status == 0)
        let options = ["-b", bootstrap, "--address", "127.0.0.1", "--address", "2001:db8::7", "--ttl", "2h"]
        try await pubky.withSite(folder, key: file, options) { site in
          let records = try await pubky.run("resolve", key, "-b", bootstrap).output
          #expect(
            records
              == "@\t7200\tHTTPS\t1 . port=\(site.port)\n@\t7200\tA\t127.0.0.1\n@\t7200\tAAAA\t2001:db8::7\n"
              + "_note\t300\tTXT\t\"stays\"\n")
        }
        try await pubky.withSite(folder, key: file, ["-b", bootstrap, "--replace"]) { site in
          let records = try await pubky.run("resolve", key, "-b", bootstrap).output
          #expect(records == "@\t3600\tHTTPS\t1 . port=\(site.port)\n@\t3600\tA\t127.0.0.1\n")
        }
      }
    }
  }

  @Test("a wrong key, a loop, and a name without records are told apart, with exit code 1")
  func failures() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let (otherFile, other) = try await pubky.newKey("other.key")
      let folder = try makeSite(pubky)
      try await pubky.withTestnet { bootstrap in
        try await pubky.withSite(folder, key: file, ["-b", bootstrap]) { site in
          func publish(_ zone: String) async throws {
            #expect(try await pubky.run("publish", "-", "-k", otherFile, "-b", bootstrap, input: zone).status == 0)
          }
          func get(_ more: String...) async throws -> Outcome {
            try await pubky.run(["get", "https://\(other)/", "-b", bootstrap, "--fresh"] + more)
          }
          try await publish("@ HTTPS 1 . port=\(site.port)\n@ A 127.0.0.1\n")
          let wrong = try await get()
          #expect(wrong.status == 1 && wrong.errors.contains("another key than the expected one"), "\(wrong.errors)")
          #expect(try await get("--json").error()["error"] == .text("unreachable"))
          try await publish("@ HTTPS 1 \(other).\n")
          #expect(try await get().errors.contains("lead in a loop: \(other) comes a second time"))
          try await publish("@ A 127.0.0.1\n")
          #expect(try await get("--json").error()["error"] == .text("not_found"))
          // The first place is dead, the second one is the site's own key.
          try await publish("@ HTTPS 1 . port=1\n@ HTTPS 2 \(site.key).\n@ A 127.0.0.1\n")
          let second = try await get()
          #expect(second.status == 0 && second.output == "<h1>home</h1>", "\(second.errors)")
        }
        let late = try await pubky.run("get", "https://127.0.0.1:1/", "--json")
        #expect(try late.error()["error"] == .text("unreachable"))
        #expect(late.status == 1)
      }
    }
  }

  typealias Outcome = PubkyCommand.Outcome

  @Test("a folder that is not there, and a port that is taken, are told before anything is published")
  func startFailures() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let folder = try makeSite(pubky)
      let options = ["--no-publish", "--listen", "127.0.0.1"]
      let missing = try await pubky.run(["serve", pubky.path("none"), "-k", file] + options)
      #expect(missing.status == 2 && missing.errors.contains("No such file or directory"), "\(missing.errors)")
      let site = try pubky.start(
        "serve", folder, "-k", file, "-p", "0", "--no-publish", "--listen", "127.0.0.1", "--json")
      defer { site.kill() }
      let line = try #require(await site.firstLine { $0.hasPrefix("{") })
      let port = try #require(line.firstMatch(of: /127\.0\.0\.1:(\d+)/)?.1)
      let taken = try await pubky.run(["serve", folder, "-k", file, "-p", String(port), "--json"] + options)
      #expect(try taken.error()["error"] == .text("port_in_use"))
      #expect(taken.status == 2)
      site.interrupt()
      #expect(await site.end().status == 0)
    }
  }
}
