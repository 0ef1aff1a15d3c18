import Foundation
import Pkarr
import Testing

@Suite("pubky relay, and publish and resolve through it", .serialized, .timeLimit(.minutes(10)))
struct RelayCommandTests {
  private static let zone = "$TTL 600\n@ A 127.0.0.1\n_hello TXT \"world\"\n"

  private func object(_ outcome: PubkyCommand.Outcome) throws -> [String: JSONField] {
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try JSONDecoder().decode([String: JSONField].self, from: Data(outcome.output.utf8))
  }

  private func errorWord(_ outcome: PubkyCommand.Outcome) throws -> String? {
    let object = try JSONDecoder().decode([String: JSONField].self, from: Data(outcome.errors.utf8))
    return (object["error"] ?? object["warning"])?.text
  }

  // MARK: Through a relay

  @Test("what is published through a relay alone is in the DHT, and is resolved through it under every policy")
  func alone() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", Self.zone)
      try await pubky.withTestnet { bootstrap in
        try await pubky.withRelay(bootstrap: bootstrap) { relay in
          let through = ["--relay", relay.url, "--no-dht"]
          let outcome = try await pubky.run(["publish", zone, "--key", file, "--json"] + through)
          #expect(outcome.errors.isEmpty)
          let published = try object(outcome)
          let stored = try #require(published["stored"]?.integer)
          #expect(stored >= 1 && published["key"] == .text(key) && published["milliseconds"] != nil)
          #expect(
            published["backends"] == .list([.object(["target": .text(relay.url), "stored": .integer(stored)])]))

          for policy in [[], ["--policy", "NetworkOnly"], ["--policy", "CacheFirst"], ["--policy", "CacheOnly"]] {
            let found = try object(try await pubky.run(["resolve", key, "--json"] + through + policy))
            for field in ["key", "timestamp", "ttl", "records", "bytes"] { #expect(found[field] == published[field]) }
            #expect(found["source"] == .text(relay.url) && found["stale"] == .bool(false), "\(policy)")
            let age = try #require(found["age_seconds"]?.integer)
            let rest = try #require(found["expires_in_seconds"]?.integer)
            // Seconds are cut off on both sides.
            #expect(age >= 0 && rest > 0 && (598...600).contains(age + rest))
          }
          let direct = try object(try await pubky.run("resolve", key, "--bootstrap", bootstrap, "--json"))
          #expect(direct["bytes"] == published["bytes"])

          let again = try await pubky.run(["publish", "-", "-k", file] + through, input: "@ A 203.0.113.7\n")
          #expect(again.output.hasPrefix("Published standard input: 1 record, "), "\(again.errors)")
          #expect(again.output.contains(" through \(relay.url), "))
          let plain = try await pubky.run(["resolve", key, "@", "A"] + through)
          #expect(plain.output == "@\t300\tA\t203.0.113.7\n")

          let unknown = try await pubky.newKey("other.key").key
          for policy in ["NetworkOnly", "CacheFirst", "CacheOnly"] {
            let nobody = try await pubky.run(["resolve", unknown, "--json", "--policy", policy] + through)
            #expect(nobody.status == 1 && nobody.output.isEmpty)
            #expect(try nobody.error()["error"] == .text("not_found"))
          }
        }
      }
    }
  }

  @Test("relay and DHT are used side by side, and a relay that is gone is a warning only")
  func together() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        var url = ""
        try await pubky.withRelay(bootstrap: bootstrap) { relay in
          url = relay.url
          let both = ["--relay", relay.url, "--bootstrap", bootstrap, "--json"]
          let outcome = try await pubky.run(["publish", "-", "-k", file] + both, input: Self.zone)
          let published = try object(outcome)
          #expect(outcome.errors.isEmpty)
          let backends = try #require(published["backends"]?.list)
          #expect(Set(backends.compactMap { $0["target"]?.text }) == ["dht", relay.url])
          #expect(backends.allSatisfy { ($0["stored"]?.integer ?? 0) >= 1 })
          let found = try object(try await pubky.run(["resolve", key] + both))
          #expect(found["bytes"] == published["bytes"] && found["copies"]?.integer ?? 0 >= 1)
          #expect(["dht", relay.url].contains(found["source"]?.text) && found["stale"] == .bool(false))
          #expect(found["relays_behind"] == .list([]) && found["nodes_behind"] == .integer(0))
        }
        let both = ["--relay", url, "--bootstrap", bootstrap, "--json"]
        let outcome = try await pubky.run(["publish", "-", "-k", file] + both, input: "@ A 192.0.2.2\n")
        let backends = try #require(try object(outcome)["backends"]?.list)
        #expect(backends.first { $0["target"] == .text(url) }?["error"]?.text != nil)
        #expect(try errorWord(outcome) == "not_stored" && outcome.errors.contains(url))
        #expect(try object(try await pubky.run(["resolve", key] + both))["source"] == .text("dht"))
      }
    }
  }

  @Test("who serves an old version, a relay or nodes of the DHT, is named, and is brought up to date")
  func behind() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet { oldNetwork in
        try await pubky.withTestnet { newNetwork in
          try await pubky.withRelay(bootstrap: oldNetwork) { old in
            try await pubky.withRelay(bootstrap: newNetwork) { new in
              for (name, entrance) in [
                ("relay.key", ["--relay", old.url, "--no-dht"]), ("dht.key", ["-b", oldNetwork]),
              ] {
                let (file, key) = try await pubky.newKey(name)
                for (place, address) in [(entrance, "192.0.2.1"), (["--relay", new.url, "--no-dht"], "192.0.2.2")] {
                  let outcome = try await pubky.run(["publish", "-", "-k", file] + place, input: "@ A \(address)\n")
                  #expect(outcome.status == 0, "\(outcome.errors)")
                }
                let found = try object(
                  try await pubky.run(["resolve", key, "--relay", new.url, "--json"] + entrance))
                #expect(found["records"]?.list?.first?["data"] == .text("192.0.2.2"))
                #expect(found["source"] == .text(new.url))
                if name == "relay.key" {
                  #expect(found["relays_behind"] == .list([.text(old.url)]))
                } else {
                  #expect(try #require(found["nodes_behind"]?.integer) >= 1)
                }
                let healed = try await pubky.run(["resolve", key, "@", "A"] + entrance)
                #expect(healed.output == "@\t300\tA\t192.0.2.2\n", "\(name): \(healed.errors)")
              }
            }
          }
        }
      }
    }
  }

  @Test("--watch shows each newer version; --every stays, until somebody else publishes something newer (409)")
  func services() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", "@ A 192.0.2.1\n")
      try await pubky.withTestnet { bootstrap in
        try await pubky.withRelay(bootstrap: bootstrap) { relay in
          let through = ["--relay", relay.url, "--no-dht"]
          let watcher = try pubky.start("resolve", key, "-r", relay.url, "--no-dht", "--watch", "--every", "1s")
          defer { watcher.kill() }
          #expect(await watcher.firstErrorLine { $0 == "Nothing is published under \(key) yet." } != nil)
          let publisher = try pubky.start(
            "publish", zone, "-k", file, "-r", relay.url, "--no-dht", "--every", "1s", "--json")
          defer { publisher.kill() }
          var count = 0
          let lines = await publisher.lines {
            if $0.hasPrefix("{") { count += 1 }
            return count == 2
          }
          let objects = try lines.map { try JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8)) }
          #expect(objects.count == 2 && objects[0]["bytes"] == objects[1]["bytes"])
          #expect(objects[0]["next_seconds"] == .integer(1) && objects[0]["backends"]?.list?.count == 1)
          #expect(await watcher.firstLine { $0 == "@\t300\tA\t192.0.2.1" } != nil)
          let newer = try await pubky.run(["publish", "-", "-k", file] + through, input: "@ A 192.0.2.2\n")
          #expect(newer.status == 0, "\(newer.errors)")
          let end = await publisher.end()
          #expect(end.status == 1 && end.errors.contains("\"error\":\"not_most_recent\""), "\(end.errors)")
          #expect(await watcher.firstLine { $0 == "@\t300\tA\t192.0.2.2" } != nil)
          watcher.interrupt()
          let outcome = await watcher.end()
          #expect(outcome.status == 0 && outcome.output.split(separator: "\n").count == 2, "\(outcome.output)")
        }
      }
    }
  }

  @Test("a lookup is timed cold, from the cache and at the whole network, over the DHT, a relay, or both")
  func timings() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        try await pubky.withRelay(bootstrap: bootstrap) { relay in
          let published = try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, "--json", input: Self.zone)
          let timestamp = try #require(try object(published)["timestamp"])
          for (network, sources) in [
            (["-b", bootstrap], ["dht"]), (["-r", relay.url, "--no-dht"], [relay.url]),
            (["-r", relay.url, "-b", bootstrap], ["dht", relay.url]),
          ] {
            let outcome = try await pubky.run(["resolve", "https://\(key)/", "--timings", "--json"] + network)
            let lookups = try outcome.objects()
            #expect(lookups.map { $0["lookup"]?.text } == ["cold", "cached", "network"], "\(outcome.errors)")
            #expect(lookups.map { $0["policy"]?.text } == ["CacheFirst", "CacheFirst", "NetworkOnly"])
            #expect(lookups.allSatisfy { $0["microseconds"]?.integer ?? -1 >= 0 && $0["timestamp"] == timestamp })
            #expect(lookups.allSatisfy { $0["stale"] == .bool(false) } && lookups.count == 3)
            #expect(lookups[1]["source"] == .text("cache"))
            for lookup in [lookups[0], lookups[2]] { #expect(sources.contains(lookup["source"]?.text ?? "")) }
            let plain = try await pubky.run(["resolve", key, "--timings"] + network)
            let rows = plain.output.split(separator: "\n").map { $0.split(separator: "\t") }
            #expect(rows.map(\.first) == ["cold", "cached", "network"] && rows.allSatisfy { $0.count == 5 })
          }
          let nobody = try await pubky.run(
            "resolve", try await pubky.newKey("no.key").key, "--timings", "-b", bootstrap)
          #expect(nobody.status == 1 && nobody.output.isEmpty && nobody.errors.contains("nothing is published"))
          let mixed = try await pubky.run("resolve", key, "--timings", "--policy", "CacheOnly", "-b", bootstrap)
          #expect(mixed.status == 2 && mixed.errors.contains("--timings excludes NAME, --watch and --policy"))
        }
      }
    }
  }

  // MARK: The command line of other relays

  @Test("the log filter of other relays sets the level, the most detailed of its targets, and --log-level wins")
  func logFilter() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "2"]) { bootstrap in
        let path = try pubky.write("relay.toml", PubkyCommand.relaySettings(bootstrap: bootstrap))
        for (options, isTold) in [
          ([], true), (["-t", "pkarr_relay=error"], false), (["-t", "pkarr_relay=error,tower_http=debug"], true),
          (["--tracing-env-filter=off"], false), (["-t", "warn", "--log-level", "info"], true),
          (["-t", "debug", "--log-level", "critical"], false),
        ] {
          let relay = try pubky.start(["relay", "-c", path] + options)
          defer { relay.kill() }
          #expect(await relay.firstLine { $0.hasPrefix("http://localhost:") } != nil)
          relay.terminate()
          let outcome = await relay.end()
          #expect(outcome.status == 0)
          #expect(outcome.errors.contains("relay.started") == isTold, "\(options): \(outcome.errors)")
        }
      }
    }
  }

  @Test("with --testnet a relay has a network of its own on port 15411, whatever --config says")
  func testnetWins() async throws {
    try await PubkyCommand.inFolder { pubky in
      let missing = pubky.path("nothing.toml")
      let relay = try pubky.start("relay", "--config", missing, "--testnet", "--json")
      defer { relay.kill() }
      guard let line = await relay.firstLine({ $0.hasPrefix("{") }) else {
        // The port of a testnet is a fixed one, and another program has it: said as clearly.
        let outcome = await relay.end()
        #expect(outcome.status == 2 && outcome.errors.contains("\"error\":\"port_in_use\""), "\(outcome.errors)")
        return
      }
      let fields = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
      #expect(fields["url"] == .text("http://localhost:15411"))
      relay.interrupt()
      #expect(await relay.end().status == 0)
    }
  }

  // MARK: Mistakes

  @Test("mistakes with relays on the command line are exit code 2; a relay that cannot be reached is 1")
  func mistakes() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      for (url, fault) in [
        ("nonsense", "is not the address of a relay"), ("ftp://relay.example", "is not an address of the web"),
        ("https://me:secret@relay.example", "names a user"),
        ("http://127.0.0.1:99999", "is not the address of a relay"),
      ] {
        let outcome = try await pubky.run("resolve", key, "--relay", url)
        #expect(outcome.status == 2 && outcome.output.isEmpty && outcome.errors.contains(fault), "\(outcome.errors)")
        #expect(outcome.errors.contains("Write it like https://"))
      }
      for arguments in [["resolve", key], ["publish", "-", "-k", file]] {
        let nobody = try await pubky.run(arguments + ["--no-dht"], input: Self.zone)
        #expect(nobody.status == 2 && nobody.errors.contains("--no-dht leaves nobody to ask"))
        #expect(nobody.errors.contains("Name a relay with --relay URL."))
        let both = try await pubky.run(
          arguments + ["--no-dht", "-r", "http://127.0.0.1:1", "-b", "127.0.0.1:1"], input: Self.zone)
        #expect(both.status == 2 && both.errors.contains("--bootstrap and --no-dht exclude each other"))

        // Nobody listens on port 1.
        let gone = ["--relay", "http://127.0.0.1:1", "--no-dht"]
        let plain = try await pubky.run(arguments + gone, input: Self.zone)
        #expect(
          plain.status == 1 && plain.output.isEmpty && plain.errors.contains("http://127.0.0.1:1"), "\(plain.errors)")
        let json = try await pubky.run(arguments + gone + ["--json"], input: Self.zone)
        #expect(json.status == 1 && json.output.isEmpty)
        #expect(try json.error()["error"] == .text("no_nodes"))
      }
      let policy = try await pubky.run("resolve", key, "--policy", "cachefirst")
      #expect(policy.status == 2 && policy.errors.contains("CacheFirst"), "\(policy.errors)")
    }
  }

  @Test("a mistake in the file is exit code 2, and says in which line, and which key may have been meant")
  func file() async throws {
    try await PubkyCommand.inFolder { pubky in
      for (text, needles) in [
        ("[http]\nprot = 80\n", [":2:", "http.prot", "port"]),
        ("[cache]\nsize = 5\nminimum_tll = 5\n", [":3:", "cache.minimum_tll", "minimum_ttl"]),
        ("[rate_limiter]\nbehind_proxy = false\nquota = \"2r/x\"\n", [":3:", "rate_limiter.quota", "2r/s, 100r/m"]),
        (
          "[rate_limiter]\nbehind_proxy = false\nquota = \"2r/s\"\ndht_quota = \"2r/s\"\nuser_dht_quota = \"2r/s\"\n"
            + "burst_size = 2\n", [":6:", "rate_limiter.burst_size", "dht_burst"]
        ),
        ("[htpp]\nport = 80\n", [":1:", "htpp", "http"]),
        ("[http]\nport = 65536\n", [":2:", "http.port"]),
        ("[http]\nport = = 1\n", [":2:"]),
        ("[cache]\nminimum_ttl = 10\nmaximum_ttl = 5\n", ["minimum_ttl"]),
      ] {
        let path = try pubky.write("relay.toml", text)
        let outcome = try await pubky.run("relay", "--config", path)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(text)")
        for needle in ["relay.toml"] + needles {
          #expect(outcome.errors.contains(needle), "\(needle) is missing in \(outcome.errors)")
        }
        let json = try await pubky.run("relay", "--config", path, "--json")
        #expect(json.status == 2)
        #expect(try json.error()["error"] == .text("bad_input"))
      }
      let missing = try await pubky.run("relay", "--config", pubky.path("nothing.toml"))
      #expect(missing.status == 2 && missing.errors.contains("nothing.toml"), "\(missing.errors)")
      let filter = try await pubky.run("relay", "--tracing-env-filter", "pkarr_relay=loud")
      #expect(filter.status == 2 && filter.errors.contains("\"loud\" is not a level"))
    }
  }

  @Test("a port that is taken is exit code 2, for HTTP and for the DHT")
  func portTaken() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "2"]) { bootstrap in
        try await pubky.withRelay(bootstrap: bootstrap) { relay in
          let settings = PubkyCommand.relaySettings(bootstrap: bootstrap)
          let udp = try #require(bootstrap.split(separator: ":").last)
          for (old, new) in [
            ("[\"127.0.0.1\"]\nport = 0\n\n[mainline]", "[\"127.0.0.1\"]\nport = \(relay.port)\n\n[mainline]"),
            ("port = 0\nnetwork", "port = \(udp)\nnetwork"),
          ] {
            let text = settings.replacingOccurrences(of: old, with: new)
            #expect(text != settings)
            let path = try pubky.write("taken.toml", text)
            let outcome = try await pubky.run("relay", "--config", path)
            #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome.errors)")
            #expect(outcome.errors.contains("the relay cannot start"))
            let json = try await pubky.run("relay", "--config", path, "--json", "--log-level", "error")
            #expect(json.status == 2)
            #expect(try errorWord(json) == "port_in_use")
          }
        }
      }
    }
  }

  // MARK: Signals

  @Test("SIGTERM and Ctrl-C end a relay well", arguments: [SIGTERM, SIGINT])
  func stop(signal: Int32) async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "2"]) { bootstrap in
        let path = try pubky.write("relay.toml", PubkyCommand.relaySettings(bootstrap: bootstrap))
        let relay = try pubky.start("relay", "-c", path)
        defer { relay.kill() }
        let line = try #require(await relay.firstLine { _ in true })
        #expect(line.hasPrefix("http://localhost:"))
        signal == SIGTERM ? relay.terminate() : relay.interrupt()
        let outcome = await relay.end()
        #expect(outcome.status == 0 && outcome.errors.hasSuffix("The relay is stopped.\n"), "\(outcome.errors)")
        #expect(outcome.output == line + "\n")
      }
    }
  }

  @Test("SIGHUP applies new quotas while requests are served, and a broken file changes nothing")
  func reload() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "3"]) { bootstrap in
        let open = PubkyCommand.relaySettings(bootstrap: bootstrap)
        let path = try pubky.write("relay.toml", open)
        let relay = try await pubky.startRelay(path)
        defer { relay.command.kill() }
        let packet = try SignedPacket(signedBy: Keypair()) { TXT("_x", "kept", ttl: 600) }
        #expect(try await relay.put(packet) == 204)
        for _ in 0..<20 { #expect(try await relay.send(.get, "/").status == 200) }
        /// Waits for one more line that says what came of the file.
        var seen = 0
        func hangUp(_ text: String, _ event: String) async throws {
          try pubky.write("relay.toml", text)
          relay.command.hangUp()
          var count = 0
          let line = await relay.command.firstErrorLine {
            if $0.contains("configuration.") { count += 1 }
            return count > seen
          }
          seen += 1
          #expect(line?.contains(event) == true, "\(line ?? "nothing")")
        }
        let limited =
          open + """
            [rate_limiter]
            behind_proxy = false
            quota = "1r/d"
            burst = 2
            dht_quota = "1000r/s"
            user_dht_quota = "1000r/s"
            """
        try await hangUp(limited, "configuration.reloaded")
        for status in [200, 200, 429, 429] {
          #expect(try await relay.get(packet, policy: "CacheOnly").status == status)
        }
        try await hangUp("[htpp]\n", "configuration.refused")
        #expect(try await relay.send(.get, "/").status == 429)
        try await hangUp(open, "configuration.reloaded")
        let response = try await relay.get(packet, policy: "CacheOnly")
        #expect(response.status == 200 && response.body == packet.relayPayload)
        relay.command.terminate()
        #expect(await relay.command.end().status == 0)
      }
    }
  }
}
