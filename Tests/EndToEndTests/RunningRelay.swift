import Foundation
import HTTP
import Pkarr
import Testing

/// `pubky relay` that runs, and a client that keeps its connections.
struct RunningRelay {
  let command: RunningCommand
  /// `http://localhost:PORT`
  let url: String
  private let client: HTTPClient

  init(_ command: RunningCommand) async throws {
    self.command = command
    guard let line = await command.firstLine({ $0.hasPrefix("{") }) else {
      let outcome = await command.end()
      Issue.record("the relay does not start: \(outcome.errors)")
      throw CancellationError()
    }
    let fields = try JSONDecoder().decode([String: JSONField].self, from: Data(line.utf8))
    url = try #require(fields["url"]?.text)
    #expect(fields["endpoints"]?.list?.isEmpty == false && fields["dht"]?.list?.isEmpty == false)
    client = try HTTPClient()
  }

  var port: String { String(url.split(separator: ":").last ?? "") }

  func send(
    _ method: HTTPMethod, _ target: String, body: [UInt8]? = nil
  ) async throws -> (status: Int, body: [UInt8]) {
    let url = try #require(HTTPURL(url + target))
    let request = HTTPClientRequest(method, url, body: body.map { .bytes($0) } ?? .empty)
    let (response, body) = try await client.fetch(request, upTo: 1 << 20, timeout: .seconds(60))
    return (Int(response.status.code), body)
  }

  func put(_ packet: SignedPacket) async throws -> Int {
    try await send(.put, "/\(packet.publicKey.z32)", body: packet.relayPayload).status
  }

  func get(_ packet: SignedPacket, policy: String) async throws -> (status: Int, body: [UInt8]) {
    try await send(.get, "/\(packet.publicKey.z32)?policy=\(policy)")
  }
}

extension PubkyCommand {
  /// Settings of a relay in a private network, on ports that nobody else has. `tables` comes behind them.
  static func relaySettings(bootstrap: String, http: String = "", tables: String = "") -> String {
    """
    [http]
    host = ["127.0.0.1"]
    port = 0
    \(http)
    [mainline]
    host = ["127.0.0.1"]
    port = 0
    network = "isolated"
    bootstrap = ["\(bootstrap)"]
    \(tables)
    """
  }

  /// Starts a relay; the caller stops it.
  func startRelay(_ file: String) async throws -> RunningRelay {
    try await RunningRelay(try start("relay", "--config", file, "--json"))
  }

  /// A relay in a process of its own. It ends with `body`, and must end well.
  func withRelay(
    bootstrap: String, http: String = "", tables: String = "", _ body: (RunningRelay) async throws -> Void
  ) async throws {
    let file = try write(
      "relay-\(UUID().uuidString).toml", Self.relaySettings(bootstrap: bootstrap, http: http, tables: tables))
    let relay = try await startRelay(file)
    defer { relay.command.kill() }
    try await body(relay)
    relay.command.terminate()
    let outcome = await relay.command.end()
    #expect(outcome.status == 0 && outcome.errors.contains("relay.stopped"), "\(outcome.errors)")
  }
}
