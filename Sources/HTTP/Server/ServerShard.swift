import Addresses
import EventLoops
import Glibc
import TLS

/// What a server has on one event loop: listeners, connections, and what those share. Touched on that loop only.
final class ServerShard: @unchecked Sendable {
  let loop: EventLoop
  let configuration: HTTPServerConfiguration
  let dispatcher: HTTPDispatcher
  let onError: (@Sendable (any Error, HTTPRequest) -> Void)?
  var statistics = HTTPServerStatistics()
  /// No new requests are taken.
  private(set) var isDraining = false

  private var listeners: [StreamListener] = []
  private var connections: [ServerConnection] = []
  private var connectionsByAddress: [IPAddress: Int] = [:]
  private var sweepTimer: TimerHandle?
  private var drainWaiter: UnsafeContinuation<Void, Never>?

  /// Input of whichever connection is being read from.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
  /// An output buffer for the connection that answers at the moment, so that idle ones hold none.
  private var spareOutput: [UInt8] = []
  private var dateLine: HTTPDateLine

  private static let sweepInterval = Duration.milliseconds(500)

  init(
    _ configuration: HTTPServerConfiguration, on loop: EventLoop,
    onError: (@Sendable (any Error, HTTPRequest) -> Void)?, dispatcher: @escaping HTTPDispatcher
  ) {
    self.configuration = configuration
    self.loop = loop
    self.dispatcher = dispatcher
    self.onError = onError
    dateLine = HTTPDateLine(serverName: configuration.serverName)
    spareOutput.reserveCapacity(16 << 10)
  }

  deinit { scratch.deallocate() }

  // MARK: - Listening

  func open(_ listeners: [StreamListener]) throws(SystemError) {
    self.listeners = listeners
    for listener in listeners {
      let isEncrypted = listener.path == nil
      try listener.open(on: loop) { [unowned self] socket in accept(socket, isEncrypted ? configuration.tls : nil) }
    }
  }

  private func accept(_ socket: StreamSocket, _ tls: TLSServerContext?) {
    let isProxy = socket.peer.map { configuration.isProxy?($0.address) ?? false } ?? false
    guard hasRoom(for: isProxy ? nil : socket.peer?.address) else {
      statistics.refusedConnections += 1
      return socket.close()
    }
    do {
      let session = try tls.map { try TLSSession(accepting: $0, descriptor: socket.descriptor) }
      let connection = ServerConnection(StreamTransport(socket, session), isProxied: isProxy, on: self)
      try connection.open()
      add(connection)
    } catch {
      statistics.refusedConnections += 1
    }
  }

  /// Makes room for one more connection if need be, by closing one that idles.
  private func hasRoom(for address: IPAddress?) -> Bool {
    if let limit = configuration.maximumConnectionsPerAddress, let address,
      connectionsByAddress[address, default: 0] >= limit
    {
      return false
    }
    if connections.count < configuration.maximumConnections { return true }
    guard let idle = connections.filter(\.isIdle).min(by: { $0.waitingSince < $1.waitingSince }) else { return false }
    idle.close()
    return true
  }

  // MARK: - Connections

  private func add(_ connection: ServerConnection) {
    statistics.acceptedConnections += 1
    connection.index = connections.count
    connections.append(connection)
    if configuration.maximumConnectionsPerAddress != nil, let address = connection.transport.socket.peer?.address {
      connectionsByAddress[address, default: 0] += 1
    }
    if sweepTimer == nil { scheduleSweep() }
  }

  func remove(_ connection: ServerConnection) {
    let index = connection.index
    guard index >= 0, index < connections.count, connections[index] === connection else { return }
    connection.index = -1
    let last = connections.removeLast()
    if last !== connection {
      connections[index] = last
      last.index = index
    }
    if let address = connection.transport.socket.peer?.address, let count = connectionsByAddress[address] {
      connectionsByAddress[address] = count > 1 ? count - 1 : nil
    }
    if connections.isEmpty { finishDraining() }
  }

  private func scheduleSweep() {
    // Held strongly: a weak reference would make every use of the shard slower. The loop lets go when it has fired.
    sweepTimer = loop.schedule(after: Self.sweepInterval) { self.sweep() }
  }

  /// Closes the connections whose clients take too long.
  private func sweep() {
    sweepTimer = nil
    let now = MonotonicClock.now
    for connection in connections where connection.deadline <= now {
      statistics.timedOutConnections += 1
      connection.timedOut()
    }
    if !connections.isEmpty { scheduleSweep() }
  }

  var currentStatistics: HTTPServerStatistics {
    var current = statistics
    current.openConnections = connections.count
    current.descriptorShortages = listeners.reduce(0) { $0 + $1.shortages }
    return current
  }

  // MARK: - Shared by the connections

  /// `date: …\r\n` of this second, and `server: …\r\n` if the server has a name.
  func currentDateLine() -> [UInt8] { dateLine.current() }

  /// The same for HTTP/2.
  func currentDate() -> String { dateLine.value() }

  func borrowOutput() -> [UInt8] {
    var buffer: [UInt8] = []
    swap(&buffer, &spareOutput)
    return buffer
  }

  func giveBack(_ buffer: inout [UInt8]) {
    // What grew large for one response is not kept for ever.
    guard buffer.capacity > spareOutput.capacity, buffer.capacity <= 256 << 10 else {
      buffer = []
      return
    }
    buffer.removeAll(keepingCapacity: true)
    swap(&buffer, &spareOutput)
    buffer = []
  }

  // MARK: - The end

  func drain(_ grace: Duration) async {
    await withUnsafeContinuation { continuation in
      loop.execute { self.beginDraining(grace, continuation) }
    }
  }

  private func beginDraining(_ grace: Duration, _ continuation: UnsafeContinuation<Void, Never>) {
    isDraining = true
    for listener in listeners { listener.close() }
    listeners = []
    for connection in connections { connection.beginShutdown() }
    if connections.isEmpty || drainWaiter != nil { return continuation.resume() }
    drainWaiter = continuation
    loop.schedule(after: grace) { self.abort() }
  }

  private func finishDraining() {
    drainWaiter?.resume()
    drainWaiter = nil
  }

  /// Closes everything at once.
  func abort() {
    isDraining = true
    for listener in listeners { listener.close() }
    listeners = []
    for connection in connections { connection.close() }
    finishDraining()
  }
}
