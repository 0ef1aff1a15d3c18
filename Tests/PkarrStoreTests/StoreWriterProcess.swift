import EventLoops
import Foundation
import Testing

/// The executable `StoreWriter` in a process of its own.
final class StoreWriterProcess: Sendable {
  private let process: Process
  /// Not a `Mutex`, which the thread sanitizer does not see.
  private let lines = LockedValue<(text: [UInt8], isAtEnd: Bool)>(([], false))
  private let input = Pipe()

  /// The executable stands beside the test bundle.
  private static let executable: URL = {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let folders =
      [Bundle.main.bundleURL, own]
      + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map {
        URL(fileURLWithPath: $0).deletingLastPathComponent()
      }
    let paths = folders.map { $0.appending(path: "StoreWriter") }
    return paths.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? paths[0]
  }()

  init(_ arguments: String...) throws {
    process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardInput = input
    try process.run()
    let handle = output.fileHandleForReading
    Thread.detachNewThread { [self] in
      while true {
        let data = handle.availableData
        if data.isEmpty { break }
        lines.withLock { $0.text += data }
      }
      lines.withLock { $0.isAtEnd = true }
    }
  }

  deinit { kill() }

  /// Ends it at once, wherever it is.
  func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

  /// Ends its standard input.
  func endInput() { try? input.fileHandleForWriting.close() }

  /// Whole lines so far.
  var output: [String] {
    let text = lines.withLock { $0.text }
    guard let end = text.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    return String(decoding: text[..<end], as: UTF8.self).split(separator: "\n").map(String.init)
  }

  /// Waits until there are so many lines.
  func waitForLines(_ count: Int) async throws {
    try await eventually("\(count) lines of the other process") {
      let isAtEnd = lines.withLock { $0.isAtEnd }
      try #require(!isAtEnd || output.count >= count, "it has ended: \(output.last ?? "")")
      return lines.withLock { $0.text.reduce(0) { $1 == UInt8(ascii: "\n") ? $0 + 1 : $0 } } >= count
    }
  }

  /// Waits for its end and returns all lines.
  func end() async throws -> [String] {
    try await eventually("the end of the other process") { lines.withLock { $0.isAtEnd } && !process.isRunning }
    return output
  }
}
