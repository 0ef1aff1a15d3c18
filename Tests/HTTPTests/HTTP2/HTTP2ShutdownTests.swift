import Testing

@testable import HTTP

@Suite("The end of an HTTP/2 connection")
struct HTTP2ShutdownTests {
  private func answer(_ server: HTTP2Server, _ id: Int32) {
    server.session.respond(id, status: .ok, fields: HTTPFields(), body: .bytes(Array("done".utf8)))
  }

  @Test("streams on their way are served, and then the connection is done")
  func drain() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    let (first, second) = (client.request(), client.request("POST", body: [1], isComplete: false))
    talk(client, server)
    server.session.beginShutdown()
    #expect(talk(client, server) == nil)
    #expect(client.goAways.map(\.lastStream) == [0x7fff_ffff, second] && client.goAways.allSatisfy { $0.code == 0 })
    #expect(!server.session.isFinished && server.session.openStreams == 2)
    answer(server, first)
    talk(client, server)
    #expect(client.responses[first]?.text == "done" && !server.session.isFinished)
    client.send(second, [2, 3], isComplete: true)
    talk(client, server)
    #expect(server.requests[second]?.body == [1, 2, 3])
    answer(server, second)
    talk(client, server)
    #expect(client.responses[second]?.text == "done")
    #expect(server.session.isFinished && server.session.error == nil)
  }

  @Test("a stream that began before the client knew is served, one that began later is not")
  func grace() {
    let peer = HTTP2WirePeer(HTTP2Server.answering("ok"))
    peer.send(HTTP2Wire.headers(1))
    peer.server.session.beginShutdown()
    peer.read()
    peer.send(HTTP2Wire.headers(3))
    #expect(peer.statuses[3] == "200" && !peer.server.session.isFinished)
    let ping = peer.frames.last { $0.header.kind == .ping }?.payload ?? []
    #expect(ping == HTTP2Session.shutdownPing)
    peer.send(HTTP2Wire.frame(.ping, flags: 1, [UInt8](repeating: 9, count: 8)))
    #expect(!peer.server.session.isFinished, "another PING was answered")
    peer.server.onEnd = { _, _ in }
    peer.send(HTTP2Wire.headers(5))
    peer.send(HTTP2Wire.frame(.ping, flags: 1, ping))
    #expect(peer.frames.last?.header.kind == .goAway && peer.goAway == 0)
    peer.send(HTTP2Wire.headers(7))
    #expect(peer.server.began == [1, 3, 5] && peer.resets.isEmpty)
    answer(peer.server, 5)
    peer.read()
    #expect(peer.statuses[5] == "200" && peer.server.session.isFinished && peer.server.session.error == nil)
    // Nothing happens any more.
    peer.server.session.beginShutdown()
    peer.send(HTTP2Wire.headers(9))
    #expect(peer.server.began.count == 3 && peer.goAway == 0)
  }

  @Test("asked for twice, the shutdown does not wait for the client")
  func impatient() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(1))
    peer.server.session.beginShutdown()
    peer.server.session.beginShutdown()
    peer.server.session.beginShutdown()
    peer.read()
    #expect(peer.count(.goAway) == 2)
    peer.send(HTTP2Wire.headers(3))
    #expect(peer.server.began == [1])
    answer(peer.server, 1)
    peer.read()
    #expect(peer.statuses[1] == "200" && peer.server.session.isFinished)
  }

  @Test("a stream that begins while the last GOAWAY waits is closed as refused")
  func race() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(1))
    peer.server.session.beginShutdown()
    peer.server.session.beginShutdown()
    peer.sendBlindly(HTTP2Wire.headers(3))
    peer.read()
    #expect(peer.server.requests[3]?.closed == HTTP2ErrorCode.refusedStream)
    #expect(peer.server.requests[1]?.closed == nil && peer.server.session.openStreams == 1)
  }

  @Test("a connection without streams is done as soon as the client has answered")
  func idle() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    talk(client, server)
    #expect(!server.session.isFinished)
    server.session.beginShutdown()
    talk(client, server)
    #expect(server.session.isFinished && server.session.error == nil && client.goAways.first?.code == 0)
  }

  @Test("a client that says goodbye gets its responses")
  func goodbye() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(1))
    peer.send(HTTP2Wire.frame(.goAway, [UInt8](repeating: 0, count: 8) + Array("bye".utf8)))
    #expect(!peer.server.session.isFinished)
    answer(peer.server, 1)
    peer.read()
    #expect(peer.statuses[1] == "200" && peer.server.session.isFinished && peer.server.session.error == nil)
  }

  @Test("a reset while a request is served tells who serves it")
  func resetWhileServing() {
    let (client, server) = (HTTP2Client(), HTTP2Server())
    let (first, second) = (client.request(), client.request())
    talk(client, server)
    client.reset(first)
    talk(client, server)
    #expect(server.requests[first]?.closed == HTTP2ErrorCode.cancel && server.requests[second]?.closed == nil)
    answer(server, first)
    answer(server, second)
    #expect(talk(client, server) == nil)
    #expect(client.responses[first]?.status == nil && client.responses[second]?.text == "done")
  }

  @Test("a reset within an upload, and a reset from within each function of the delegate, are safe")
  func resetsEverywhere() {
    for place in 0..<5 {
      let (client, server) = (HTTP2Client(), HTTP2Server())
      let reset: (HTTP2Server, Int32) -> Void = { $0.session.reset($1, code: 2) }
      switch place {
      case 0: server.onBegin = reset
      case 1: server.onData = reset
      case 2: server.onEnd = reset
      case 3: server.onClose = reset
      default: server.onWritable = reset
      }
      let id = client.request("POST", body: [UInt8](repeating: 1, count: 30_000), isComplete: false)
      talk(client, server)
      server.session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
      _ = server.session.write(id, [UInt8](repeating: 2, count: 100_000))
      talk(client, server)
      client.send(id, [1], isComplete: true)
      client.reset(id)
      #expect(talk(client, server) == nil)
      #expect(server.requests[id]?.closed != nil && server.session.openStreams == 0)
    }
  }

  @Test("a shutdown from within each function of the delegate is safe")
  func shutdownEverywhere() {
    for place in 0..<5 {
      let (client, server) = (HTTP2Client(), HTTP2Server())
      let shutdown: (HTTP2Server, Int32) -> Void = { server, _ in server.session.beginShutdown() }
      server.onEnd = { server, id in self.answer(server, id) }
      switch place {
      case 0: server.onBegin = shutdown
      case 1: server.onData = shutdown
      case 2:
        server.onEnd = { server, id in
          self.answer(server, id)
          server.session.beginShutdown()
        }
      case 3: server.onClose = shutdown
      default: server.onWritable = shutdown
      }
      let id = client.request("POST", body: [1, 2, 3])
      #expect(talk(client, server) == nil)
      #expect(client.responses[id]?.text == "done" && server.session.openStreams == 0)
      #expect(server.session.isFinished == (place < 4))
    }
  }
}
