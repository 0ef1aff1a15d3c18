import Testing

@testable import HTTP

@Suite("Responses over HTTP/2")
struct HTTP2ResponseTests {
  /// One request, answered at its end.
  private func response(
    _ method: String = "GET", body: [UInt8]? = nil, _ answer: @escaping (HTTP2Session, Int32) -> Void
  ) -> (response: HTTP2Client.Response, request: HTTP2Server.Request?) {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    server.onEnd = { server, id in answer(server.session, id) }
    let id = client.request(method, body: body)
    #expect(talk(client, server) == nil)
    return (client.responses[id]!, server.requests[id])
  }

  @Test("status, fields and body arrive; fields of a connection do not")
  func fields() {
    let (response, request) = response { session, id in
      session.respond(
        id, status: 404,
        fields: [
          "date": "now", "connection": "close", "keep-alive": "timeout=5", "proxy-connection": "x", "x-a": " spaced\t",
          "transfer-encoding": "chunked", "upgrade": "h2c", "te": "trailers", "x-b": "1", "x-empty": "  ",
        ], body: .bytes(Array("not here".utf8)))
    }
    #expect(response.status == 404 && response.text == "not here" && response.isEnded && response.closed == 0)
    #expect(response.names == ["date", "x-a", "x-b", "x-empty", "content-length"])
    #expect(response.fields["date"] == "now" && response.fields["x-a"] == "spaced" && response.fields["x-empty"] == "")
    #expect(response.fields["content-length"] == "8")
    #expect(request?.closed == 0)
  }

  @Test("the length of a body that is there is told right, whatever the fields say")
  func contentLength() {
    for length in [1, 9, 10, 99, 100, 12_345, 70_000] {
      let (response, _) = response { session, id in
        session.respond(
          id, status: .ok, fields: [.contentLength: "3"], body: .bytes([UInt8](repeating: 7, count: length)))
      }
      #expect(response.fields["content-length"] == "\(length)" && response.body.count == length)
      #expect(response.names == ["content-length"] && response.closed == 0)
    }
    let (empty, _) = response { $0.respond($1, status: .ok, fields: HTTPFields(), body: .bytes([])) }
    #expect(empty.fields["content-length"] == "0" && empty.isEnded && empty.closed == 0)
  }

  @Test(
    "HEAD, 204 and 304 have no body, whatever is given",
    arguments: [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 304)])
  func bodiless(method: String, status: Int) {
    let bodies: [HTTP2ResponseBody] = [.none, .bytes([1, 2, 3]), .stream]
    for body in bodies {
      let (response, request) = response(method) { session, id in
        session.respond(id, status: HTTPStatus(status), fields: [.contentLength: "3"], body: body)
        #expect(session.write(id, [UInt8](repeating: 1, count: 100_000)), "nobody waits for what is dropped")
        session.finish(id, trailers: ["a": "b"])
      }
      #expect(response.status == status && response.body.isEmpty && response.isEnded && response.closed == 0)
      #expect(response.trailers.isEmpty && request?.closed == 0)
      #expect(response.fields["content-length"] == (status == 204 ? nil : "3"))
    }
  }

  @Test("a body can be written piece by piece, before and after it is asked for, and end with trailers")
  func pieces() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    let id = client.request()
    talk(client, server)
    server.session.respond(id, status: .ok, fields: ["x": "y"], body: .stream)
    #expect(server.session.write(id, Array("hel".utf8)))
    #expect(server.session.write(id, []))
    talk(client, server)
    #expect(client.responses[id]?.text == "hel" && client.responses[id]?.isEnded == false)
    #expect(!server.session.wantsOutput && !server.session.hasBufferedData)
    #expect(server.session.write(id, Array("l".utf8)) && server.session.write(id, Array("o".utf8)))
    #expect(server.session.wantsOutput && server.session.hasBufferedData)
    talk(client, server)
    #expect(client.responses[id]?.text == "hello")
    server.session.finish(id, trailers: ["grpc-status": "0", "content-length": "9", "connection": "close"])
    #expect(server.session.write(id, Array("late".utf8)))
    talk(client, server)
    #expect(client.responses[id]?.text == "hello" && client.responses[id]?.isEnded == true)
    #expect(client.responses[id]?.trailers == ["grpc-status": "0"])
    #expect(server.requests[id]?.closed == 0 && client.responses[id]?.closed == 0)
    #expect(server.session.sentDataBytes == 5)
  }

  @Test("the end may come with the last bytes, alone, without any, and with trailers")
  func ends() {
    let bodies: [([String], HTTPFields)] = [
      (["all"], HTTPFields()), ([], HTTPFields()), ([], ["a": "b"]), (["x", "y"], ["a": "b"]),
    ]
    for (parts, trailers) in bodies {
      let (response, request) = response { session, id in
        session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
        for part in parts { #expect(session.write(id, Array(part.utf8))) }
        session.finish(id, trailers: trailers)
      }
      #expect(response.text == parts.joined() && response.isEnded && response.closed == 0)
      #expect(response.trailers["a"] == trailers["a"] && request?.closed == 0)
    }
  }

  @Test("a client that waits with its body is told to go on")
  func continues() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("got it"))
    server.onBegin = { server, id in
      server.session.inform(id)
      server.session.inform(id)
    }
    let id = client.request("POST", "/", [("expect", "100-continue")], isComplete: false)
    talk(client, server)
    #expect(client.responses[id]?.interim == [100, 100] && client.responses[id]?.status == nil)
    client.send(id, Array("body".utf8), isComplete: true)
    talk(client, server)
    #expect(server.requests[id]?.text == "body" && client.responses[id]?.text == "got it")
    // There is nothing to wait for any more.
    server.session.inform(id)
    let second = client.request()
    talk(client, server)
    #expect(client.responses[second]?.interim == [], "a request without a body waits for nothing")
  }

  @Test("a response before the body is complete ends the stream without an error", arguments: [true, false])
  func early(hasBody: Bool) {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    server.onData = { server, id in
      let body: HTTP2ResponseBody = hasBody ? .bytes(Array("too large".utf8)) : .none
      server.session.respond(id, status: .contentTooLarge, fields: HTTPFields(), body: body)
    }
    let id = client.request("POST", body: [1, 2, 3], isComplete: false)
    talk(client, server)
    #expect(client.responses[id]?.status == 413 && client.responses[id]?.isEnded == true)
    #expect(client.responses[id]?.closed == 0 && server.requests[id]?.closed == 0)
    #expect(server.requests[id]?.isEnded == false && server.session.openStreams == 0)
    // What the client had on its way is dropped, and the connection goes on.
    let next = client.request()
    server.onEnd = { $0.session.respond($1, status: .ok, fields: HTTPFields(), body: .none) }
    #expect(talk(client, server) == nil)
    #expect(client.responses[next]?.status == 200)
  }

  @Test("data behind an early response are dropped and open the connection's window again")
  func afterEarly() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.server.onBegin = { $0.session.respond($1, status: .badRequest, fields: HTTPFields(), body: .none) }
    for stream in stride(from: 1, to: 400, by: 2) {
      peer.send(HTTP2Wire.headers(stream, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
      peer.send(HTTP2Wire.data(stream, [UInt8](repeating: 1, count: 16_000)))
    }
    #expect(peer.error == nil && peer.goAway == nil && peer.statuses.count == 200)
    #expect(peer.server.requests.values.allSatisfy { $0.body.isEmpty && $0.closed == 0 })
    #expect(peer.resets.count == 200 && peer.resets.values.allSatisfy { $0 == 0 })
  }

  @Test("fields that are too large to be sent end the stream, not the connection")
  func largeFields() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok"))
    server.onEnd = { server, id in
      let value = String(repeating: "x", count: id == 1 ? 100_000 : 10_000)
      server.session.respond(id, status: .ok, fields: ["x": value], body: .bytes([1]))
    }
    let (first, second) = (client.request(), client.request())
    talk(client, server)
    #expect(client.responses[first]?.closed == HTTP2ErrorCode.internalError && client.responses[first]?.status == nil)
    #expect(server.requests[first]?.closed == HTTP2ErrorCode.internalError)
    #expect(client.responses[second]?.fields["x"]?.utf8.count == 10_000 && client.responses[second]?.closed == 0)
  }

  @Test("trailers that are too large to be sent end the stream, not the connection")
  func largeTrailers() {
    let (response, request) = response { session, id in
      session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
      #expect(session.write(id, [1]))
      session.finish(id, trailers: ["x": String(repeating: "x", count: 100_000)])
    }
    #expect(response.status == 200 && response.closed == HTTP2ErrorCode.internalError)
    #expect(request?.closed == HTTP2ErrorCode.internalError)
  }

  @Test("an interim status is no response")
  func interim() {
    let (response, _) = response { $0.respond($1, status: 103, fields: HTTPFields(), body: .none) }
    #expect(response.status == nil && response.closed == HTTP2ErrorCode.internalError)
  }

  @Test("a request is answered once, and what comes later for it, or for no stream, is ignored")
  func late() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    server.onClose = { server, id in
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .none)
      #expect(server.session.write(id, [1]))
      server.session.finish(id)
      server.session.consumed(id, 1)
      server.session.inform(id)
      server.session.reset(id, code: 2)
    }
    server.onEnd = { server, id in
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes([1]))
      server.session.respond(id, status: .badRequest, fields: HTTPFields(), body: .bytes([2]))
      #expect(server.session.write(id, [3]))
      server.session.finish(id, trailers: ["a": "b"])
    }
    let id = client.request()
    talk(client, server)
    server.onClose(server, id)
    server.onClose(server, 77)
    server.onClose(server, 0)
    server.onClose(server, -1)
    #expect(talk(client, server) == nil)
    #expect(client.responses[id]?.status == 200 && client.responses[id]?.body == [1])
    #expect(client.responses[id]?.trailers == [:] && server.requests[id]?.closed == 0)
  }

  @Test("a stream that the server resets is closed with that code, and its response is dropped")
  func reset() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    let id = client.request("POST", body: [1], isComplete: false)
    talk(client, server)
    server.session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
    #expect(server.session.write(id, [UInt8](repeating: 1, count: 200_000)) == false)
    server.session.reset(id, code: HTTP2ErrorCode.internalError)
    #expect(!server.session.hasBufferedData)
    #expect(talk(client, server) == nil)
    #expect(server.requests[id]?.closed == HTTP2ErrorCode.internalError)
    #expect(client.responses[id]?.closed == HTTP2ErrorCode.internalError && client.responses[id]?.body == [])
    #expect(server.session.openStreams == 0 && server.writable == [])
  }

  @Test("a client that goes in the middle of a response is no normal end", arguments: [0, 8] as [UInt32])
  func abandoned(code: UInt32) {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    let id = client.request()
    talk(client, server)
    server.session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
    talk(client, server)
    client.reset(id, code: code)
    #expect(talk(client, server) == nil)
    #expect(server.requests[id]?.closed == HTTP2ErrorCode.cancel && server.session.openStreams == 0)
  }

  @Test("output stops near its limit and goes on")
  func limit() throws {
    let (client, server) = (HTTP2Client(window: 1 << 20), HTTP2Server())
    client.openWindow(0, by: 1 << 20)
    let id = client.request()
    talk(client, server)
    server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes([UInt8](repeating: 1, count: 500_000)))
    var turns = 0
    while server.session.wantsOutput {
      var bytes: [UInt8] = [1, 2, 3]
      try server.session.produceOutput(into: &bytes, limit: 20_000)
      #expect(bytes.starts(with: [1, 2, 3]) && bytes.count < 3 + 20_000 + 16_384 + 9)
      client.receive(Array(bytes[3...]))
      turns += 1
    }
    #expect(client.responses[id]?.body.count == 500_000 && turns > 15)
  }
}
