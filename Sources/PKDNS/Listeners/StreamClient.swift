import Addresses
import DNSResolution
import EventLoops
import TLS

/// One client on TCP or TLS: queries are answered as answers come, in any order (RFC 7766 §6.2.1.1).
///
/// It never holds more than its bounds: who sends more queries than may wait, or does not read answers, is not read from
/// until there is room again.
final class StreamClient: DescriptorHandler, @unchecked Sendable {
  private unowned let streams: StreamService
  private let transport: StreamTransport
  private var origin: QueryOrigin
  /// Reads who the client is, if a proxy says so first.
  private var proxyHeader: ProxyHeaderReader?
  /// The other end, which counts for the limit of connections; nil for a proxy.
  let address: IPAddress?
  /// The place in the service's list; -1 outside of it.
  var index = -1

  private var watch: Watch?
  private var isReadable = false
  private var isWritable = true
  private var peerHasEnded = false
  private var isHandshakeDone: Bool
  private var isInTurn = false
  private var isTurnScheduled = false
  private(set) var isClosed = false
  /// The client will send no more; what it asked is still answered.
  private var hasInputEnded = false

  private var frames = StreamFrames()
  /// Whole messages that had to wait, as they came.
  private var held: [[UInt8]] = []
  private var firstHeld = 0
  private var pending: Set<PendingQueryID> = []
  private var output: [UInt8] = []
  private var outputStart = 0
  /// When the client has taken too long, nanoseconds of `MonotonicClock`.
  private(set) var deadline = UInt64.max

  private static let readsPerTurn = 8
  private static let outputHighWater = 256 << 10

  init(
    _ socket: StreamSocket, _ peer: Endpoint, isProxied: Bool, tls: TLSServerContext?, on streams: StreamService
  ) throws {
    self.streams = streams
    address = isProxied ? nil : peer.address
    if isProxied { proxyHeader = ProxyHeaderReader() }
    let session = try tls.map { try TLSSession(accepting: $0, descriptor: socket.descriptor) }
    transport = StreamTransport(socket, session)
    origin = QueryOrigin(peer, session == nil ? .tcp : .tls)
    isHandshakeDone = session == nil
    deadline =
      MonotonicClock.now &+ (session == nil ? streams.limits.idle : streams.limits.handshake).clampedNanoseconds
  }

  /// True if nothing is under way.
  var isIdle: Bool {
    isHandshakeDone && proxyHeader == nil && pending.isEmpty && outputCount == 0 && frames.bufferedBytes == 0
  }
  private var outputCount: Int { output.count - outputStart }
  private var loop: EventLoop { streams.loop }
  private var hasRoom: Bool {
    pending.count < streams.limits.queriesPerConnection && outputCount < Self.outputHighWater
  }
  private var mayRead: Bool { !isClosed && held.isEmpty && hasRoom }

  func open() throws(SystemError) {
    watch = try loop.watch(
      transport.socket.descriptor, for: [.reading, .writing, .peerClosed, .edgeTriggered], handler: self)
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

  /// Reads what may be read, answers what can be answered, sends what can be sent.
  private func turn() {
    if isInTurn || isClosed { return }
    isInTurn = true
    do {
      if try readProxyHeader(), try shakeHands() {
        streams.shard.beginBatch()
        // What came before a failure is dealt with as well.
        defer { streams.shard.endBatch() }
        answerHeld()
        try read()
      }
      try write()
    } catch {
      close()
    }
    isInTurn = false
    if isClosed { return }
    if hasInputEnded, pending.isEmpty, held.isEmpty, outputCount == 0 {
      transport.endWriting()
      close()
    }
  }

  private func scheduleTurn() {
    if isTurnScheduled { return }
    isTurnScheduled = true
    loop.execute { [self] in
      isTurnScheduled = false
      turn()
    }
  }

  /// True once it is known who the client is.
  private func readProxyHeader() throws -> Bool {
    guard proxyHeader != nil else { return true }
    guard case .complete(let header)? = try proxyHeader?.read(from: transport.socket) else { return false }
    proxyHeader = nil
    if let client = header.client { origin = QueryOrigin(client, origin.transport) }
    return true
  }

  private func shakeHands() throws -> Bool {
    if isHandshakeDone { return true }
    guard let session = transport.session else { return true }
    do {
      guard try session.handshake() == .done else { return false }
    } catch {
      streams.counts.failedHandshakes += 1
      throw error
    }
    isHandshakeDone = true
    isReadable = true
    extendDeadline(streams.limits.idle)
    return true
  }

  private func read() throws {
    var reads = 0
    while isReadable, mayRead, !hasInputEnded {
      guard reads < Self.readsPerTurn else { return scheduleTurn() }
      reads += 1
      guard let count = try transport.read(into: streams.scratch) else {
        isReadable = false
        return
      }
      if count == 0 {
        hasInputEnded = true
        return
      }
      // Saves the call that would only say that nothing is left. An end that has been told must still be read.
      if count < streams.scratch.count, transport.shortReadMeansEmpty, !peerHasEnded { isReadable = false }
      frames.receive(UnsafeRawBufferPointer(rebasing: streams.scratch[..<count])) { message in
        if mayRead { answer(message) } else { hold(message) }
        return !isClosed
      }
    }
  }

  /// What came together with a query that was one too many. At most one read's worth.
  private func hold(_ message: RawSpan) { held.append(message.withUnsafeBytes { [UInt8]($0) }) }

  private func answerHeld() {
    while firstHeld < held.count, !isClosed, hasRoom {
      let message = held[firstHeld]
      held[firstHeld] = []
      firstHeld += 1
      answer(message.span.bytes)
    }
    if firstHeld == held.count {
      held = []
      firstHeld = 0
    }
  }

  // MARK: - Queries and answers

  private func answer(_ query: RawSpan) {
    extendDeadline(streams.limits.idle)
    let (length, id) = streams.shard.receive(query, from: origin, into: streams.reply) { .stream(self) }
    if let id {
      pending.insert(id)
    } else if length > 0 {
      StreamFrames.append(UnsafeRawBufferPointer(rebasing: streams.reply[..<length]), to: &output)
    }
  }

  /// An answer that was not ready at once.
  func answer(_ query: PendingQueryID, _ bytes: [UInt8]) {
    guard pending.remove(query) != nil, !isClosed else { return }
    bytes.withUnsafeBytes { StreamFrames.append($0, to: &output) }
    extendDeadline(streams.limits.idle)
    if !isInTurn { scheduleTurn() }
  }

  private func write() throws {
    guard try transport.flush() else {
      isWritable = false
      return
    }
    while outputStart < output.count {
      guard isWritable else { return }
      let start = outputStart
      let count = try output.withUnsafeBytes { try transport.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let count, count > 0 else {
        isWritable = false
        if deadline == .max || outputStart == 0 { extendDeadline(streams.limits.write) }
        return
      }
      outputStart += count
      extendDeadline(streams.limits.write)
    }
    let isSmall = output.capacity <= 16 << 10
    output.removeAll(keepingCapacity: isSmall)
    outputStart = 0
    if try !transport.flush() { isWritable = false }
    // Room for answers is room for queries.
    if !held.isEmpty || (isReadable && mayRead && !hasInputEnded) { scheduleTurn() }
  }

  // MARK: - Time and the end

  private func extendDeadline(_ time: Duration) { deadline = MonotonicClock.now &+ time.clampedNanoseconds }

  /// True if the client has taken too long. Queries that wait for us do not count against it.
  func isOverdue(at now: UInt64) -> Bool { deadline <= now && (pending.isEmpty || outputCount > 0) }

  /// Takes no more queries; closes once those under way are answered.
  func beginShutdown() {
    hasInputEnded = true
    turn()
  }

  /// Closes at once.
  func close() {
    if isClosed { return }
    isClosed = true
    for query in pending { streams.shard.forget(query) }
    pending = []
    if let watch { loop.unwatch(watch) }
    watch = nil
    transport.session?.sendCloseNotify()
    transport.socket.close()
    streams.remove(self)
  }
}
