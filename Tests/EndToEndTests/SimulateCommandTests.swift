import Foundation
import Testing

@Suite("pubky simulate")
struct SimulateCommandTests {
  /// As small as it goes.
  private static let small = ["--nodes", "20", "--records", "2"]

  @Test("survival: a table, its files, objects, and the same again for the same seed")
  func survival() async throws {
    try await PubkyCommand.inFolder { pubky in
      let arguments = ["simulate", "survival", "--time", "30m", "--every", "10m", "--sessions", "1h"] + Self.small
      let first = try await pubky.run(
        arguments + ["--csv", pubky.path("a.csv"), "--plot", pubky.path("a.svg")])
      #expect(first.status == 0, "\(first.errors)")
      #expect(first.errors.isEmpty)
      let rows = first.output.split(separator: "\n").filter { $0.hasPrefix("once\t") }
      #expect(
        rows.count >= 3 && rows.allSatisfy { $0.split(separator: "\t", omittingEmptySubsequences: false).count == 8 })
      #expect(first.output.contains("\nfound_every_600_s\t1.00000\n"))
      let csv = try String(contentsOfFile: pubky.path("a.csv"), encoding: .utf8)
      #expect(csv.hasPrefix("published,hours,lookups,found,found_share,copies,copies_share,law\nonce,"))
      let svg = try String(contentsOfFile: pubky.path("a.svg"), encoding: .utf8)
      #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n"))
      #expect(try pubky.mode("a.csv") == 0o644)
      // Over what is there, with the same bytes.
      let second = try await pubky.run(
        arguments + ["--csv", pubky.path("a.csv"), "--plot", pubky.path("b.svg"), "--json"])
      #expect(second.status == 0, "\(second.errors)")
      #expect(try String(contentsOfFile: pubky.path("a.csv"), encoding: .utf8) == csv)
      #expect(try String(contentsOfFile: pubky.path("b.svg"), encoding: .utf8) == svg)
      let objects = try second.objects()
      #expect(objects.count == csv.split(separator: "\n").count)
      #expect(objects.allSatisfy { $0["experiment"] == .text("survival") })
      #expect(objects.last?["parameters"]?["nodes"] == .integer(20))
      #expect(objects.last?["figures"]?.list?.isEmpty == false)
      let other = try await pubky.run(arguments + ["--seed", "2"])
      #expect(other.status == 0 && other.output != first.output)
      #expect(
        try Set(FileManager.default.contentsOfDirectory(atPath: pubky.folder.path)) == ["a.csv", "a.svg", "b.svg"])
    }
  }

  @Test(
    "the other experiments say what they found, in documented fields",
    arguments: [
      ["latency", "--lookups", "4", "--loss", "0", "--loss", "5%"],
      ["attack", "--attack", "lying", "--strength", "0.3", "--lookups", "4"],
      ["traffic", "--time", "10m", "--nat", "20%"],
    ])
  func others(_ words: [String]) async throws {
    try await PubkyCommand.inFolder { pubky in
      let isTraffic = words[0] == "traffic"
      let outcome = try await pubky.run(
        ["simulate"] + words + ["--json"] + (isTraffic ? Array(Self.small.prefix(2)) : Self.small))
      #expect(outcome.status == 0, "\(outcome.errors)")
      let objects = try outcome.objects()
      #expect(objects.count >= 2)
      #expect(objects.allSatisfy { $0["experiment"] == .text(words[0]) })
    }
  }

  @Test("what cannot be simulated is refused before anything is, with what to write instead")
  func refused() async throws {
    try await PubkyCommand.inFolder { pubky in
      let cases: [([String], String)] = [
        (["survival", "--nodes", "5"], "--nodes: \"5\" is not a whole number from 10 to 100000"),
        (["survival", "--time", "1m"], "--time: 1 min is less than 10 min"),
        (["survival", "--time", "30d"], "--time: 30 d is more than 14 d"),
        (["survival", "--loss", "2"], "--loss: \"2\" is not a share from 0 to 0.9"),
        (["survival", "--loss", "-1"], "--loss needs a value"),
        (["survival", "--loss", "nan"], "--loss: \"nan\" is not a share"),
        (["survival", "--sessions", "long"], "--sessions: \"long\" is not a way in which nodes stay"),
        (["survival", "--without-items", "0.9", "--forgetful", "0.9"], "more than all nodes together"),
        (["survival", "--seed", "x"], "--seed: \"x\" is not a whole number"),
        (["attack", "--attack", "magic"], "--attack: \"magic\" is not an attack"),
        (["traffic", "--csv", pubky.path("no/such/file")], "cannot be written"),
        (["latency", "--plot", pubky.path("x") + "/"], "is not the name of a file"),
      ]
      for (words, message) in cases {
        let outcome = try await pubky.run(["simulate"] + words)
        #expect(outcome.status == 2, "\(words)")
        #expect(outcome.errors.contains(message), "\(words): \(outcome.errors)")
        #expect(outcome.output.isEmpty)
      }
      #expect(try await pubky.run("simulate").status == 2)
    }
  }

  @Test("Ctrl-C stops a long run, and no file is written")
  func interrupted() async throws {
    try await PubkyCommand.inFolder { pubky in
      let running = try pubky.start(
        "simulate", "survival", "--nodes", "200", "--time", "14d", "--csv", pubky.path("x.csv"), "-v")
      _ = try #require(await running.firstErrorLine { $0.contains("simulation.started") })
      running.interrupt()
      let outcome = await running.end()
      #expect(outcome.status == 130)
      #expect(outcome.errors.contains("Nothing was written."))
      #expect(try FileManager.default.contentsOfDirectory(atPath: pubky.folder.path).isEmpty)
    }
  }
}
