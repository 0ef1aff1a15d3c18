import Testing

@testable import HTTP

@Suite("Abuse of HTTP/2")
struct HTTP2AbuseTests {
  private func settings(_ change: (inout HTTP2Settings) -> Void = { _ in }) -> HTTP2Settings {
    var settings = HTTP2Settings()
    settings.resets = HTTP2Allowance.Rate(burst: 50, perSecond: 10)
    settings.controlFrames = HTTP2Allowance.Rate(burst: 100, perSecond: 10)
    change(&settings)
    return settings
  }

  /// Expects that a connection was ended for a reason, with streams closed and nothing read any more.
  private func expectEnd(_ peer: HTTP2WirePeer, _ error: HTTP2Error, sourceLocation: SourceLocation = #_sourceLocation)
  {
    #expect(peer.error == error, sourceLocation: sourceLocation)
    #expect(peer.goAway == HTTP2ErrorCode.enhanceYourCalm, sourceLocation: sourceLocation)
    #expect(peer.server.session.isFinished && !peer.server.session.wantsOutput, sourceLocation: sourceLocation)
    #expect(peer.server.requests.values.allSatisfy { $0.closed != nil }, sourceLocation: sourceLocation)
    let began = peer.server.began.count
    peer.send(HTTP2Wire.headers(0x7fff_fff1))
    #expect(peer.server.began.count == began && peer.error == error, sourceLocation: sourceLocation)
  }

  // MARK: - Resets

  @Test("a client that begins streams and resets them is sent away (CVE-2023-44487)", arguments: [1, 40])
  func rapidReset(atOnce: Int) {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    var stream = 1
    while peer.error == nil, stream < 2000 {
      var frames: [UInt8] = []
      for _ in 0..<atOnce {
        frames += HTTP2Wire.headers(stream) + HTTP2Wire.reset(stream)
        stream += 2
      }
      peer.send(frames)
    }
    #expect(peer.server.began.count <= 50 && peer.server.began.count >= 50 / atOnce * atOnce - atOnce)
    expectEnd(peer, .tooManyResets)
  }

  @Test("resets are forgiven with time, and for streams that end well")
  func forgiven() {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    var stream = 1
    func cancel() {
      peer.send(HTTP2Wire.headers(stream), HTTP2Wire.reset(stream))
      stream += 2
    }
    for _ in 0..<50 { cancel() }
    for _ in 0..<100 {
      peer.server.now += 100_000_000
      cancel()
    }
    #expect(peer.error == nil)
    peer.server.onEnd = { $0.session.respond($1, status: .ok, fields: HTTPFields(), body: .none) }
    for _ in 0..<100 {
      peer.send(HTTP2Wire.headers(stream))
      stream += 2
      let answer = peer.server.onEnd
      peer.server.onEnd = { _, _ in }
      cancel()
      peer.server.onEnd = answer
    }
    #expect(peer.error == nil && peer.server.began.count == 350)
    peer.server.onEnd = { _, _ in }
    for _ in 0..<51 { cancel() }
    expectEnd(peer, .tooManyResets)
  }

  @Test("a client that makes the server reset streams is sent away (CVE-2025-8671)", arguments: 0..<5)
  func madeYouReset(way: Int) {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    let post = HTTP2Wire.head([(":method", "POST")])
    var stream = 1
    while peer.error == nil, peer.server.session.error == nil, stream < 400 {
      switch way {
      case 0:
        let excess = HTTP2Wire.frame(.windowUpdate, stream: stream, HTTP2Wire.bigEndian(0x7fff_ffff))
        peer.send(HTTP2Wire.headers(stream), excess)
      case 1:
        let head = HTTP2Wire.head([(":method", "POST")], [("content-length", "1")])
        peer.send(HTTP2Wire.headers(stream, head, endsStream: false), HTTP2Wire.data(stream, [1, 2]))
      case 2: peer.send(HTTP2Wire.headers(stream, post, endsStream: false), HTTP2Wire.headers(stream, [("A", "")]))
      case 3:
        peer.send(HTTP2Wire.headers(stream, post, endsStream: false))
        peer.send(HTTP2Wire.headers(stream, (0..<101).map { ("x-\($0)", "") }))
      default: peer.send(HTTP2Wire.headers(stream, HTTP2Wire.head([(":path", nil)])))
      }
      stream += 2
      // What is found while it sends is thrown with the next bytes.
      if peer.server.session.error != nil { peer.send(HTTP2Wire.frame(.ping, [UInt8](repeating: 0, count: 8))) }
    }
    #expect(stream == 2 * 51 + 1)
    expectEnd(peer, .tooManyResets)
  }

  @Test("streams that are refused because there are too many are counted as resets, also if nobody reads")
  func refusedStreams() {
    let peer = HTTP2WirePeer(HTTP2Server(settings { $0.maximumConcurrentStreams = 1 }))
    for stream in stride(from: 1, to: 300, by: 2) where peer.error == nil {
      peer.sendBlindly(HTTP2Wire.headers(stream))
    }
    peer.read()
    #expect(peer.count(.rstStream) <= 50)
    expectEnd(peer, .tooManyResets)
  }

  // MARK: - Frames of no use

  static let floods: [(String, [UInt8])] = [
    ("PING", HTTP2Wire.frame(.ping, [UInt8](repeating: 1, count: 8))),
    ("answers to no PING", HTTP2Wire.frame(.ping, flags: 1, [UInt8](repeating: 1, count: 8))),
    ("SETTINGS", HTTP2Wire.frame(.settings, [0, 4, 0, 0, 255, 255])),
    ("empty SETTINGS", HTTP2Wire.frame(.settings)),
    ("empty DATA", HTTP2Wire.data(1, [])),
    ("DATA of nothing but padding length", HTTP2Wire.frame(.data, flags: 8, stream: 1, [0])),
    ("PRIORITY", HTTP2Wire.frame(.priority, stream: 5, [0, 0, 0, 3, 1])),
    ("PRIORITY for ever new streams", HTTP2Wire.frame(.priority, stream: 1001, [0, 0, 0, 0, 1])),
    ("WINDOW_UPDATE of the connection", HTTP2Wire.frame(.windowUpdate, [0, 0, 0, 1])),
    ("WINDOW_UPDATE of a stream", HTTP2Wire.frame(.windowUpdate, stream: 1, [0, 0, 0, 1])),
    ("PRIORITY_UPDATE", HTTP2Wire.frame(HTTP2FrameHeader.Kind(rawValue: 16), [0, 0, 0, 9] + Array("u=1".utf8))),
    ("unknown frames", HTTP2Wire.frame(HTTP2FrameHeader.Kind(rawValue: 0xfa), stream: 1, [1, 2, 3])),
    ("heads of streams that are gone", HTTP2Wire.headers(3)),
  ]

  @Test("a flood is stopped", arguments: floods.indices, [1, 64])
  func flood(index: Int, atOnce: Int) {
    let (name, frame) = Self.floods[index]
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
    peer.send(HTTP2Wire.headers(3), HTTP2Wire.reset(3))
    let batch = Array([[UInt8]](repeating: frame, count: atOnce).joined())
    var frames = 0
    while peer.error == nil, frames < 1000 {
      peer.send(batch)
      frames += atOnce
    }
    // A few more, since each request gives some back.
    #expect(frames <= 128 && frames > 64, "\(name)")
    #expect(peer.frames.count < 200)
    expectEnd(peer, .tooManyControlFrames)
  }

  @Test("as many as are useful are allowed")
  func moderate() {
    let (client, server) = (HTTP2Client(), HTTP2Server.answering(String(repeating: "x", count: 1000), settings()))
    for _ in 0..<2000 {
      let id = client.request()
      client.ping()
      #expect(talk(client, server) == nil)
      #expect(client.responses[id]?.closed == 0)
    }
    #expect(client.pingAnswers == 2000)
    // And over time, without a request.
    for _ in 0..<200 {
      server.now += 200_000_000
      client.ping()
      #expect(talk(client, server) == nil)
    }
    #expect(client.pingAnswers == 2200)
  }

  @Test("a large download may be read in small steps")
  func smallSteps() {
    let (client, server) = (HTTP2Client(readsBodies: false), HTTP2Server(settings()))
    server.onEnd = { server, id in
      server.session.respond(
        id, status: .ok, fields: HTTPFields(), body: .bytes([UInt8](repeating: 1, count: 1_000_000)))
    }
    let id = client.request()
    talk(client, server)
    while client.responses[id]?.isEnded == false {
      client.openWindow(id, by: 1000)
      client.openWindow(0, by: 1000)
      if talk(client, server) != nil { break }
    }
    #expect(client.responses[id]?.body.count == 1_000_000 && client.responses[id]?.closed == 0)
  }

  @Test("a peer that asks for answers and does not read them is sent away", arguments: [true, false])
  func unreadAnswers(isPing: Bool) {
    let peer = HTTP2WirePeer(HTTP2Server(settings { $0.controlFrames.burst = 1_000_000 }))
    let frame = isPing ? HTTP2Wire.frame(.ping, [UInt8](repeating: 1, count: 8)) : HTTP2Wire.frame(.settings)
    for _ in 0..<1000 where peer.error == nil { peer.sendBlindly(frame) }
    peer.read()
    #expect(peer.count(.ping) + peer.count(.settings) < 260)
    expectEnd(peer, .tooManyAcknowledgements)
  }

  // MARK: - Heads

  @Test("a head without end is cut off (CVE-2024-27316, CVE-2024-28182)", arguments: [0, 1, 16_384])
  func continuations(size: Int) {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    peer.send(HTTP2Wire.frame(.headers, flags: 1, stream: 1, HTTP2Wire.block(HTTP2Wire.head())))
    let literal = [0x00, 0x01, 0x61] + HTTP2Wire.string([UInt8](repeating: 0x61, count: max(0, size - 7)))
    var frames = 0
    while peer.error == nil, frames < 1000 {
      // A whole field in a frame of its own; smaller ones only begin one.
      peer.send(HTTP2Wire.frame(.continuation, stream: 1, Array(literal.prefix(size))))
      frames += 1
    }
    #expect(frames <= (size > 1 ? 4 : 9) && peer.server.began.isEmpty)
    expectEnd(peer, .unbearableHead)
  }

  @Test("a head that is small on the wire and large in memory is cut off")
  func bomb() {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    // One field of 4000 bytes for the table, then references to it of one byte each.
    let field = [0x40, 0x01, 0x61] + HTTP2Wire.string([UInt8](repeating: 0x61, count: 4000))
    let block = HTTP2Wire.block(HTTP2Wire.head()) + field + [UInt8](repeating: 0xbe, count: 10_000)
    peer.send(HTTP2Wire.frame(.headers, flags: 4 | 1, stream: 1, block))
    #expect(peer.server.began.isEmpty)
    expectEnd(peer, .unbearableHead)
  }

  @Test("a smaller bomb is answered, and costs only itself")
  func smallBomb() {
    let peer = HTTP2WirePeer(HTTP2Server.answering("ok", settings()))
    let field = [0x40, 0x01, 0x61] + HTTP2Wire.string([UInt8](repeating: 0x61, count: 4000))
    let block = HTTP2Wire.block(HTTP2Wire.head()) + field + [UInt8](repeating: 0xbe, count: 10)
    peer.send(HTTP2Wire.frame(.headers, flags: 4 | 1, stream: 1, block))
    #expect(peer.statuses == [1: "431"])
    // The table is still that of both sides.
    peer.send(HTTP2Wire.frame(.headers, flags: 4 | 1, stream: 3, HTTP2Wire.block(HTTP2Wire.head()) + [0xbe]))
    #expect(peer.statuses[3] == "200" && peer.server.first?.head.fields["a"]?.utf8.count == 4000)
  }

  @Test("a peer that wants a huge header table gets the usual one")
  func headerTable() {
    let (client, server) = (HTTP2Client(settings: [(1, 1 << 31)]), HTTP2Server())
    server.onEnd = { server, id in
      var fields = HTTPFields()
      fields.append(HTTPFieldName("x-\(id)")!, String(repeating: "a\(id)", count: 500))
      server.session.respond(id, status: .ok, fields: fields, body: .none)
    }
    // Far more than 4096 bytes of fields; the client decodes them with a table of that size.
    for _ in 0..<100 {
      let id = client.request()
      #expect(talk(client, server) == nil)
      #expect(client.responses[id]?.fields["x-\(id)"] == String(repeating: "a\(id)", count: 500))
    }
  }

  @Test("SETTINGS with very many entries end the connection")
  func manyEntries() {
    let peer = HTTP2WirePeer(HTTP2Server(settings()))
    let entries = [[UInt8]](repeating: [0, 200, 0, 0, 0, 1], count: 1000).flatMap { $0 }
    peer.send(HTTP2Wire.frame(.settings, entries))
    #expect(peer.goAway == HTTP2ErrorCode.enhanceYourCalm && peer.server.session.isFinished)
  }
}
