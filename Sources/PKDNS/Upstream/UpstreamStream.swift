import Addresses
import EventLoops
import TLS

/// A connection to a server, over TCP or TLS: questions go out as they come, answers come back in any order (RFC 7766 §6).
///
/// It is closed when nobody has asked anything for a while. What cannot be answered because it breaks fails; whether it is
/// asked again is for ``UpstreamForwarding`` to decide.
final class UpstreamStream: DescriptorHandler, UpstreamPath {
  let server: UpstreamServer
  private unowned let client: UpstreamClient
  private let transport: StreamTransport
  private var watch: Watch?
  private var isReadable = false
  private var isWritable = false
  private var isConnected = false
  private(set) var isClosed = false

  /// Who waits, by identifier: usually one.
  private var waiting: [UInt16: [UInt64]] = [:]
  private var identifiers: [UInt64: UInt16] = [:]
  private var frames = StreamFrames()
  private var output: [UInt8] = []
  private var outputStart = 0
  private var timer: TimerHandle?

  private static let connectTime = Duration.seconds(4)
  private static let idleTime = Duration.seconds(10)
  /// Answers that nobody waits for before the connection counts as broken.
  private var strangers = 0
  private static let strangersTolerated = 100

  init(_ server: UpstreamServer, context: TLSClientContext?, for client: UpstreamClient) throws {
    self.server = server
    self.client = client
    let socket = try StreamSocket(connectingTo: server.endpoint)
    var session: TLSSession?
    if case .tls(let name) = server.transport, let context {
      session = try TLSSession(
        connecting: context, to: .hostName(name ?? server.endpoint.address.description), descriptor: socket.descriptor)
    }
    transport = StreamTransport(socket, session)
    watch = try client.loop.watch(
      socket.descriptor, for: [.reading, .writing, .peerClosed, .edgeTriggered], handler: self)
    startTimer(Self.connectTime)
  }

  // MARK: - Questions

  func send(_ attempt: UInt64, _ bytes: [UInt8]) {
    let id = UInt16(bytes[0]) << 8 | UInt16(bytes[1])
    waiting[id, default: []].append(attempt)
    identifiers[attempt] = id
    bytes.withUnsafeBytes { StreamFrames.append($0, to: &output) }
    guard isConnected, !isClosed else { return }
    // Nothing is read here: another stream may be in the middle of what it has read into the memory that all share.
    do {
      try write()
    } catch {
      end(.connection)
    }
  }

  func close(_ attempt: UInt64) {
    guard let id = identifiers.removeValue(forKey: attempt) else { return }
    waiting[id]?.removeAll { $0 == attempt }
    if waiting[id]?.isEmpty == true { waiting[id] = nil }
    if identifiers.isEmpty, isConnected { startTimer(Self.idleTime) }
  }

  // MARK: - Events

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing) { isWritable = true }
    if !readiness.isDisjoint(with: [.reading, .peerClosed, .hungUp, .failed]) { isReadable = true }
    advance()
  }

  func eventLoopStopped() {
    watch = nil
    end(.connection)
  }

  private func advance() {
    guard !isClosed else { return }
    do {
      guard try connect() else { return }
      try write()
      try read()
    } catch let error as SystemError {
      end(.unreachable(error.code))
    } catch {
      end(.connection)
    }
  }

  private func connect() throws -> Bool {
    if isConnected { return true }
    guard isWritable || isReadable else { return false }
    if let error = transport.socket.connectionError { throw error }
    guard isWritable else { return false }
    if let session = transport.session {
      guard try session.handshake() == .done else { return false }
      isReadable = true
    }
    isConnected = true
    stopTimer()
    if identifiers.isEmpty { startTimer(Self.idleTime) }
    return true
  }

  private func write() throws {
    guard try transport.flush() else {
      isWritable = false
      return
    }
    while outputStart < output.count, isWritable {
      let start = outputStart
      let count = try output.withUnsafeBytes { try transport.write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
      guard let count, count > 0 else {
        isWritable = false
        return
      }
      outputStart += count
    }
    if outputStart == output.count {
      output.removeAll(keepingCapacity: true)
      outputStart = 0
    }
  }

  private func read() throws {
    let scratch = client.scratch
    while isReadable, !isClosed {
      guard let count = try transport.read(into: scratch) else {
        isReadable = false
        return
      }
      if count == 0 { return end(.connection) }
      frames.receive(UnsafeRawBufferPointer(rebasing: scratch[..<count])) { message in
        deliver(message)
        return !isClosed
      }
    }
  }

  private func deliver(_ message: RawSpan) {
    guard message.byteCount >= 2 else { return countStranger() }
    let id = UInt16(bigEndian: message.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt16.self))
    for attempt in waiting[id] ?? [] where client.received(attempt, message, isCut: false) {
      strangers = 0
      return
    }
    countStranger()
  }

  private func countStranger() {
    strangers += 1
    if strangers > Self.strangersTolerated { end(.connection) }
  }

  // MARK: - The end

  private func startTimer(_ time: Duration) {
    stopTimer()
    timer = client.loop.schedule(after: time) { [weak self] in
      guard let self else { return }
      timer = nil
      if identifiers.isEmpty || !isConnected { end(.timedOut) }
    }
  }

  private func stopTimer() {
    if let timer { client.loop.cancel(timer) }
    timer = nil
  }

  /// Closes the connection; who waits is told.
  func end(_ failure: UpstreamFailure) {
    guard !isClosed else { return }
    isClosed = true
    stopTimer()
    if let watch { client.loop.unwatch(watch) }
    watch = nil
    transport.session?.sendCloseNotify()
    transport.socket.close()
    let attempts = identifiers.keys.sorted()
    waiting = [:]
    identifiers = [:]
    client.streamEnded(self)
    for attempt in attempts { client.failed(attempt, failure) }
  }
}
