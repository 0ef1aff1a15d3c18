import Addresses
import Cryptography
import EventLoops
import MainlineProtocol

/// The shell around the protocol's `DHTNode`: an actor on an event loop that carries datagrams, time and questions in,
/// and datagrams, answers and deadlines out. It decides nothing.
///
/// Whatever touches `node` ends with `settle`, which carries out what the node wants.
actor NodeCore {
  nonisolated let loop: EventLoop
  nonisolated let ownsLoop: Bool
  nonisolated let sockets: [UDPSocket]
  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  var node: DHTNode
  var isOpen = false
  var pending: [QueryID: PendingQuery] = [:]
  var goodNodeWaiters: [UInt64: GoodNodeWaiter] = [:]
  var nextWaiter: UInt64 = 0
  var probes: [ReachabilityProbe] = []
  var bootstrapTask: Task<Void, Never>?
  private var timer: (handle: TimerHandle, deadline: Instant)?
  private var saveTimer: TimerHandle?
  private let bootstrap: [HostName]
  private let hostResolver: @Sendable (HostName) async throws -> [Endpoint]
  private let tableFile: TableFile?
  private let packetFilter: PacketFilter?

  private static let saveInterval = Duration.seconds(600)

  init(_ configuration: MainlineConfiguration, sockets: [UDPSocket], loop: EventLoop, ownsLoop: Bool) {
    self.loop = loop
    self.ownsLoop = ownsLoop
    self.sockets = sockets
    bootstrap = configuration.bootstrap
    hostResolver = configuration.hostResolver
    tableFile = configuration.tableFile.map(TableFile.init)
    packetFilter = configuration.packetFilter
    var protocolConfiguration = configuration.node
    protocolConfiguration.families = sockets.map(\.localEndpoint.family)
    protocolConfiguration.localEndpoints = sockets.map(\.localEndpoint)
    protocolConfiguration.hasBootstrap = !configuration.bootstrap.isEmpty
    node = DHTNode(
      configuration: protocolConfiguration, restoring: tableFile?.read(), random: .system, at: .current)
  }

  /// Begins to receive.
  func open() throws(SystemError) {
    do throws(SystemError) {
      for socket in sockets { try socket.open(on: loop, handler: self) }
    } catch {
      for socket in sockets { socket.close() }
      throw error
    }
    isOpen = true
    if tableFile != nil { scheduleSave() }
    node.tick(at: .current)
    settle()
  }

  /// Ends the node; returns what is to be written, if anything is.
  func close() -> (file: TableFile, nodes: SavedNodes)? {
    guard isOpen else { return nil }
    let saved = tableFile.map { ($0, node.saved(at: .current)) }
    end()
    return saved
  }

  /// The last handle has gone.
  nonisolated func abandon() {
    loop.execute {
      self.assumeIsolated { $0.end() }
      if self.ownsLoop { self.loop.requestStop() }
    }
  }

  private func end() {
    guard isOpen else { return }
    isOpen = false
    bootstrapTask?.cancel()
    if let timer { loop.cancel(timer.handle) }
    if let saveTimer { loop.cancel(saveTimer) }
    timer = nil
    saveTimer = nil
    for probe in probes { probe.close() }
    probes = []
    for socket in sockets { socket.close() }
    let ended = pending.values
    pending = [:]
    for query in ended { query.finish(.failed(.cancelled)) }
    for id in goodNodeWaiters.keys { finishWaiter(id, false) }
  }

  // MARK: - Carrying out

  /// Does what the node wants after something has happened to it: hands on its events, sends its datagrams, and sets
  /// its alarm clock.
  func settle() {
    guard isOpen else { return }
    // Handling an event may cause others.
    while true {
      let events = node.takeEvents()
      if events.isEmpty { break }
      for event in events { handle(event) }
    }
    if !goodNodeWaiters.isEmpty { checkGoodNodeWaiters() }
    flush()
    setTimer()
  }

  private func flush() {
    let count = node.outbox.count
    if count == 0 { return }
    if sockets.count == 1 {
      sockets[0].send(count) { outgoing($0) }
    } else {
      for socket in sockets {
        let family = socket.localEndpoint.family
        socket.send(count) { node.outbox.endpoint(at: $0).family == family ? outgoing($0) : nil }
      }
    }
    node.outbox.removeAll()
  }

  private func outgoing(_ index: Int) -> OutgoingDatagram {
    let bytes = node.outbox.bytes(at: index)
    // `y` is the last key of a message: an answer ends in `1:y1:re`, a query in `1:y1:qe`.
    let isQuery = bytes.count >= 2 && bytes[bytes.count - 2] == UInt8(ascii: "q")
    return OutgoingDatagram(bytes: bytes, destination: node.outbox.endpoint(at: index), isExpendable: !isQuery)
  }

  private func setTimer() {
    let deadline = node.nextDeadline
    // A timer that is too early costs one needless tick, less than setting it anew after every datagram.
    if let timer {
      if timer.deadline <= deadline { return }
      loop.cancel(timer.handle)
    }
    timer = nil
    if deadline == .never { return }
    let delay = max(.zero, Instant.current.duration(to: deadline))
    let handle = loop.schedule(after: delay) { [weak self] in self?.assumeIsolated { $0.tick() } }
    timer = (handle, deadline)
  }

  private func tick() {
    timer = nil
    node.tick(at: .current)
    settle()
  }

  private func handle(_ event: NodeEvent) {
    switch event {
    case .mutableItem(let id, let item): pending[id]?.yield(item)
    case .peers(let id, let peers): pending[id]?.yield(peers)
    case .finished(let id, let result): pending.removeValue(forKey: id)?.finish(result)
    case .wantsBootstrap: resolveBootstrap()
    case .probeReachability(let endpoint, let datagram): probe(endpoint, datagram)
    }
  }

  // MARK: - Bootstrap

  /// Finds the addresses of the bootstrap hosts, all at the same time.
  private func resolveBootstrap() {
    // The node asks again while its table is empty; names that are being looked up need not be looked up twice.
    guard bootstrapTask == nil else { return }
    let families = sockets.map(\.localEndpoint.family)
    let known = bootstrap.compactMap(\.endpoint).filter { families.contains($0.family) }
    let names = bootstrap.filter { $0.endpoint == nil }
    if !known.isEmpty || names.isEmpty { node.addBootstrap(known, at: .current) }
    if names.isEmpty { return }
    bootstrapTask = Task { [weak self, hostResolver] in
      var found = known
      await withTaskGroup(of: [Endpoint].self) { group in
        for name in names { group.addTask { (try? await hostResolver(name)) ?? [] } }
        for await endpoints in group {
          let usable = endpoints.filter { families.contains($0.family) && !found.contains($0) }
          if usable.isEmpty { continue }
          found += usable
          await self?.bootstrapResolved(found)
        }
      }
      await self?.bootstrapEnded(found)
    }
  }

  private func bootstrapResolved(_ endpoints: [Endpoint]) {
    guard isOpen else { return }
    node.addBootstrap(endpoints, at: .current)
    settle()
  }

  private func bootstrapEnded(_ endpoints: [Endpoint]) {
    bootstrapTask = nil
    if endpoints.isEmpty { bootstrapResolved([]) }
  }

  // MARK: - Reachability

  /// Sends the node's own ping to its public endpoint from another port.
  private func probe(_ endpoint: Endpoint, _ datagram: [UInt8]) {
    probes.removeAll(where: \.isDone)
    guard let own = sockets.first(where: { $0.localEndpoint.family == endpoint.family }),
      let probe = try? ReachabilityProbe(from: own.localEndpoint.address, on: loop)
    else { return }
    probe.send(datagram, to: endpoint)
    probes.append(probe)
  }

  // MARK: - Keeping the table

  private func scheduleSave() {
    saveTimer = loop.schedule(after: Self.saveInterval) { [weak self] in
      self?.assumeIsolated { core in
        guard core.isOpen, let file = core.tableFile else { return }
        let nodes = core.node.saved(at: .current)
        core.scheduleSave()
        // Not on the loop: a disk may be slow. A failure shows at the shutdown at the latest.
        Task.detached { try? file.write(nodes) }
      }
    }
  }
}

// MARK: - Sockets

extension NodeCore: UDPSocketHandler {
  nonisolated func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
    assumeIsolated { core in
      guard core.isOpen else { return }
      let now = Instant.current
      datagrams.forEach { bytes, sender, isTruncated in
        // What is cut off cannot be a message.
        if isTruncated { return }
        if let filter = core.packetFilter {
          core.deliver(bytes, from: sender, filter(sender, socket.localEndpoint, bytes.byteCount), at: now)
        } else {
          core.node.receive(bytes, from: sender, at: now, moreFollow: true)
        }
      }
      core.node.endBatch()
      core.settle()
    }
  }

  private func deliver(_ bytes: RawSpan, from sender: Endpoint, _ fate: PacketFate, at now: Instant) {
    switch fate {
    case .dropped: return
    case .delivered: node.receive(bytes, from: sender, at: now, moreFollow: true)
    case .duplicated:
      node.receive(bytes, from: sender, at: now, moreFollow: true)
      node.receive(bytes, from: sender, at: now, moreFollow: true)
    case .delayed(let delay):
      let copy = bytes.withUnsafeBytes { [UInt8]($0) }
      loop.schedule(after: delay) { [weak self] in
        self?.assumeIsolated { core in
          guard core.isOpen else { return }
          core.node.receive(copy.span.bytes, from: sender, at: .current)
          core.settle()
        }
      }
    }
  }

  nonisolated func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {
    assumeIsolated { core in
      guard core.isOpen else { return }
      core.node.deliveryFailed(to: destination, at: .current)
      core.settle()
    }
  }

  nonisolated func socketClosed(_ socket: UDPSocket) {
    // The loop was stopped by its owner.
    assumeIsolated { $0.end() }
  }
}

extension Instant {
  /// Now. Time that the machine sleeps counts: tables and tokens age meanwhile.
  static var current: Instant { Instant(nanoseconds: Int64(clamping: MonotonicClock.nowWithSleep)) }
}
