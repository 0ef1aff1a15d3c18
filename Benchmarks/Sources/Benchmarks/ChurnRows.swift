import Foundation
import MainlineSimulator

/// Whether records stay findable in a network whose nodes are replaced all the time.
enum ChurnRows {
  static func rows() throws -> [Row] {
    let hours = ProcessInfo.processInfo.environment["CHURN_HOURS"].flatMap { Double($0) } ?? 24
    var scenario = ChurnScenario()
    scenario.length = .seconds(hours * 3600)
    let repaired = scenario.run(seed: 1)
    scenario.repairBelow = 0
    let unrepaired = scenario.run(seed: 1)
    for (name, report) in [("with repair", repaired), ("without", unrepaired)] {
      print(
        "churn \(name): \(report.resolves) resolves, \(report.found) found, \(report.stale) older,",
        "\(report.published) published, \(report.unpublished) not, \(report.repairs) repairs,",
        "\(report.replaced) nodes replaced, smallest table \(report.smallestTable),",
        "\(report.statistics.delivered) datagrams")
    }
    let what = "resolves found in \(hours.short) h, 200 nodes, 30 % replaced per 10 min"
    return [
      Row(
        name: "\(what), readers repair", measured: repaired.share * 100, unit: "%", target: .atLeast(99.9)),
      Row(name: "the same, readers only read", measured: unrepaired.share * 100, unit: "%"),
      Row(
        name: "smallest routing table meanwhile", measured: Double(repaired.smallestTable), unit: "nodes",
        target: .atLeast(1)),
    ]
  }
}
