import EventLoops

/// One request and its response: runs the handler, and is what the response's body is written to.
final class Exchange: BodySink, @unchecked Sendable {
  /// Where the response goes.
  enum Stream {
    case http1(HTTP1Server)
    case http2(HTTP2Server, Int32)
  }

  let stream: Stream
  let loop: EventLoop
  /// The request's body; nil if it has none.
  let body: BodyPipe?
  let method: HTTPMethod
  let version: HTTPVersion
  /// The request, until the handler has it. A copy would count each of its parts up and down.
  private var request: HTTPRequest?
  private var task: Task<Void, Never>?
  private var isDone = false
  /// The client is gone, or the response was sent without the handler.
  private(set) var isAbandoned = false
  private var whenRoom: (@Sendable (Bool) -> Void)?
  /// Bytes that the handler still has to write of what it announced; nil if it did not announce a number.
  private var bytesLeft: UInt64?

  init(_ stream: Stream, _ request: consuming HTTPRequest, on loop: EventLoop, body: BodyPipe?) {
    self.stream = stream
    self.loop = loop
    method = request.method
    version = request.context.version
    self.body = body
    self.request = request
  }

  // MARK: - Handling

  /// Answers on this thread; unless a handler has to wait, the response is there when this returns.
  func start(_ shard: ServerShard) {
    guard let request = request.take() else { return }
    switch shard.dispatcher(request) {
    case .response(let response): end(with: response)
    case .handler(let handler):
      self.request = request
      start(handler, shard.onError)
    }
  }

  private func start(_ handler: @escaping HTTPHandler, _ onError: (@Sendable (any Error, HTTPRequest) -> Void)?) {
    let task = Task.immediate(executorPreference: loop) { await self.run(handler, onError) }
    // Unless it has come to its end already, or to a body that goes on in another task.
    if !isDone, self.task == nil { self.task = task }
  }

  private func run(_ handler: HTTPHandler, _ onError: (@Sendable (any Error, HTTPRequest) -> Void)?) async {
    guard let request = request.take() else { return }
    var response: HTTPResponse
    do {
      response = try await handler(request)
    } catch let refusal as HTTPRefusal {
      response = refusal.response
    } catch let error as HTTPError {
      response = error.response
    } catch {
      // The handler's own cancellation says nothing new: the client is gone.
      if !(error is CancellationError) { onError?(error, request) }
      response = .text("Internal Server Error", status: .internalServerError)
    }
    if !loop.isOnLoop { await loop.submit {} }
    end(with: response)
  }

  private func end(with response: HTTPResponse) {
    send(response)
    if case .stream(let length, let write) = response.body, sendsBody(response) {
      begin(write, length)
    } else {
      isDone = true
      task = nil
    }
  }

  private func sendsBody(_ response: HTTPResponse) -> Bool {
    !isAbandoned && method != .head && !response.status.isBodiless
  }

  /// Writes the body in a task of its own: it may go on for days, and what the handler needed for the request would go on
  /// taking its memory with it.
  private func begin(_ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void, _ length: UInt64?) {
    bytesLeft = length
    let task = Task.immediate(executorPreference: loop) { await self.stream(write) }
    self.task = isDone ? nil : task
  }

  private func send(_ response: HTTPResponse) {
    if isAbandoned { return }
    switch stream {
    case .http1(let http1): http1.respond(self, response)
    case .http2(let http2, let id): http2.respond(id, response)
    }
  }

  private func stream(_ write: @Sendable (HTTPBodyWriter) async throws -> Void) async {
    var isComplete = true
    do {
      try await write(HTTPBodyWriter(loop: loop, sink: self))
    } catch {
      isComplete = false
    }
    if !loop.isOnLoop { await loop.submit {} }
    finish(isComplete: isComplete)
  }

  private func finish(isComplete: Bool) {
    isDone = true
    task = nil
    if isAbandoned { return }
    let isComplete = isComplete && (bytesLeft ?? 0) == 0
    switch stream {
    case .http1(let http1): http1.finish(self, isComplete: isComplete)
    case .http2(let http2, let id): http2.finish(id, isComplete: isComplete)
    }
  }

  // MARK: - BodySink

  func write(_ bytes: [UInt8]) -> Bool {
    if isAbandoned { return false }
    if bytes.isEmpty { return true }
    if let left = bytesLeft {
      // More than announced would be taken for the next response: cut it off, and let the end show it.
      guard UInt64(bytes.count) <= left else {
        abandon()
        breakOff()
        return false
      }
      bytesLeft = left - UInt64(bytes.count)
    }
    switch stream {
    case .http1(let http1): return http1.write(self, bytes)
    case .http2(let http2, let id): return http2.write(id, bytes)
    }
  }

  func whenWritable(_ body: @escaping @Sendable (Bool) -> Void) {
    if isAbandoned { return body(false) }
    whenRoom = body
    switch stream {
    case .http1(let http1): http1.notifyIfWritable(self)
    case .http2(let http2, let id): http2.notifyIfWritable(id)
    }
  }

  func writerCancelled() { wakeWriter(isOpen: false) }

  /// There is room again, or nobody listens.
  func wakeWriter(isOpen: Bool) {
    let body = whenRoom
    whenRoom = nil
    body?(isOpen)
  }

  // MARK: - The end

  private func breakOff() {
    switch stream {
    case .http1(let http1): http1.finish(self, isComplete: false)
    case .http2(let http2, let id): http2.finish(id, isComplete: false)
    }
  }

  /// The client is gone: cancels the handler.
  func abandon() {
    if isAbandoned { return }
    isAbandoned = true
    body?.fail(.connectionClosed)
    wakeWriter(isOpen: false)
    if !isDone { task?.cancel() }
    task = nil
  }
}
