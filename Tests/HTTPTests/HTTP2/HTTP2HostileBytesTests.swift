import Testing

@testable import HTTP

@Suite("Hostile bytes for HTTP/2")
struct HTTP2HostileBytesTests {
  /// A server that answers in different ways, one for each stream in turn.
  static func versatile() -> HTTP2Server {
    let server = HTTP2Server()
    server.onBegin = { server, id in
      switch id / 2 % 6 {
      case 0:
        server.session.respond(id, status: .ok, fields: ["a": "b"], body: .bytes([UInt8](repeating: 1, count: 900)))
      case 1: server.session.inform(id)
      case 2:
        server.session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
        _ = server.session.write(id, [UInt8](repeating: 2, count: 70_000))
      case 3: server.session.reset(id, code: 2)
      default: break
      }
    }
    server.onData = { server, id in
      if id / 2 % 6 == 4 { server.session.respond(id, status: .badRequest, fields: HTTPFields(), body: .none) }
    }
    server.onEnd = { server, id in
      server.session.respond(id, status: .noContent, fields: HTTPFields(), body: .none)
      server.session.finish(id, trailers: ["c": "d"])
    }
    server.onWritable = { server, id in server.session.finish(id) }
    return server
  }

  /// Gives bytes to a server in pieces and reads what it says; the number of bytes that it said.
  private func feed(_ bytes: [UInt8], _ dice: inout Dice) -> Int {
    let server = Self.versatile()
    var said = 0
    var offset = 0
    while offset < bytes.count {
      let end = min(bytes.count, offset + Int.random(in: 1...500, using: &dice))
      do { try server.receive(Array(bytes[offset..<end])) } catch { break }
      if Bool.random(using: &dice) { said += server.output().count }
      offset = end
    }
    said += server.output().count
    server.session.beginShutdown()
    said += server.output().count
    if server.session.isFinished { #expect(server.session.openStreams == 0) }
    return said
  }

  /// Bytes that an honest client sends.
  private func conversation() -> [UInt8] {
    let client = HTTP2Client()
    let server = Self.versatile()
    var bytes: [UInt8] = []
    for round in 0..<12 {
      client.request(round % 2 == 0 ? "GET" : "POST", "/\(round)?q", [("accept", "*/*"), ("x-round", "\(round)")])
      client.request("PUT", "/b", [("cookie", "a=b")], body: [UInt8](repeating: 7, count: 200), trailers: [("t", "u")])
      if round % 3 == 0 { client.ping() }
      let sent = client.output()
      bytes += sent
      do { try server.receive(sent) } catch { Issue.record("an honest client was sent away: \(error)") }
      client.receive(server.output())
    }
    return bytes
  }

  @Test("random bytes end the connection, random frames at most that")
  func random() {
    var dice = Dice(state: 6)
    for round in 0..<300 {
      var bytes = round % 3 == 0 ? [] : HTTP2Wire.opening
      for _ in 0..<20 {
        if round % 3 == 1 {
          bytes += dice.bytes(30)
        } else {
          let kind = HTTP2FrameHeader.Kind(rawValue: UInt8.random(in: 0..<12, using: &dice))
          let payload = dice.bytes(Int.random(in: 0..<40, using: &dice))
          let flags = UInt8.random(in: 0...63, using: &dice)
          bytes += HTTP2Wire.frame(kind, flags: flags, stream: Int.random(in: 0..<8, using: &dice), payload)
        }
      }
      #expect(feed(bytes, &dice) < 10_000)
    }
  }

  @Test("a conversation with some bytes changed, lost or doubled does no harm")
  func mutated() {
    var dice = Dice(state: 7)
    let honest = conversation()
    for _ in 0..<500 {
      var bytes = honest
      for _ in 0..<Int.random(in: 1...6, using: &dice) {
        let index = Int.random(in: 24..<bytes.count, using: &dice)
        switch Int.random(in: 0..<4, using: &dice) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &dice)
        case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &dice)
        case 2: bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...9, using: &dice)))
        default: bytes.insert(contentsOf: bytes[index..<min(bytes.count, index + 40)], at: index)
        }
        if bytes.count < 30 { break }
      }
      // Five streams have 70 kB to say, the others less than was asked.
      #expect(feed(bytes, &dice) < 400_000 + 20 * bytes.count)
    }
  }

  @Test("a connection may break off anywhere")
  func brokenOff() {
    let honest = conversation()
    var dice = Dice(state: 8)
    for end in stride(from: 0, to: honest.count, by: 7) { _ = feed(Array(honest[..<end]), &dice) }
  }
}
