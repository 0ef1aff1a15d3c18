import CPeers
import Foundation

/// A web server in a process of its own on the other core, and the load that is put on it.
final class WebProcess {
  enum Failure: Error { case didNotStart(String), noFigures(String) }

  /// The core that servers get; load generators get the other one.
  private static let serverCore = ProcessInfo.processInfo.processorCount - 1

  let name: String
  private let process = Process()
  private let input = Pipe()
  /// The first line that the program printed, in words.
  private(set) var words: [String] = []

  private let endsWithInput: Bool

  /// Starts a program; `waitsForLine`: it prints a line once it can be used; `endsWithInput`: it need not be told to end.
  init(
    _ name: String, _ program: String, _ arguments: [String], waitsForLine: Bool, endsWithInput: Bool = true
  ) throws {
    self.name = name
    self.endsWithInput = endsWithInput && waitsForLine
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/taskset")
    process.arguments = ["--cpu-list", "\(Self.serverCore)", program] + arguments
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    guard waitsForLine else { return }
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    words = line.split(whereSeparator: \.isWhitespace).map(String.init)
    if words.isEmpty { throw Failure.didNotStart(name) }
  }

  func stop() {
    try? input.fileHandleForWriting.close()
    if words.isEmpty || !endsWithInput { process.terminate() }
    // dnsdist 1.7 does not always end when it is asked to.
    let deadline = Date.now + 5
    while process.isRunning, Date.now < deadline { usleep(20_000) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  /// CPU time of the process so far, in nanoseconds.
  var cpu: Int64 { process_cpu_nanoseconds(process.processIdentifier) }

  /// CPU time so far of all threads but those with these names, in nanoseconds.
  func cpu(withoutThreads names: Set<String>) -> Int64 {
    let folder = "/proc/\(process.processIdentifier)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return threads.reduce(0) { sum, thread in
      guard let name = try? String(contentsOfFile: "\(folder)/\(thread)/comm", encoding: .utf8),
        !names.contains(name.trimmingCharacters(in: .whitespacesAndNewlines)),
        let times = try? String(contentsOfFile: "\(folder)/\(thread)/schedstat", encoding: .utf8)
      else { return sum }
      return sum + (times.split(separator: " ").first.flatMap { Int64($0) } ?? 0)
    }
  }

  var memory: (resident: Double, anonymous: Double) {
    var anonymous: Int64 = 0
    var resident: Int64 = 0
    _ = process_memory(process.processIdentifier, &anonymous, &resident)
    return (Double(resident), Double(anonymous))
  }

  /// What a load generator measured, and the server's CPU time for one request in microseconds.
  struct Load {
    var requests: Double
    var perSecond: Double
    var microseconds: Double
  }

  /// Asks for a path over HTTP/1.1 with wrk.
  func wrk(_ url: String, connections: Int, seconds: Int) throws -> Load {
    try load("wrk", ["-t1", "-c\(connections)", "-d\(seconds)", url], requests: /(\d+) requests in/)
  }

  /// Asks for a path over HTTP/2 with h2load.
  func h2load(_ url: String, connections: Int, streams: Int, count: Int) throws -> Load {
    try load("h2load", ["-c\(connections)", "-m\(streams)", "-n\(count)", url], requests: /(\d+) 2xx/)
  }

  /// Runs a load generator on the other core; what it printed.
  static func generate(_ program: String, _ arguments: [String]) throws -> String {
    let generator = Process()
    let output = Pipe()
    generator.executableURL = URL(filePath: "/usr/bin/taskset")
    generator.arguments = ["--cpu-list", "0", program] + arguments
    generator.standardOutput = output
    generator.standardError = FileHandle.nullDevice
    try generator.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    generator.waitUntilExit()
    return text
  }

  private func load(_ program: String, _ arguments: [String], requests: Regex<(Substring, Substring)>) throws -> Load {
    let before = cpu
    let start = ContinuousClock.now
    let text = try Self.generate(program, arguments)
    let elapsed =
      Double((ContinuousClock.now - start).components.attoseconds) / 1e18
      + Double((ContinuousClock.now - start).components.seconds)
    let used = Double(cpu - before)
    guard let match = text.firstMatch(of: requests), let count = Double(match.1), count > 0,
      !text.contains("Non-2xx")
    else { throw Failure.noFigures("\(name): \(text)") }
    return Load(requests: count, perSecond: count / elapsed, microseconds: used / 1000 / count)
  }
}
