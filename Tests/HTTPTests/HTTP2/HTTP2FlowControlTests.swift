import Testing

@testable import HTTP

@Suite("Flow control of HTTP/2")
struct HTTP2FlowControlTests {
  @Test("an upload that nobody consumes stops at the window, and goes on when it is")
  func upload() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok"))
    server.consumesBodies = false
    var dice = Dice(state: 3)
    let body = dice.bytes(1_000_000)
    let id = client.request("POST", body: body)
    var consumed = 0
    talk(client, server)
    #expect(server.first?.body.count == 65_535)
    while let request = server.requests[id], !request.isEnded {
      // Little by little, and more than there is: it counts only once.
      server.session.consumed(id, 30_000)
      server.session.consumed(id, -5)
      consumed = min(consumed + 30_000, request.body.count)
      talk(client, server)
      let waiting = (server.first?.body.count ?? 0) - consumed
      #expect(waiting <= 65_535)
    }
    #expect(server.first?.body == body && client.responses[id]?.status == 200)
    server.session.consumed(id, 65_535)
    #expect(talk(client, server) == nil)
  }

  @Test("all uploads of a connection together stop at its window")
  func manyUploads() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok"))
    server.consumesBodies = false
    let body = [UInt8](repeating: 5, count: 60_000)
    let ids = (0..<40).map { _ in client.request("POST", body: body) }
    talk(client, server)
    #expect(server.requests.values.reduce(0) { $0 + $1.body.count } == 1 << 20)
    // Bytes of a stream that has ended are credited to the connection.
    for _ in 0..<4 {
      for id in ids { server.session.consumed(id, 60_000) }
      talk(client, server)
    }
    #expect(ids.allSatisfy { server.requests[$0]?.body == body && client.responses[$0]?.status == 200 })
  }

  @Test("what a stream has not consumed when it ends is credited to the connection", arguments: [true, false])
  func creditAtEnd(clientEnds: Bool) {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    server.consumesBodies = false
    for round in 0..<50 {
      let id = client.request("POST", body: [UInt8](repeating: 5, count: 65_535), isComplete: false)
      talk(client, server)
      #expect(server.requests[id]?.body.count == 65_535, "round \(round)")
      if clientEnds { client.reset(id) } else { server.session.reset(id, code: 2) }
      #expect(talk(client, server) == nil)
    }
  }

  @Test("a download fits through the smallest windows", arguments: [1, 10, 1000])
  func download(window: Int) {
    let (client, server) = (HTTP2Client(window: window, readsBodies: false), HTTP2Server())
    var dice = Dice(state: 4)
    let body = dice.bytes(window * 200)
    server.onEnd = { $0.session.respond($1, status: .ok, fields: HTTPFields(), body: .bytes(body)) }
    let id = client.request()
    talk(client, server)
    while client.responses[id]?.isEnded == false {
      let before = client.responses[id]?.body.count ?? 0
      client.openWindow(id, by: window)
      client.openWindow(0, by: window)
      #expect(talk(client, server) == nil)
      #expect((client.responses[id]?.body.count ?? 0) == min(body.count, before + window))
    }
    #expect(client.responses[id]?.body == body && server.requests[id]?.closed == 0)
  }

  @Test("a writer is asked to wait above the high-water mark and told when it may go on")
  func backPressure() {
    let (client, server) = (HTTP2Client(readsBodies: false), HTTP2Server())
    let id = client.request()
    talk(client, server)
    server.session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
    let piece = [UInt8](repeating: 1, count: 10_000)
    var written = 0
    func writeAll() {
      while written < 1_000_000 {
        written += piece.count
        if !server.session.write(id, piece) { return }
      }
      server.session.finish(id)
    }
    server.onWritable = { _, _ in writeAll() }
    // It holds on to the server, which holds on to it.
    defer { server.onWritable = { _, _ in } }
    writeAll()
    talk(client, server)
    // The first window is full, the next bytes wait; so does the writer.
    #expect(client.responses[id]?.body.count == 65_535)
    #expect(written - 65_535 > 32 << 10 && written - 65_535 <= 64 << 10 + 10_000)
    #expect(server.session.hasBufferedData && !server.session.wantsOutput)
    let told = server.writable.count
    while client.responses[id]?.isEnded == false {
      client.openWindow(id, by: 5000)
      client.openWindow(0, by: 5000)
      #expect(talk(client, server) == nil)
      let received = client.responses[id]?.body.count ?? 0
      #expect(written - received <= 64 << 10 + 10_000)
    }
    #expect(client.responses[id]?.body.count == 1_000_000 && server.writable.count > told)
    #expect(!server.session.hasBufferedData && server.session.sentDataBytes == 1_000_000)
  }

  @Test("downloads take turns, large ones do not hold up small ones")
  func fairness() {
    let (client, server) = (HTTP2Client(window: 1 << 20), HTTP2Server())
    client.openWindow(0, by: 4 << 20)
    server.onEnd = { server, id in
      let size = id == 1 ? 500_000 : 20_000
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes([UInt8](repeating: 1, count: size)))
    }
    let ids = (0..<5).map { _ in client.request() }
    talk(client, server)
    #expect(ids.allSatisfy { client.responses[$0]?.closed == 0 })
    let small = client.dataOrder.lastIndex { $0 != ids[0] } ?? 0
    #expect(small < 12, "small ones are done after their share of turns")
    #expect(client.dataOrder.count > 30)
  }

  @Test("a priority of the client is heeded")
  func priority() {
    let (client, server) = (HTTP2Client(window: 1 << 20), HTTP2Server())
    client.openWindow(0, by: 4 << 20)
    server.onEnd = { server, id in
      server.session.respond(
        id, status: .ok, fields: HTTPFields(), body: .bytes([UInt8](repeating: 1, count: 100_000)))
    }
    let low = client.request("GET", "/", [("priority", "u=5")])
    let high = client.request("GET", "/", [("priority", "u=1")])
    talk(client, server)
    let firstOfLow = client.dataOrder.firstIndex(of: low) ?? 0
    let lastOfHigh = client.dataOrder.lastIndex(of: high) ?? .max
    #expect(lastOfHigh < firstOfLow)
  }

  @Test("a window that grows too large ends the stream or the connection")
  func overflow() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(1))
    peer.send(HTTP2Wire.frame(.windowUpdate, stream: 1, HTTP2Wire.bigEndian(0x7fff_ffff)))
    #expect(peer.resets == [1: HTTP2ErrorCode.flowControlError] && peer.goAway == nil)
    #expect(peer.server.first?.closed == HTTP2ErrorCode.flowControlError)
    peer.send(HTTP2Wire.headers(3))
    peer.send(HTTP2Wire.frame(.windowUpdate, HTTP2Wire.bigEndian(0x7fff_ffff)))
    #expect(peer.goAway == HTTP2ErrorCode.flowControlError)
    #expect(peer.server.session.isFinished)
    #expect(peer.server.requests[3]?.closed == HTTP2ErrorCode.flowControlError, "all streams are told")
    #expect(peer.server.session.error == .protocolViolation(code: HTTP2ErrorCode.flowControlError))
  }

  @Test("a window that shrinks below zero by a setting holds up the response, and opens again")
  func negativeWindow() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.server.onEnd = { server, id in
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes([UInt8](repeating: 1, count: 70_000)))
    }
    peer.send(HTTP2Wire.headers(1))
    #expect(peer.server.session.sentDataBytes == 65_535)
    peer.send(HTTP2Wire.frame(.settings, [0, 4] + HTTP2Wire.bigEndian(0)))
    peer.send(HTTP2Wire.frame(.windowUpdate, HTTP2Wire.bigEndian(1 << 20)))
    peer.send(HTTP2Wire.frame(.windowUpdate, stream: 1, HTTP2Wire.bigEndian(65_535)))
    #expect(peer.server.session.sentDataBytes == 65_535 && peer.server.session.hasBufferedData)
    peer.send(HTTP2Wire.frame(.windowUpdate, stream: 1, HTTP2Wire.bigEndian(10_000)))
    #expect(peer.server.session.sentDataBytes == 70_000 && peer.server.requests[1]?.closed == 0)
  }

  @Test("more data than the windows allow end the stream")
  func tooMuchData() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.server.consumesBodies = false
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
    for _ in 0..<5 { peer.send(HTTP2Wire.data(1, [UInt8](repeating: 0, count: 16_384))) }
    #expect(peer.resets == [1: HTTP2ErrorCode.flowControlError])
    #expect((peer.server.first?.body.count ?? 0) <= 65_535 + 16_384 && peer.goAway == nil)
  }
}
