import Foundation
import Testing

@Suite("pubky dht and testnet")
struct DHTCommandTests {
  @Test("a testnet tells its entrances, as lines or as an object, and takes the ports that it is given")
  func testnet() async throws {
    try await PubkyCommand.inFolder { pubky in
      let port = try FreePorts.firstOf(3)
      let running = try pubky.start("testnet", "--nodes", "3", "--port", "\(port)", "--json", "-v")
      let line = try #require(await running.firstLine { !$0.isEmpty })
      let object = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
      #expect(object["nodes"] == .integer(3))
      #expect(object["bootstrap"] == .list((0..<3).map { .text("127.0.0.1:\(Int(port) + $0)") }))
      let second = try await pubky.run("testnet", "--nodes", "3", "--port", "\(port + 2)", "--json")
      #expect(second.status == 2)
      #expect(try second.error()["error"] == .text("port_in_use"))
      running.terminate()
      let outcome = await running.end()
      #expect(outcome.status == 0 && outcome.errors.contains("testnet.stopped"))
    }
  }

  @Test("nodes are pinged, found and described")
  func nodes() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet { bootstrap in
        let ping = try #require(try await pubky.run("dht", "ping", bootstrap, "--json").objects().first)
        #expect(ping["endpoint"] == .text(bootstrap) && ping["id"]?.text?.utf8.count == 40)
        #expect(
          ping["observed"]?.text?.hasPrefix("127.0.0.1:") == true && ping["version"]?.text?.hasPrefix("SW ") == true)
        let words = try await pubky.run("dht", "ping", bootstrap)
        #expect(words.status == 0 && words.output.hasPrefix("\(bootstrap) answered in "))
        let silent = try SilentSocket()
        let nobody = try await pubky.run("dht", "ping", "127.0.0.1:\(silent.port)", "--json")
        #expect(nobody.status == 1)
        #expect(try nobody.error()["error"] == .text("not_found"))

        let target = String(repeating: "5a", count: 20)
        let found = try await pubky.run("dht", "find-node", target, "-b", bootstrap, "--json").objects()
        #expect((8...20).contains(found.count))
        #expect(found.allSatisfy { $0["id"]?.text?.utf8.count == 40 && $0["responded"] == .bool(true) })
        let table = try await pubky.run("dht", "find-node", target, "-b", bootstrap)
        #expect(table.output.split(separator: "\n").allSatisfy { $0.split(separator: "\t").count == 5 })

        let info = try #require(try await pubky.run("dht", "info", "-b", bootstrap, "--json").objects().first)
        #expect(info["server"] == .bool(false))
        let family = try #require(info["families"]?.list?.first)
        #expect(try #require(family["good_nodes"]?.integer) >= 1)
        #expect(family["family"] == .text("ipv4"))
        #expect(try await pubky.run("dht", "info", "-b", bootstrap).output.contains("IPv4 nodes"))
      }
    }
  }

  @Test("items are stored and fetched: immutable, mutable, with and without salt, by version")
  func items() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        // The value and target of BEP 44's first example.
        let put = try await pubky.run("dht", "put", "Hello World!", "-b", bootstrap)
        #expect(put.output == "e5f96f6f38320f0f33959cb4d3d656452117aadb\n" && put.errors.hasPrefix("Stored on "))
        let get = try await pubky.run("dht", "get", "e5f96f6f38320f0f33959cb4d3d656452117aadb", "-b", bootstrap)
        #expect(get.output == "12:Hello World!\n")
        let missing = try await pubky.run("dht", "get", String(repeating: "0", count: 40), "-b", bootstrap, "--json")
        #expect(missing.status == 1)
        #expect(try missing.error()["error"] == .text("not_found"))

        func seq(_ arguments: String...) async throws -> JSONField? {
          let outcome = try await pubky.run(["dht", "put"] + arguments + ["-k", file, "-b", bootstrap, "--json"])
          return outcome.status == 0 ? try outcome.objects().first?["seq"] : try outcome.error()["error"]
        }
        #expect(try await seq("one") == .integer(1))
        #expect(try await seq("two") == .integer(2))
        #expect(try await seq("salted", "--salt", "foo") == .integer(1))
        #expect(try await seq("old", "--seq", "1") == .text("not_most_recent"))
        #expect(try await seq("cas", "--seq", "9", "--cas", "7") == .text("cas_failed"))
        #expect(try await seq("three", "--seq", "9", "--cas", "2") == .integer(9))
        let item = try #require(try await pubky.run("dht", "get", key, "-b", bootstrap, "--json").objects().first)
        #expect(item["seq"] == .integer(9) && item["value"] == .text("353a7468726565") && item["salt"] == .text(""))
        #expect(try await pubky.run("dht", "get", key, "--salt", "foo", "-b", bootstrap).output == "6:salted\n")
        let piped = try await pubky.run("dht", "put", "-", "-b", bootstrap, "--json", input: "from a pipe")
        #expect(try #require(try piped.objects().first?["stored"]?.integer) >= 1)
      }
    }
  }

  @Test("peers are announced and found")
  func peers() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet { bootstrap in
        let hash = String(repeating: "c3", count: 20)
        let nobody = try await pubky.run("dht", "peers", hash, "-b", bootstrap)
        #expect(nobody.status == 1 && nobody.errors.hasPrefix("pubky: nobody has announced \(hash)\n"))
        let announced = try await pubky.run("dht", "announce", hash, "--port", "4711", "-b", bootstrap, "--json")
        #expect(try #require(try announced.objects().first?["stored"]?.integer) >= 1)
        let found = try await pubky.run("dht", "peers", hash, "-b", bootstrap)
        #expect(found.status == 0 && found.output == "127.0.0.1:4711\n")
        let objects = try await pubky.run("dht", "peers", hash, "-b", bootstrap, "--json").objects()
        #expect(objects == [["peer": .text("127.0.0.1:4711")]])
      }
    }
  }

  @Test("a node reads its settings from a file, serves others, and keeps its table when it stops")
  func node() async throws {
    try await PubkyCommand.inFolder { pubky in
      let port = try FreePorts.firstOf(1)
      let file = try pubky.write(
        "node.toml",
        """
        port = \(port)
        bind = ["127.0.0.1"]
        bootstrap = []
        mode = "server"
        network = "isolated"
        table_file = "\(pubky.path("table"))"
        [storage]
        mutable_items = 10
        """)
      let node = try pubky.start("dht", "node", "--config", file, "--log-level", "notice", "--log-format", "json")
      let endpoint = try #require(await node.firstLine { !$0.isEmpty })
      #expect(endpoint == "127.0.0.1:\(port)")
      let put = try await pubky.run("dht", "put", "kept", "-b", endpoint)
      #expect(put.status == 0, "\(put.errors)")
      let target = put.output.trimmingCharacters(in: .newlines)
      #expect(try await pubky.run("dht", "get", target, "-b", endpoint).output == "4:kept\n")
      node.interrupt()
      let outcome = await node.end()
      #expect(outcome.status == 0)
      let events = outcome.errors.split(separator: "\n").compactMap {
        try? JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8))["event"]?.text
      }
      #expect(events == ["dht.started", "dht.stopped"])
      #expect(try String(contentsOfFile: pubky.path("table"), encoding: .utf8).hasPrefix("mainline-table"))
    }
  }

  @Test("the first node of a new network serves from the start, and others join it")
  func firstNode() async throws {
    try await PubkyCommand.inFolder { pubky in
      let port = try FreePorts.firstOf(2)
      for network in ["public", "isolated"] {
        let first = try pubky.start("dht", "node", "--no-bootstrap", "--port", "\(port)", "--network", network)
        #expect(await first.firstLine { !$0.isEmpty } == "0.0.0.0:\(port)")
        let entrance = "127.0.0.1:\(port)"
        let put = try await pubky.run("dht", "put", "Hello World!", "-b", entrance)
        #expect(put.status == 0, "\(put.errors)")
        if network == "isolated" {
          let second = try pubky.start("dht", "node", "-b", entrance, "--bind", "127.0.0.1", "--port", "\(port + 1)")
          #expect(await second.firstLine { !$0.isEmpty } == "127.0.0.1:\(port + 1)")
          var known: [JSONField?] = []
          for _ in 0..<200 where known.count < 2 {
            let target = String(repeating: "0", count: 40)
            let found = try await pubky.run("dht", "find-node", target, "-b", entrance, "--json")
            known = try found.objects().filter { $0["responded"] == .bool(true) }.map { $0["endpoint"] }
          }
          #expect(known.count == 2, "the first node names the one that joined")
          second.interrupt()
          #expect(await second.end().status == 0)
        }
        first.interrupt()
        #expect(await first.end().status == 0)
      }
    }
  }

  @Test(
    "a mistake in the settings stops the start with file, line, column, key and the nearest known key",
    arguments: [
      (
        "[storage]\nmutable_item = 1", "node.toml:2:1: storage.mutable_item: no such key", "Did you mean mutable_items?"
      ),
      ("port = 0", "node.toml:1:8: port: 0 is outside of 1…65535", nil),
      ("bind = [\"::\", \"::1\"]", "node.toml:1:8: bind: one address of each family can be bound", nil),
      ("bootstrap = [\"x\"]", "node.toml:1:13: bootstrap: \"x\" is not HOST:PORT", nil),
      ("mode = \"severe\"", "node.toml:1:8: mode: \"severe\" is none of client, server, adaptive", nil),
      ("request_timeout = \"1h\"", "node.toml:1:19: request_timeout: 1 h is outside of 1 s…1 min", nil),
      ("port = ", "node.toml:1:8:", nil),
    ] as [(String, String, String?)])
  func badSettings(text: String, message: String, advice: String?) async throws {
    try await PubkyCommand.inFolder { pubky in
      try pubky.write("node.toml", text)
      let outcome = try await pubky.run("dht", "node", "--config", "node.toml")
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.errors.hasPrefix("pubky: " + message), "\(outcome.errors)")
      if let advice { #expect(outcome.errors.contains(advice)) }
    }
  }
}
