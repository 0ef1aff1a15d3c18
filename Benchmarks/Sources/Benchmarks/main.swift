// benchmarks [GROUP…]: measures and prints a table; without a group, everything. scripts/bench builds and runs it.
import CPeers
import Foundation

let groups: [(name: String, rows: () async throws -> [Row])] = [
  ("krpc", KRPCRows.rows),
  ("dns", DNSRows.rows),
  ("store", StoreRows.rows),
  ("node", NodeRows.rows),
  ("latency", LatencyRows.rows),
  ("simulator", SimulatorRows.rows),
  ("churn", ChurnRows.rows),
  ("relay", RelayRows.rows),
  ("relay-put", RelayLoadRows.packetRows),
  ("relay-memory", RelayLoadRows.memoryRows),
  ("serve", ServeRows.rows),
  ("dns-server", DNSServerRows.rows),
  ("republish", RepublishRows.rows),
]

if CommandLine.arguments.dropFirst().first == "republish-worker" {
  try await RepublishWorker.run(Array(CommandLine.arguments.dropFirst(2)))
}
let wanted = Set(CommandLine.arguments.dropFirst())
if let unknown = wanted.subtracting(groups.map(\.name)).sorted().first {
  print("benchmarks: no group \"\(unknown)\"; there are: \(groups.map(\.name).joined(separator: " "))")
  exit(2)
}
var rows: [Row] = []
for group in groups where wanted.isEmpty || wanted.contains(group.name) { rows += try await group.rows() }
report(rows)
exit(rows.contains { $0.passes == false } ? 1 : 0)
