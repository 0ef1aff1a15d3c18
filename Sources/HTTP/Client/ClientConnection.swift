import Addresses
import EventLoops
import TLS

/// One connection of a client: one request after the other (HTTP/1.1). Touched on its loop only.
final class ClientConnection: DescriptorHandler, BodySink, @unchecked Sendable {
  private enum State {
    case connecting
    case handshake
    case idle
    case waitingForHead
    case receivingBody
    case closed
  }

  let key: ClientPool.Key
  let route: HTTPRoute
  private let pool: ClientPool
  private let transport: Transport
  private var state = State.connecting
  private var watch: Watch?
  private var isReadable = false
  private var isWritable = false
  private var timer: TimerHandle?

  private var whenConnected: UnsafeContinuation<HTTPError?, Never>?
  private var whenHead: UnsafeContinuation<Result<(HTTP1ResponseHead, BodyPipe), HTTPError>, Never>?
  private var method = HTTPMethod.get
  private var parser: HTTP1ResponseParser
  private var decoder: HTTP1BodyDecoder?
  private var pipe: BodyPipe?
  private var keepsAlive = true
  /// Input that cannot be used yet.
  private var pending: [UInt8] = []

  private var output: [UInt8] = []
  private var outputStart = 0
  private var isChunked = false
  private var bytesLeft: UInt64?
  private var upload: Task<Void, Never>?
  private var whenRoom: (@Sendable (Bool) -> Void)?

  /// True once a request was answered on it.
  private(set) var wasUsed = false
  /// True if the last request was written to the connection, wholly or in part.
  private(set) var hasSentRequest = false
  /// True while no byte of the response to it has come.
  private(set) var hasSeenNothing = true

  private static let outputHighWater = 256 << 10
  private static let readSize = 64 << 10

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
        connecting: pool.context, to: .hostName(hostName), serverName: hostName, descriptor: socket.descriptor)
    case .rawKey(let key):
      session = try TLSSession(
        connecting: pool.context, to: .rawKey(key), serverName: nil, descriptor: socket.descriptor)
    }
    transport = Transport(socket, session)
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

  private func open(_ continuation: UnsafeContinuation<HTTPError?, Never>) {
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

  private func connected() {
    stopTimer()
    state = .idle
    wasUsed = false
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

  private func advance() throws {
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

  private func begin(
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

  private func startUpload(_ length: UInt64?, _ write: @escaping @Sendable (HTTPBodyWriter) async throws -> Void) {
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

  private func uploadEnded() {
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

  private func cancelled() {
    switch state {
    case .waitingForHead, .receivingBody: fail(.connectionClosed)
    case .connecting, .handshake, .idle, .closed: break
    }
  }

  // MARK: - Output

  private func sendOutput() throws {
    guard try transport.flush() else {
      isWritable = false
      return
    }
    while outputStart < output.count {
      guard isWritable else { return }
      let start = outputStart
      let written = try output.withUnsafeBytes { try transport.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let written, written > 0 else {
        isWritable = false
        return
      }
      outputStart += written
    }
    output.removeAll(keepingCapacity: output.capacity <= Self.outputHighWater)
    outputStart = 0
    if try !transport.flush() { isWritable = false }
    wakeWriter(isOpen: true)
  }

  func write(_ bytes: [UInt8]) -> Bool {
    if case .closed = state { return false }
    if bytes.isEmpty { return true }
    if let left = bytesLeft {
      guard UInt64(bytes.count) <= left else {
        fail(.connectionClosed)
        return false
      }
      bytesLeft = left - UInt64(bytes.count)
    }
    if isChunked {
      bytes.withUnsafeBytes { HTTP1Encoder.chunk($0, into: &output) }
    } else {
      output += bytes
    }
    do {
      try sendOutput()
    } catch {
      fail(.connectionClosed)
      return false
    }
    return output.count - outputStart < Self.outputHighWater
  }

  func whenWritable(_ body: @escaping @Sendable (Bool) -> Void) {
    if case .closed = state { return body(false) }
    if output.count - outputStart < Self.outputHighWater { return body(true) }
    whenRoom = body
  }

  func writerCancelled() { wakeWriter(isOpen: false) }

  private func wakeWriter(isOpen: Bool) {
    let body = whenRoom
    whenRoom = nil
    body?(isOpen)
  }

  // MARK: - Input

  private var wantsInput: Bool {
    switch state {
    case .idle, .waitingForHead: true
    case .receivingBody: !(pipe?.isFull ?? false)
    case .connecting, .handshake, .closed: false
    }
  }

  private func readInput() throws {
    try usePending()
    while isReadable, wantsInput {
      let piece = try withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 16) { buffer -> Bool in
        guard let count = try transport.read(into: buffer) else {
          isReadable = false
          return false
        }
        if count == 0 {
          inputEnded()
          return false
        }
        hasSeenNothing = false
        try receive(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return true
      }
      if !piece { return }
    }
  }

  private func usePending() throws {
    guard !pending.isEmpty, wantsInput else { return }
    var waiting: [UInt8] = []
    swap(&waiting, &pending)
    try waiting.withUnsafeBytes { try receive($0) }
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) throws {
    if !pending.isEmpty {
      pending.append(contentsOf: bytes)
      return try usePending()
    }
    var offset = 0
    do throws(HTTP1Error) {
      offset = try consume(bytes)
    } catch {
      return fail(.malformed(error.reason))
    }
    if case .closed = state { return }
    if offset < bytes.count { pending = Array(bytes[offset...]) }
  }

  private func consume(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Error) -> Int {
    var offset = 0
    while offset < bytes.count {
      switch state {
      case .waitingForHead:
        let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
        guard let (head, length) = try parser.parse(rest, requestMethod: method) else { return offset }
        offset += length
        headArrived(head)
      case .receivingBody:
        guard try consumeBody(bytes, &offset) else { return offset }
      case .idle:
        // Nobody asked for this.
        close()
        return bytes.count
      case .connecting, .handshake, .closed: return bytes.count
      }
    }
    return offset
  }

  private func headArrived(_ head: HTTP1ResponseHead) {
    // 100 Continue and the like announce the real response.
    if head.status.isInformational {
      if head.status.code == 101 { fail(.malformed("the server changed the protocol unasked")) }
      return
    }
    wasUsed = true
    keepsAlive = head.keepsAlive
    var announced: UInt64?
    if case .length(let length) = head.framing { announced = length }
    let pipe = BodyPipe(on: loop, announcedLength: announced)
    self.pipe = pipe
    state = .receivingBody
    let continuation = whenHead
    whenHead = nil
    if head.framing == .none || head.framing == .length(0) {
      bodyEnded()
    } else {
      decoder = HTTP1BodyDecoder(head.framing, maximumBytes: nil)
      pipe.onDemand = { [weak self] in self?.bodyWanted() }
      startTimer(pool.configuration.bodyTimeout)
    }
    continuation?.resume(returning: .success((head, pipe)))
  }

  private func consumeBody(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) throws(HTTP1Error) -> Bool {
    while decoder != nil {
      if pipe?.isFull ?? true { return false }
      switch try decoder!.next(bytes, from: &offset) {
      case .data(let range):
        startTimer(pool.configuration.bodyTimeout)
        pipe?.deliver(UnsafeRawBufferPointer(rebasing: bytes[range]))
      case .needsMore: return false
      case .end: bodyEnded()
      }
    }
    return true
  }

  private func bodyWanted() {
    startTimer(pool.configuration.bodyTimeout)
    // Not at once: the reader asks from within its own reading.
    loop.execute { [weak self] in
      guard let self else { return }
      do {
        try readInput()
      } catch {
        fail(.connectionClosed)
      }
    }
  }

  private func bodyEnded() {
    decoder = nil
    let ended = pipe
    pipe = nil
    stopTimer()
    state = .idle
    ended?.finish()
    if upload == nil { finishUse() } else { keepsAlive = false }
  }

  /// The exchange is over: keeps the connection for the next one, or closes it.
  private func finishUse() {
    guard keepsAlive, pending.isEmpty, outputStart == output.count else { return close() }
    startTimer(pool.configuration.idleTimeout)
    pool.keep(self)
  }

  private func inputEnded() {
    isReadable = false
    if case .receivingBody = state, decoder != nil {
      do throws(HTTP1Error) {
        // A body may end with its connection, if it said nothing else.
        try decoder?.finish()
        keepsAlive = false
        return bodyEnded()
      } catch {
        return fail(.connectionClosed)
      }
    }
    fail(.connectionClosed)
  }

  /// The response was released before its body had ended.
  func bodyReleased(_ pipe: BodyPipe) {
    if pipe === self.pipe { fail(.connectionClosed) }
  }

  // MARK: - Time

  private func startTimer(_ time: Duration) {
    stopTimer()
    timer = loop.schedule(after: time) { [weak self] in self?.timerFired() }
  }

  private func stopTimer() {
    if let timer { loop.cancel(timer) }
    timer = nil
  }

  private func timerFired() {
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
  private let connection: ClientConnection
  private let pipe: BodyPipe
  private let loop: EventLoop

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
