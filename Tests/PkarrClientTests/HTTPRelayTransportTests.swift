import Addresses
import EventLoops
import HTTP
import Pkarr
import Testing

@testable import PkarrClient

/// A relay in memory behind a server of HTTP on loopback.
final class ServedRelay: Sendable {
  let relay: MemoryRelay
  let server: HTTPServer
  private let loop: EventLoop

  /// Serves below `/base`; `intercept` may answer in the relay's place.
  init(intercept: @escaping @Sendable (HTTPRequest) async -> HTTPResponse? = { _ in nil }) async throws {
    loop = try EventLoop(name: "relay")
    try loop.start()
    let relay = MemoryRelay("http://relay.example")
    self.relay = relay
    server = HTTPServer(HTTPServerConfiguration(Endpoint(.loopbackV4, port: 0)), on: [loop]) { request in
      if let response = await intercept(request) { return response }
      guard let segments = request.target.segments, segments.count == 2, segments[0] == "base",
        let key = try? PublicKey(parsing: segments[1])
      else { return HTTPResponse(HTTPStatus(400)) }
      let response = try await relay.answer(
        RelayRequest(
          request.method, "\(request.target)", fields: request.fields, body: request.body.collect(upTo: 2000),
          timeout: .zero, maximumBodyLength: 1104),
        key: key)
      return HTTPResponse(HTTPStatus(response.status), fields: response.fields, body: .bytes(response.body))
    }
    try await server.start()
  }

  deinit { loop.requestStop() }

  var url: RelayURL {
    get throws { try RelayURL("http://\(server.localEndpoints[0])/base/?tag=1") }
  }

  func stop() async { await server.shutdown(grace: .zero) }
}

@Suite("Relays over HTTP", .serialized)
struct HTTPRelayTransportTests {
  private let key = Samples.keypair.publicKey

  /// Runs a body with a relay and a client of it, and stops the relay afterwards.
  private func withRelay(
    intercept: @escaping @Sendable (HTTPRequest) async -> HTTPResponse? = { _ in nil },
    timeout: Duration = .seconds(30),
    _ body: (ServedRelay, RelayClient) async throws -> Void
  ) async throws {
    let served = try await ServedRelay(intercept: intercept)
    let client = RelayClient(try served.url, transport: HTTPRelayTransport(try HTTPClient()), timeout: timeout)
    do {
      try await body(served, client)
    } catch {
      await served.stop()
      throw error
    }
    await served.stop()
  }

  @Test("what is published over HTTP is found over HTTP")
  func roundTrip() async throws {
    try await withRelay { served, client in
      let packet = try Samples.packet(2_000_000_000)
      await #expect(throws: RelayError.notFound) { try await client.resolve(key) }
      #expect(try await client.publish(packet) == 7)
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: packet))
      await #expect(throws: RelayError.notFound) {
        try await client.resolve(key, newerThan: Timestamp(microseconds: 2_000_000_000))
      }
      await #expect(throws: RelayError.notMostRecent) { try await client.publish(try Samples.packet(1_000_000_000)) }
      let requests = served.relay.requests
      #expect(requests.map(\.url.description)[2] == "/base/\(key.z32)?tag=1&policy=NetworkOnly")
      #expect(requests[2].fields[.cacheControl] == "no-cache, no-store, must-revalidate")
      #expect(requests[1].body == packet.relayPayload)
    }
  }

  @Test("a client of relays needs nothing but their addresses")
  func wholeClient() async throws {
    let served = try await ServedRelay()
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    let url = try served.url
    configuration.relays = [url]
    configuration.requestTimeout = .seconds(30)
    let client = try await PkarrClient(configuration)
    let packet = try Samples.packet()
    #expect(try await client.publish(packet).storedNodes == 7)
    let found = try await client.resolution(of: key, policy: .networkOnly)
    #expect(found.packet.isSame(as: packet))
    #expect(found.source == .relay(url))
    await client.shutdown()
    await served.stop()
  }

  @Test("a long body is no answer, announced or not; that of a failure is left out")
  func longBodies() async throws {
    let long = [UInt8](repeating: 1, count: 5000)
    let answers = LockedValue<[HTTPResponse]>([
      HTTPResponse(.ok, body: .bytes(long)),
      HTTPResponse(.ok, body: .stream { writer in try await writer.write(long) }),
      HTTPResponse(HTTPStatus(404), body: .bytes(long)),
      HTTPResponse(HTTPStatus(503), body: .stream { writer in try await writer.write(long) }),
      HTTPResponse(HTTPStatus(404), fields: ["pkarr-invalid-signed-packet-seq": "5"], body: .bytes([1, 2])),
    ])
    try await withRelay(intercept: { _ in answers.withLock { $0.removeFirst() } }) { _, client in
      let expected: [RelayError] = [
        .bodyTooLarge, .bodyTooLarge, .notFound, .dhtUnavailable, .invalidSignedPacketSeq(5),
      ]
      for error in expected { await #expect(throws: error) { try await client.resolve(key) } }
    }
  }

  @Test("a redirect is followed")
  func redirect() async throws {
    let packet = try Samples.packet()
    let intercept: @Sendable (HTTPRequest) async -> HTTPResponse? = { request in
      guard request.target.path.hasPrefix("/base/") else {
        return HTTPResponse(.ok, body: .bytes(packet.relayPayload))
      }
      return HTTPResponse(HTTPStatus(307), fields: [.location: "/elsewhere"])
    }
    try await withRelay(intercept: intercept) { _, client in
      let found = try await client.resolve(key)
      #expect(found.isSame(as: packet))
    }
  }

  @Test("nobody at the other end is a failure that says so")
  func unreachable() async throws {
    let listener = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0))
    let endpoint = try #require(listener.localEndpoint)
    listener.close()
    let client = RelayClient(
      try RelayURL("http://\(endpoint)"), transport: HTTPRelayTransport(try HTTPClient()), timeout: .seconds(30))
    let error = await #expect(throws: RelayError.self) { try await client.resolve(key) }
    guard case .request(let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(!reason.isEmpty && error?.resolveError == .noResponses)
  }

  @Test("a relay that does not answer is given up, and a cancelled request ends")
  func silence() async throws {
    let gate = Gate()
    let silence: @Sendable (HTTPRequest) async -> HTTPResponse? = { _ in
      await gate.wait()
      return nil
    }
    try await withRelay(intercept: silence, timeout: .milliseconds(20)) { _, client in
      await #expect(throws: RelayError.timeout) { try await client.resolve(key) }
    }
    try await withRelay(intercept: silence) { _, client in
      let lookup = Task { await Result { () async throws(RelayError) in try await client.resolve(key) } }
      await eventually { gate.waiterCount >= 1 }
      lookup.cancel()
      #expect(await lookup.value == .failure(.cancelled))
    }
    gate.open()
  }
}
