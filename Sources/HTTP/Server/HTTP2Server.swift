import EventLoops

/// The server's side of HTTP/2 on one connection (RFC 9113): many requests at the same time.
final class HTTP2Server: HTTP2SessionDelegate {
  private let connection: ServerConnection
  private var session: HTTP2Session!
  // Checking at run time that accesses do not overlap would be a part of each request.
  @exclusivity(unchecked) private var exchanges: [Int32: Exchange] = [:]
  /// Of the requests that have a body: mostly none, which is looked at first.
  @exclusivity(unchecked) private var pipes: [Int32: BodyPipe] = [:]
  /// Requests whose heads came in the input that is being worked on; their handlers start behind it.
  @exclusivity(unchecked) private var arrived: [Exchange] = []
  private var hasFailed = false
  private var hasProgress = false
  private var isShuttingDown = false
  private var progress = 0

  /// Output made ahead of the socket; the rest waits where flow control and priorities can still decide.
  private static let outputAhead = 64 << 10
  private static let progressUnit = 1024

  init(_ connection: ServerConnection) {
    self.connection = connection
    var settings = HTTP2Settings()
    let configuration = connection.shard.configuration
    settings.maximumConcurrentStreams = configuration.maximumConcurrentStreams
    settings.maximumHeadBytes = configuration.headLimits.maximumBytes
    settings.maximumFields = configuration.headLimits.maximumFields
    settings.maximumTargetBytes = configuration.headLimits.maximumTargetBytes
    session = HTTP2Session(settings: settings, delegate: self, now: { MonotonicClock.now })
  }

  private var shard: ServerShard { connection.shard }

  /// A peer that does not read what it asked for gets nothing read from it either.
  var wantsInput: Bool { !hasFailed && connection.outputCount < ServerConnection.outputHighWater }

  /// True when nothing is to be received or sent any more.
  var isFinished: Bool { hasFailed ? !session.wantsOutput : session.isFinished }

  var waiting: ServerConnection.Waiting {
    if exchanges.isEmpty { return .idle }
    let isBodyAwaited = pipes.values.contains { !$0.isComplete && !$0.isFull }
    return isBodyAwaited || session.hasBufferedData ? .body : .handler
  }

  func takeProgress() -> Bool {
    defer { hasProgress = false }
    return hasProgress
  }

  // MARK: - Input

  func receive(_ bytes: UnsafeRawBufferPointer) {
    do throws(HTTP2Error) {
      try session.receive(bytes)
    } catch {
      hasFailed = true
      shard.statistics.malformedRequests += 1
    }
    startArrived()
  }

  private func startArrived() {
    while !arrived.isEmpty {
      let starting = arrived
      arrived = []
      for exchange in starting where !exchange.isAbandoned { exchange.start(shard) }
    }
  }

  func inputEnded() { abandon() }

  // MARK: - Output

  /// Moves frames from the session to the connection's output, so far as the socket may take them soon.
  func produceOutput() {
    let room = Self.outputAhead - connection.outputCount
    guard room > 0, session.wantsOutput else { return }
    do throws(HTTP2Error) {
      try session.produceOutput(into: &connection.output, limit: room)
    } catch {
      hasFailed = true
    }
  }

  /// Sends at the end of the turn, so that answers of one turn share packets and TLS records.
  private func outputAdded() {
    if !connection.isInTurn { connection.scheduleTurn() }
  }

  // MARK: - Responses

  func respond(_ id: Int32, _ response: HTTPResponse) {
    guard let exchange = exchanges[id] else { return }
    var fields = response.fields
    fields.append(.date, shard.currentDate())
    if let name = shard.configuration.serverName { fields.append(.server, name) }
    let sendsBody = exchange.method != .head && !response.status.isBodiless
    let body: HTTP2ResponseBody
    switch response.body {
    case _ where !sendsBody: body = .none
    case .empty: body = .none
    case .bytes(let bytes): body = bytes.isEmpty ? .none : .bytes(bytes)
    case .stream: body = .stream
    }
    var length = response.body.length
    // The session tells this one.
    if case .bytes = body { length = nil }
    if let length, sendsBody || exchange.method == .head || response.status == .notModified {
      if length > 0 || !response.status.isBodiless { fields.append(.contentLength, length) }
    }
    session.respond(id, status: response.status, fields: fields, body: body)
    outputAdded()
  }

  func write(_ id: Int32, _ bytes: [UInt8]) -> Bool {
    guard exchanges[id] != nil else { return false }
    let hasRoom = session.write(id, bytes)
    outputAdded()
    return hasRoom
  }

  func notifyIfWritable(_ id: Int32) {
    if session.hasRoom(id) { exchanges[id]?.wakeWriter(isOpen: true) }
  }

  func finish(_ id: Int32, isComplete: Bool) {
    guard exchanges[id] != nil else { return }
    if isComplete { session.finish(id) } else { session.reset(id, code: HTTP2ErrorCode.internalError) }
    outputAdded()
  }

  // MARK: - HTTP2SessionDelegate

  func session(_ session: HTTP2Session, stream id: Int32, began head: HTTP2RequestHead) {
    shard.statistics.requests += 1
    hasProgress = true
    var pipe: BodyPipe?
    if !head.endsStream {
      let new = BodyPipe(on: connection.loop, announcedLength: head.contentLength)
      new.onTaken = { [unowned self] count in bodyTaken(id, count) }
      new.lowerLimit(to: shard.configuration.maximumBodyBytes)
      pipes[id] = new
      pipe = new
      if head.fields[.expect]?.lowercased() == "100-continue" {
        new.onDemand = { [unowned self, unowned new] in
          new.onDemand = nil
          session.inform(id)
          outputAdded()
        }
      }
    }
    var context = HTTPRequestContext()
    context.peer = connection.peer
    context.clientAddress = connection.peer?.address
    context.isEncrypted = connection.transport.session != nil
    context.version = .http2
    context.eventLoop = connection.loop
    let request = HTTPRequest(
      method: head.method, target: head.target, authority: head.authority, fields: head.fields,
      body: pipe.map(HTTPBodyReader.init) ?? .none, context: context)
    let exchange = Exchange(.http2(self, id), request, on: connection.loop, body: pipe)
    exchanges[id] = exchange
    arrived.append(exchange)
  }

  func session(_ session: HTTP2Session, stream id: Int32, received data: UnsafeRawBufferPointer) {
    progress += data.count
    if progress >= Self.progressUnit {
      progress = 0
      hasProgress = true
    }
    if let pipe = pipes[id], !pipe.isComplete {
      pipe.deliver(data)
      if !pipe.isComplete { return }
    }
    // Nobody will read it, but the connection's window must not run dry.
    session.consumed(id, data.count)
  }

  func session(_ session: HTTP2Session, streamEnded id: Int32, trailers: HTTPFields) {
    if !pipes.isEmpty { pipes.removeValue(forKey: id)?.finish() }
  }

  func session(_ session: HTTP2Session, stream id: Int32, closed error: UInt32) {
    hasProgress = true
    if !pipes.isEmpty, let pipe = pipes.removeValue(forKey: id) { pipe.fail(.connectionClosed) }
    guard let exchange = exchanges.removeValue(forKey: id) else { return }
    if error != 0 { shard.statistics.abandonedRequests += 1 }
    exchange.abandon()
  }

  func session(_ session: HTTP2Session, canWrite id: Int32) { exchanges[id]?.wakeWriter(isOpen: true) }

  private func bodyTaken(_ id: Int32, _ count: Int) {
    session.consumed(id, count)
    outputAdded()
  }

  // MARK: - The end

  func beginShutdown() {
    if isShuttingDown { return }
    isShuttingDown = true
    session.beginShutdown()
  }

  /// The connection ends: cancels all handlers.
  func abandon() {
    arrived = []
    for pipe in pipes.values { pipe.fail(.connectionClosed) }
    pipes = [:]
    shard.statistics.abandonedRequests += exchanges.count
    let ended = exchanges.values
    exchanges = [:]
    for exchange in ended { exchange.abandon() }
  }
}
