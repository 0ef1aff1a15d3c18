import EventLoops
import Foundation
import Testing

/// The built command, run as people run it.
struct PubkyCommand {
  /// What a run left behind.
  struct Outcome {
    var status: Int32
    var output: String
    var errors: String

    /// Objects of the lines of standard output. Programs rely on their fields, so each must be documented.
    func objects() throws -> [[String: JSONField]] {
      let objects = try output.split(separator: "\n").map {
        try JSONDecoder().decode([String: JSONField].self, from: Data($0.utf8))
      }
      for object in objects { try Documentation.expect(JSONField.object(object)) }
      return objects
    }

    /// The one object on standard error, with a documented word for what was wrong.
    func error() throws -> [String: JSONField] {
      let object = try JSONDecoder().decode([String: JSONField].self, from: Data(errors.utf8))
      try Documentation.expect(JSONField.object(object))
      let word = try #require(object["error"]?.text ?? object["warning"]?.text)
      #expect(try Documentation.words().contains(word), "docs/command.md does not explain \(word)")
      return object
    }
  }

  /// A folder of its own for each test, which is also its home.
  let folder: URL
  var environment: [String: String]

  /// No run takes this long; a run that does hangs.
  private static let patience = Duration.seconds(60)

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pubky-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let outer = ProcessInfo.processInfo.environment
    environment = ["HOME": folder.path, "PATH": outer["PATH"] ?? "/usr/bin:/bin"]
    // A command that is built with a sanitizer needs its settings as well.
    for name in ["ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"] { environment[name] = outer[name] }
  }

  func removeFolder() { try? FileManager.default.removeItem(at: folder) }

  /// Runs a test body with a fresh folder and removes it afterwards.
  static func inFolder<Result>(_ body: (PubkyCommand) async throws -> Result) async throws -> Result {
    let command = try PubkyCommand()
    defer { command.removeFolder() }
    return try await body(command)
  }

  /// The executable stands beside the test bundle.
  static let executable: URL = {
    #if os(Linux)
      let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      let candidates =
        [Bundle.main.bundleURL, bundle.deletingLastPathComponent()]
        + CommandLine.arguments.filter { $0.hasSuffix(".xctest") }.map {
          URL(fileURLWithPath: $0).deletingLastPathComponent()
        }
    #else
      let candidates = Bundle.allBundles.map { $0.bundleURL.deletingLastPathComponent() }
    #endif
    let paths = candidates.map { $0.appending(path: "pubky") }
    return paths.first { FileManager.default.isExecutableFile(atPath: $0.path) } ?? paths[0]
  }()

  func path(_ name: String) -> String { folder.appending(path: name).path }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: folder.appending(path: name))
    return path(name)
  }

  func mode(_ name: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path(name))
    return try #require(attributes[.posixPermissions] as? Int)
  }

  /// Runs the command to its end.
  func run(_ arguments: String..., input: String = "") async throws -> Outcome {
    try await run(arguments, input: input)
  }

  /// Runs the command to its end.
  func run(_ arguments: [String], input: String = "") async throws -> Outcome {
    let running = try start(arguments, input: input)
    let guardian = Task {
      try await Task.sleep(for: Self.patience)
      Issue.record("pubky \(arguments.joined(separator: " ")) hangs")
      running.kill()
    }
    defer { guardian.cancel() }
    return await running.end()
  }

  /// Starts the command; the caller stops it.
  func start(_ arguments: String...) throws -> RunningCommand { try start(arguments, input: "") }

  func start(_ arguments: [String], input: String = "") throws -> RunningCommand {
    let process = Process()
    process.executableURL = Self.executable
    process.arguments = arguments
    process.currentDirectoryURL = folder
    process.environment = environment
    return try RunningCommand(process, input: input)
  }

  /// A key file and its public key.
  func newKey(_ name: String = "my.key") async throws -> (file: String, key: String) {
    let outcome = try await run("key", "new", "--out", path(name))
    try #require(outcome.status == 0, "\(outcome.errors)")
    return (path(name), outcome.output.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// A network in a process of its own, and its entrance. It ends with `body`.
  func withTestnet<Result>(
    _ arguments: [String] = ["--nodes", "12"], _ body: (_ bootstrap: String) async throws -> Result
  ) async throws -> Result {
    let testnet = try start(["testnet"] + arguments, input: "")
    defer { testnet.kill() }
    let entrance = try #require(await testnet.firstLine { !$0.isEmpty })
    let result = try await body(entrance)
    testnet.interrupt()
    let outcome = await testnet.end()
    #expect(outcome.status == 0 && outcome.errors == "All nodes are stopped.\n", "\(outcome.errors)")
    return result
  }
}

/// A command that runs.
final class RunningCommand: Sendable {
  private let process: Process
  private let output = Gathered()
  private let errors = Gathered()
  private let exit: Task<Void, Never>

  init(_ process: Process, input: String) throws {
    self.process = process
    let (outputPipe, errorPipe, inputPipe) = (Pipe(), Pipe(), Pipe())
    process.standardOutput = outputPipe
    process.standardError = errorPipe
    process.standardInput = inputPipe
    let (ended, continuation) = AsyncStream.makeStream(of: Void.self)
    process.terminationHandler = { _ in continuation.finish() }
    exit = Task { for await _ in ended {} }
    try process.run()
    output.read(outputPipe)
    errors.read(errorPipe)
    // A command that does not read its input has closed the pipe: no signal for that.
    signal(SIGPIPE, SIG_IGN)
    try? inputPipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try? inputPipe.fileHandleForWriting.close()
  }

  deinit { kill() }

  var isRunning: Bool { process.isRunning }
  var identifier: Int32 { process.processIdentifier }
  func interrupt() { Foundation.kill(process.processIdentifier, SIGINT) }
  func terminate() { Foundation.kill(process.processIdentifier, SIGTERM) }
  func hangUp() { Foundation.kill(process.processIdentifier, SIGHUP) }
  func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

  /// Waits for a line of standard output that `matches`; nil if the command ends, or nothing comes for a minute.
  func firstLine(_ matches: (String) -> Bool) async -> String? { await output.firstLine(matches) }

  /// Waits until a line of standard output `isLast`, or for the end; the lines until then.
  func lines(until isLast: (String) -> Bool) async -> [String] { await output.lines(until: isLast) }

  /// The same as `firstLine` for standard error.
  func firstErrorLine(_ matches: (String) -> Bool) async -> String? { await errors.firstLine(matches) }

  /// Waits for the end.
  func end() async -> PubkyCommand.Outcome {
    await exit.value
    return await .init(status: process.terminationStatus, output: output.all(), errors: errors.all())
  }
}

/// What came out of a pipe until now.
private final class Gathered: Sendable {
  private struct State {
    var bytes: [UInt8] = []
    var isAtEnd = false
  }
  private let state = LockedValue(State())

  func read(_ pipe: Pipe) {
    let handle = pipe.fileHandleForReading
    Thread.detachNewThread { [self] in
      while true {
        // What is there now; `read(upToCount:)` would wait for all of it.
        let data = handle.availableData
        if data.isEmpty { break }
        state.withLock { $0.bytes += data }
      }
      state.withLock { $0.isAtEnd = true }
    }
  }

  private var now: (text: String, isAtEnd: Bool) {
    state.withLock { (String(decoding: $0.bytes, as: UTF8.self), $0.isAtEnd) }
  }

  func all() async -> String {
    while !now.isAtEnd { try? await Task.sleep(for: .milliseconds(5)) }
    return now.text
  }

  func firstLine(_ matches: (String) -> Bool) async -> String? {
    await lines(until: matches).last.flatMap { matches($0) ? $0 : nil }
  }

  func lines(until isLast: (String) -> Bool) async -> [String] {
    var seen: [String] = []
    for _ in 0..<6000 {
      let (text, isAtEnd) = now
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      for line in lines.dropFirst(seen.count) {
        seen.append(String(line))
        if isLast(String(line)) { return seen }
      }
      if isAtEnd { return seen }
      try? await Task.sleep(for: .milliseconds(10))
    }
    return seen
  }
}

/// A value in a JSON object, of any kind.
enum JSONField: Decodable, Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case text(String)
  case list([JSONField])
  case object([String: JSONField])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONField].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONField].self))
    }
  }

  var text: String? { if case .text(let value) = self { value } else { nil } }
  var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
  var list: [JSONField]? { if case .list(let value) = self { value } else { nil } }
  subscript(name: String) -> JSONField? { if case .object(let fields) = self { fields[name] } else { nil } }
}

/// docs/command.md, which promises what programs may rely on.
enum Documentation {
  /// All words in code font.
  static func words() throws -> Set<String> {
    let page = URL(fileURLWithPath: #filePath).appending(path: "../../../docs/command.md").standardized
    let text = try String(contentsOf: page, encoding: .utf8)
    return Set(text.matches(of: /`([a-z0-9_]+)`/).map { String($0.1) })
  }

  /// Records an issue for each field, at any depth, that the page does not name. Numbers (error codes) may be names.
  static func expect(_ value: JSONField) throws {
    let known = try words()
    var open = [value]
    while let next = open.popLast() {
      switch next {
      case .object(let fields):
        for (name, field) in fields {
          #expect(known.contains(name) || Int(name) != nil, "docs/command.md does not explain the field \(name)")
          open.append(field)
        }
      case .list(let values): open += values
      default: break
      }
    }
  }
}
