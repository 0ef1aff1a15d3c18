import Foundation
import Testing

/// `pubky relay` on a private network, in processes of their own.
public struct RelayStand {
  private struct Announcement: Decodable {
    var endpoints: [String]
  }

  /// Where its files are, for others too; it is gone with the stand.
  public let folder: URL
  private let testnet: ChildProcess
  private let relay: ChildProcess
  /// `127.0.0.1:PORT`; with TLS a second one, for that.
  public let endpoints: [String]

  /// The endpoint without encryption.
  public var plain: String { endpoints[0] }
  /// The endpoint with encryption.
  public var encrypted: String { endpoints[endpoints.count - 1] }
  /// The certificate of the authority that vouches for the relay on this machine.
  public var authority: String { folder.appending(path: "development-authority/authority.pem").path }

  /// Runs a body with a relay; `tables` are more settings, and `prepare` lays files beside them. Whatever ran is ended
  /// afterwards.
  public static func run(
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
}
