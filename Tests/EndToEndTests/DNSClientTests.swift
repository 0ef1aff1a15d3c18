import Foundation
import Pkarr
import TestSupport
import Testing

@Suite("pubky dns and foreign clients", .serialized, .timeLimit(.minutes(10)))
struct DNSClientTests {
  @Test("dig over UDP and TCP: keys with and without suffix, in any case, aliases into both worlds, wildcards")
  func dig() async throws {
    try await RunningDNS.run { server in
      let key = server.key
      for options in [["+notcp"], ["+tcp"]] {
        func ask(_ arguments: String...) async throws -> [String] {
          let path = try #require(ChildProcess.find("dig"), "dig is missing: scripts/install-dependencies test")
          let all = ["@127.0.0.1", "-p", server.port, "+short"] + options + arguments
          let outcome = try await ChildProcess(path, all, in: server.pubky.folder).outcome()
          #expect(outcome.status == 0, "\(outcome.errors)")
          return outcome.text.split(separator: "\n").map(String.init)
        }
        #expect(try await ask(key) == ["203.0.113.5"])
        #expect(try await ask("\(key.uppercased()).KEY") == ["203.0.113.5"])
        #expect(try await ask("www.\(key)") == ["\(key).", "203.0.113.5"])
        #expect(try await ask("ext.\(key)") == ["www.example.", "192.0.2.1"])
        #expect(try await ask("a.b.wild.\(key)") == ["203.0.113.6"])
        #expect(try await ask("_t.\(key)", "TXT") == ["\"hello\""])
        #expect(try await ask("www.example") == ["192.0.2.1"])
        #expect(try await ask("big.example", "TXT").count == 40, "what is cut over UDP comes over TCP")
      }
      let whole = try await server.run("dig", "@127.0.0.1", "-p", server.port, "none.\(key)")
      #expect(whole.text.contains("status: NXDOMAIN") && whole.text.contains("SOA"))
      #expect(whole.text.contains("flags: qr aa rd ra"), "\(whole.text)")
      let cut = try await server.run("dig", "@127.0.0.1", "-p", server.port, "+ignore", "big.example", "TXT")
      #expect(cut.text.contains(" tc "), "\(cut.text)")
      let other = try await server.run("dig", "@127.0.0.1", "-p", server.port, "none.example")
      #expect(other.text.contains("status: NXDOMAIN"))
    }
  }

  @Test("kdig over TLS and HTTPS, with the certificate checked, GET and POST")
  func kdig() async throws {
    try await RunningDNS.run { server in
      let trust = "+tls-ca=\(server.authority)"
      for name in [server.key, "www.example"] {
        let expected = name == server.key ? "203.0.113.5" : "192.0.2.1"
        let tls = try await server.answers(
          "kdig", "-p", RunningDNS.port(server.tls), trust, "+tls-hostname=localhost", "+padding", name)
        #expect(tls == [expected])
        for method in ["+https=localhost/dns-query", "+https-get"] {
          let https = try await server.answers(
            "kdig", "-p", RunningDNS.port(server.https), trust, "+tls-hostname=localhost", "+https=localhost/dns-query",
            method, name)
          #expect(https == [expected])
        }
        let otherPath = try await server.answers(
          "kdig", "-p", RunningDNS.port(server.https), trust, "+tls-hostname=localhost", "+https=localhost/doh", name)
        #expect(otherPath == [expected], "the second of two paths")
        #expect(
          try await server.answers("kdig", "-p", server.port, "+tcp", "+keepopen", name, name) == [expected, expected])
      }
      let svcb = try await server.answers("kdig", "-p", server.port, "svc.\(server.key)", "TYPE65")
      #expect(svcb.count == 1)
    }
  }

  @Test(
    "curl finds hosts through us (--doh-url), and its requests get the statuses of RFC 8484 over HTTP/1.1 and HTTP/2")
  func curl() async throws {
    try await RunningDNS.run { server in
      let url = "https://localhost:\(RunningDNS.port(server.https))"
      // Nobody is there; what counts is where curl looks.
      let lookup = try await server.run(
        "curl", "-sv", "--max-time", "2", "--connect-timeout", "1", "--cacert", server.authority, "--doh-insecure",
        "--doh-url", "\(url)/dns-query", "http://\(server.key):9/")
      #expect(lookup.errors.contains("203.0.113.5"), "\(lookup.errors)")

      // example.com A as RFC 8484 §4.1.1 has it.
      let query = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
      let accept = "accept: application/dns-message"
      func status(_ arguments: String...) async throws -> [String] {
        let path = try #require(ChildProcess.find("curl"))
        let all = [
          "-s", "-o", "body", "-w", "%{http_code} %{content_type} %{http_version}", "--cacert", server.authority,
        ]
        return try await ChildProcess(path, all + arguments, in: server.pubky.folder).outcome().text.split(
          separator: " "
        )
        .map(String.init)
      }
      for version in ["--http1.1", "--http2"] {
        let good = try await status(version, "-H", accept, "\(url)/dns-query?dns=\(query)")
        #expect(good.first == "200" && good[1] == "application/dns-message", "\(good)")
        #expect(good.last == (version == "--http2" ? "2" : "1.1"))
        #expect(try await status(version, "-H", "accept: text/plain", "\(url)/dns-query?dns=\(query)")[0] == "406")
        #expect(try await status(version, "\(url)/dns-query?dns=%21")[0] == "400")
        #expect(try await status(version, "\(url)/dns-query?dns=AAAA")[0] == "400")
        #expect(try await status(version, "\(url)/dns-query")[0] == "400")
        #expect(try await status(version, "\(url)/nowhere")[0] == "404")
        #expect(try await status(version, "-X", "PUT", "\(url)/dns-query")[0] == "405")
        #expect(try await status(version, "-H", "content-type: text/plain", "-d", "x", "\(url)/dns-query")[0] == "415")
        let large = try server.pubky.write("large", String(repeating: "x", count: 70_000))
        #expect(
          try await status(
            version, "-H", "content-type: application/dns-message", "--data-binary", "@\(large)", "\(url)/dns-query")[0]
            == "413")
        #expect(try await status(version, "-H", "accept: text/html", "\(url)/dns-query")[1].hasPrefix("text/html"))
      }
      let fields = try await server.run(
        "curl", "-s", "-D", "-", "-o", "body", "http://\(server.http)/dns-query?name=\(server.key)&type=A")
      #expect(fields.text.contains("cache-control: max-age=") && fields.text.contains("application/dns-json"))
      let failed = try await server.run(
        "curl", "-s", "-D", "-", "-o", "body", "http://\(server.http)/dns-query?name=www.unknown-to-unbound.test2")
      #expect(failed.text.contains("200 OK"), "\(failed.text)")
      #expect(failed.text.contains("no-store") || failed.text.contains("max-age"), "\(failed.text)")
    }
  }

  @Test("JSON answers hold the records and what is known of the key; GET /pkarr/KEY gives a packet that can be checked")
  func json() async throws {
    try await RunningDNS.run { server in
      let text = try await server.run("curl", "-s", "http://\(server.http)/resolve?name=www.\(server.key).key&type=A")
        .text
      let object = try JSONDecoder().decode([String: JSONField].self, from: Data(text.utf8))
      #expect(object["Status"] == .integer(0) && object["Answer"]?.list?.count == 2)
      #expect(object["pkarr"]?["key"] == .text(server.key) && object["pkarr"]?["source"] == .text("dht"))
      #expect(object["pkarr"]?["stale"] == .bool(false))

      let file = server.pubky.path("packet")
      _ = try await server.run("curl", "-s", "-o", file, "http://\(server.http)/pkarr/\(server.key)")
      let payload = [UInt8](try Data(contentsOf: URL(filePath: file)))
      let key = try PublicKey(parsing: server.key)
      let packet = try SignedPacket(relayPayload: payload, publicKey: key)
      #expect(packet.publicKey == key)

      let missing = try await server.pubky.newKey("other.key").key
      let status = try await server.run(
        "curl", "-s", "-o", "body", "-w", "%{http_code}", "http://\(server.http)/pkarr/\(missing)")
      #expect(status.text == "404")
      let bad = try await server.run(
        "curl", "-s", "-o", "body", "-w", "%{http_code}", "http://\(server.http)/pkarr/abc")
      #expect(bad.text == "400")
    }
  }

  @Test("proxies say for whom they ask, and that client is the one that counts, over each transport")
  func proxyProtocol() async throws {
    let tables = "[access]\nproxies = [\"127.0.0.1\"]\n[log]\nqueries = true\nclients = true\n"
    try await RunningDNS.run(tables: tables) { server in
      func expectAnswer(_ program: String, _ arguments: [String], _ transport: String, _ client: String) async throws {
        let path = try #require(ChildProcess.find(program), "\(program) is missing: scripts/install-dependencies test")
        let outcome = try await ChildProcess(path, arguments, in: server.pubky.folder).outcome()
        #expect(outcome.text == "192.0.2.1\n", "\(transport): \(outcome.errors)")
        let line = await server.command.firstErrorLine { $0.contains("transport=\(transport) code=0") }
        #expect(line?.contains("client=\(client)") == true, "\(line ?? "no line")")
      }
      for (transport, client) in [("udp", "203.0.113.1"), ("tcp", "203.0.113.2")] {
        let arguments = [
          "@127.0.0.1", "-p", server.port, "+short", "+proxy=\(client)#4711-127.0.0.1#53",
          transport == "udp" ? "+notcp" : "+tcp", "www.example",
        ]
        try await expectAnswer("kdig", arguments, transport, client)
      }
      // kdig has no such header in front of a handshake.
      let script = Peers.path("proxied_query.py")
      for (transport, endpoint, client) in [("tls", server.tls, "203.0.113.3"), ("https", server.https, "203.0.113.4")]
      {
        let arguments = [script, RunningDNS.port(endpoint), client, "www.example", server.authority, transport]
        try await expectAnswer("python3", arguments, transport, client)
      }
    }
  }
}
