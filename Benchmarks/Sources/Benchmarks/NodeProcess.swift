import CPeers
import Foundation

/// A DHT node in a process of its own, on a core of its own: the program prints its port and ends with its input.
final class NodeProcess {
  enum Failure: Error { case didNotStart(String), hasNoNeighbours(String) }

  /// The core that the node gets; this process takes the other.
  static let core = ProcessInfo.processInfo.processorCount - 1

  let name: String
  let port: UInt16
  private let process = Process()
  private let input = Pipe()

  var identifier: Int32 { process.processIdentifier }

  /// Starts `program` with ports of neighbours on loopback.
  init(_ name: String, _ program: URL, _ arguments: [String], neighbours: [UInt16]) throws {
    self.name = name
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/taskset")
    process.arguments =
      ["--cpu-list", "\(Self.core)", program.path] + arguments + neighbours.map(String.init)
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    guard let port = UInt16(line.trimmingCharacters(in: .whitespacesAndNewlines)) else {
      throw Failure.didNotStart(name)
    }
    self.port = port
    // As many as one answer of both programs holds.
    let deadline = Date.now + 20
    while !neighbours.isEmpty, nodes_in_answer(port) < 8 * 26 {
      guard Date.now < deadline else { throw Failure.hasNoNeighbours("\(name): \(nodes_in_answer(port) / 26)") }
      usleep(20_000)
    }
  }

  func stop() {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Bytes of memory in all and of its own.
  var memory: (resident: Double, anonymous: Double) {
    var anonymous: Int64 = 0
    var resident: Int64 = 0
    _ = process_memory(identifier, &anonymous, &resident)
    return (Double(resident), Double(anonymous))
  }

  /// CPU time for one answer, in microseconds.
  func load(_ kind: query_kind, target: [UInt8]? = nil, seconds: Double) -> (microseconds: Double, replies: Double) {
    let nanoseconds = Int64(seconds * 1e9)
    let result =
      target.map { load_queries(port, identifier, kind, $0, 64, nanoseconds) }
      ?? load_queries(port, identifier, kind, nil, 64, nanoseconds)
    return (Double(result.node_cpu) / 1000 / Double(max(1, result.replies)), Double(result.replies))
  }
}
