import CPeers
import Cryptography
import EventLoops
import Foundation
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Republisher

/// A round of a republisher over many keys, against putting the same packets without looking how many have them; and a
/// round in which enough nodes hold everything. CPU time is that of the thread that asks, not of the nodes that answer.
enum RepublishRows {
  /// `REPUBLISH_KEYS` sets how many keys; 20,000 by default.
  private static let count = ProcessInfo.processInfo.environment["REPUBLISH_KEYS"].flatMap(Int.init) ?? 20_000
  private static let concurrency = 32

  static func rows() async throws -> [Row] {
    let testnet = try await Testnet(nodes: 50)
    let items = try packets(firstKey: 0)
    let puts = try await putAll(items, testnet)
    let packets = try Self.packets(firstKey: count)
    let first = try await round(packets, testnet, "republish-put")
    guard first.report.published == count else { fatalError("not all were published: \(first.report)") }
    let second = try await round(packets, testnet, "republish-look")
    let perKey = 1e6 / Double(count)
    await testnet.stop()
    return [
      Row(
        name: "CPU for one key put again, \(count) keys", measured: first.cpu * perKey, unit: "µs",
        peer: ("puts alone", puts.cpu * perKey), target: .ratio(atMost: 1.5)),
      Row(
        name: "keys put again in an hour on one core", measured: 3600 * Double(count) / first.cpu, unit: "keys",
        target: .atLeast(100_000)),
      Row(
        name: "keys put again a second, with the nodes on the same machine", measured: Double(count) / first.wall,
        unit: "keys/s", peer: ("puts alone", Double(count) / puts.wall)),
      Row(
        name: "CPU for one key looked after, \(second.report.alreadyAlive) of \(count) found alive",
        measured: second.cpu * perKey, unit: "µs", peer: ("puts alone", puts.cpu * perKey)),
    ]
  }

  private static func packets(firstKey: Int) throws -> [SignedPacket] {
    try (firstKey..<firstKey + count).map { number in
      var random = RandomSource(seed: UInt64(number))
      return try SignedPacket(signedBy: try Keypair(seed: random.bytes(32))) {
        A("@", "203.0.113.7")
        TXT("_hello", "world")
      }
    }
  }

  private struct Cost {
    var cpu: Double
    var wall: Double
    var report = RoundReport()
  }

  /// Runs a body with a node on a thread of its own.
  private static func measure(
    _ testnet: Testnet, _ name: String, _ body: (MainlineNode, EventLoop) async throws -> RoundReport
  ) async throws -> Cost {
    let loop = try EventLoop(name: name)
    try loop.start()
    var configuration = MainlineConfiguration.isolated(bootstrap: testnet.bootstrap)
    configuration.node.mode = .client
    configuration.eventLoop = loop
    let node = try await MainlineNode(configuration)
    guard await node.bootstrapped() else { fatalError("a client does not join") }
    let (clock, start, cpu) = (ContinuousClock(), ContinuousClock.now, threadSeconds(name))
    let report = try await body(node, loop)
    let wall = start.duration(to: clock.now) / .seconds(1)
    let cost = Cost(cpu: threadSeconds(name) - cpu, wall: wall, report: report)
    try await node.shutdown()
    await loop.shutdown()
    return cost
  }

  private static func putAll(_ packets: [SignedPacket], _ testnet: Testnet) async throws -> Cost {
    try await measure(testnet, "puts-alone") { node, loop in
      await withTaskGroup(of: Void.self) { group in
        for (index, packet) in packets.enumerated() {
          if index >= concurrency { await group.next() }
          group.addTask(executorPreference: loop) {
            guard (try? await DHTClient(sharing: node).publish(packet)) != nil else { fatalError("a put failed") }
          }
        }
      }
      return RoundReport()
    }
  }

  private static func round(_ packets: [SignedPacket], _ testnet: Testnet, _ name: String) async throws -> Cost {
    try await measure(testnet, name) { node, loop in
      var policy = RepublishPolicy()
      policy.rate = nil
      policy.concurrency = concurrency
      let republisher = try Republisher(through: node, on: loop, policy, isSingleRound: true)
      for packet in packets { await republisher.add(RepublishedKey(packet)) }
      return await republisher.run()
    }
  }

  /// CPU time of a thread of this process so far.
  private static func threadSeconds(_ name: String) -> Double {
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    for thread in threads {
      let folder = "/proc/self/task/\(thread)"
      // The kernel keeps fifteen bytes of a name.
      guard let comm = try? String(contentsOfFile: "\(folder)/comm", encoding: .utf8),
        comm.trimmingCharacters(in: .whitespacesAndNewlines) == name.prefix(15),
        let times = try? String(contentsOfFile: "\(folder)/schedstat", encoding: .utf8),
        let nanoseconds = times.split(separator: " ").first.flatMap({ Double($0) })
      else { continue }
      return nanoseconds / 1e9
    }
    fatalError("no thread \(name)")
  }
}
