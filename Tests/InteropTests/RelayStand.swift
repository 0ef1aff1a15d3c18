import Foundation
import Pkarr
import Testing

/// `pubky relay` on a private network, in processes of their own, and programs of others that talk to it.
struct RelayStand {
  private struct Announcement: Decodable {
    var endpoints: [String]
  }

  let folder: URL
  private let testnet: ChildProcess
  private let relay: ChildProcess
  /// `127.0.0.1:PORT`; with TLS a second one, for that.
  let endpoints: [String]

  var plain: String { endpoints[0] }
  var encrypted: String { endpoints[endpoints.count - 1] }
  /// The certificate of the authority that vouches for the relay on this machine.
  var authority: String { folder.appending(path: "development-authority/authority.pem").path }

  /// Runs a body with a relay; `tables` are more settings, and `prepare` lays files beside them. Whatever ran is ended
  /// afterwards.
  static func run(
    prepare: (URL) throws -> Void = { _ in }, tables: String = "", _ body: (RelayStand) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "relay-stand-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try prepare(folder)
    let stand = try await RelayStand(folder, tables)
    try await body(stand)
    stand.relay.terminate()
    let outcome = try await stand.relay.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    stand.testnet.terminate()
    _ = try await stand.testnet.outcome()
  }

  private init(_ folder: URL, _ tables: String) async throws {
    self.folder = folder
    testnet = try ChildProcess(ChildProcess.pubky, ["testnet", "--nodes", "5"], in: folder)
    let settings = """
      [http]
      host = ["127.0.0.1"]
      port = 0
      [mainline]
      host = ["127.0.0.1"]
      port = 0
      network = "isolated"
      bootstrap = ["\(try await testnet.firstLine())"]
      [cache]
      path = "."
      \(tables)
      """
    let file = folder.appending(path: "relay.toml")
    try Data(settings.utf8).write(to: file)
    relay = try ChildProcess(ChildProcess.pubky, ["relay", "--config", file.path, "--json"], in: folder)
    let line = try await relay.firstLine()
    endpoints = try JSONDecoder().decode(Announcement.self, from: Data(line.utf8)).endpoints
    try #require(!endpoints.isEmpty)
  }

  /// A packet, and a file with its relay payload.
  func packet(_ text: String) throws -> (packet: SignedPacket, file: String) {
    let packet = try SignedPacket(signedBy: Keypair()) { TXT("_interop", text, ttl: 600) }
    let file = folder.appending(path: packet.publicKey.z32)
    try Data(packet.relayPayload).write(to: file)
    return (packet, file.path)
  }

  /// Runs a foreign program to its end.
  func foreign(_ name: String, _ arguments: [String], input: String? = nil) async throws -> ChildProcess.Outcome {
    let path = try #require(ChildProcess.find(name))
    var file: URL?
    if let input {
      let url = folder.appending(path: "input-\(UUID().uuidString)")
      try Data(input.utf8).write(to: url)
      file = url
    }
    return try await ChildProcess(path, arguments, in: folder, input: file).outcome()
  }

  /// What curl was answered.
  struct Answer {
    var status: Int
    /// `1.1`, `2`
    var version: String
    /// By their names in small letters.
    var fields: [String: String]
    var body: [UInt8]
  }

  func curl(_ arguments: String...) async throws -> Answer { try await curl(arguments) }

  func curl(_ arguments: [String]) async throws -> Answer {
    let name = UUID().uuidString
    let outcome = try await foreign(
      "curl",
      ["--silent", "--show-error", "--max-time", "60", "--dump-header", name + ".head", "--output", name + ".body"]
        + ["--write-out", "%{http_code} %{http_version}"] + arguments)
    try #require(outcome.status == 0, "curl \(arguments): \(outcome.errors)")
    let words = outcome.text.split(separator: " ")
    var fields: [String: String] = [:]
    for line in try String(contentsOf: folder.appending(path: name + ".head"), encoding: .utf8).split(whereSeparator: {
      $0.isNewline
    }) {
      let parts = line.split(separator: ":", maxSplits: 1)
      if parts.count == 2 { fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces) }
    }
    let body = (try? Data(contentsOf: folder.appending(path: name + ".body"))) ?? Data()
    return Answer(
      status: Int(words.first ?? "") ?? 0, version: String(words.last ?? ""), fields: fields, body: [UInt8](body))
  }
}
