import Testing

@testable import HTTP

@Suite("What HTTP/2 does not allow")
struct HTTP2StrictnessTests {
  /// A head, and what it says.
  struct Head: CustomTestStringConvertible, Sendable {
    var name: String
    var fields: [(String, String)]

    init(_ name: String, _ changes: [(String, String?)] = [], _ fields: [(String, String)] = []) {
      self.name = name
      self.fields = HTTP2Wire.head(changes, fields)
    }

    init(_ name: String, exactly fields: [(String, String)]) {
      self.name = name
      self.fields = fields
    }

    var testDescription: String { name }
  }

  static let malformed = [
    Head("no :path", [(":path", nil)]),
    Head("no :method", [(":method", nil)]),
    Head("no :scheme", [(":scheme", nil)]),
    Head("neither :authority nor host", [(":authority", nil)]),
    Head("an empty :path", [(":path", "")]),
    Head("an empty :authority", [(":authority", "")]),
    Head("a :path without a slash", [(":path", "index.html")]),
    Head("a :path with a space", [(":path", "/a b")]),
    Head("a :path with a line end", [(":path", "/a\r\nx: y")]),
    Head("the :path * for another method than OPTIONS", [(":path", "*")]),
    Head("a method that is no token", [(":method", "GE T")]),
    Head("a second :method", exactly: HTTP2Wire.head() + [(":method", "PUT")]),
    Head("a second :path", exactly: HTTP2Wire.head() + [(":path", "/other")]),
    Head("a pseudo field behind others", exactly: [("a", "b")] + HTTP2Wire.head()),
    Head("an unknown pseudo field", [(":unknown", "x")]),
    Head("a pseudo field of responses", [(":status", "200")]),
    Head(":protocol, which was not offered", [(":protocol", "websocket")]),
    Head("a name with a capital letter", [], [("Accept", "x")]),
    Head("a name with a space", [], [("a b", "x")]),
    Head("a name with a colon", [], [("a:b", "x")]),
    Head("a name of no letters", [], [("", "x")]),
    Head("a value with a line end", [], [("a", "x\r\ny: z")]),
    Head("a value with NUL", [], [("a", "x\0y")]),
    Head("a value with a space in front", [], [("a", " x")]),
    Head("a value with a space behind", [], [("a", "x\t")]),
    Head("connection", [], [("connection", "close")]),
    Head("keep-alive", [], [("keep-alive", "1")]),
    Head("proxy-connection", [], [("proxy-connection", "close")]),
    Head("transfer-encoding", [], [("transfer-encoding", "chunked")]),
    Head("upgrade", [], [("upgrade", "h2c")]),
    Head("te that is not trailers", [], [("te", "gzip")]),
    Head("a length for no body", [], [("content-length", "1")]),
    Head("two lengths", [], [("content-length", "0"), ("content-length", "0")]),
    Head("a length that is no number", [], [("content-length", "+1")]),
    Head("a length beyond all numbers", [], [("content-length", "99999999999999999999")]),
    Head("a host of two names", [], [("host", "a.example"), ("host", "a.example")]),
  ]

  @Test("a malformed head resets its stream and nothing else", arguments: malformed)
  func malformedHead(head: Head) {
    let peer = HTTP2WirePeer()
    peer.send(HTTP2Wire.headers(1, head.fields))
    #expect(peer.resets == [1: HTTP2ErrorCode.protocolError] && peer.server.began.isEmpty)
    #expect(peer.server.session.openStreams == 0)
    peer.send(HTTP2Wire.headers(3))
    #expect(peer.statuses == [3: "200"] && peer.goAway == nil && peer.error == nil)
  }

  static let refused: [(Head, Int)] = [
    (Head("CONNECT", exactly: [(":method", "CONNECT"), (":authority", "a.example:443")]), 501),
    (Head("a method of 33 letters", [(":method", String(repeating: "A", count: 33))]), 501),
    (Head("a path with a fragment", [(":path", "/a#b")]), 400),
    (Head("a path beyond ASCII", [(":path", "/ä")]), 400),
    (Head("a scheme that is not of the web", [(":scheme", "ftp")]), 400),
    (Head("a scheme without a path", [(":scheme", "ftp"), (":path", "x")]), 400),
    (Head("a host that differs", [], [("host", "b.example")]), 400),
    (Head("a host whose port differs", [], [("host", "a.example:443")]), 400),
    (Head("an authority with a user", [(":authority", "me@a.example")]), 400),
    (Head("an authority with a bad port", [(":authority", "a.example:99999")]), 400),
    (Head("a length of 19 digits", [(":method", "POST")], [("content-length", "1000000000000000000")]), 400),
    (Head("a long target", [(":path", "/" + String(repeating: "a", count: 8192))]), 414),
    (Head("too many fields", [], (0..<97).map { ("x-\($0)", "") }), 431),
    (Head("too many bytes", [], [("x", String(repeating: "a", count: 17_000))]), 431),
    (Head("too many bytes in many fields", [], (0..<20).map { ("x\($0)", String(repeating: "a", count: 900)) }), 431),
  ]

  @Test("what can be answered is", arguments: refused)
  func refusedRequest(head: Head, status: Int) {
    let peer = HTTP2WirePeer()
    let block = HTTP2Wire.block(head.fields)
    var frames = HTTP2Wire.frame(.headers, flags: block.count > 16_384 ? 0 : 4, stream: 1, Array(block.prefix(16_384)))
    if block.count > 16_384 {
      frames += HTTP2Wire.frame(.continuation, flags: 4, stream: 1, Array(block[16_384...]))
    }
    peer.send(frames)
    #expect(peer.statuses == [1: "\(status)"] && peer.server.refused == [HTTPStatus(status)])
    #expect(peer.server.began.isEmpty && peer.server.session.openStreams == 0)
    #expect(peer.resets == [1: 0], "the body that was to come is not waited for")
    peer.send(HTTP2Wire.headers(3))
    #expect(peer.statuses[3] == "200" && peer.goAway == nil && peer.error == nil)
  }

  @Test("the limits of a head are those that are allowed")
  func headLimits() {
    let peer = HTTP2WirePeer()
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([], (0..<96).map { ("x-\($0)", "") })))
    // Four pseudo fields of 42, 44, 51 and 38 bytes, and one of 32 and its name.
    let rest = 16_384 - (42 + 44 + 51 + 38) - 33
    peer.send(HTTP2Wire.headers(3, HTTP2Wire.head([], [("x", String(repeating: "a", count: rest))])))
    peer.send(HTTP2Wire.headers(5, HTTP2Wire.head([(":path", "/" + String(repeating: "a", count: 8191))])))
    #expect(peer.statuses == [1: "200", 3: "200", 5: "200"])
    let beyond = HTTP2Wire.block(HTTP2Wire.head([], [("x", String(repeating: "a", count: rest + 1))]))
    peer.send(
      HTTP2Wire.frame(.headers, flags: 1, stream: 7, Array(beyond.prefix(8000))),
      HTTP2Wire.frame(.continuation, flags: 4, stream: 7, Array(beyond[8000...])))
    #expect(peer.statuses[7] == "431")
  }

  @Test("a HEAD that is refused gets no body")
  func refusedHead() {
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "HEAD"), (":scheme", "ftp")])))
    peer.send(HTTP2Wire.headers(3, HTTP2Wire.head([(":method", "HEAD")], (0..<100).map { ("x-\($0)", "") })))
    #expect(peer.statuses == [1: "400", 3: "431"] && peer.count(.data) == 0)
  }

  @Test("OPTIONS may ask for *")
  func asterisk() {
    let peer = HTTP2WirePeer()
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "OPTIONS"), (":path", "*")])))
    #expect(peer.server.first?.head.target.path == "*" && peer.statuses[1] == "200")
  }

  @Test(
    "a body must have the length that was announced",
    arguments: [(["hel"], "5"), (["hello", "x"], "5"), ([], "1"), (["x"], "0")])
  func length(parts: [String], announced: String) {
    let peer = HTTP2WirePeer()
    let head = HTTP2Wire.head([(":method", "POST")], [("content-length", announced)])
    peer.send(HTTP2Wire.headers(1, head, endsStream: false))
    for part in parts { peer.send(HTTP2Wire.data(1, Array(part.utf8))) }
    peer.send(HTTP2Wire.data(1, [], endsStream: true))
    #expect(peer.resets == [1: HTTP2ErrorCode.protocolError] && peer.goAway == nil)
    #expect(peer.server.first?.isEnded == false && peer.server.first?.closed == HTTP2ErrorCode.protocolError)
  }

  static let malformedTrailers = [
    [(":path", "/")], [("Upper", "x")], [("a", "x\ny")], [("connection", "close")],
  ]

  @Test("malformed trailers reset the stream", arguments: 0..<4)
  func trailers(index: Int) {
    let peer = HTTP2WirePeer()
    peer.send(HTTP2Wire.headers(1, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
    peer.send(HTTP2Wire.headers(1, Self.malformedTrailers[index]))
    #expect(peer.resets == [1: HTTP2ErrorCode.protocolError] && peer.goAway == nil)
    #expect(peer.server.first?.isEnded == false && peer.server.first?.closed == HTTP2ErrorCode.protocolError)
  }

  @Test("trailers that do not end the stream, or are too large, reset it")
  func otherTrailers() {
    let peer = HTTP2WirePeer()
    for stream in [1, 3] {
      peer.send(HTTP2Wire.headers(stream, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
    }
    peer.send(HTTP2Wire.headers(1, [("a", "b")], endsStream: false))
    peer.send(HTTP2Wire.headers(3, (0..<101).map { ("x-\($0)", "") }))
    #expect(peer.resets == [1: HTTP2ErrorCode.protocolError, 3: HTTP2ErrorCode.enhanceYourCalm])
    #expect(peer.server.requests[3]?.isEnded == false && peer.goAway == nil)
  }

  static let fatal: [(String, [UInt8], UInt32)] = [
    ("HEADERS for stream 0", HTTP2Wire.headers(0), HTTP2ErrorCode.protocolError),
    ("HEADERS for a stream of the server", HTTP2Wire.headers(2), HTTP2ErrorCode.protocolError),
    ("DATA for stream 0", HTTP2Wire.data(0, [1]), HTTP2ErrorCode.protocolError),
    ("DATA for a stream that never began", HTTP2Wire.data(99, [1]), HTTP2ErrorCode.protocolError),
    ("RST_STREAM for a stream that never began", HTTP2Wire.reset(99), HTTP2ErrorCode.protocolError),
    (
      "RST_STREAM of five bytes", HTTP2Wire.frame(.rstStream, stream: 1, [0, 0, 0, 0, 0]), HTTP2ErrorCode.frameSizeError
    ),
    ("WINDOW_UPDATE by nothing", HTTP2Wire.frame(.windowUpdate, [0, 0, 0, 0]), HTTP2ErrorCode.protocolError),
    ("PING of seven bytes", HTTP2Wire.frame(.ping, [0, 0, 0, 0, 0, 0, 0]), HTTP2ErrorCode.frameSizeError),
    ("SETTINGS of five bytes", HTTP2Wire.frame(.settings, [0, 0, 0, 0, 0]), HTTP2ErrorCode.frameSizeError),
    ("SETTINGS for a stream", HTTP2Wire.frame(.settings, stream: 1), HTTP2ErrorCode.protocolError),
    (
      "a window of 2^31", HTTP2Wire.frame(.settings, [0, 4] + HTTP2Wire.bigEndian(1 << 31)),
      HTTP2ErrorCode.flowControlError
    ),
    (
      "frames of 16 MiB", HTTP2Wire.frame(.settings, [0, 5] + HTTP2Wire.bigEndian(1 << 24)),
      HTTP2ErrorCode.protocolError
    ),
    (
      "an answer to no SETTINGS", HTTP2Wire.frame(.settings, flags: 1) + HTTP2Wire.frame(.settings, flags: 1),
      HTTP2ErrorCode.protocolError
    ),
    ("PUSH_PROMISE", HTTP2Wire.frame(.pushPromise, flags: 4, stream: 1, [0, 0, 0, 2]), HTTP2ErrorCode.protocolError),
    ("CONTINUATION of nothing", HTTP2Wire.frame(.continuation, flags: 4, stream: 1), HTTP2ErrorCode.protocolError),
    (
      "another frame within a head", HTTP2Wire.frame(.headers, stream: 1, [0x82]) + HTTP2Wire.data(1, []),
      HTTP2ErrorCode.protocolError
    ),
    ("a frame larger than allowed", HTTP2Wire.frame(.data, stream: 1, length: 16_385), HTTP2ErrorCode.frameSizeError),
    (
      "more padding than frame", HTTP2Wire.frame(.headers, flags: 4 | 8, stream: 1, [9, 0x82]),
      HTTP2ErrorCode.protocolError
    ),
    (
      "a block that cannot be decompressed", HTTP2Wire.frame(.headers, flags: 4, stream: 1, [0xff, 0xff, 0xff, 0xff]),
      HTTP2ErrorCode.compressionError
    ),
    (
      "an index of no field", HTTP2Wire.frame(.headers, flags: 4, stream: 1, [0xbf]), HTTP2ErrorCode.compressionError
    ),
    (
      "a header table larger than allowed", HTTP2Wire.frame(.headers, flags: 4, stream: 1, [0x3f, 0xe2, 0x1f]),
      HTTP2ErrorCode.compressionError
    ),
  ]

  @Test("what breaks the connection is answered with GOAWAY, and all streams are closed", arguments: fatal.indices)
  func fatalFrame(index: Int) {
    let (name, frames, code) = Self.fatal[index]
    // Stream 11 is on its way meanwhile.
    let peer = HTTP2WirePeer(HTTP2Server())
    peer.send(HTTP2Wire.headers(11, HTTP2Wire.head([(":method", "POST")]), endsStream: false))
    let isOnNewStream = frames[3] == 1 && frames[8] == 1
    let shifted = isOnNewStream ? frames.enumerated().map { $0.offset == 8 ? 13 : $0.element } : frames
    peer.send(shifted)
    #expect(peer.goAway == code, "\(name)")
    #expect(peer.server.session.isFinished && !peer.server.session.wantsOutput)
    #expect(peer.server.session.error?.code == code)
    #expect(peer.server.requests[11]?.closed == code && peer.server.session.openStreams == 0)
    peer.send(HTTP2Wire.headers(15))
    #expect(peer.server.began == [11] && peer.error?.code == code, "nothing is taken any more")
  }

  @Test(
    "a connection that does not begin as it must is ended at once",
    arguments: [
      "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "\0", "PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n",
    ])
  func preface(text: String) {
    let peer = HTTP2WirePeer(opening: Array(text.utf8))
    #expect(peer.error == .badPreface && peer.server.session.error == .badPreface)
    #expect(peer.goAway == HTTP2ErrorCode.protocolError && peer.server.session.isFinished)
  }

  @Test("SETTINGS come first")
  func settingsFirst() {
    let peer = HTTP2WirePeer(opening: HTTP2Wire.preface)
    peer.send(HTTP2Wire.headers(1))
    #expect(peer.goAway == HTTP2ErrorCode.protocolError && peer.server.began.isEmpty)
  }

  @Test("the server says what it allows, and no tree of priorities")
  func settings() {
    var settings = HTTP2Settings()
    settings.maximumConcurrentStreams = 7
    settings.initialWindowSize = 100_000
    settings.maximumHeadBytes = 5000
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok", settings))
    client.request()
    #expect(talk(client, server) == nil)
    #expect(client.serverSettings == [3: 7, 4: 100_000, 5: 16_384, 6: 5000, 9: 1])
  }

  @Test("settings out of range are brought into it")
  func settingsOutOfRange() {
    var settings = HTTP2Settings()
    settings.maximumConcurrentStreams = -1
    settings.initialWindowSize = .max
    settings.connectionWindow = -5
    settings.maximumFrameSize = 0
    settings.maximumQueuedAcknowledgements = 0
    let (client, server) = (HTTP2Client(), HTTP2Server.answering("ok", settings))
    let id = client.request()
    #expect(talk(client, server) == nil)
    #expect(client.serverSettings == [3: 1, 4: 0x7fff_ffff, 5: 16_384, 6: 16_384, 9: 1])
    #expect(client.responses[id]?.status == 200)
  }

  @Test("streams beyond the limit are refused before the client knows it, and afterwards not forgiven")
  func tooManyStreams() {
    var settings = HTTP2Settings()
    settings.maximumConcurrentStreams = 2
    let peer = HTTP2WirePeer(HTTP2Server(settings))
    for stream in [1, 3, 5] { peer.send(HTTP2Wire.headers(stream)) }
    #expect(peer.resets == [5: HTTP2ErrorCode.refusedStream] && peer.server.began == [1, 3])
    peer.server.session.respond(1, status: .ok, fields: HTTPFields(), body: .none)
    peer.read()
    peer.send(HTTP2Wire.headers(7))
    #expect(peer.server.began == [1, 3, 7] && peer.server.session.openStreams == 2)
    peer.send(HTTP2Wire.frame(.settings, flags: 1))
    peer.send(HTTP2Wire.headers(9))
    #expect(peer.goAway == HTTP2ErrorCode.protocolError && peer.server.began == [1, 3, 7])
  }
}
