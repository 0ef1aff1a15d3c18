import Addresses
import Cryptography
import EventLoops
import TLS
import Testing

@testable import HTTP

@Suite("Where a client connects if there are several places")
struct ConnectionSearchTests {
  /// Accepts connections and never says a word.
  private final class SilentServer: Sendable {
    let endpoint: Endpoint
    private let loop: EventLoop
    private let listener: StreamListener
    private let sockets: AsyncStream<StreamSocket>

    init() async throws {
      loop = try EventLoop(name: "silent")
      try loop.start()
      listener = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0))
      endpoint = try #require(listener.localEndpoint)
      let (stream, continuation) = AsyncStream.makeStream(of: StreamSocket.self)
      sockets = stream
      let (loop, listener) = (loop, listener)
      try await loop.submit { Result { try listener.open(on: loop) { continuation.yield($0) } } }.get()
    }

    deinit { loop.requestStop() }

    /// True once the first connection that came was closed by the other end.
    func firstWasClosed() async throws -> Bool {
      for await socket in sockets {
        let peer = try await RawClient(adopting: socket)
        _ = try await peer.read { _ in false }
        return peer.hasEnded
      }
      return false
    }
  }

  private static let key = Ed25519.SecretKey(seed: [UInt8](repeating: 5, count: 32))!

  private func client(
    _ routes: [HTTPRoute], delay: Duration, _ configure: (inout HTTPClientConfiguration) -> Void = { _ in }
  ) throws -> HTTPClient {
    var configuration = HTTPClientConfiguration()
    configuration.connectTimeout = .seconds(600)
    configuration.attemptDelay = delay
    configuration.resolver = { _ in routes }
    configure(&configuration)
    return try HTTPClient(configuration)
  }

  private let request = HTTPClientRequest(.get, HTTPURL("http://somewhere.test/")!)

  @Test(
    "a place that is silent holds up the next one only for a moment, and its connection is closed when another answers")
  func silentFirst() async throws {
    let silent = try await SilentServer()
    try await withServer(handler: { _ in .text("here") }) { _, endpoint in
      // The first would have to prove a key, and says nothing.
      let routes = [HTTPRoute(silent.endpoint, .rawKey(Self.key.publicKey)), HTTPRoute(endpoint, .plain)]
      let client = try client(routes, delay: .milliseconds(1))
      let response = try await client.send(request)
      #expect(response.status == .ok && response.route == routes[1])
      #expect(try await silent.firstWasClosed())
    }
  }

  @Test("a place that refuses makes room at once, however long the others would have to wait")
  func refusingFirst() async throws {
    try await withServer(handler: { _ in .text("here") }) { _, endpoint in
      let dead = HTTPRoute(Endpoint(.loopbackV4, port: 1), .plain)
      let client = try client([dead, dead, HTTPRoute(endpoint, .plain)], delay: .seconds(600))
      #expect(try await client.send(request).route.endpoint == endpoint)
    }
  }

  @Test("a later place is left alone if the first one answers in its time")
  func firstIsEnough() async throws {
    let asked = LockedValue(0)
    try await withServer(handler: { _ in .text("here") }) { _, endpoint in
      let client = try client([], delay: .seconds(600)) { configuration in
        configuration.routeSearch = { _ in
          AsyncThrowingStream {
            asked.withLock { $0 += 1 }
            return HTTPRoute(endpoint, .plain)
          }
        }
      }
      #expect(try await client.send(request).status == .ok)
      #expect(asked.withLock { $0 } == 1)
    }
  }

  @Test("cancelling ends all attempts, the search for further places too")
  func cancelled() async throws {
    let silent = try await SilentServer()
    let isSearching = Signal()
    let endpoint = silent.endpoint
    let first = LockedValue(true)
    let client = try client([], delay: .milliseconds(1)) { configuration in
      configuration.routeSearch = { _ in
        AsyncThrowingStream {
          let isFirst = first.withLock { first in
            defer { first = false }
            return first
          }
          if isFirst { return HTTPRoute(endpoint, .rawKey(Self.key.publicKey)) }
          isSearching.happen()
          try await Task.sleep(for: .seconds(600))
          return nil
        }
      }
    }
    let sending = Task { [request] in try await client.send(request) }
    await isSearching.wait()
    sending.cancel()
    await #expect(throws: HTTPError.connectionClosed) { try await sending.value }
    #expect(try await silent.firstWasClosed())
  }

  @Test(
    "a redirect does not lead from an encrypted connection to one that is not, also if the address began with http:")
  func downgrade() async throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(rawKey: Self.key, applicationProtocols: ["http/1.1"]))
    let hasBeenAsked = LockedValue(false)
    let plain: HTTPHandler = { _ in
      hasBeenAsked.withLock { $0 = true }
      return .text("plain")
    }
    let secret: HTTPHandler = { request in
      request.target.path == "/away"
        ? HTTPResponse(307, fields: [.location: "http://plain.test/"])
        : request.target.path == "/stay"
          ? HTTPResponse(307, fields: [.location: "http://key.test/end"]) : .text("\(request.target.path)")
    }
    try await withServer(handler: plain) { _, plainEndpoint in
      try await withServer(tls: context, handler: secret) { _, endpoint in
        let client = try client([], delay: .seconds(600)) { configuration in
          configuration.resolver = { url in
            url.host == "key.test"
              ? [HTTPRoute(endpoint, .rawKey(Self.key.publicKey))] : [HTTPRoute(plainEndpoint, .plain)]
          }
        }
        for target in ["/away", "/away"] {
          let url = try #require(HTTPURL("http://key.test\(target)"))
          await #expect(throws: HTTPError.badRedirect("from an encrypted connection to one that is not")) {
            try await client.send(HTTPClientRequest(.post, url, body: .bytes(Array("secret".utf8))))
          }
        }
        #expect(!hasBeenAsked.withLock { $0 })
        let stayed = try await client.send(HTTPClientRequest(.get, try #require(HTTPURL("http://key.test/stay"))))
        #expect(stayed.status == .ok && stayed.url.description == "http://key.test/end")
        // A kept connection without encryption is no way out.
        let direct = try await client.send(HTTPClientRequest(.get, try #require(HTTPURL("http://plain.test/"))))
        _ = try await direct.body.collect(upTo: 100)
        hasBeenAsked.withLock { $0 = false }
        await #expect(throws: HTTPError.self) {
          try await client.send(HTTPClientRequest(.get, try #require(HTTPURL("http://key.test/away"))))
        }
        #expect(!hasBeenAsked.withLock { $0 })
      }
    }
  }
}
