@testable import HTTP

extension FuzzTarget {
  /// A connection of HTTP/2 and a server that answers in many ways.
  ///
  /// The first byte of the input holds switches, the second the size of the pieces in which bytes arrive (0: all at
  /// once). What follows is either what the client sends, byte for byte, or a list of steps: a byte that says what to do,
  /// flags, a stream, two bytes of length and a payload, so that the fuzzer need not count the bytes of frames.
  static let http2Session = FuzzTarget(name: "http2-session", maximumLength: 4096) { input in
    guard input.count > 2 else { return }
    let run = HTTP2Run(switches: input[0], pieceSize: Int(input[1]))
    let bytes = [UInt8](input[2...])
    if input[0] & 1 == 0 { run.receive(bytes) } else { run.performSteps(bytes) }
    run.end()
  }
}

/// A session under test, its owner, and what is known of both.
final class HTTP2Run: HTTP2SessionDelegate {
  private struct Request {
    var isEnded: Bool
    var isClosed = false
    var unconsumed = 0
  }

  private static let largestBody = 70_000

  private var session: HTTP2Session!
  private let pieceSize: Int
  private let readsAlways: Bool
  private let consumesAlways: Bool
  private var now: UInt64 = 1_000_000_000
  private var requests: [Int32: Request] = [:]
  private var refusals = 0
  private var received = 0
  private var sent = 0
  private var hasFailed = false

  init(switches: UInt8, pieceSize: Int) {
    self.pieceSize = pieceSize
    readsAlways = switches & 2 == 0
    consumesAlways = switches & 4 == 0
    var settings = HTTP2Settings()
    if switches & 8 != 0 {
      settings.maximumConcurrentStreams = 3
      settings.maximumHeadBytes = 500
      settings.maximumFields = 10
      settings.resets = HTTP2Allowance.Rate(burst: 5, perSecond: 1)
      settings.controlFrames = HTTP2Allowance.Rate(burst: 20, perSecond: 1)
      settings.maximumQueuedAcknowledgements = 10
    }
    session = HTTP2Session(settings: settings, delegate: self, now: { [unowned self] in now })
    if switches & 1 != 0 { receive(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]) }
  }

  // MARK: - Input

  func receive(_ bytes: [UInt8]) {
    var offset = 0
    while offset < bytes.count {
      let end = pieceSize == 0 ? bytes.count : min(bytes.count, offset + pieceSize)
      received += end - offset
      do throws(HTTP2Error) {
        try withCopy(of: bytes[offset..<end]) { piece throws(HTTP2Error) in try session.receive(piece) }
        require(!hasFailed, "bytes are taken after the end")
      } catch {
        hasFailed = true
        require(session.error == error && session.openStreams == 0, "streams are left after the end")
      }
      offset = end
      if readsAlways { send() }
    }
  }

  /// Steps until the input ends.
  func performSteps(_ bytes: [UInt8]) {
    var bytes = bytes[...]
    while bytes.count >= 5 {
      let head = Array(bytes.prefix(5))
      bytes = bytes.dropFirst(5)
      let payload = Array(bytes.prefix(Int(head[3]) << 8 | Int(head[4])))
      bytes = bytes.dropFirst(payload.count)
      let stream = head[2]
      switch head[0] & 15 {
      case 0...9: receive(frame(head[0] & 15, head[1], stream, payload))
      case 10: receive(payload)
      case 11: receive(frame(head[1], 0, stream, payload))
      case 12: now += UInt64(head[1]) << 24
      default: act(Int32(stream), head[1], payload)
      }
    }
  }

  private func frame(_ kind: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [0, UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255), kind, flags, 0, 0, 0, stream] + payload
  }

  /// What a handler might do while nothing arrives.
  private func act(_ id: Int32, _ action: UInt8, _ payload: [UInt8]) {
    switch action & 7 {
    case 0: session.beginShutdown()
    case 1: _ = session.write(id, payload)
    case 2: session.finish(id, trailers: payload.isEmpty ? HTTPFields() : ["a": "b"])
    case 3: session.reset(id, code: UInt32(payload.first ?? 0))
    case 4: consume(id, payload.count * 100)
    case 5: session.respond(id, status: .ok, fields: HTTPFields(), body: .stream)
    case 6: session.respond(id, status: .ok, fields: ["a": String(decoding: payload, as: UTF8.self)], body: .none)
    default: send()
    }
  }

  // MARK: - Output

  private func send() {
    for _ in 0..<1000 {
      var bytes: [UInt8] = []
      do { try session.produceOutput(into: &bytes, limit: 4096) } catch { fatalError("nothing can be sent: \(error)") }
      require(bytes.count < 4096 + 16_384 + 9, "\(bytes.count) bytes of output")
      sent += bytes.count
      if bytes.isEmpty {
        checkOutput()
        return
      }
    }
    fatalError("the output has no end")
  }

  private func checkOutput() {
    let streams = requests.count + refusals
    let limit = 4096 + streams * (2 * Self.largestBody + 600) + 3 * received
    require(sent <= limit, "\(sent) bytes of output for \(received) of input and \(streams) requests")
    require(session.openStreams <= session.settings.maximumConcurrentStreams, "too many streams")
    require(requests.values.reduce(0) { $0 + $1.unconsumed } <= 1 << 20 + 16_384, "more than the window is kept")
    if session.error != nil { require(session.isFinished && session.openStreams == 0, "the end is not the end") }
  }

  /// Reads all, shuts down, and lets the client go.
  func end() {
    send()
    session.beginShutdown()
    send()
    session.beginShutdown()
    send()
    for id in requests.keys.sorted() { session.reset(id, code: 8) }
    send()
    require(session.openStreams == refusedAndOpen, "\(session.openStreams) streams cannot be ended")
    require(requests.values.allSatisfy(\.isClosed), "a request was never closed")
    require(session.isFinished || refusedAndOpen > 0, "the session does not end")
  }

  /// Streams whose head is not complete, or whose refusal waits for the peer; nobody but the session knows them.
  private var refusedAndOpen: Int {
    session.streams.all.filter { !$0.isBegun }.count
  }

  private func consume(_ id: Int32, _ count: Int) {
    session.consumed(id, count)
    if let unconsumed = requests[id]?.unconsumed { requests[id]?.unconsumed = max(0, unconsumed - count) }
  }

  // MARK: - Delegate

  func session(_ session: HTTP2Session, stream: Int32, began head: HTTP2RequestHead) {
    require(requests[stream] == nil && stream & 1 == 1, "stream \(stream) begins twice")
    require(!head.target.path.isEmpty && head.authority != nil, "a request for nothing")
    head.fields.forEach { name, value in
      require(name == name.lowercased() && !name.hasPrefix(":") && name != "host", "the field \(name)")
    }
    requests[stream] = Request(isEnded: head.endsStream)
    switch stream / 2 % 8 {
    case 0: session.respond(stream, status: .ok, fields: ["a": "b"], body: .bytes([UInt8](repeating: 1, count: 900)))
    case 1: session.inform(stream)
    case 2:
      session.respond(stream, status: .ok, fields: HTTPFields(), body: .stream)
      _ = session.write(stream, [UInt8](repeating: 2, count: Self.largestBody))
    case 3: session.reset(stream, code: 2)
    case 4: session.respond(stream, status: .noContent, fields: HTTPFields(), body: .none)
    default: break
    }
  }

  func session(_ session: HTTP2Session, stream: Int32, received data: UnsafeRawBufferPointer) {
    guard let request = requests[stream], !request.isEnded, !request.isClosed else { fatalError("data of no request") }
    require(!data.isEmpty, "no data")
    requests[stream]?.unconsumed += data.count
    if consumesAlways { consume(stream, data.count) }
    if stream / 2 % 8 == 5 { session.respond(stream, status: .badRequest, fields: HTTPFields(), body: .none) }
  }

  func session(_ session: HTTP2Session, streamEnded stream: Int32, trailers: HTTPFields) {
    guard let request = requests[stream], !request.isEnded, !request.isClosed else {
      fatalError("an end of no request")
    }
    requests[stream]?.isEnded = true
    if stream / 2 % 8 == 6 {
      session.respond(stream, status: .ok, fields: trailers, body: .stream)
      session.finish(stream, trailers: trailers)
    }
  }

  func session(_ session: HTTP2Session, stream: Int32, closed error: UInt32) {
    guard let request = requests[stream], !request.isClosed else { fatalError("stream \(stream) is closed twice") }
    requests[stream] = Request(isEnded: request.isEnded, isClosed: true)
    session.reset(stream, code: 1)
    _ = session.write(stream, [1])
  }

  func session(_ session: HTTP2Session, canWrite stream: Int32) {
    guard let request = requests[stream], !request.isClosed else { fatalError("a closed stream may write") }
    if stream / 2 % 16 == 2 {
      session.finish(stream)
    } else {
      _ = session.write(stream, [UInt8](repeating: 3, count: 10_000))
      session.finish(stream, trailers: ["c": "d"])
    }
  }

  func session(_ session: HTTP2Session, stream: Int32, refused status: HTTPStatus) {
    refusals += 1
    session.respond(stream, status: status, fields: [.contentLength: "0"], body: .none)
  }
}
