import Foundation
import HTTP
import Pkarr
import PkarrStore
import Testing
import WireFormat

@Suite("pubky republish, with the built command")
struct RepublishCommandTests {
  private func packet(_ number: UInt8, _ version: UInt64 = 1_000_000) throws -> SignedPacket {
    let keypair = try Keypair(seed: [UInt8](repeating: number, count: 32))
    return try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: version)) {
      TXT("_hello", "\(number)")
    }
  }

  private func folder(_ pubky: PubkyCommand, _ name: String, _ packets: [SignedPacket]) throws -> String {
    let folder = pubky.folder.appending(path: name)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for packet in packets {
      try Data(packet.bytes).write(to: folder.appending(path: packet.publicKey.z32))
    }
    return folder.path
  }

  @Test("a folder of packets of others is published, then found alive; garbage beside them is told and left out")
  func packets() async throws {
    try await PubkyCommand.inFolder { pubky in
      let packets = try (1...6).map { try packet($0) }
      let folder = try folder(pubky, "packets", packets)
      try pubky.write("packets/rubbish", "not a packet")
      try Data([UInt8](repeating: 0xff, count: 1_000_000)).write(to: pubky.folder.appending(path: "packets/large"))
      try FileManager.default.createDirectory(atPath: folder + "/folder", withIntermediateDirectories: true)
      try await pubky.withTestnet { bootstrap in
        let first = try await pubky.run("republish", folder, "--once", "-b", bootstrap, "--json")
        #expect(first.status == 0, "\(first.errors)")
        let object = try #require(try first.objects().first)
        #expect(object["keys"] == .integer(6) && object["published"] == .integer(6) && object["failed"] == .integer(0))
        #expect(try first.error()["warning"] == .text("source"))
        let second = try await pubky.run("republish", folder, "--once", "-b", bootstrap)
        #expect(second.status == 0)
        #expect(second.output.hasPrefix("Checked 6 keys in "))
        #expect(second.output.contains(": 0 published, 6 already alive, 0 superseded, 0 failed"))
        #expect(second.errors.contains("3 files without a signed packet left out"))
        let key = packets[0].publicKey.z32
        let found = try #require(try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first)
        #expect(found["bytes"] == .text(Hex.encode(packets[0].bytes)))
      }
    }
  }

  @Test("a list of keys: what was published is alive, what was not is exit code 1 with the reason; a newer one wins")
  func list() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let nobody = try await pubky.newKey("nobody.key").key
      try await pubky.withTestnet { bootstrap in
        let published = try await pubky.run(
          "publish", "-", "-k", file, "-b", bootstrap, "--json", input: PublishResolveTests.zone)
        let list = try pubky.write("keys", "# keys\n\(key)\nrubbish\n\(nobody)\n")
        let outcome = try await pubky.run("republish", list, "--once", "-b", bootstrap)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("1 of 2 keys could not be kept alive"))
        #expect(outcome.errors.contains("not_found: 1") && outcome.errors.contains("1 line without a key left out"))
        // Somebody has an old packet of the key.
        let pair = try Keypair(secretKeyText: String(contentsOfFile: file, encoding: .utf8))
        let old = try SignedPacket(signedBy: pair, timestamp: Timestamp(microseconds: 5)) { TXT("_x", "old") }
        let packets = try folder(pubky, "old", [old])
        let superseded = try await pubky.run("republish", packets, "--once", "-b", bootstrap, "--json")
        #expect(superseded.status == 0)
        #expect(try superseded.objects().first?["superseded"] == .integer(1))
        let found = try #require(try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first)
        #expect(try found["timestamp"] == published.objects().first?["timestamp"])
      }
    }
  }

  @Test("a packet store that somebody else has open is a source; a list may come through a pipe")
  func store() async throws {
    try await PubkyCommand.inFolder { pubky in
      let store = try PacketStore(directory: pubky.path("cache"), capacity: 100)
      let packets = try (1...5).map { try packet($0) }
      for packet in packets { store.offer(packet) }
      try await store.flush()
      defer { store.close() }
      try await pubky.withTestnet { bootstrap in
        let first = try await pubky.run("republish", pubky.path("cache"), "--once", "-b", bootstrap, "--json")
        #expect(try first.objects().first?["published"] == .integer(5), "\(first.errors)")
        let keys = packets.map { "pk:\($0.publicKey.z32)\n" }.joined()
        let second = try await pubky.run("republish", "-", "--once", "-b", bootstrap, "--json", input: keys)
        #expect(try second.objects().first?["already_alive"] == .integer(5), "\(second.errors)")
        #expect(second.status == 0 && store.count == 5)
      }
    }
  }

  @Test("--sign-anew with a secret key alone: the same records, a higher version")
  func signAnew() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      try await pubky.withTestnet { bootstrap in
        let zone = PublishResolveTests.zone
        let before = try await pubky.run("publish", "-", "-k", file, "-b", bootstrap, "--json", input: zone)
        let outcome = try await pubky.run("republish", file, "--once", "--sign-anew", "-b", bootstrap, "--json")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(try outcome.objects().first?["published"] == .integer(1))
        let after = try #require(try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first)
        let old = try #require(try before.objects().first)
        #expect(after["records"] == old["records"])
        #expect(try #require(after["timestamp"]?.integer) > #require(old["timestamp"]?.integer))
      }
    }
  }

  @Test("a key with its zone is kept alive until SIGTERM, which is exit code 0; a changed zone is published")
  func zone() async throws {
    try await PubkyCommand.inFolder { pubky in
      let (file, key) = try await pubky.newKey()
      let zone = try pubky.write("zone", "@ A 192.0.2.1\n")
      try await pubky.withTestnet { bootstrap in
        let running = try pubky.start(
          "republish", "\(file)=\(zone)", "--every", "1s", "-b", bootstrap, "--json", "--state", pubky.path("state"))
        let first = await running.firstLine { $0.contains("\"published\":1") }
        #expect(first != nil)
        let one = try await pubky.run("resolve", key, "@", "A", "-b", bootstrap)
        #expect(one.output == "@\t3600\tA\t192.0.2.1\n" || one.output.contains("192.0.2.1"))
        try pubky.write("zone", "@ A 192.0.2.2\n")
        _ = await running.firstLine { $0.contains("\"published\":1") && $0 != first }
        let two = try await pubky.run("resolve", key, "@", "A", "-b", bootstrap)
        #expect(two.output.contains("192.0.2.2"))
        running.terminate()
        let end = await running.end()
        #expect(end.status == 0)
        let state = try String(contentsOfFile: pubky.path("state"), encoding: .utf8)
        #expect(state.hasPrefix("pubky-republish 1\n") && state.contains("key \(key) ") && state.hasSuffix("end\n"))
        // The next run goes on with the version that was signed, whether or not all nodes have it already.
        let before = try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first?["timestamp"]
        let again = try await pubky.run(
          "republish", "\(file)=\(zone)", "--once", "-b", bootstrap, "--json", "--state", pubky.path("state"))
        #expect(again.status == 0, "\(again.output) \(again.errors)")
        let after = try await pubky.run("resolve", key, "-b", bootstrap, "--json").objects().first?["timestamp"]
        #expect(before != nil && after == before)
      }
    }
  }

  @Test("SIGTERM in the middle of a round saves what was done, and the next run does the rest")
  func interrupted() async throws {
    try await PubkyCommand.inFolder { pubky in
      let folder = try folder(pubky, "packets", try (1...20).map { try packet($0) })
      try await pubky.withTestnet { bootstrap in
        let arguments = [
          "republish", folder, "--once", "-b", bootstrap, "--json", "--state", pubky.path("state"),
        ]
        let running = try pubky.start(arguments + ["--rate", "1", "--concurrency", "1", "-v", "--log-level", "debug"])
        _ = await running.firstErrorLine { $0.contains("republish.checked") }
        running.terminate()
        let end = await running.end()
        #expect(end.status == 130, "\(end.errors)")
        let rest = try await pubky.run(arguments)
        #expect(rest.status == 0, "\(rest.errors)")
        let object = try #require(try rest.objects().first)
        let before = try #require(object["checked_before"]?.integer)
        #expect(before >= 1 && before < 20)
        #expect(object["published"] == .integer(20 - before))
      }
    }
  }

  @Test("a process that is killed in the middle of a round loses nothing: the next run looks after all keys")
  func killed() async throws {
    try await PubkyCommand.inFolder { pubky in
      let folder = try folder(pubky, "packets", try (1...20).map { try packet($0) })
      try await pubky.withTestnet { bootstrap in
        let arguments = ["republish", folder, "-b", bootstrap, "--json", "--state", pubky.path("state")]
        // What an earlier run has remembered.
        #expect(try await pubky.run(arguments + ["--once"]).status == 0)
        let before = try String(contentsOfFile: pubky.path("state"), encoding: .utf8)
        let running = try pubky.start(arguments + ["--once", "--rate", "1", "-v", "--log-level", "debug"])
        _ = await running.firstErrorLine { $0.contains("republish.checked") }
        running.kill()
        _ = await running.end()
        #expect(try String(contentsOfFile: pubky.path("state"), encoding: .utf8) == before)
        let rest = try await pubky.run(arguments + ["--once"])
        let object = try #require(try rest.objects().first)
        #expect(rest.status == 0 && object["checked_before"] == .integer(0) && object["pending"] == .integer(0))
        #expect(object["already_alive"] == .integer(20), "\(rest.output)")
      }
    }
  }

  @Test(
    "sources that cannot be used are exit code 2, and say which",
    arguments: [
      (["rubbish"], "is neither a list of keys, a packet nor a secret key"), (["nowhere"], "cannot be read"),
      (["empty"], "no source has a key or packet"), (["store"], "the packet store cannot be read"),
      (["my.key=rubbish"], "rubbish:1:"), (["my.key=nowhere"], "cannot be read"), (["nowhere=zone"], "cannot be read"),
      (["halfkey"], "is neither"), ([], "SOURCE"), (["list", "--threshold", "0"], "is not a whole number"),
      (["list", "--every", "0"], "is less than"), (["list", "--once", "--state", "zone"], "the state cannot be used"),
    ])
  func badInput(arguments: [String], message: String) async throws {
    try await PubkyCommand.inFolder { pubky in
      let key = try await pubky.newKey().key
      try pubky.write("rubbish", "\u{1}\u{2} rubbish ( \n")
      try pubky.write("halfkey", "0123456789abcdef\n")
      try pubky.write("list", key)
      try pubky.write("zone", "@ A 192.0.2.1\n")
      for name in ["empty", "store"] {
        try FileManager.default.createDirectory(atPath: pubky.path(name), withIntermediateDirectories: true)
      }
      try pubky.write("store/packets.mdb", String(repeating: "no database", count: 5000))
      let bootstrap = "127.0.0.1:\(try FreePorts.firstOf(1))"
      let outcome = try await pubky.run(["republish"] + arguments + ["-b", bootstrap])
      #expect(outcome.status == 2 && outcome.output.isEmpty)
      #expect(outcome.errors.contains(message), "\(outcome.errors)")
    }
  }

  @Test("--metrics serves figures for Prometheus while it runs; an address that cannot be had is exit code 2")
  func metrics() async throws {
    try await PubkyCommand.inFolder { pubky in
      let folder = try folder(pubky, "packets", try (1...6).map { try packet($0) })
      try await pubky.withTestnet { bootstrap in
        let running = try pubky.start("republish", folder, "-b", bootstrap, "--metrics", "127.0.0.1:0")
        defer { running.kill() }
        let line = try #require(await running.firstErrorLine { $0.hasPrefix("Metrics: http://127.0.0.1:") })
        let url = try #require(HTTPURL(String(line.dropFirst("Metrics: ".count))))
        let client = try HTTPClient()
        func get() async throws -> (type: String?, text: String) {
          let (response, body) = try await client.fetch(
            HTTPClientRequest(.get, url), upTo: 1 << 20, timeout: .seconds(60))
          return (response.fields[.contentType], String(decoding: body, as: UTF8.self))
        }
        var (type, text) = try await get()
        while !text.contains("\npubky_republish_checks_total{outcome=\"published\"} 6\n"), running.isRunning {
          try await Task.sleep(for: .milliseconds(50))
          (type, text) = try await get()
        }
        #expect(type == "text/plain; version=0.0.4; charset=utf-8")
        for line in [
          "pubky_republish_keys 6", "pubky_republish_due_keys 0",
          "pubky_republish_failures_total{reason=\"no_nodes\"} 0",
          "pubky_republish_round_keys{state=\"published\"} 6",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
        let sent = try #require(text.firstMatch(of: /pubky_republish_dht_datagrams_total\{direction="out"\} (\d+)/)?.1)
        #expect(Int(sent) ?? 0 > 6 * 10)
        let port = try #require(line.firstMatch(of: /:(\d+)\/metrics/)?.1)
        let taken = try await pubky.run(
          "republish", folder, "-b", bootstrap, "--metrics", "127.0.0.1:\(port)", "--json")
        #expect(try taken.status == 2 && taken.error()["error"] == .text("port_in_use"))
        let wrong = try await pubky.run("republish", folder, "-b", bootstrap, "--metrics", "nowhere")
        #expect(wrong.status == 2 && wrong.errors.contains("is not ADDRESS:PORT"))
        running.terminate()
        #expect(await running.end().status == 0)
      }
    }
  }

  @Test("without a network a single round is exit code 1, and says what was asked")
  func noNetwork() async throws {
    try await PubkyCommand.inFolder { pubky in
      let folder = try folder(pubky, "packets", try (1...3).map { try packet($0) })
      let bootstrap = "127.0.0.1:\(try FreePorts.firstOf(1))"
      let outcome = try await pubky.run("republish", folder, "--once", "-b", bootstrap)
      #expect(outcome.status == 1)
      #expect(outcome.errors.contains("no DHT node answered") && outcome.errors.contains(bootstrap))
    }
  }
}
