import Addresses
import EventLoops
import TLS

/// One connection of a client: one request after the other (HTTP/1.1). Touched on its loop only.
final class ClientConnection: DescriptorHandler, BodySink, @unchecked Sendable {
  enum State {
    case connecting
    case handshake
    case idle
    case waitingForHead
    case receivingBody
    case closed
  }

  let key: ClientPool.Key
  let route: HTTPRoute
  let pool: ClientPool
  let transport: StreamTransport
  var state = State.connecting
  var watch: Watch?
  var isReadable = false
  var isWritable = false
  var timer: TimerHandle?

  var whenConnected: UnsafeContinuation<HTTPError?, Never>?
  var whenHead: UnsafeContinuation<Result<(HTTP1ResponseHead, BodyPipe), HTTPError>, Never>?
  var method = HTTPMethod.get
  var parser: HTTP1ResponseParser
  var decoder: HTTP1BodyDecoder?
  var pipe: BodyPipe?
  var keepsAlive = true
  /// Input that cannot be used yet.
  var pending: [UInt8] = []

  var output: [UInt8] = []
  var outputStart = 0
  var isChunked = false
  var bytesLeft: UInt64?
  var upload: Task<Void, Never>?
  var whenRoom: (@Sendable (Bool) -> Void)?

  /// True if the last request was written to the connection, wholly or in part.
  private(set) var hasSentRequest = false
  /// True while no byte of the response to it has come.
  var hasSeenNothing = true

  static let outputHighWater = 256 << 10
  static let readSize = 64 << 10

  private init(_ route: HTTPRoute, _ key: ClientPool.Key, _ pool: ClientPool) throws {
    self.route = route
    self.key = key
    self.pool = pool
    let socket = try StreamSocket(connectingTo: route.endpoint)
    let session: TLSSession?
    switch route.identity {
    case .plain: session = nil
    case .certificate(let hostName):
      session = try TLSSession(
        connecting: pool.context(for: route.identity), to: .hostName(hostName), serverName: hostName,
        descriptor: socket.descriptor)
    case .rawKey(let key):
      session = try TLSSession(
        connecting: pool.context(for: route.identity), to: .rawKey(key), serverName: nil,
        descriptor: socket.descriptor)
    }
    transport = StreamTransport(socket, session)
    parser = HTTP1ResponseParser(limits: pool.configuration.headLimits)
  }

  var loop: EventLoop { pool.loop }

  // MARK: - Connecting

  /// Connects and, if the route says so, proves who is there.
  static func connect(
    _ route: HTTPRoute, for key: ClientPool.Key, in pool: ClientPool
  ) async throws(HTTPError) -> ClientConnection {
    let made: Result<ClientConnection, HTTPError> = await pool.loop.submit {
      do {
        return .success(try ClientConnection(route, key, pool))
      } catch {
        return .failure(.cannotConnect("\(route.endpoint): \(error)"))
      }
    }
    let connection = try made.get()
    let failure: HTTPError? = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in pool.loop.execute { connection.open(continuation) } }
    } onCancel: {
      pool.loop.execute { connection.fail(.connectionClosed) }
    }
    if let failure { throw failure }
    return connection
  }

  func open(_ continuation: UnsafeContinuation<HTTPError?, Never>) {
    if case .closed = state { return continuation.resume(returning: .connectionClosed) }
    whenConnected = continuation
    do {
      watch = try loop.watch(
        transport.socket.descriptor, for: [.reading, .writing, .peerClosed, .edgeTriggered], handler: self)
      startTimer(pool.configuration.connectTimeout)
    } catch {
      fail(.cannotConnect("\(error)"))
    }
  }

  func connected() {
    stopTimer()
    state = .idle
    beginUse()
    whenConnected?.resume(returning: nil)
    whenConnected = nil
  }

  func beginUse() { stopTimer() }

  // MARK: - Events

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing) { isWritable = true }
    if !readiness.isDisjoint(with: [.reading, .peerClosed, .hungUp, .failed]) { isReadable = true }
    do {
      try advance()
    } catch {
      fail(whenConnected == nil ? .connectionClosed : .cannotConnect("\(route.endpoint): \(error)"))
    }
  }

  func eventLoopStopped() {
    watch = nil
    fail(.connectionClosed)
  }

  func advance() throws {
    if case .connecting = state {
      guard isWritable || isReadable else { return }
      if let error = transport.socket.connectionError { throw error }
      guard isWritable else { return }
      state = .handshake
    }
    if case .handshake = state {
      if let session = transport.session {
        switch try session.handshake() {
        case .done: isReadable = true
        case .wantsRead, .wantsWrite: return
        }
      }
      connected()
    }
    try sendOutput()
    try readInput()
  }

  // MARK: - Requests

  /// Sends a request and waits for the head of its response.
  func send(_ request: HTTPClientRequest) async throws(HTTPError) -> HTTPClientResponse {
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        if loop.isOnLoop {
          begin(request, continuation)
        } else {
          loop.execute { self.begin(request, continuation) }
        }
      }
    } onCancel: {
      loop.execute { self.cancelled() }
    }
    let (head, pipe) = try result.get()
    return HTTPClientResponse(
      status: head.status, fields: head.fields, body: HTTPBodyReader(pipe, lease: ResponseLease(self, pipe)),
      url: request.url, route: route)
  }

  func begin(
    _ request: HTTPClientRequest,
    _ continuation: UnsafeContinuation<Result<(HTTP1ResponseHead, BodyPipe), HTTPError>, Never>
  ) {
    hasSentRequest = false
    guard case .idle = state, !Task.isCancelled else {
      return continuation.resume(returning: .failure(.connectionClosed))
    }
    state = .waitingForHead
    whenHead = continuation
    hasSentRequest = true
    hasSeenNothing = true
    method = request.method
    parser = HTTP1ResponseParser(limits: pool.configuration.headLimits)
    startTimer(pool.configuration.headTimeout)
    let framing: BodyFraming
    switch request.body {
    case .empty: framing = [.post, .put, .patch].contains(request.method) ? .length(0) : .none
    case .bytes(let bytes): framing = .length(UInt64(bytes.count))
    case .stream(let length, _): framing = length.map { .length($0) } ?? .chunked
    }
    HTTP1Encoder.requestHead(
      request.method, target: request.url.target, authority: request.url.authority, fields: request.fields,
      framing: framing, keepsAlive: true, into: &output)
    if case .bytes(let bytes) = request.body { output += bytes }
    if case .stream(let length, let write) = request.body { startUpload(length, write) }
    do {
      try sendOutput()
    } catch {
      fail(.connectionClosed)
    }
  }

  func startUpload(_ length: UInt64?, _ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) {
    isChunked = length == nil
    bytesLeft = length
    upload = Task(executorPreference: loop) { [loop] in
      do {
        try await write(HTTPBodyWriter(loop: loop, sink: self))
      } catch {
        return await loop.submit { self.fail(.connectionClosed) }
      }
      await loop.submit { self.uploadEnded() }
    }
  }

  func uploadEnded() {
    upload = nil
    guard bytesLeft ?? 0 == 0 else { return fail(.connectionClosed) }
    if isChunked { HTTP1Encoder.lastChunk(trailers: HTTPFields(), into: &output) }
    do {
      try sendOutput()
    } catch {
      fail(.connectionClosed)
    }
    if case .idle = state { finishUse() }
  }

  func cancelled() {
    switch state {
    case .waitingForHead, .receivingBody: fail(.connectionClosed)
    case .connecting, .handshake, .idle, .closed: break
    }
  }

  // MARK: - Time

  func startTimer(_ time: Duration) {
    stopTimer()
    timer = loop.schedule(after: time) { [weak self] in self?.timerFired() }
  }

  func stopTimer() {
    if let timer { loop.cancel(timer) }
    timer = nil
  }

  func timerFired() {
    timer = nil
    switch state {
    // The reader takes its time, not the server.
    case .receivingBody where pipe?.isFull == true: break
    case .idle: close()
    case .connecting, .handshake: fail(.cannotConnect("\(route.endpoint) did not answer in time"))
    case .waitingForHead, .receivingBody: fail(.timedOut)
    case .closed: break
    }
  }

  // MARK: - The end

  func close() { fail(.connectionClosed) }

  /// Closes and tells whoever waits why.
  func fail(_ error: HTTPError) {
    if case .closed = state { return }
    state = .closed
    stopTimer()
    pool.forget(self)
    if let watch { loop.unwatch(watch) }
    watch = nil
    transport.session?.sendCloseNotify()
    transport.socket.close()
    upload?.cancel()
    upload = nil
    wakeWriter(isOpen: false)
    whenConnected?.resume(returning: error)
    whenConnected = nil
    whenHead?.resume(returning: .failure(error))
    whenHead = nil
    pipe?.fail(error)
    pipe = nil
    decoder = nil
  }
}

/// Held by who reads a response: tells the connection when nobody does any more.
private final class ResponseLease: Sendable {
  let connection: ClientConnection
  let pipe: BodyPipe
  let loop: EventLoop

  init(_ connection: ClientConnection, _ pipe: BodyPipe) {
    self.connection = connection
    self.pipe = pipe
    loop = connection.loop
  }

  deinit {
    let connection = connection
    let pipe = pipe
    loop.execute { connection.bodyReleased(pipe) }
  }
}
