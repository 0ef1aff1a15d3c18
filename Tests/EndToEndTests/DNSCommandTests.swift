import Foundation
import TestSupport
import Testing

@Suite("pubky dns", .serialized, .timeLimit(.minutes(10)))
struct DNSCommandTests {
  @Test("check tells of each transport and both kinds of names; a server that does not answer is a failure")
  func check() async throws {
    try await RunningDNS.run { server in
      let check = [
        "dns", "check", server.dns, "tls://\(server.tls)#localhost", "https://\(server.https)/dns-query#localhost",
        "--name",
        "www.example", "--key", server.key, "--authorities", server.authority,
      ]
      let good = try await server.pubky.run(check)
      #expect(good.status == 0, "\(good.output)\(good.errors)")
      let lines = good.output.split(separator: "\n")
      #expect(lines.count == 8 && lines.allSatisfy { $0.hasPrefix("good\t") && $0.hasSuffix("NOERROR, 1 record") })
      let objects = try await server.pubky.run(check + ["--json"]).objects()
      #expect(objects.count == 8 && objects.allSatisfy { $0["good"] == .bool(true) })

      let silent = try SilentSocket()
      let bad = try await server.pubky.run(
        "dns", "check", "127.0.0.1:\(silent.port)", "--name", "www.example", "--key", server.key)
      #expect(bad.status == 1 && bad.output.contains("FAILED") && bad.errors.contains("4 questions"))
      let unknown = try await server.pubky.run(
        "dns", "check", "tcp://\(server.dns)", "--name", "none.example", "--key", "none.\(server.key)")
      #expect(unknown.status == 1 && unknown.output.contains("NXDOMAIN"))
    }
  }

  @Test("flush makes the server ask again, over the address and the Unix socket; SIGHUP reads the settings again")
  func flushAndReload() async throws {
    try await RunningDNS.run { server in
      #expect(try await server.answers("dig", "-p", server.port, "www.example") == ["192.0.2.1"])
      for target in [
        ["--admin", server.admin], ["--socket", server.pubky.path("admin.sock")], ["--config", server.settings],
      ] {
        #expect(try await server.answers("dig", "-p", server.port, "www.example") == ["192.0.2.1"])
        let flushed = try await server.pubky.run(["dns", "flush", "www.example", "--json"] + target)
        #expect(flushed.status == 0, "\(flushed.errors)")
        #expect(try flushed.objects().first?["flushed"]?.integer ?? 0 >= 1)
      }
      let nowhere = try await server.pubky.run("dns", "flush", "www.example")
      #expect(nowhere.status == 2)

      let text = try String(contentsOfFile: server.settings, encoding: .utf8)
      try server.pubky.write("dns.toml", text + "[access]\nblocked_names = [\"example\"]\n")
      server.command.hangUp()
      #expect(await server.command.firstErrorLine { $0.contains("configuration.reloaded") } != nil)
      let blocked = try await server.run("dig", "@127.0.0.1", "-p", server.port, "www.example")
      #expect(blocked.text.contains("NXDOMAIN"), "\(blocked.text)")
      try server.pubky.write("dns.toml", "[generl]")
      server.command.hangUp()
      #expect(await server.command.firstErrorLine { $0.contains("configuration.refused") } != nil)
      #expect(
        try await server.answers("dig", "-p", server.port, server.key) == ["203.0.113.5"], "what was in use stays")
    }
  }

  @Test("status page, metrics and health for those who run it")
  func admin() async throws {
    try await RunningDNS.run { server in
      _ = try await server.answers("dig", "-p", server.port, server.key)
      _ = try await server.answers("dig", "-p", server.port, "www.example")
      let missing = try await server.pubky.newKey("other.key").key
      _ = try await server.answers("dig", "-p", server.port, missing)
      func get(_ path: String) async throws -> String {
        try await server.run("curl", "-s", "http://\(server.admin)\(path)").text
      }
      let page = try await get("/")
      #expect(
        page.contains("All names can be resolved.") && page.contains(server.key) && page.contains("found on the DHT"))
      #expect(page.contains(missing) && page.contains("nobody has it"), "why a search failed: \(page)")
      let metrics = try await get("/metrics")
      #expect(metrics.contains("pubky_dns_queries_total{transport=\"udp\"} 3"))
      #expect(metrics.contains("pubky_dns_lookups_total{result=\"found\"} 1"))
      #expect(!metrics.contains(server.key) && !metrics.contains(missing), "no names in metrics")
      #expect(try await get("/healthz").contains("\"status\":\"ok\""))
      #expect(try await get("/readyz").contains("\"status\":\"ready\""))
      let forged = try await server.run(
        "curl", "-s", "-o", "body", "-w", "%{http_code}", "-X", "POST", "-H", "origin: http://example",
        "http://\(server.admin)/flush?name=www.example")
      #expect(forged.text == "403")
    }
  }

  @Test("queries are logged only if that is wanted, without addresses unless they are wanted too")
  func queryLog() async throws {
    try await RunningDNS.run { server in
      _ = try await server.answers("dig", "-p", server.port, "www.example")
      server.command.terminate()
      let outcome = await server.command.end()
      #expect(!outcome.errors.contains("www.example"))
    }
    try await RunningDNS.run(tables: "[log]\nqueries = true\n") { server in
      _ = try await server.answers("dig", "-p", server.port, "www.example")
      let line = try #require(await server.command.firstErrorLine { $0.contains("dns.query") })
      #expect(line.contains("name=www.example type=A transport=udp code=0") && line.contains("client=null"), "\(line)")
    }
    try await RunningDNS.run(tables: "[log]\nqueries = true\nclients = true\n") { server in
      _ = try await server.answers("dig", "-p", server.port, "www.example")
      #expect(await server.command.firstErrorLine { $0.contains("client=127.0.0.1") } != nil)
    }
  }

  @Test("files and directories of pkdns are found; mistakes end the start with the place and the nearest key")
  func settings() async throws {
    try await PubkyCommand.inFolder { pubky in
      for name in ["pkdns.toml", "config.toml"] {
        try FileManager.default.createDirectory(
          at: pubky.folder.appending(path: "home"), withIntermediateDirectories: true)
        try pubky.write("home/\(name)", "[general]\nsockets = \"127.0.0.1:0\"\n")
        let outcome = try await pubky.run("dns", "--pkdns-dir", pubky.path("home"))
        #expect(outcome.status == 2 && outcome.errors.contains("\(name):2:1"), "\(outcome.errors)")
        #expect(outcome.errors.contains("general.socket"))
      }
      #expect(try await pubky.run("dns", "--forward", "dns.example").status == 2)
      #expect(try await pubky.run("dns", "chek").errors.contains("check"))
      let port = try FreePorts.firstOf(1)
      let taken = FreePorts.bound(port)
      defer { close(taken) }
      let second = try await pubky.run("dns", "--listen", "127.0.0.1:\(port)", "--json")
      #expect(second.status == 2 && second.errors.contains("port_in_use"))
      let help = try await pubky.run("dns", "--help")
      #expect(help.output.contains("--forward") && help.output.contains("flush"))
    }
  }
}
