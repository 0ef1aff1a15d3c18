import Addresses
import EventLoops
import Testing

@testable import HTTP

/// A URL on a server of a test.
private func url(_ endpoint: Endpoint, _ target: String) throws -> HTTPURL {
  try #require(HTTPURL("http://\(endpoint)\(target)"))
}

@Suite("HTTP client")
struct HTTPClientTests {
  private static let echo: HTTPHandler = { request in
    switch request.target.path {
    case "/redirect": return HTTPResponse(302, fields: [.location: "/target?x=1"])
    case "/post-redirect": return HTTPResponse(303, fields: [.location: "/target"])
    case "/kept-redirect": return HTTPResponse(307, fields: [.location: "target"])
    case "/loop": return HTTPResponse(302, fields: [.location: "/loop"])
    case "/elsewhere": return HTTPResponse(302, fields: [.location: "gopher://x/"])
    case "/hang":
      try await request.context.eventLoop?.sleep(for: .seconds(600))
      return HTTPResponse(.ok)
    case "/chunks":
      return HTTPResponse(
        .ok, body: .stream { writer in for index in 0..<100 { try await writer.write("\(index)\n") } })
    case "/stall":
      let loop = request.context.eventLoop
      return HTTPResponse(
        .ok,
        body: .stream(length: 10) { writer in
          try await writer.write("abc")
          try await loop?.sleep(for: .seconds(600))
        })
    default:
      let body = try await request.body.collect(upTo: 1 << 24)
      var response = HTTPResponse.text("\(request.method) \(request.target) \(String(decoding: body, as: UTF8.self))")
      response.fields.append("x-peer", request.context.peer?.description ?? "")
      response.fields.append("x-authorization", request.fields["authorization"] ?? "none")
      return response
    }
  }

  private func withClient(
    _ configure: (inout HTTPClientConfiguration) -> Void = { _ in },
    _ body: (HTTPClient, HTTPServer, Endpoint) async throws -> Void
  ) async throws {
    try await withServer(handler: Self.echo) { server, endpoint in
      var configuration = HTTPClientConfiguration()
      // As in `withServer`: no server of a test is too slow unless it means to be.
      configuration.connectTimeout = .seconds(600)
      configuration.headTimeout = .seconds(600)
      configuration.bodyTimeout = .seconds(600)
      configure(&configuration)
      try await body(try HTTPClient(configuration), server, endpoint)
    }
  }

  private func text(_ response: HTTPClientResponse) async throws -> String {
    String(decoding: try await response.body.collect(upTo: 1 << 24), as: UTF8.self)
  }

  @Test("a request is answered, and the next one uses the same connection")
  func keepAlive() async throws {
    try await withClient { client, server, endpoint in
      var peers: Set<String> = []
      for index in 0..<5 {
        let response = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/\(index)")))
        #expect(response.status == .ok)
        peers.insert(response.fields["x-peer"] ?? "")
        #expect(try await text(response) == "GET /\(index) ")
      }
      #expect(peers.count == 1)
      #expect(await server.statistics().acceptedConnections == 1)
    }
  }

  @Test("bodies are sent whole or as they are made")
  func bodies() async throws {
    try await withClient { client, _, endpoint in
      let whole = try await client.send(
        HTTPClientRequest(.put, try url(endpoint, "/"), body: .bytes(Array("whole".utf8))))
      #expect(try await text(whole) == "PUT / whole")
      let pieces: HTTPBody = .stream { writer in for index in 0..<1000 { try await writer.write("\(index % 10)") } }
      let streamed = try await client.send(HTTPClientRequest(.post, try url(endpoint, "/"), body: pieces))
      #expect(try await text(streamed) == "POST / " + String(repeating: "0123456789", count: 100))
      let large: HTTPBody = .stream(length: 8 << 20) { writer in
        for _ in 0..<128 { try await writer.write([UInt8](repeating: 0x61, count: 65536)) }
      }
      let answered = try await client.send(HTTPClientRequest(.put, try url(endpoint, "/"), body: large))
      #expect(try await text(answered).utf8.count == 6 + 8 << 20)
    }
  }

  @Test("a response is read piece by piece, and one that is let go closes its connection")
  func streaming() async throws {
    try await withClient { client, server, endpoint in
      let response = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/chunks")))
      #expect(try await text(response) == (0..<100).map { "\($0)\n" }.joined())
      do {
        let unread = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/stall")))
        #expect(try await unread.body.read() == Array("abc".utf8))
      }
      while await server.statistics().openConnections > 0 { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  @Test("a body whose last bytes came before anybody read ends all the same, in both directions")
  func readLate() async throws {
    let slow: HTTPHandler = { request in
      try await Task.sleep(for: .milliseconds(30))
      return HTTPResponse(.ok, body: .bytes(try await request.body.collect(upTo: 1 << 20)))
    }
    try await withServer(handler: slow) { _, endpoint in
      let client = try HTTPClient()
      for count in [65_000, 65_536, 70_000, 100_000, 131_072, 140_000, 200_000] {
        let body = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        let response = try await client.send(HTTPClientRequest(.put, try url(endpoint, "/"), body: .bytes(body)))
        try await Task.sleep(for: .milliseconds(30))
        #expect(try await response.body.collect(upTo: 1 << 20) == body)
      }
    }
  }

  @Test("redirects are followed with the right method, bounded, and never to other schemes")
  func redirects() async throws {
    try await withClient { client, _, endpoint in
      let followed = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/redirect")))
      #expect(followed.url.target.description == "/target?x=1")
      #expect(try await text(followed) == "GET /target?x=1 ")
      let post = HTTPClientRequest(.post, try url(endpoint, "/post-redirect"), body: .bytes([0x61]))
      #expect(try await text(try await client.send(post)) == "GET /target ")
      let kept = HTTPClientRequest(.put, try url(endpoint, "/kept-redirect"), body: .bytes([0x61]))
      #expect(try await text(try await client.send(kept)) == "PUT /target a")
      await #expect(throws: HTTPError.badRedirect("more than 5 of them")) {
        try await client.send(HTTPClientRequest(.get, try url(endpoint, "/loop")))
      }
      await #expect(throws: HTTPError.self) {
        try await client.send(HTTPClientRequest(.get, try url(endpoint, "/elsewhere")))
      }
    }
  }

  @Test("another host is not told what was meant for the first one")
  func credentials() async throws {
    try await withServer(handler: Self.echo) { _, second in
      try await withServer(handler: { _ in HTTPResponse(302, fields: [.location: "http://\(second)/x"]) }) { _, first in
        let client = try HTTPClient()
        let fields: HTTPFields = ["authorization": "secret"]
        let response = try await client.send(HTTPClientRequest(.get, try url(first, "/"), fields: fields))
        #expect(response.fields["x-authorization"] == "none")
      }
    }
  }

  @Test("a server that does not answer, or stops in the middle, costs no more than the time allowed")
  func timeouts() async throws {
    try await withClient({
      $0.headTimeout = .milliseconds(50)
      $0.bodyTimeout = .milliseconds(50)
    }) { client, _, endpoint in
      await #expect(throws: HTTPError.timedOut) {
        try await client.send(HTTPClientRequest(.get, try url(endpoint, "/hang")))
      }
      let response = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/stall")))
      await #expect(throws: HTTPError.timedOut) { try await response.body.collect(upTo: 100) }
    }
    try await withClient { client, _, endpoint in
      await #expect(throws: HTTPError.timedOut) {
        _ = try await client.fetch(
          HTTPClientRequest(.get, try url(endpoint, "/stall")), upTo: 100, timeout: .milliseconds(50))
      }
    }
  }

  @Test("a body that is longer than allowed is not read")
  func bodyLimit() async throws {
    try await withClient { client, _, endpoint in
      await #expect(throws: HTTPError.tooLarge(limit: 10)) {
        _ = try await client.fetch(
          HTTPClientRequest(.get, try url(endpoint, "/chunks")), upTo: 10, timeout: .seconds(60))
      }
      await #expect(throws: HTTPError.tooLarge(limit: 3)) {
        _ = try await client.fetch(HTTPClientRequest(.get, try url(endpoint, "/long")), upTo: 3, timeout: .seconds(60))
      }
    }
  }

  @Test("cancelling the task ends the request")
  func cancellation() async throws {
    try await withClient { client, server, endpoint in
      let target = try url(endpoint, "/hang")
      let task = Task { try await client.send(HTTPClientRequest(.get, target)) }
      while await server.statistics().requests == 0 { try await Task.sleep(for: .milliseconds(5)) }
      task.cancel()
      await #expect(throws: HTTPError.connectionClosed) { try await task.value }
      while await server.statistics().abandonedRequests == 0 { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  @Test("candidates are tried in order, and the error names what was wrong with each")
  func failOver() async throws {
    try await withServer(handler: Self.echo) { _, endpoint in
      var configuration = HTTPClientConfiguration()
      configuration.resolver = { url in
        let dead = HTTPRoute(Endpoint(.loopbackV4, port: 1), .plain)
        return url.host == "alive.test" ? [dead, HTTPRoute(endpoint, .plain)] : [dead]
      }
      let client = try HTTPClient(configuration)
      let response = try await client.send(HTTPClientRequest(.get, try #require(HTTPURL("http://alive.test/x"))))
      #expect(response.route.endpoint == endpoint)
      let error = await #expect(throws: HTTPError.self) {
        try await client.send(HTTPClientRequest(.get, try #require(HTTPURL("http://dead.test/x"))))
      }
      #expect(error?.description.contains("127.0.0.1:1") == true)
    }
  }

  @Test("a kept connection that the server has closed is replaced without the caller noticing")
  func staleConnection() async throws {
    let loop = try EventLoop(name: "stale")
    try loop.start()
    defer { loop.requestStop() }
    // Answers one request on each connection and closes it without saying so.
    let listener = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0))
    let sockets = LockedValue<[StreamSocket]>([])
    await loop.submit {
      try? listener.open(on: loop) { socket in
        sockets.withLock { $0.append(socket) }
        Task {
          let server = try await RawClient(adopting: socket)
          _ = try await server.read { $0.hasSuffix("\r\n\r\n") }
          try await server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
          socket.shutdownWriting()
        }
      }
    }
    let client = try HTTPClient()
    let endpoint = try #require(listener.localEndpoint)
    for _ in 0..<3 {
      let response = try await client.send(HTTPClientRequest(.get, try url(endpoint, "/")))
      #expect(try await text(response) == "ok")
    }
    #expect(sockets.withLock { $0.count } == 3)
    await loop.submit { listener.close() }
  }

  @Test(
    "answers that break the protocol are errors",
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
      "garbage\r\n\r\n", "",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA: \(String(repeating: "x", count: 70000))\r\n\r\n",
    ])
  func malformed(answer: String) async throws {
    let loop = try EventLoop(name: "malformed")
    try loop.start()
    defer { loop.requestStop() }
    let listener = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0))
    let sockets = LockedValue<[StreamSocket]>([])
    await loop.submit {
      try? listener.open(on: loop) { socket in
        _ = try? Array(answer.utf8).withUnsafeBytes { try socket.write($0) }
        socket.shutdownWriting()
        sockets.withLock { $0.append(socket) }
      }
    }
    let client = try HTTPClient()
    let endpoint = try #require(listener.localEndpoint)
    await #expect(throws: HTTPError.self) {
      _ = try await client.fetch(HTTPClientRequest(.get, try url(endpoint, "/")), upTo: 100, timeout: .seconds(60))
    }
    await loop.submit { listener.close() }
  }
}
