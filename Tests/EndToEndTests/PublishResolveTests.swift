import Foundation
import Pkarr
import Testing
import WireFormat

@Suite("pubky publish and resolve, between processes")
struct PublishResolveTests {
  static let zone = """
    $TTL 300
    @       A      127.0.0.1
    _hello  TXT    "world"
    www     CNAME  @
    """

  @Test("what one process publishes another resolves, and a third publication replaces it")
  func publishResolve() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", Self.zone)
      try await pubky.withTestnet { bootstrap in
        let published = try await pubky.run("publish", zone, "--key", file, "--bootstrap", bootstrap, "--json")
        #expect(published.status == 0 && published.errors.isEmpty, "\(published.errors)")
        let object = try #require(try published.objects().first)
        #expect(object["key"] == .text(key))
        #expect(try #require(object["stored"]?.integer) >= 1 && object["sent"] != nil)
        #expect(object["timeouts"] == .integer(0) && object["rejections"] == .object([:]))

        let resolved = try await pubky.run("resolve", key, "--bootstrap", bootstrap, "--json")
        #expect(resolved.status == 0 && resolved.errors.isEmpty, "\(resolved.errors)")
        let found = try #require(try resolved.objects().first)
        for field in ["key", "timestamp", "ttl", "records", "bytes"] { #expect(found[field] == object[field]) }
        #expect(try #require(found["copies"]?.integer) >= 1 && found["milliseconds"] != nil)

        let plain = try await pubky.run("resolve", "https://" + key + "/", "--bootstrap", bootstrap)
        #expect(plain.output == "@\t300\tA\t127.0.0.1\n_hello\t300\tTXT\t\"world\"\nwww\t300\tCNAME\t@\n")
        let one = try await pubky.run("resolve", key, "_hello", "txt", "--bootstrap", bootstrap)
        #expect(one.output == "_hello\t300\tTXT\t\"world\"\n")

        let again = try await pubky.run(
          "publish", "-", "-k", file, "-b", bootstrap, input: "@ A 203.0.113.7\n")
        #expect(again.status == 0 && again.output.hasPrefix("Published standard input: 1 record, "))
        let newer = try #require(try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first)
        #expect(newer["records"]?.list?.count == 1)
        #expect(try #require(newer["timestamp"]?.integer) > #require(object["timestamp"]?.integer))
      }
    }
  }

  @Test("what is not there is exit code 1: a key, a name, a type")
  func notFound() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let other = try await pubky.newKey("other.key").key
      try await pubky.withTestnet { bootstrap in
        #expect(try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, input: Self.zone).status == 0)
        let nobody = try await pubky.run("resolve", other, "-b", bootstrap)
        #expect(nobody.status == 1 && nobody.output.isEmpty)
        #expect(nobody.errors.hasPrefix("pubky: nothing is published under \(other)\n"))
        let json = try await pubky.run("resolve", other, "-b", bootstrap, "--json")
        #expect(json.status == 1)
        #expect(try json.error()["error"] == .text("not_found"))
        let name = try await pubky.run("resolve", key, "mail", "-b", bootstrap)
        #expect(name.status == 1 && name.errors.hasPrefix("pubky: no record at mail\n"))
        let type = try await pubky.run("resolve", key, "@", "MX", "-b", bootstrap)
        #expect(type.status == 1 && type.errors.hasPrefix("pubky: no MX record at @\n"))
      }
    }
  }

  @Test("a network that does not answer is exit code 1 and says what was asked")
  func noNetwork() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let bootstrap = "127.0.0.1:\(try FreePorts.firstOf(1))"
      for arguments in [["resolve", key], ["publish", "-", "-k", file], ["dht", "info"]] {
        let outcome = try await pubky.run(arguments + ["--bootstrap", bootstrap], input: Self.zone)
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.contains("no DHT node answered"))
        #expect(outcome.errors.contains("Asked 1 bootstrap node: \(bootstrap)"))
        let json = try await pubky.run(arguments + ["--bootstrap", bootstrap, "--json"], input: Self.zone)
        #expect(json.status == 1)
        #expect(try json.error()["error"] == .text("no_nodes"))
      }
    }
  }

  @Test("a version that the network already exceeds is replaced: the new one is one higher")
  func clockBehind() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        // Far in the future: 2^53.
        let future: Int64 = 9_007_199_254_740_992
        let pair = try Keypair(secretKeyText: String(contentsOfFile: file, encoding: .utf8))
        let packet = try SignedPacket(signedBy: pair, timestamp: Timestamp(seq: future)) { TXT("_x", "old") }
        let value = String(decoding: packet.messageBytes, as: UTF8.self)
        #expect(!value.isEmpty)
        let put = try await pubky.run(
          "dht", "put", "not a packet", "-k", file, "--seq", "\(future)", "-b", bootstrap)
        #expect(put.status == 0, "\(put.errors)")
        // The newest item is no packet: that is said, and not mistaken for "nothing".
        let broken = try await pubky.run("resolve", key, "-b", bootstrap, "--json")
        #expect(broken.status == 1)
        #expect(try broken.error()["error"] == .text("invalid_packet"))
        let outcome = try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, "--json", input: Self.zone)
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try outcome.objects().first?["timestamp"] == .integer(future + 1))
        #expect(try outcome.error()["warning"] == .text("clock"))
      }
    }
  }

  @Test("--watch shows each newer version once")
  func watch() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        let watcher = try pubky.start("resolve", key, "-b", bootstrap, "--watch", "--every", "1s")
        #expect(await watcher.firstErrorLine { $0 == "Nothing is published under \(key) yet." } != nil)
        for address in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
          let outcome = try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, input: "@ A \(address)\n")
          #expect(outcome.status == 0, "\(outcome.errors)")
          #expect(await watcher.firstLine { $0 == "@\t300\tA\t\(address)" } != nil)
        }
        watcher.interrupt()
        let outcome = await watcher.end()
        #expect(outcome.status == 0)
        #expect(outcome.output.split(separator: "\n").count == 3)
      }
    }
  }

  @Test("--every sends the same bytes again, follows the file, keeps the old version when the file breaks")
  func everyFollowsFile() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, _) = try await pubky.newKey()
      let zone = try pubky.write("zone", "@ A 192.0.2.1\n")
      try await pubky.withTestnet { bootstrap in
        let publisher = try pubky.start(
          "publish", zone, "-k", file, "-b", bootstrap, "--every", "1s", "--json")
        func count(_ address: String, _ lines: Int) async throws -> [[String: JSONField]] {
          let needle = "\"data\":\"\(address)\""
          var seen: [String] = []
          _ = await publisher.lines(until: { line in
            if line.contains(needle) { seen.append(line) }
            return seen.count >= lines
          })
          #expect(seen.count >= lines)
          return try seen.map { try JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8)) }
        }
        let first = try await count("192.0.2.1", 2)
        #expect(first[0]["bytes"] == first[1]["bytes"] && first[0]["next_seconds"] == .integer(1))
        // A comment is no change.
        try pubky.write("zone", "@ A 192.0.2.1 ; home\n")
        let third = try await count("192.0.2.1", 4)
        #expect(Set(third.compactMap { $0["bytes"]?.text }).count == 1)
        try pubky.write("zone", "@ A 192.0.2\n")
        #expect(await publisher.firstErrorLine { $0.contains("\\\"192.0.2\\\"") } != nil)
        try pubky.write("zone", "@ A 192.0.2.2\n")
        let changed = try await count("192.0.2.2", 2)
        #expect(changed[0]["bytes"] == changed[1]["bytes"])
        #expect(try #require(changed[0]["timestamp"]?.integer) > #require(first[0]["timestamp"]?.integer))
        publisher.interrupt()
        #expect(await publisher.end().status == 0)
      }
    }
  }

  @Test("--every survives a network that goes away, and stops when somebody else publishes with the key")
  func everySurvives() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", "@ A 192.0.2.1\n")
      let port = try FreePorts.firstOf(12)
      let bootstrap = "127.0.0.1:\(port)"
      let network = ["--nodes", "12", "--port", "\(port)"]
      var publisher: RunningCommand?
      try await pubky.withTestnet(network) { entrance in
        #expect(entrance == bootstrap)
        let started = try pubky.start("publish", zone, "-k", file, "-b", bootstrap, "--every", "1s")
        #expect(await started.firstLine { $0.hasPrefix("Published ") && $0.hasSuffix("; again in 1 s") } != nil)
        publisher = started
      }
      let running = try #require(publisher)
      #expect(await running.firstErrorLine { $0.contains("warning: ") } != nil)
      #expect(running.isRunning)
      try await pubky.withTestnet(network) { _ in
        // The new network knows nothing; once it does, the publisher has come back by itself.
        var found: PubkyCommand.Outcome?
        for _ in 0..<100 where found?.status != 0 {
          found = try await pubky.run("resolve", key, "-b", bootstrap, "--json")
        }
        #expect(found?.status == 0, "\(found?.errors ?? "")")
        // The same bytes can be put back by hand; a newer version stops the publisher.
        let newer = try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, input: "@ A 192.0.2.9\n")
        #expect(newer.status == 0, "\(newer.errors)")
        let end = await running.end()
        #expect(end.status == 1)
        #expect(end.errors.contains("the network holds a newer version"))
      }
    }
  }

  @Test("Ctrl-C ends a lookup that waits, with exit code 130; a service ends well", arguments: [SIGINT, SIGTERM])
  func interrupt(signal: Int32) async throws {
    try await PubkyCommand.inFolder { pubky in
      let key = try await pubky.newKey().key
      // An entrance that takes datagrams and says nothing.
      let silent = try SilentSocket()
      let lookup = try pubky.start("resolve", key, "-b", "127.0.0.1:\(silent.port)", "-v")
      #expect(await lookup.firstErrorLine { $0.contains("dht.started") } != nil)
      signal == SIGINT ? lookup.interrupt() : lookup.terminate()
      let outcome = await lookup.end()
      // Either it was stopped, or it had given up already.
      #expect(outcome.status == 130 || outcome.errors.contains("no DHT node answered"))
      #expect(outcome.status != 130 || outcome.errors.contains("pubky: stopped\n    The lookup was not finished."))
    }
  }
}
