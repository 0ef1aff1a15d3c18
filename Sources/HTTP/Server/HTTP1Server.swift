import EventLoops

/// The server's side of HTTP/1.1 on one connection (RFC 9112): one request after the other.
final class HTTP1Server {
  private let connection: ServerConnection
  private var parser: HTTP1RequestParser
  /// Input that cannot be used yet: part of a head, or what follows the request that is being answered.
  private var pending: [UInt8] = []
  /// The request that is being answered.
  private var exchange: Exchange?
  /// The body that is arriving.
  private var body: HTTP1BodyDecoder?
  /// The body of the exchange that is arriving; nil when its bytes are dropped.
  private var pipe: BodyPipe?
  private var responseFraming: BodyFraming?
  private var keepsAlive = true
  private var owesContinue = false
  /// Nothing that arrives is looked at any more.
  private var isDeaf = false
  private var progress = 0
  private var hasProgress = false

  /// Bytes of an unread body that are worth reading to keep the connection.
  private static let drainLimit: UInt64 = 64 << 10
  private var drained: UInt64 = 0
  /// Progress of a body counts by the kilobyte, so that single bytes do not buy time.
  private static let progressUnit = 1024

  init(_ connection: ServerConnection) {
    self.connection = connection
    parser = HTTP1RequestParser(limits: connection.shard.configuration.headLimits)
  }

  private var shard: ServerShard { connection.shard }

  /// True between requests.
  var isIdle: Bool { exchange == nil && body == nil && pending.isEmpty }

  /// True if bytes that arrive can be used now.
  var wantsInput: Bool {
    if isDeaf { return false }
    if body != nil { return !(pipe?.isFull ?? false) }
    return exchange == nil
  }

  /// True if the request is complete and its response is not.
  var isWaitingForHandler: Bool { exchange != nil && body == nil }

  var waiting: ServerConnection.Waiting {
    if body != nil { return pipe?.isFull == true ? .handler : .body }
    if exchange != nil { return .handler }
    return pending.isEmpty ? .idle : .head
  }

  /// True if so much of a body has come that its time begins anew.
  func takeBodyProgress() -> Bool {
    defer { hasProgress = false }
    return hasProgress
  }

  // MARK: - Input

  func receive(_ bytes: UnsafeRawBufferPointer) {
    if isDeaf { return }
    if pending.isEmpty {
      let used = consume(bytes)
      if used < bytes.count { pending.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[used...])) }
    } else {
      pending.append(contentsOf: bytes)
      resume()
    }
  }

  /// Goes on with input that had to wait.
  func resume() {
    if pending.isEmpty || !wantsInput { return }
    var waiting: [UInt8] = []
    swap(&waiting, &pending)
    let used = waiting.withUnsafeBytes { consume($0) }
    if isDeaf { return }
    if used == 0 {
      swap(&waiting, &pending)
    } else if used < waiting.count {
      pending = Array(waiting[used...])
    }
  }

  /// Works on input and returns how much of it is done with.
  private func consume(_ bytes: UnsafeRawBufferPointer) -> Int {
    var offset = 0
    do throws(HTTP1Error) {
      while !isDeaf {
        if body != nil {
          guard try consumeBody(bytes, &offset) else { break }
        } else if exchange != nil || offset == bytes.count {
          break
        } else {
          guard let (head, length) = try parser.parse(UnsafeRawBufferPointer(rebasing: bytes[offset...])) else { break }
          offset += length
          try begin(head, bytes, &offset)
        }
      }
    } catch {
      refuse(error)
    }
    return isDeaf ? bytes.count : offset
  }

  /// Delivers what there is of a body; true when it is complete.
  private func consumeBody(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(HTTP1Error) -> Bool {
    // The end takes no room, and nothing may come after it that would make it seen.
    while body != nil, body!.hasEnded || !(pipe?.isFull ?? false) {
      let before = offset
      switch try body!.next(bytes, from: &offset) {
      case .data(let range):
        count(offset - before)
        // Who sends already does not wait to be told (RFC 9110 §10.1.1).
        owesContinue = false
        if let pipe {
          pipe.deliver(UnsafeRawBufferPointer(rebasing: bytes[range]))
        } else {
          try drain(UInt64(range.count))
        }
      case .needsMore:
        count(offset - before)
        return false
      case .end:
        count(offset - before)
        body = nil
        pipe?.finish()
        pipe = nil
        return true
      }
    }
    return body == nil
  }

  /// Bytes of a body that nobody reads.
  private func drain(_ count: UInt64) throws(HTTP1Error) {
    drained += count
    if drained > Self.drainLimit { endWithoutListening() }
  }

  private func count(_ bytes: Int) {
    progress += bytes
    if progress >= Self.progressUnit {
      progress = 0
      hasProgress = true
    }
  }

  /// Stops listening; the connection closes after what is to be sent.
  private func endWithoutListening() {
    isDeaf = true
    pending = []
    body = nil
    pipe = nil
    if exchange == nil { connection.closeAfterOutput() }
  }

  private func refuse(_ error: HTTP1Error) {
    shard.statistics.malformedRequests += 1
    keepsAlive = false
    if let pipe {
      // The handler answers, since it may be doing so already.
      pipe.fail(
        error.status == .contentTooLarge
          ? .tooLarge(limit: Int(clamping: shard.configuration.maximumBodyBytes))
          : .malformed(error.reason))
      return endWithoutListening()
    }
    if exchange == nil { answer(.text(error.reason, status: error.status)) }
    endWithoutListening()
  }

  /// Answers without a handler.
  private func answer(_ response: HTTPResponse) {
    write(response, for: .get, .http11, framing: .length(response.body.length ?? 0))
  }

  func inputEnded() {
    if body != nil {
      pipe?.fail(.connectionClosed)
      exchange?.abandon()
      exchange = nil
    } else if exchange != nil {
      abandon()
    }
    endWithoutListening()
    connection.closeAfterOutput()
  }

  // MARK: - Requests

  /// Takes a request, with as much of its body as came along: so most handlers find theirs there and need not wait.
  private func begin(
    _ head: HTTP1RequestHead, _ bytes: UnsafeRawBufferPointer, _ offset: inout Int
  ) throws(HTTP1Error) {
    shard.statistics.requests += 1
    keepsAlive = head.keepsAlive
    progress = 0
    drained = 0
    var newPipe: BodyPipe?
    if head.framing != .none, head.framing != .length(0) {
      var announced: UInt64?
      if case .length(let length) = head.framing { announced = length }
      let pipe = BodyPipe(on: connection.loop, announcedLength: announced)
      pipe.onDemand = { [unowned self] in bodyWanted() }
      body = HTTP1BodyDecoder(head.framing, maximumBytes: shard.configuration.maximumBodyBytes)
      owesContinue = head.expectsContinue
      newPipe = pipe
      pipe.lowerLimit(to: shard.configuration.maximumBodyBytes)
    }
    pipe = newPipe
    var context = HTTPRequestContext()
    context.peer = connection.peer
    context.clientAddress = connection.peer?.address
    context.isEncrypted = connection.transport.session != nil
    context.version = head.version
    context.eventLoop = connection.loop
    let request = HTTPRequest(
      method: head.method, target: head.target, authority: head.authority, fields: head.fields,
      body: newPipe.map(HTTPBodyReader.init) ?? .none, context: context)
    let exchange = Exchange(.http1(self), request, on: connection.loop, body: newPipe)
    self.exchange = exchange
    defer { exchange.start(shard) }
    if body != nil { _ = try consumeBody(bytes, &offset) }
  }

  /// The handler reads, and there is nothing for it.
  private func bodyWanted() {
    if owesContinue {
      owesContinue = false
      connection.output += HTTP1Encoder.continueResponse
      connection.outputAdded()
    } else if !connection.isInTurn {
      connection.scheduleTurn()
    }
  }

  func timedOut() {
    if let pipe {
      keepsAlive = false
      pipe.fail(.timedOut)
      return endWithoutListening()
    }
    keepsAlive = false
    answer(.text("the request took too long", status: .requestTimeout))
    endWithoutListening()
  }

  // MARK: - Responses

  /// Sends a response, or the head of one whose body follows.
  func respond(_ exchange: Exchange, _ response: HTTPResponse) {
    guard exchange === self.exchange else { return }
    let framing = HTTP1Encoder.framing(
      ofResponse: response.status, to: exchange.method, version: exchange.version, length: response.body.length)
    // A client that was not told to send its body will not send it, or may send it still: one cannot know.
    if owesContinue || framing == .untilClose || shard.isDraining { keepsAlive = false }
    responseFraming = framing
    write(response, for: exchange.method, exchange.version, framing: framing)
    if case .stream = response.body, framing != .none { return connection.outputAdded() }
    finish(exchange, isComplete: true)
  }

  private func write(
    _ response: HTTPResponse, for method: HTTPMethod, _ version: HTTPVersion, framing: BodyFraming
  ) {
    connection.prepareOutput()
    // For HEAD and 304 the length is that of the body that is not sent; an empty one is none at all for 304.
    let untold = method == .head ? response.body.length : response.body.length.flatMap { $0 > 0 ? $0 : nil }
    HTTP1Encoder.responseHead(
      response.status, fields: response.fields, framing: framing, contentLengthOfHead: untold,
      keepsAlive: keepsAlive, version: version, date: shard.currentDateLine(), into: &connection.output)
    if case .bytes(let bytes) = response.body, framing != .none { connection.output += bytes }
  }

  /// Takes a piece of the response's body; false if the writer should pause.
  func write(_ exchange: Exchange, _ bytes: [UInt8]) -> Bool {
    guard exchange === self.exchange else { return false }
    if responseFraming == .chunked {
      bytes.withUnsafeBytes { HTTP1Encoder.chunk($0, into: &connection.output) }
    } else {
      connection.output += bytes
    }
    connection.outputAdded()
    return !exchange.isAbandoned && connection.hasRoomForOutput
  }

  func notifyIfWritable(_ exchange: Exchange) {
    if connection.hasRoomForOutput { exchange.wakeWriter(isOpen: true) }
  }

  func outputDrained() { exchange?.wakeWriter(isOpen: true) }

  /// The response is complete, or broke off.
  func finish(_ exchange: Exchange, isComplete: Bool) {
    guard exchange === self.exchange else { return }
    self.exchange = nil
    if isComplete {
      if responseFraming == .chunked { HTTP1Encoder.lastChunk(trailers: HTTPFields(), into: &connection.output) }
    } else {
      keepsAlive = false
    }
    responseFraming = nil
    forgetBody()
    if keepsAlive && !isDeaf {
      connection.outputAdded()
    } else {
      endWithoutListening()
    }
  }

  /// The response is complete before the request is: reads on if the rest is short, else closes.
  private func forgetBody() {
    guard body != nil else { return }
    let pipe = pipe
    self.pipe = nil
    pipe?.onDemand = nil
    if owesContinue || (pipe?.announcedLength ?? 0) > Self.drainLimit { keepsAlive = false }
    owesContinue = false
    pipe?.fail(.connectionClosed)
  }

  /// The connection ends: cancels the handler.
  func abandon() {
    isDeaf = true
    pending = []
    if let exchange {
      shard.statistics.abandonedRequests += 1
      self.exchange = nil
      exchange.abandon()
    }
    pipe?.fail(.connectionClosed)
    pipe = nil
    body = nil
  }
}
