import Testing

@testable import HTTP

@Suite("Requests over HTTP/2")
struct HTTP2RequestTests {
  @Test("a request brings method, target, authority, scheme and fields", arguments: [nil, 1, 7])
  func head(pieces: Int?) throws {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("hello"))
    let id = client.request("GET", "/a%20b?c=d?e", [("accept", "text/plain"), ("x-empty", "")])
    #expect(talk(client, server, pieces: pieces) == nil)
    let request = try #require(server.requests[id])
    #expect(request.head.method == .get)
    #expect(request.head.target.path == "/a%20b" && request.head.target.query == "c=d?e")
    #expect(request.head.authority == "a.example" && request.head.scheme == "https")
    #expect(request.head.fields == ["accept": "text/plain", "x-empty": ""])
    #expect(request.head.contentLength == nil && request.head.endsStream && request.trailers == nil)
    #expect(request.closed == 0)
    let response = try #require(client.responses[id])
    #expect(response.status == 200 && response.text == "hello" && response.closed == 0)
  }

  @Test("a body and its trailers arrive, and then the end", arguments: [nil, 1, 1000])
  func body(pieces: Int?) throws {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("thanks"))
    var dice = Dice(state: 1)
    let body = dice.bytes(100_000)
    let id = client.request(
      "PUT", "/x", [("content-length", "100000"), ("te", "trailers")], body: body,
      trailers: [("x-checksum", "1"), ("authorization", "none"), ("x-forwarded-for", "::1")])
    #expect(talk(client, server, pieces: pieces) == nil)
    let request = try #require(server.requests[id])
    #expect(request.head.method == .put && request.head.contentLength == 100_000 && !request.head.endsStream)
    #expect(request.head.fields["te"] == "trailers")
    #expect(request.body == body && request.isEnded && request.closed == 0)
    #expect(request.trailers == ["x-checksum": "1"], "what only a head may have is dropped")
    #expect(client.responses[id]?.text == "thanks")
  }

  @Test("a body may be empty, and end with a frame without data or with trailers")
  func emptyBody() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok"))
    let first = client.request("POST", body: [])
    let second = client.request("POST", trailers: [("a", "b")])
    talk(client, server)
    #expect(server.requests[first]?.isEnded == true && server.requests[first]?.trailers == HTTPFields())
    #expect(server.requests[second]?.trailers == ["a": "b"] && server.requests[second]?.body == [])
    #expect(client.responses[first]?.status == 200 && client.responses[second]?.status == 200)
  }

  @Test("crumbs of a cookie are joined to one field")
  func cookies() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok"))
    client.request("GET", "/", [("cookie", "a=b"), ("accept", "*/*"), ("cookie", "c=d"), ("cookie", "e=f")])
    let single = client.request("GET", "/", [("cookie", "a=b"), ("accept", "*/*")])
    talk(client, server)
    #expect(server.first?.head.fields == ["cookie": "a=b; c=d; e=f", "accept": "*/*"])
    #expect(server.requests[single]?.head.fields == ["cookie": "a=b", "accept": "*/*"])
  }

  @Test("host is as good as :authority, and no field of the request")
  func host() {
    let peer = HTTP2WirePeer()
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":authority", nil)], [("host", "b.example:8080")])))
    peer.send(HTTP2Wire.headers(3, HTTP2Wire.head([], [("host", "A.Example")])))
    #expect(peer.server.requests[1]?.head.authority == "b.example:8080")
    #expect(peer.server.requests[1]?.head.fields.isEmpty == true)
    #expect(peer.server.requests[3]?.head.authority == "a.example", "case makes no other host")
    #expect(peer.server.requests[3]?.head.fields.isEmpty == true)
  }

  @Test("padding and the weight of a priority belong to nothing")
  func padding() {
    let peer = HTTP2WirePeer()
    let block = HTTP2Wire.block(HTTP2Wire.head([(":method", "POST")]))
    let padded = [3] + HTTP2Wire.bigEndian(0) + [15] + block + [0, 0, 0]
    peer.send(HTTP2Wire.frame(.headers, flags: 4 | 8 | 32, stream: 1, padded))
    peer.send(HTTP2Wire.frame(.data, flags: 8, stream: 1, [4] + Array("hello".utf8) + [0, 0, 0, 0]))
    peer.send(HTTP2Wire.frame(.data, flags: 8 | 1, stream: 1, [2, 0, 0]))
    #expect(peer.server.first?.text == "hello" && peer.server.first?.isEnded == true)
    #expect(peer.statuses[1] == "200" && peer.error == nil)
  }

  @Test("a head may be cut into CONTINUATION frames anywhere")
  func continuation() {
    let block = HTTP2Wire.block(
      HTTP2Wire.head([(":path", "/somewhere")], [("x-long", String(repeating: "x", count: 200))]))
    for cut in 0...block.count {
      let peer = HTTP2WirePeer()
      peer.send(
        HTTP2Wire.frame(.headers, flags: 1, stream: 1, Array(block[..<cut])),
        HTTP2Wire.frame(.continuation, flags: 0, stream: 1),
        HTTP2Wire.frame(.continuation, flags: 4, stream: 1, Array(block[cut...])))
      #expect(peer.server.first?.head.target.path == "/somewhere" && peer.statuses[1] == "200", "cut at \(cut)")
    }
  }

  @Test("streams on one connection keep their bodies apart", arguments: [nil, 300])
  func interleaved(pieces: Int?) {
    var dice = Dice(state: 2)
    let (client, server) = (HTTP2Client(), HTTP2Server())
    server.onEnd = { server, id in
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes(server.requests[id]?.body ?? []))
    }
    var bodies: [Int32: [UInt8]] = [:]
    for _ in 0..<100 { bodies[client.request("POST", body: [], isComplete: false)] = [] }
    var open = Array(bodies.keys).sorted()
    while !open.isEmpty {
      let id = open[Int.random(in: 0..<open.count, using: &dice)]
      let part = dice.bytes(Int.random(in: 0..<3000, using: &dice))
      bodies[id]! += part
      let isComplete = Int.random(in: 0..<5, using: &dice) == 0
      client.send(id, part, isComplete: isComplete)
      if isComplete { open.removeAll { $0 == id } }
      if Int.random(in: 0..<8, using: &dice) == 0 { talk(client, server, pieces: pieces) }
    }
    #expect(talk(client, server, pieces: pieces) == nil)
    #expect(server.began.count == 100 && server.session.openStreams == 0)
    for (id, body) in bodies {
      #expect(server.requests[id]?.body == body && client.responses[id]?.body == body)
      #expect(server.requests[id]?.closed == 0 && client.responses[id]?.closed == 0)
    }
  }

  @Test("what is refused is answered even if nobody cares for refusals")
  func indifferent() throws {
    let delegate = IndifferentDelegate()
    let session = HTTP2Session(delegate: delegate, now: { 0 })
    let request =
      HTTP2Wire.opening
      + HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "CONNECT"), (":path", nil), (":scheme", nil)]))
    try withBytes(request) { bytes throws(HTTP2Error) in try session.receive(bytes) }
    var output: [UInt8] = []
    try session.produceOutput(into: &output, limit: 1 << 20)
    let client = HTTP2Client()
    let id = client.request()
    _ = client.output()
    client.receive(output)
    #expect(client.responses[id]?.status == 501 && client.responses[id]?.closed == 0)
  }

  @Test("a session without a delegate does not keep requests")
  func abandoned() throws {
    let session = HTTP2Session(delegate: nil, now: { 0 })
    let bad = HTTP2Wire.headers(1, HTTP2Wire.head([(":scheme", "ftp")]))
    try withBytes(HTTP2Wire.opening + bad) { bytes throws(HTTP2Error) in try session.receive(bytes) }
    var output: [UInt8] = []
    try session.produceOutput(into: &output, limit: 1 << 20)
    #expect(session.openStreams == 0)
  }
}
