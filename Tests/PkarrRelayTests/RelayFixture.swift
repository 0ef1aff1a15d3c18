import Addresses
import EventLoops
import Foundation
import HTTP
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import Testing
import TLS

@testable import PkarrRelay

/// Runs a body with a relay on a private network, and a client of it; stops both afterwards.
func withRelay(
  nodes: Int = 5, logger: Logger = .silent, configure: (inout RelayConfiguration) -> Void = { _ in },
  _ body: (RelayServer, RelayClientFixture) async throws -> Void
) async throws {
  let testnet = try await Testnet(nodes: nodes)
  let relay = RelayServer.test(on: testnet, options: testOptions(logger)) { configuration in
    // A busy machine is not a dead one.
    configuration.mainline.requestTimeout = .seconds(2)
    configuration.http.threads = 2
    configuration.cache.size = 1000
    configure(&configuration)
  }
  do {
    try await relay.start()
    let client = try RelayClientFixture(relay)
    try await body(relay, client)
  } catch {
    await relay.shutdown()
    await testnet.stop()
    throw error
  }
  await relay.shutdown()
  await testnet.stop()
}

func testOptions(_ logger: Logger = .silent) -> RelayServer.Options {
  var options = RelayServer.Options()
  options.version = "0.0.0-test"
  options.makeLogger = { _ in logger }
  return options
}

/// A client that asks one relay.
struct RelayClientFixture {
  let client: HTTPClient
  let base: HTTPURL

  init(_ relay: RelayServer, tls: TLSClientConfiguration = TLSClientConfiguration(trust: .rawKeysOnly)) throws {
    try self.init(relay.localEndpoints[0], tls: tls)
  }

  init(
    _ endpoint: Endpoint, scheme: HTTPURL.Scheme = .http,
    tls: TLSClientConfiguration = TLSClientConfiguration(trust: .rawKeysOnly)
  ) throws {
    var configuration = HTTPClientConfiguration()
    configuration.tls = tls
    client = try HTTPClient(configuration)
    base = HTTPURL(scheme: scheme, host: "\(endpoint.address)", port: endpoint.port)
  }

  func request(_ method: HTTPMethod, _ target: String, fields: HTTPFields = [:], body: [UInt8]? = nil)
    -> HTTPClientRequest
  {
    var url = base
    url.target = HTTPTarget(target)
    return HTTPClientRequest(method, url, fields: fields, body: body.map { .bytes($0) } ?? .empty)
  }

  @discardableResult
  func send(
    _ method: HTTPMethod, _ target: String, fields: HTTPFields = [:], body: [UInt8]? = nil
  ) async throws -> (status: HTTPStatus, fields: HTTPFields, body: [UInt8]) {
    let (response, body) = try await client.fetch(
      request(method, target, fields: fields, body: body), upTo: 1 << 20, timeout: .seconds(60))
    return (response.status, response.fields, body)
  }

  func put(_ packet: SignedPacket) async throws -> (status: HTTPStatus, fields: HTTPFields, body: [UInt8]) {
    try await send(.put, "/\(packet.publicKey)", body: packet.relayPayload)
  }

  func get(_ key: PublicKey, _ query: String = "") async throws -> (
    status: HTTPStatus, fields: HTTPFields, body: [UInt8]
  ) {
    try await send(.get, "/\(key)\(query)")
  }
}

/// A directory that goes when it is released.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "/relay-test-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A packet that could be published now.
func makePacket(_ keypair: Keypair, _ text: String = "value", ttl: TimeToLive = 600) throws -> SignedPacket {
  try SignedPacket(signedBy: keypair) { TXT("_test", text, ttl: ttl) }
}
