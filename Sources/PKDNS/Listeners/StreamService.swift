import Addresses
import DNSResolution
import EventLoops
import TLS

/// The clients on TCP and TLS of one event loop. *Loop only.*
final class StreamService: @unchecked Sendable {
  let shard: ResolverShard
  var limits: StreamLimits
  private let proxies: [AddressPrefix]
  var counts = StreamCounts()
  /// Input of whichever client is being read from.
  let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
  /// The answer that is being made.
  let reply = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(UInt16.max), alignment: 64)

  private var listeners: [StreamListener] = []
  private var clients: [StreamClient] = []
  private var clientsByAddress: [IPAddress: Int] = [:]
  private var sweepTimer: TimerHandle?
  private var isDraining = false

  private static let sweepInterval = Duration.milliseconds(500)

  /// `proxies` say in front of each connection who the client is.
  init(_ shard: ResolverShard, limits: StreamLimits, proxies: [AddressPrefix]) {
    self.shard = shard
    self.limits = limits
    self.proxies = proxies
  }

  deinit {
    scratch.deallocate()
    reply.deallocate()
  }

  var loop: EventLoop { shard.loop }

  // MARK: - Clients

  /// Begins to accept, with TLS if there is a context.
  func open(_ listener: StreamListener, tls: TLSServerContext?) throws(SystemError) {
    listeners.append(listener)
    try listener.open(on: loop) { [unowned self] socket in accept(socket, tls) }
  }

  private func accept(_ socket: StreamSocket, _ tls: TLSServerContext?) {
    // Unix sockets have no address; whoever may use them is on this machine.
    let peer = socket.peer ?? Endpoint(.loopbackV4, port: 0)
    let isProxied = socket.peer != nil && proxies.contains { $0.contains(peer.address) }
    guard hasRoom(for: isProxied ? nil : peer.address) else {
      counts.refused += 1
      return socket.close()
    }
    do {
      let client = try StreamClient(socket, peer, isProxied: isProxied, tls: tls, on: self)
      try client.open()
      add(client)
    } catch {
      counts.refused += 1
    }
  }

  private func hasRoom(for address: IPAddress?) -> Bool {
    if isDraining { return false }
    let limit = limits.connectionsPerAddress
    if let address, limit > 0, clientsByAddress[address, default: 0] >= limit { return false }
    if clients.count < limits.connections { return true }
    guard let idle = clients.filter(\.isIdle).min(by: { $0.deadline < $1.deadline }) else { return false }
    idle.close()
    return true
  }

  private func add(_ client: StreamClient) {
    counts.accepted += 1
    client.index = clients.count
    clients.append(client)
    if let address = client.address { clientsByAddress[address, default: 0] += 1 }
    if sweepTimer == nil { scheduleSweep() }
  }

  func remove(_ client: StreamClient) {
    let index = client.index
    guard index >= 0, index < clients.count, clients[index] === client else { return }
    client.index = -1
    let last = clients.removeLast()
    if last !== client {
      clients[index] = last
      last.index = index
    }
    guard let address = client.address else { return }
    let count = clientsByAddress[address, default: 0]
    clientsByAddress[address] = count > 1 ? count - 1 : nil
  }

  private func scheduleSweep() {
    sweepTimer = loop.schedule(after: Self.sweepInterval) { [weak self] in self?.sweep() }
  }

  private func sweep() {
    sweepTimer = nil
    let now = MonotonicClock.now
    for client in clients where client.isOverdue(at: now) {
      counts.timedOut += 1
      client.close()
    }
    if !clients.isEmpty { scheduleSweep() }
  }

  // MARK: - The end

  /// What was counted, and how many are open.
  var currentCounts: StreamCounts {
    var current = counts
    current.open = clients.count
    return current
  }

  /// True once no client is left.
  var isEmpty: Bool { clients.isEmpty }

  /// Takes no more clients and queries.
  func beginShutdown() {
    isDraining = true
    for listener in listeners { listener.close() }
    listeners = []
    for client in clients { client.beginShutdown() }
  }

  /// Closes everything.
  func close() {
    beginShutdown()
    for client in clients { client.close() }
    if let sweepTimer { loop.cancel(sweepTimer) }
    sweepTimer = nil
  }
}
