import CPeers
import Foundation
import Pkarr

/// Rounds of a republisher over many keys, against putting the same packets without looking how many nodes have them.
///
/// The nodes are `pubky testnet` in a process of its own on the first core, a new one for each kind of work; what is measured
/// runs in a process of its own on the last core (`RepublishWorker`, and the command itself).
enum RepublishRows {
  /// `REPUBLISH_KEYS` sets how many keys; 20,000 by default.
  private static let count = ProcessInfo.processInfo.environment["REPUBLISH_KEYS"].flatMap(Int.init) ?? 20_000
  /// So many nodes that none must forget what it stored: each keeps 10,000 items.
  private static let nodes = 100

  static func rows() async throws -> [Row] {
    let puts = try withTestnet { try work("puts", $0)[0] }
    let rounds = try withTestnet { try work("rounds", $0) }
    let command = try withTestnet { try runCommand($0) }
    guard puts.published == count, rounds[0].published == count, command.published == count else {
      fatalError("not all were published: \(puts) \(rounds) \(command)")
    }
    let perKey = 1e6 / Double(count)
    let (first, second) = (rounds[0], rounds[1])
    return [
      Row(
        name: "CPU for one key put again, \(count) keys", measured: first.cpu * perKey, unit: "µs",
        peer: ("puts alone", puts.cpu * perKey), target: .ratio(atMost: 1.5)),
      Row(
        name: "keys put again in an hour on one core", measured: 3600 * Double(count) / max(first.cpu, first.wall),
        unit: "keys", target: .atLeast(100_000)),
      Row(
        name: "keys put again a second, nodes on the other core", measured: Double(count) / first.wall, unit: "keys/s",
        peer: ("puts alone", Double(count) / puts.wall)),
      Row(
        name: "CPU for one key looked after, \(second.alive) of \(count) found alive", measured: second.cpu * perKey,
        unit: "µs", peer: ("puts alone", puts.cpu * perKey)),
      Row(
        name: "keys looked after a second, likewise", measured: Double(count) / second.wall, unit: "keys/s"),
      Row(
        name: "CPU for one key, pubky republish with its start and \(count) files", measured: command.cpu * perKey,
        unit: "µs", peer: ("puts alone", puts.cpu * perKey), target: .ratio(atMost: 1.5)),
    ]
  }

  private struct Cost {
    var cpu: Double
    var wall: Double
    var published = 0
    var alive = 0
  }

  // MARK: - Processes

  private static var pubky: String {
    guard let path = ProcessInfo.processInfo.environment["PUBKY"] else { fatalError("scripts/bench sets PUBKY") }
    return path
  }

  private static func pinned(_ core: Int, _ words: [String]) -> (Process, Pipe) {
    let (process, output) = (Process(), Pipe())
    process.executableURL = URL(filePath: "/usr/bin/taskset")
    process.arguments = ["--cpu-list", "\(core)"] + words
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardOutput = output
    return (process, output)
  }

  /// Runs `body` with the entrance of a new network.
  private static func withTestnet<Result>(_ body: (String) throws -> Result) throws -> Result {
    let (process, output) = pinned(0, [pubky, "testnet", "--nodes", "\(nodes)"])
    process.standardError = FileHandle.nullDevice
    try process.run()
    defer {
      process.interrupt()
      process.waitUntilExit()
    }
    let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let entrance = text.split(separator: "\n").first else { fatalError("the network does not start") }
    return try body(String(entrance))
  }

  private static func work(_ kind: String, _ entrance: String) throws -> [Cost] {
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().path
    let (process, output) = pinned(NodeProcess.core, [own, "republish-worker", kind, entrance, "\(count)"])
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let costs = String(decoding: data, as: UTF8.self).split(separator: "\n").compactMap { line -> Cost? in
      let words = line.split(separator: " ").compactMap { Double($0) }
      guard words.count == 5 else { return nil }
      return Cost(cpu: words[0], wall: words[1], published: Int(words[2]), alive: Int(words[3]))
    }
    guard costs.count == (kind == "puts" ? 1 : 2) else { fatalError("\(kind): the worker failed") }
    return costs
  }

  /// The command over a folder with a file for each packet.
  private static func runCommand(_ entrance: String) throws -> Cost {
    let folder = FileManager.default.temporaryDirectory.appending(path: "republish-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for packet in try RepublishWorker.packets(count) {
      try Data(packet.bytes).write(to: folder.appending(path: packet.publicKey.z32))
    }
    let arguments = [
      "republish", folder.path, "--once", "--json", "--rate", "0", "--concurrency", "\(RepublishWorker.concurrency)",
      "--bootstrap", entrance,
    ]
    let (process, output) = pinned(NodeProcess.core, [pubky] + arguments)
    let (before, start) = (childSeconds, ContinuousClock.now)
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let wall = start.duration(to: .now) / .seconds(1)
    let object = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    return Cost(cpu: childSeconds - before, wall: wall, published: object?["published"] as? Int ?? 0)
  }

  /// CPU time of all processes that were started and have ended.
  private static var childSeconds: Double { Double(children_cpu_nanoseconds()) / 1e9 }
}
