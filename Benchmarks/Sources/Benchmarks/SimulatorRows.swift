import CPeers
import Cryptography
import MainlineProtocol
import MainlineSimulator

/// How fast simulated time goes.
enum SimulatorRows {
  /// A network of 1000 nodes that joins, looks after itself for half an hour, and serves lookups all the while.
  static func rows() throws -> [Row] {
    let start = thread_cpu_nanoseconds()
    let simulation = Simulation(seed: 1)
    simulation.grow(by: 1000)
    let joined = thread_cpu_nanoseconds()
    let deliveredBefore = simulation.statistics.delivered
    var queries: [(SimulatedNode, QueryID)] = []
    for _ in 0..<1800 {
      for _ in 0..<10 {
        guard let node = simulation.randomNode() else { continue }
        queries.append((node, simulation.start(.findNode(.random(using: &simulation.random)), on: node)))
      }
      simulation.run(for: .seconds(1))
      queries.removeAll { simulation.takeResult(of: $1, on: $0) != nil }
    }
    let end = thread_cpu_nanoseconds()
    let delivered = simulation.statistics.delivered
    return [
      Row(
        name: "simulated datagrams, 1000 nodes, 10 lookups/s",
        measured: Double(delivered - deliveredBefore) / (Double(end - joined) / 1e9), unit: "/s",
        target: .atLeast(100_000)),
      Row(
        name: "simulated datagrams while 1000 nodes join",
        measured: Double(deliveredBefore) / (Double(joined - start) / 1e9), unit: "/s"),
    ]
  }
}
