import Addresses
import EventLoops
import Glibc
import Testing

@testable import HTTP

/// Says what it was asked.
private let echo: HTTPHandler = { request in
  let body = try await request.body.collect(upTo: 1 << 20)
  return .text(
    "\(request.method) \(request.target) \(body.count)\(body.isEmpty ? "" : " ")\(String(decoding: body, as: UTF8.self))"
  )
}

@Suite("HTTP/1.1 server")
struct HTTP1ServerTests {
  @Test("one connection serves one request after the other, until it is told to close")
  func keepAlive() async throws {
    try await withServer(handler: echo) { server, endpoint in
      let client = try await RawClient(endpoint)
      let first = try await client.exchange("GET /one HTTP/1.1\r\nHost: x\r\n\r\n", until: "GET /one 0")
      #expect(first.hasPrefix("HTTP/1.1 200 OK\r\n"))
      #expect(first.contains("content-length: 10\r\n") && first.contains("\r\ndate: "))
      #expect(!first.contains("connection:"))
      let second = try await client.exchange(
        "GET /two?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until: "/two?x=1 0")
      #expect(second.contains("connection: close\r\n"))
      #expect(try await client.readToEnd().isEmpty)
      #expect(await server.statistics().requests == 2)
    }
  }

  @Test("requests sent in one go are answered in order, each body where it belongs")
  func pipelining() async throws {
    try await withServer(handler: echo) { _, endpoint in
      let client = try await RawClient(endpoint)
      let text = try await client.exchange(
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPUT /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
          + "PUT /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
          + "GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until: "GET /4 0")
      let bodies = text.components("\r\n\r\n").dropFirst().map { $0.components("HTTP/1.1")[0] }
      #expect(bodies == ["GET /1 0", "PUT /2 5 hello", "PUT /3 5 abcde", "GET /4 0"])
    }
  }

  @Test("a request that comes byte by byte is a request")
  func byteByByte() async throws {
    try await withServer(handler: echo) { _, endpoint in
      let client = try await RawClient(endpoint)
      for byte in "PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc".utf8 { try await client.send([byte]) }
      #expect(try await client.read { $0.hasSuffix("abc") }.hasSuffix("PUT /x 3 abc"))
    }
  }

  @Test("a dispatcher answers without a task, with a stream too, or names the handler that does")
  func dispatcher() async throws {
    try await withServer(dispatcher: { request in
      #expect(withUnsafeCurrentTask { $0 == nil })
      return switch request.target.path {
      case "/ready": .response(.text("ready"))
      case "/stream": .response(HTTPResponse(.ok, body: .stream { try await $0.write("stream") }))
      default: .handler(echo)
      }
    }) { server, endpoint in
      let client = try await RawClient(endpoint)
      let requests = ["GET /ready", "HEAD /ready", "GET /stream", "GET /other", "GET /ready"]
      let text = try await client.exchange(
        requests.map { "\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined()
          + "PUT /last HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nend", until: "PUT /last 3 end")
      let bodies = text.components("\r\n\r\n").dropFirst().map { $0.components("HTTP/1.1")[0] }
      #expect(bodies == ["ready", "", "6\r\nstream\r\n0", "", "GET /other 0", "ready", "PUT /last 3 end"])
      #expect(await server.statistics().requests == 6)
    }
  }

  @Test("pipelined requests wait for a handler that waits")
  func slowHandler() async throws {
    let gate = Signpost()
    try await withServer(handler: { request in
      if request.target.path == "/slow" { await gate.reached() }
      return .text(request.target.path)
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      try await client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
      // Another connection is served meanwhile.
      let other = try await RawClient(endpoint)
      #expect(try await other.exchange("GET /other HTTP/1.1\r\nHost: x\r\n\r\n", until: "/other").contains("200 OK"))
      await gate.raise()
      let text = try await client.read { $0.hasSuffix("/fast") }
      #expect(try #require(text.firstIndex(of: "/slow")) < #require(text.firstIndex(of: "/fast")))
    }
  }

  @Test("HEAD is answered with the length and without the body")
  func head() async throws {
    try await withServer(handler: { _ in .text("hello") }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let text = try await client.exchange("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until: "never")
      #expect(text.contains("content-length: 5\r\n") && text.hasSuffix("\r\n\r\n"))
    }
  }

  @Test("statuses without a body have none", arguments: [204, 304])
  func bodiless(status: Int) async throws {
    try await withServer(handler: { _ in HTTPResponse(HTTPStatus(status), body: .empty) }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let text = try await client.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until: "never")
      #expect(text.hasPrefix("HTTP/1.1 \(status) ") && text.hasSuffix("\r\n\r\n"))
      #expect(!text.contains("transfer-encoding") && !text.contains("content-length: 0"))
    }
  }

  @Test("a body of unknown length is sent in chunks, and to HTTP/1.0 until the connection closes")
  func streaming() async throws {
    try await withServer(handler: { _ in
      HTTPResponse(
        .ok,
        body: .stream { writer in
          try await writer.write("one ")
          try await writer.write("two")
        })
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let chunked = try await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "0\r\n\r\n")
      #expect(chunked.hasSuffix("\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n"))
      let old = try await RawClient(endpoint)
      let plain = try await old.exchange("GET / HTTP/1.0\r\n\r\n", until: "never")
      #expect(plain.hasSuffix("\r\n\r\none two") && !plain.contains("chunked"))
    }
  }

  @Test("a handler that writes too little, too much or throws does not pass for complete")
  func brokenStreams() async throws {
    struct Failure: Error {}
    try await withServer(handler: { request in
      HTTPResponse(
        .ok,
        body: .stream(length: request.target.path == "/throws" ? nil : 5) { writer in
          switch request.target.path {
          case "/short": try await writer.write("abc")
          case "/long": try await writer.write("abcdefgh")
          default:
            try await writer.write("abc")
            throw Failure()
          }
        })
    }) { _, endpoint in
      for path in ["/short", "/long", "/throws"] {
        let client = try await RawClient(endpoint)
        let text = try await client.exchange("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n", until: "never")
        #expect(!text.hasSuffix("0\r\n\r\n") && !text.contains("abcdef"), "\(path): \(text)")
      }
    }
  }

  @Test("a client that waits for permission to send gets it when the handler reads, and only then")
  func expectContinue() async throws {
    try await withServer(handler: { request in
      if request.target.path == "/no" { throw HTTPRefusal(.forbidden, "no") }
      return try await echo(request)
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let head = "Host: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
      #expect(
        try await client.exchange("PUT /yes HTTP/1.1\r\n" + head, until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
      #expect(try await client.exchange("ok", until: "2 ok").hasSuffix("PUT /yes 2 ok"))
      let refused = try await client.exchange("PUT /no HTTP/1.1\r\n" + head, until: "never")
      #expect(refused.hasPrefix("HTTP/1.1 403 Forbidden\r\n") && refused.contains("connection: close\r\n"))
      // Who sends without waiting is not told, and keeps the connection.
      let eager = try await RawClient(endpoint)
      for _ in 0..<2 {
        let answer = try await eager.exchange("PUT /yes HTTP/1.1\r\n" + head + "ok", until: "2 ok")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && !answer.contains("connection: close"))
      }
    }
  }

  @Test("a handler finds what came along with the head, be it the whole body, a part of it or one that is malformed")
  func bodyBesideHead() async throws {
    let begun = Signpost()
    try await withServer(handler: { request in
      let ready = request.body.pipe.bufferedBytes
      if request.target.path == "/part" { await begun.raise() }
      let body = try await request.body.collect(upTo: 100)
      return .text("\(ready) of \(body.count)")
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let whole = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nwhole"
      try await client.send(whole + whole)
      _ = try await client.read { $0.ranges(of: "5 of 5").count == 2 }
      #expect(try await Self.put(endpoint, "/", Self.chunks(3)).hasSuffix("15 of 15"))
      try await client.send("PUT /part HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\na part")
      await begun.reached()
      #expect(try await client.exchange("...", until: "of 9").hasSuffix("6 of 9"))
      let broken = try await Self.put(endpoint, "/", "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nzz\r\n")
      #expect(broken.hasPrefix("HTTP/1.1 400 "))
    }
  }

  private static func put(_ endpoint: Endpoint, _ path: String, _ rest: String) async throws -> String {
    let client = try await RawClient(endpoint)
    return try await client.exchange("PUT \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\(rest)", until: "never")
  }

  private static func chunks(_ count: Int) -> String {
    "Transfer-Encoding: chunked\r\n\r\n" + String(repeating: "5\r\nabcde\r\n", count: count) + "0\r\n\r\n"
  }

  @Test("a body that is too long is refused: announced, chunked, or beyond what the route allows")
  func bodyLimits() async throws {
    var router = HTTPRouter()
    router.on(.put, "/small", bodyLimit: 10) { request, _ in try await echo(request) }
    router.on(.put, "/any") { request, _ in
      var count = 0
      for try await piece in request.body { count += piece.count }
      return .text("\(count)")
    }
    try await withServer(configure: { $0.maximumBodyBytes = 1000 }, handler: router.handler) {
      (_, endpoint) async throws in
      #expect(try await Self.put(endpoint, "/small", "Content-Length: 10\r\n\r\n0123456789").hasPrefix("HTTP/1.1 200"))
      #expect(try await Self.put(endpoint, "/small", "Content-Length: 11\r\n\r\n0123456789a").hasPrefix("HTTP/1.1 413"))
      #expect(try await Self.put(endpoint, "/small", Self.chunks(2)).hasPrefix("HTTP/1.1 200"))
      #expect(try await Self.put(endpoint, "/small", Self.chunks(3)).hasPrefix("HTTP/1.1 413"))
      #expect(try await Self.put(endpoint, "/any", "Content-Length: 1001\r\n\r\n").hasPrefix("HTTP/1.1 413"))
      #expect(try await Self.put(endpoint, "/any", Self.chunks(200)).hasSuffix("1000"))
      #expect(try await Self.put(endpoint, "/any", Self.chunks(201)).hasPrefix("HTTP/1.1 413"))
    }
  }

  @Test("what a handler throws is answered: a refusal as it says, anything else with 500 and told to the operator")
  func errors() async throws {
    struct Failure: Error {}
    let told = LockedValue(0)
    try await withServer(
      onError: { _, _ in told.withLock { $0 += 1 } },
      handler: { request in
        if request.target.path == "/refused" { throw HTTPRefusal(.conflict, "older") }
        throw Failure()
      }
    ) { _, endpoint in
      let client = try await RawClient(endpoint)
      #expect(
        try await client.exchange("GET /refused HTTP/1.1\r\nHost: x\r\n\r\n", until: "older").hasPrefix("HTTP/1.1 409"))
      #expect(
        try await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "Error\r\n").hasPrefix("HTTP/1.1 500"))
      #expect(told.withLock { $0 } == 1)
    }
  }

  @Test(
    "malformed requests are refused and the connection closed",
    arguments: [
      "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n", "GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/3.0\r\nHost: x\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n",
    ])
  func malformed(text: String) async throws {
    try await withServer(handler: echo) { server, endpoint in
      let client = try await RawClient(endpoint)
      let answer = try await client.exchange(text + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", until: "never")
      #expect(answer.hasPrefix("HTTP/1.1 4") || answer.hasPrefix("HTTP/1.1 5"), "\(answer)")
      #expect(!answer.contains("smuggled"))
      #expect(await server.statistics().malformedRequests == 1)
    }
  }

  @Test("a head that is too large is refused")
  func largeHead() async throws {
    try await withServer(handler: echo) { _, endpoint in
      let client = try await RawClient(endpoint)
      let answer = try await client.exchange(
        "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 1 << 20))\r\n\r\n", until: "never")
      #expect(answer.hasPrefix("HTTP/1.1 431") || answer.isEmpty)
    }
  }

  @Test("a megabyte each way passes, however slowly the client reads")
  func largeBodies() async throws {
    try await withServer(handler: { request in
      HTTPResponse(
        .ok,
        body: .stream(length: request.body.announcedLength) { writer in
          for try await piece in request.body { try await writer.write(piece) }
        })
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let body = String(repeating: "0123456789abcdef", count: 1 << 16)
      try await client.send(
        "PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n")
      // Sent from another thread, since the server will not take it all before some of the answer is read.
      let socket = client.socket
      let sending = Task.detached {
        var rest = Array(body.utf8)[...]
        while !rest.isEmpty {
          let written = try Array(rest.prefix(65536)).withUnsafeBytes { try socket.write($0) }
          if let written { rest = rest.dropFirst(written) } else { try await Task.sleep(for: .milliseconds(1)) }
        }
      }
      let answer = try await client.readToEnd()
      try await sending.value
      #expect(answer.hasSuffix("\r\n\r\n" + body))
    }
  }

  @Test("the handler is cancelled when its client goes")
  func cancellation() async throws {
    let started = Signpost()
    let cancelled = Signpost()
    try await withServer(handler: { request in
      await started.raise()
      do {
        try await request.context.eventLoop?.sleep(for: .seconds(600))
      } catch {
        await cancelled.raise()
      }
      return HTTPResponse(.ok)
    }) { server, endpoint in
      let client = try await RawClient(endpoint)
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      await started.reached()
      client.socket.close()
      await cancelled.reached()
      #expect(await server.statistics().abandonedRequests == 1)
    }
  }

  @Test("who writes a stream is told when its client goes")
  func streamCancellation() async throws {
    let ended = Signpost()
    try await withServer(handler: { _ in
      ServerSentEvents.response { events in
        do {
          while true { try await events.send("tick", name: "clock") }
        } catch {
          await ended.raise()
          throw error
        }
      }
    }) { _, endpoint in
      let client = try await RawClient(endpoint)
      let text = try await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "data: tick\n\n")
      #expect(text.contains("content-type: text/event-stream\r\n") && text.contains("event: clock\n"))
      client.socket.close()
      await ended.reached()
    }
  }

  @Test(
    "slow clients are cut off: in the head, in the body, between requests, and when they do not read",
    arguments: [
      "GET / HTTP/1.1\r\nHo", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", "",
      "GET /large HTTP/1.1\r\nHost: x\r\n\r\n",
    ])
  func timeouts(text: String) async throws {
    try await withServer(
      configure: {
        $0.timeouts.head = .milliseconds(50)
        $0.timeouts.body = .milliseconds(50)
        $0.timeouts.idle = .milliseconds(50)
        $0.timeouts.write = .milliseconds(50)
      },
      handler: { request in
        if request.target.path == "/large" {
          return HTTPResponse(
            .ok,
            body: .stream { writer in
              while true { try await writer.write([UInt8](repeating: 0, count: 65536)) }
            })
        }
        return try await echo(request)
      }
    ) { server, endpoint in
      let client = try await RawClient(endpoint)
      try await client.send(text)
      while await server.statistics().timedOutConnections == 0 { try await Task.sleep(for: .milliseconds(10)) }
      let answer = try await client.readToEnd()
      if text.hasPrefix("GET / ") || text.hasPrefix("PUT") { #expect(answer.hasPrefix("HTTP/1.1 408")) }
    }
  }

  @Test("over the limit an idle connection makes room, and when none idles the new one is refused")
  func connectionLimit() async throws {
    let gate = Signpost()
    try await withServer(
      configure: { $0.maximumConnections = 2 },
      handler: { request in
        if request.target.path == "/wait" { await gate.reached() }
        return .text("done")
      }
    ) { server, endpoint in
      let busy = try await RawClient(endpoint)
      try await busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      let idle = try await RawClient(endpoint)
      #expect(try await idle.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "done").hasSuffix("done"))
      let third = try await RawClient(endpoint)
      try await third.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await idle.readToEnd().isEmpty)
      while await server.statistics().requests < 3 { try await Task.sleep(for: .milliseconds(5)) }
      let fourth = try await RawClient(endpoint)
      #expect(try await fourth.readToEnd().isEmpty)
      #expect(await server.statistics().refusedConnections == 1)
      await gate.raise()
      #expect(try await busy.read { $0.hasSuffix("done") }.hasSuffix("done"))
      #expect(try await third.read { $0.hasSuffix("done") }.hasSuffix("done"))
    }
  }

  @Test("one address has no more connections than it may")
  func connectionsPerAddress() async throws {
    try await withServer(configure: { $0.maximumConnectionsPerAddress = 1 }, handler: echo) { _, endpoint in
      let first = try await RawClient(endpoint)
      #expect(try await first.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "GET / 0").contains("200"))
      let second = try await RawClient(endpoint)
      #expect(try await second.readToEnd().isEmpty)
      #expect(
        try await first.exchange("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", until: "never").contains(
          "200"))
    }
  }

  @Test("a shutdown lets a request end and closes the others")
  func shutdown() async throws {
    let started = Signpost()
    let gate = Signpost()
    try await withServer(handler: { _ in
      await started.raise()
      await gate.reached()
      return .text("last words")
    }) { server, endpoint in
      let idle = try await RawClient(endpoint)
      let busy = try await RawClient(endpoint)
      try await busy.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      await started.reached()
      async let ended: Void = server.shutdown(grace: .seconds(60))
      #expect(try await idle.readToEnd().isEmpty)
      await gate.raise()
      let text = try await busy.readToEnd()
      #expect(text.hasSuffix("last words") && text.contains("connection: close\r\n"))
      await ended
      let late = try StreamSocket(connectingTo: endpoint)
      var entry = pollfd(fd: late.descriptor, events: Int16(POLLOUT), revents: 0)
      _ = poll(&entry, 1, 10_000)
      #expect(late.connectionError?.code == ECONNREFUSED)
    }
  }

  @Test("a shutdown cuts off what does not end in time")
  func impatientShutdown() async throws {
    let started = Signpost()
    try await withServer(handler: { request in
      await started.raise()
      try await request.context.eventLoop?.sleep(for: .seconds(600))
      return HTTPResponse(.ok)
    }) { server, endpoint in
      let client = try await RawClient(endpoint)
      try await client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
      await started.reached()
      await server.shutdown(grace: .milliseconds(20))
      #expect(try await client.readToEnd().isEmpty)
    }
  }

  @Test("handlers may leave the loop and come back")
  func handlerElsewhere() async throws {
    try await withServer(
      loops: 2,
      handler: { request in
        let body = try await Task.detached { try await request.body.collect(upTo: 100) }.value
        return HTTPResponse(
          .ok,
          body: .stream { writer in
            try await Task.detached { try await writer.write(body) }.value
          })
      }
    ) { _, endpoint in
      for _ in 0..<20 {
        let client = try await RawClient(endpoint)
        try await client.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe")
        #expect(try await client.exchange("llo", until: "0\r\n\r\n").contains("5\r\nhello\r\n"))
      }
    }
  }

  @Test("a Unix socket is served like a port")
  func unixSocket() async throws {
    let path = "/tmp/http-server-\(getpid()).socket"
    try await withServer(
      configure: { $0.addresses.append(.unix(path: path)) },
      handler: { request in
        .text("\(request.context.peer == nil)")
      }
    ) { _, _ in
      let client = try await RawClient(adopting: StreamSocket(connectingToPath: path))
      #expect(try await client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n", until: "true").hasPrefix("HTTP/1.1 200"))
    }
  }
}

extension String {
  /// The parts between a separator.
  func components(_ separator: String) -> [String] {
    var parts: [String] = []
    var rest = self[...]
    while let range = rest.firstRange(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }

  /// Where a text begins.
  func firstIndex(of text: String) -> Index? { firstRange(of: text)?.lowerBound }
}
