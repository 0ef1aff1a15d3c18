import Addresses
import EventLoops
import TLS

/// One connection to a server: moves bytes between the socket and the protocol that is spoken on it, and watches the time.
///
/// Everything happens on the loop of its shard, in turns: read what is there, let the protocol work on it, send what it
/// has to say. Handlers may answer within a turn or long after it.
final class ServerConnection: DescriptorHandler, @unchecked Sendable {
  let shard: ServerShard
  let transport: StreamTransport
  var engine = Engine.handshake
  /// The place in the shard's list; -1 outside of it.
  var index = -1

  private var watch: Watch?
  private var isReadable = false
  private var isWritable = true
  private(set) var peerHasEnded = false
  private(set) var isInTurn = false
  private var isTurnScheduled = false

  var output: [UInt8] = []
  private var outputStart = 0
  /// Close once all output is sent.
  private var closesAfterOutput = false

  private(set) var waiting = Waiting.handshake
  private(set) var waitingSince = MonotonicClock.now
  /// When the client has taken too long; nanoseconds of `MonotonicClock`.
  private(set) var deadline = UInt64.max

  /// Reads before the loop looks after others.
  private static let readsPerTurn = 8
  /// Output that waits for a slow client before writers are asked to pause.
  static let outputHighWater = 256 << 10
  private static let lingeringTime = Duration.seconds(2)

  /// Reads who the client is, if a proxy says so first.
  private var proxyHeader: ProxyHeaderReader?
  /// The client: the other end, or who the proxy there says it is.
  private(set) var peer: Endpoint?

  init(_ transport: StreamTransport, isProxied: Bool, on shard: ServerShard) {
    self.transport = transport
    self.shard = shard
    proxyHeader = isProxied ? ProxyHeaderReader() : nil
    peer = transport.socket.peer
  }

  var loop: EventLoop { shard.loop }
  var isIdle: Bool { waiting == .idle }
  var outputCount: Int { output.count - outputStart }
  var hasRoomForOutput: Bool { outputCount < Self.outputHighWater }

  func open() throws(SystemError) {
    watch = try loop.watch(
      transport.socket.descriptor, for: [.reading, .writing, .peerClosed, .edgeTriggered], handler: self)
    if transport.session == nil, proxyHeader == nil { engine = .undecided([]) }
    settle()
  }

  // MARK: - Events

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing) { isWritable = true }
    if !readiness.isDisjoint(with: [.peerClosed, .hungUp, .failed]) { peerHasEnded = true }
    if !readiness.isDisjoint(with: [.reading, .peerClosed, .hungUp, .failed]) { isReadable = true }
    turn()
  }

  func eventLoopStopped() {
    watch = nil
    close()
  }

  /// Reads, lets the protocol work, and sends.
  func turn() {
    if isInTurn { return }
    isInTurn = true
    prepareOutput()
    do {
      if try readProxyHeader(), try shakeHands() { try readInput() }
      try produceAndSend()
    } catch {
      close()
    }
    isInTurn = false
    afterTurn()
  }

  /// Another turn after what the loop has to do now.
  func scheduleTurn() {
    if isTurnScheduled { return }
    isTurnScheduled = true
    loop.execute { [self] in
      isTurnScheduled = false
      turn()
    }
  }

  private func afterTurn() {
    if outputCount == 0 {
      outputStart = 0
      shard.giveBack(&output)
      if closesAfterOutput { return endGracefully() }
    }
    if case .closed = engine { return }
    if peerHasEnded, !wantsInput, isWaitingForHandler {
      // Who hung up while we work on his request does not wait for the answer.
      return close()
    }
    settle()
  }

  // MARK: - Reading

  /// True once it is known who the client is.
  private func readProxyHeader() throws -> Bool {
    guard proxyHeader != nil else { return true }
    guard case .complete(let header)? = try proxyHeader?.read(from: transport.socket) else { return false }
    proxyHeader = nil
    peer = header.client ?? peer
    if transport.session == nil { engine = .undecided([]) }
    return true
  }

  /// True once the handshake is done, or there is none.
  private func shakeHands() throws -> Bool {
    guard case .handshake = engine, let session = transport.session else { return true }
    do {
      switch try session.handshake() {
      case .done: break
      case .wantsRead, .wantsWrite: return false
      }
    } catch {
      shard.statistics.failedHandshakes += 1
      throw error
    }
    // The first request may have come along with the end of the handshake.
    isReadable = true
    switch session.applicationProtocol {
    case "h2": engine = .http2(HTTP2Server(self))
    case nil where shard.configuration.allowsHTTP2: engine = .undecided([])
    default: engine = .http1(HTTP1Server(self))
    }
    return true
  }

  /// True if the protocol can use more bytes now.
  private var wantsInput: Bool {
    switch engine {
    case .handshake, .closed: false
    case .undecided, .lingering: true
    case .http1(let http1): http1.wantsInput
    case .http2(let http2): http2.wantsInput
    }
  }

  private var isWaitingForHandler: Bool {
    switch engine {
    case .http1(let http1): http1.isWaitingForHandler
    default: false
    }
  }

  private func readInput() throws {
    if case .http1(let http1) = engine { http1.resume() }
    var reads = 0
    while isReadable, wantsInput {
      guard reads < Self.readsPerTurn else { return scheduleTurn() }
      reads += 1
      guard let count = try transport.read(into: shard.scratch) else {
        isReadable = false
        return
      }
      if count == 0 { return inputEnded() }
      // Saves the call that would only say that nothing is left. An end that has been told must still be read.
      if count < shard.scratch.count, transport.shortReadMeansEmpty, !peerHasEnded { isReadable = false }
      received(UnsafeRawBufferPointer(rebasing: shard.scratch[..<count]))
    }
  }

  private func received(_ bytes: UnsafeRawBufferPointer) {
    switch engine {
    case .undecided(let before): decide(before + bytes)
    case .http1(let http1): http1.receive(bytes)
    case .http2(let http2): http2.receive(bytes)
    case .handshake, .lingering, .closed: break
    }
  }

  /// HTTP/2 by prior knowledge begins with a preface that no HTTP/1.1 request begins with (RFC 9113 §3.4).
  private func decide(_ bytes: [UInt8]) {
    let preface = HTTP1RequestParser.http2Preface
    if shard.configuration.allowsHTTP2, bytes.starts(with: preface) {
      engine = .http2(HTTP2Server(self))
    } else if shard.configuration.allowsHTTP2, preface.starts(with: bytes) {
      engine = .undecided(bytes)
      return
    } else {
      engine = .http1(HTTP1Server(self))
    }
    bytes.withUnsafeBytes { received($0) }
  }

  private func inputEnded() {
    peerHasEnded = true
    isReadable = false
    switch engine {
    case .http1(let http1): http1.inputEnded()
    case .http2, .handshake, .undecided, .lingering: closesAfterOutput = true
    case .closed: break
    }
    if case .http2(let http2) = engine { http2.inputEnded() }
  }

  // MARK: - Writing

  /// Sees to room for output that is about to be added.
  func prepareOutput() {
    if output.capacity == 0 { output = shard.borrowOutput() }
  }

  /// Sends what the protocol has added to `output`, now or at the end of the turn that is under way.
  func outputAdded() {
    if !isInTurn { turn() }
  }

  /// Sends what is left and closes.
  func closeAfterOutput() {
    closesAfterOutput = true
    if !isInTurn { turn() }
  }

  private func produceAndSend() throws {
    while true {
      if case .http2(let http2) = engine { http2.produceOutput() }
      guard try sendOutput() else { return }
      let produced = outputCount
      switch engine {
      case .http1(let http1): http1.outputDrained()
      case .http2(let http2):
        if http2.isFinished { closesAfterOutput = true }
        http2.produceOutput()
      case .handshake, .undecided, .lingering, .closed: break
      }
      if outputCount == produced { return }
    }
  }

  /// True when all is sent.
  private func sendOutput() throws -> Bool {
    guard try transport.flush() else {
      isWritable = false
      return false
    }
    while outputStart < output.count {
      guard isWritable else { return false }
      let start = outputStart
      let written = try output.withUnsafeBytes { try transport.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let written, written > 0 else {
        isWritable = false
        compactOutput()
        return false
      }
      outputStart += written
      if waiting == .writing { waitingSince = MonotonicClock.now }
    }
    output.removeAll(keepingCapacity: true)
    outputStart = 0
    guard try transport.flush() else {
      isWritable = false
      return false
    }
    return true
  }

  /// Keeps the part that was sent from growing without end under a client that reads slowly.
  private func compactOutput() {
    guard outputStart > 64 << 10, outputStart > output.count / 2 else { return }
    output.removeSubrange(..<outputStart)
    outputStart = 0
  }

  // MARK: - Time

  /// Notes what is waited for now, and until when.
  func settle() {
    let next = currentWaiting
    let isProgress: Bool
    switch engine {
    case .http1(let http1): isProgress = http1.takeBodyProgress()
    case .http2(let http2): isProgress = http2.takeProgress()
    default: isProgress = false
    }
    if next == waiting, !isProgress, deadline != .max || next == .handler { return }
    waiting = next
    guard let limit = limit(of: next) else {
      deadline = .max
      return
    }
    waitingSince = MonotonicClock.now
    deadline = waitingSince &+ limit.clampedNanoseconds
  }

  private var currentWaiting: Waiting {
    if outputCount > 0 { return .writing }
    return switch engine {
    case .handshake: .handshake
    case .undecided(let bytes): bytes.isEmpty ? .idle : .head
    case .http1(let http1): http1.waiting
    case .http2(let http2): http2.waiting
    case .lingering, .closed: .lingering
    }
  }

  private func limit(of waiting: Waiting) -> Duration? {
    let timeouts = shard.configuration.timeouts
    return switch waiting {
    case .handshake: timeouts.handshake
    case .idle: timeouts.idle
    case .head: timeouts.head
    case .body: timeouts.body
    case .writing: timeouts.write
    case .lingering: Self.lingeringTime
    case .handler: nil
    }
  }

  /// The deadline has passed.
  func timedOut() {
    switch (engine, waiting) {
    case (.http1(let http1), .head), (.http1(let http1), .body):
      http1.timedOut()
      outputAdded()
    case (.http2(let http2), .idle):
      http2.beginShutdown()
      closeAfterOutput()
    default: close()
    }
  }

  // MARK: - The end

  /// Takes no new requests; closes when those under way are done.
  func beginShutdown() {
    switch engine {
    case .http1(let http1):
      if http1.isIdle { close() }
    case .http2(let http2):
      http2.beginShutdown()
      turn()
    case .handshake, .undecided, .lingering, .closed: close()
    }
  }

  /// All output is sent: says so and waits a little for the client to close, since closing with unread input would reset
  /// the connection and could take the last response with it.
  private func endGracefully() {
    if case .closed = engine { return }
    if peerHasEnded { return close() }
    if case .lingering = engine { return }
    abandonExchanges()
    engine = .lingering
    transport.endWriting()
    settle()
    isReadable = true
    turn()
  }

  private func abandonExchanges() {
    switch engine {
    case .http1(let http1): http1.abandon()
    case .http2(let http2): http2.abandon()
    case .handshake, .undecided, .lingering, .closed: break
    }
  }

  /// Closes at once; handlers that are under way are cancelled.
  func close() {
    if case .closed = engine { return }
    abandonExchanges()
    engine = .closed
    if let watch { loop.unwatch(watch) }
    watch = nil
    transport.session?.sendCloseNotify()
    transport.socket.close()
    output = []
    outputStart = 0
    shard.remove(self)
  }
}
