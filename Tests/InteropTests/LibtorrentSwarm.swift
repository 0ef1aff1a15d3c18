import EventLoops
import Foundation
import TestSupport
import WireFormat

/// DHT nodes of libtorrent on loopback, in a process of their own (`Peers/libtorrent_node.py`).
///
/// One request a line, one answer a line, joined by their number; the process ends when its input does.
final class LibtorrentSwarm: Sendable {
  /// What the process says about one command; the fields depend on the command.
  struct Answer: Decodable, Sendable {
    let ok: Bool
    var error: String?
    var stored: Int?
    var seq: Int64?
    var key: HexBytes?
    var value: HexBytes?
    var target: HexBytes?
    var signature: HexBytes?
    var reply: Bencoded?
    var bytes: Int?
  }

  /// A decoded answer to a hand-made query.
  indirect enum Bencoded: Decodable, Sendable, Hashable {
    case integer(Int64)
    case bytes([UInt8])
    case list([Bencoded])
    case dictionary([String: Bencoded])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let integer = try? container.decode(Int64.self) {
        self = .integer(integer)
      } else if let list = try? container.decode([Bencoded].self) {
        self = .list(list)
      } else if let text = try? container.decode([String: HexBytes].self), text.count == 1, let bytes = text["hex"] {
        self = .bytes(bytes.bytes)
      } else {
        self = .dictionary(try container.decode([String: Bencoded].self))
      }
    }

    subscript(key: String) -> Bencoded? {
      if case .dictionary(let entries) = self { entries[key] } else { nil }
    }

    var bytes: [UInt8]? { if case .bytes(let bytes) = self { bytes } else { nil } }
    var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }

    /// The code of a KRPC error.
    var errorCode: Int64? {
      if case .list(let parts)? = self["e"] { parts.first?.integer } else { nil }
    }
  }

  private struct Ready: Decodable {
    let version: String
    let nodes: [String]
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private struct State {
    var waiting: [Int: CheckedContinuation<Answer, any Error>] = [:]
    var nextIdentifier = 1
    var hasEnded = false
  }

  /// The addresses of the nodes, `127.0.0.1:PORT`.
  let nodes: [String]
  /// The version of libtorrent.
  let version: String
  private let process: Process
  private let input: FileHandle
  private let state = LockedValue(State())

  /// True if Debian's libtorrent for Python is installed.
  static let isAvailable: Bool = {
    let probe = Process()
    probe.executableURL = URL(filePath: "/usr/bin/python3")
    probe.arguments = ["-c", "import libtorrent"]
    probe.standardError = FileHandle.nullDevice
    guard (try? probe.run()) != nil else { return false }
    probe.waitUntilExit()
    return probe.terminationStatus == 0
  }()

  /// Starts `count` nodes that know each other, and the addresses in `bootstrap`.
  init(nodes count: Int, bootstrap: [String] = [], options: [String] = []) throws {
    process = Process()
    process.executableURL = URL(filePath: "/usr/bin/python3")
    process.arguments =
      [Peers.path("libtorrent_node.py"), "--nodes", "\(count)"] + bootstrap.flatMap { ["--bootstrap", $0] } + options
    let requests = Pipe()
    let answers = Pipe()
    process.standardInput = requests
    process.standardOutput = answers
    input = requests.fileHandleForWriting
    try process.run()
    var reader = LineReader(answers.fileHandleForReading)
    guard let first = reader.next(), let ready = try? JSONDecoder().decode(Ready.self, from: first) else {
      throw Failure(description: "the libtorrent nodes did not start")
    }
    nodes = ready.nodes
    version = ready.version
    let rest = reader
    Thread.detachNewThread { [weak self] in
      var reader = rest
      while let line = reader.next() { self?.receive(line) }
      self?.end()
    }
  }

  deinit {
    try? input.close()
    process.waitUntilExit()
  }

  /// Runs one command and waits for its answer.
  func run(_ command: String, _ fields: [String: any Sendable] = [:]) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
      let identifier: Int? = state.withLock { state in
        guard !state.hasEnded else { return nil }
        state.nextIdentifier += 1
        state.waiting[state.nextIdentifier] = continuation
        return state.nextIdentifier
      }
      guard let identifier else {
        return continuation.resume(throwing: Failure(description: "the libtorrent nodes have ended"))
      }
      var request: [String: Any] = fields
      request["command"] = command
      request["id"] = identifier
      do {
        try input.write(contentsOf: JSONSerialization.data(withJSONObject: request) + [UInt8(ascii: "\n")])
      } catch {
        state.withLock { $0.waiting.removeValue(forKey: identifier) }?.resume(throwing: error)
      }
    }
  }

  private func receive(_ line: Data) {
    struct Numbered: Decodable { let id: Int }
    guard let identifier = try? JSONDecoder().decode(Numbered.self, from: line).id,
      let continuation = state.withLock({ $0.waiting.removeValue(forKey: identifier) })
    else { return }
    continuation.resume(with: Result { try JSONDecoder().decode(Answer.self, from: line) })
  }

  private func end() {
    let waiting = state.withLock { state in
      state.hasEnded = true
      defer { state.waiting = [:] }
      return state.waiting.values
    }
    for continuation in waiting { continuation.resume(throwing: Failure(description: "the libtorrent nodes ended")) }
  }
}

/// Lines from a pipe, each as it arrives.
private struct LineReader: @unchecked Sendable {
  private let file: FileHandle
  private var buffer = Data()

  init(_ file: FileHandle) { self.file = file }

  mutating func next() -> Data? {
    while true {
      if let end = buffer.firstIndex(of: UInt8(ascii: "\n")) {
        defer { buffer = Data(buffer[(end + 1)...]) }
        return Data(buffer[..<end])
      }
      let more = file.availableData
      if more.isEmpty { return nil }
      buffer.append(more)
    }
  }
}
