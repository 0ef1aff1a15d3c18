import Foundation
import Synchronization
import Testing

/// A program that runs as a child of the test, with its output in files. It ends with this object.
public final class ChildProcess: Sendable {
  /// Why a program is of no use.
  public struct Failure: Error, CustomStringConvertible {
    /// For people.
    public let description: String
  }

  /// How a program ended.
  public struct Outcome: Sendable {
    /// 0 if it ended well.
    public var status: Int32
    /// What it wrote to standard output.
    public var output: [UInt8]
    /// What it wrote to standard error.
    public var errors: String

    /// The output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }
  }

  /// No program takes this long; one that does hangs.
  private static let patience = Duration.seconds(300)

  private let process: Process
  private let files: (output: URL, errors: URL)
  private let end: Task<Void, Never>

  /// The path of a program; nil if this machine does not have it.
  public static func find(_ name: String) -> String? {
    ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map { "\($0)/\(name)" }.first(
      where: FileManager.default.isExecutableFile)
  }

  /// The `pubky` that was built together with the tests stands beside them.
  public static let pubky: String = {
    let bundles = CommandLine.arguments.filter { $0.hasSuffix(".xctest") } + ["/proc/self/exe"]
    let paths = bundles.map {
      URL(filePath: $0).resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "pubky").path
    }
    return paths.first(where: FileManager.default.isExecutableFile) ?? paths[0]
  }()

  /// Starts a program in a folder, where its output is kept. `input` is a file; nothing if it is nil.
  public init(_ path: String, _ arguments: [String], in folder: URL, input: URL? = nil) throws {
    let name = "\(URL(filePath: path).lastPathComponent)-\(UUID().uuidString)"
    files = (folder.appending(path: name + ".out"), folder.appending(path: name + ".err"))
    process = Process()
    process.executableURL = URL(filePath: path)
    process.arguments = arguments
    process.currentDirectoryURL = folder
    for file in [files.output, files.errors] { try Data().write(to: file) }
    process.standardOutput = try FileHandle(forWritingTo: files.output)
    process.standardError = try FileHandle(forWritingTo: files.errors)
    process.standardInput = try input.map { try FileHandle(forReadingFrom: $0) } ?? FileHandle.nullDevice
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in continuation.finish() }
    end = Task { for await _ in ended {} }
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// False once it has ended.
  public var isRunning: Bool { process.isRunning }
  /// Asks it to end.
  public func terminate() { kill(process.processIdentifier, SIGTERM) }

  /// Waits for the first whole line of standard output, or for the first that `matches`.
  public func firstLine(_ matches: (Substring) -> Bool = { _ in true }) async throws -> String {
    let deadline = ContinuousClock.now + Self.patience
    while ContinuousClock.now < deadline {
      let isRunning = process.isRunning
      let text = try String(contentsOf: files.output, encoding: .utf8)
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      if let line = lines.first(where: matches) { return String(line) }
      if !isRunning { break }
      try await Task.sleep(for: .milliseconds(10))
    }
    let errors = (try? String(contentsOf: files.errors, encoding: .utf8)) ?? ""
    throw Failure(description: "\(process.executableURL?.lastPathComponent ?? "") says nothing: \(errors)")
  }

  /// Waits for the end.
  public func outcome() async throws -> Outcome {
    let guardian = Task { [process] in
      try await Task.sleep(for: Self.patience)
      Issue.record("\(process.executableURL?.lastPathComponent ?? "") hangs")
      kill(process.processIdentifier, SIGKILL)
    }
    await end.value
    guardian.cancel()
    return Outcome(
      status: process.terminationStatus, output: [UInt8](try Data(contentsOf: files.output)),
      errors: String(decoding: try Data(contentsOf: files.errors), as: UTF8.self))
  }
}
