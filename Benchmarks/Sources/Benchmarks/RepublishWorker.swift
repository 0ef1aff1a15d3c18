import CPeers
import Cryptography
import EventLoops
import Foundation
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Republisher

/// What `RepublishRows` measures, in a process of its own:  Benchmarks republish-worker puts|rounds BOOTSTRAP KEYS
///
/// Prints a line for each piece of work: CPU seconds of the process (all threads, user and kernel), seconds on the clock, and
/// how many keys were put, found alive, and neither. Packets are signed and the node has joined before the clock starts.
enum RepublishWorker {
  /// Keys at a time, in both kinds of work.
  static let concurrency = 32

  static func run(_ words: [String]) async throws -> Never {
    guard words.count == 3, let count = Int(words[2]), let bootstrap = HostName(words[1]) else { exit(2) }
    let packets = try RepublishWorker.packets(count)
    let loop = try EventLoop(name: "worker")
    try loop.start()
    var configuration = MainlineConfiguration.isolated(bootstrap: [bootstrap])
    configuration.node.mode = .client
    configuration.eventLoop = loop
    let node = try await MainlineNode(configuration)
    guard await node.bootstrapped() else { exit(1) }
    if words[0] == "puts" {
      try await measure { try await putAll(packets, node, loop) }
    } else {
      for _ in 0..<2 { try await measure { try await round(packets, node, loop) } }
    }
    exit(0)
  }

  /// The same packets in each process.
  static func packets(_ count: Int) throws -> [SignedPacket] {
    try (0..<count).map { number in
      var random = RandomSource(seed: UInt64(number))
      let keypair = try Keypair(seed: random.bytes(32))
      return try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: 1_764_000_000_000_000)) {
        A("@", "203.0.113.7")
        TXT("_hello", "world")
      }
    }
  }

  private static func measure(_ body: () async throws -> RoundReport) async throws {
    let (clock, cpu, start) = (ContinuousClock(), cpuSeconds, ContinuousClock.now)
    let report = try await body()
    let wall = start.duration(to: clock.now) / .seconds(1)
    print(cpuSeconds - cpu, wall, report.published, report.alreadyAlive, report.failed)
    fflush(nil)
  }

  private static var cpuSeconds: Double { Double(process_cpu_nanoseconds(getpid())) / 1e9 }

  private static func putAll(
    _ packets: [SignedPacket], _ node: MainlineNode, _ loop: EventLoop
  ) async throws -> RoundReport {
    let client = DHTClient(sharing: node)
    var report = RoundReport()
    report.published = await withTaskGroup(of: Bool.self) { group in
      var published = 0
      for (index, packet) in packets.enumerated() {
        if index >= concurrency, await group.next() == true { published += 1 }
        group.addTask(executorPreference: loop) { (try? await client.publish(packet)) != nil }
      }
      for await isPublished in group where isPublished { published += 1 }
      return published
    }
    return report
  }

  private static func round(
    _ packets: [SignedPacket], _ node: MainlineNode, _ loop: EventLoop
  ) async throws -> RoundReport {
    var policy = RepublishPolicy()
    policy.rate = nil
    policy.concurrency = concurrency
    let republisher = try Republisher(through: node, on: loop, policy, isSingleRound: true)
    for packet in packets { await republisher.add(RepublishedKey(packet)) }
    return await republisher.run()
  }
}
