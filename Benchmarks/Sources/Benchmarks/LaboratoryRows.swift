import CPeers
import Foundation
import MainlineSimulator

/// What the laboratory costs, and what it says of lookups under attack.
enum LaboratoryRows {
  static func rows() throws -> [Row] { try speedRows() + attackRows() }

  /// 10,000 nodes join, and look after themselves for half an hour; `LABORATORY_NODES` sets another number.
  private static func speedRows() throws -> [Row] {
    let nodes = ProcessInfo.processInfo.environment["LABORATORY_NODES"].flatMap { Int($0) } ?? 10_000
    let memoryBefore = try residentBytes()
    let simulation = Simulation(seed: 1)
    let start = thread_cpu_nanoseconds()
    simulation.grow(by: nodes, spacing: .milliseconds(10))
    let joined = simulation.statistics.delivered
    let joinedAt = thread_cpu_nanoseconds()
    simulation.run(for: .seconds(1800))
    let end = thread_cpu_nanoseconds()
    let memory = try residentBytes() - memoryBefore
    let kept = simulation.statistics.delivered - joined
    return [
      Row(
        name: "simulated datagrams, \(nodes) nodes that join and stay for half an hour",
        measured: Double(joined + kept) / (Double(end - start) / 1e9), unit: "/s", target: .atLeast(100_000)),
      Row(
        name: "of these while they stay", measured: Double(kept) / (Double(end - joinedAt) / 1e9), unit: "/s"),
      Row(
        name: "memory of a simulated node", measured: Double(memory) / Double(nodes) / 1000, unit: "kB",
        target: .atMost(20)),
    ]
  }

  /// 500 nodes, 1000 lookups of 100 records.
  private static func attackRows() throws -> [Row] {
    var experiment = AttackExperiment()
    experiment.records = 100
    experiment.lookups = 1000
    experiment.strengths = [0.3]
    experiment.kinds = [.stale, .lying]
    let report = try experiment.run(seed: 1)
    let column = report.columns.firstIndex { $0.name == "newest_share" } ?? 0
    return zip(["hold a stale version", "lie"], report.rows).map { what, row in
      Row(
        name: "lookups that find the newest version while 30 % of the nodes \(what)",
        measured: (Double(row[column].text) ?? 0) * 100, unit: "%", target: .atLeast(99.9))
    }
  }

  private static func residentBytes() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
  }
}
