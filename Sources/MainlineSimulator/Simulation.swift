import Addresses
import Cryptography
import MainlineProtocol

/// A network of DHT nodes in one process, with its own clock: nothing waits, and the same seed gives the same run.
///
/// Nodes join with ``addNode(_:bootstrap:at:restoring:)`` and leave with ``remove(_:)``; whatever they send is delayed, lost,
/// duplicated, reordered or damaged as ``conditions`` say. Time passes only in ``run(for:)`` and ``run(until:)``.
public final class Simulation {
  /// How datagrams fare from now on.
  public var conditions: NetworkConditions
  /// The simulated clock.
  public private(set) var now = Instant(nanoseconds: 1_000_000_000)
  /// What has happened so far.
  public private(set) var statistics = SimulationStatistics()
  /// A number that depends on every datagram that was delivered: when, from whom, to whom and what.
  public private(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  /// All nodes that ever were, present or not.
  public private(set) var nodes: [SimulatedNode] = []
  /// Randomness for the caller's decisions, part of the run.
  public var random: RandomSource

  private enum Receiver {
    case node(UInt32)
    case peer(Int)
  }

  private var receivers: [Endpoint: Receiver] = [:]
  private var peers: [ScriptedPeer] = []
  private var heap = EventHeap()
  private var datagrams = DatagramPool()
  private var network: Xoshiro256
  private var nextAddress: UInt32 = 0

  /// An empty network.
  public init(seed: UInt64, conditions: NetworkConditions = NetworkConditions()) {
    self.conditions = conditions
    network = Xoshiro256(seed: seed)
    random = RandomSource(seed: seed ^ 0x5157_4946_542d_4448)
  }

  /// Nodes that have not left.
  public var presentNodes: [SimulatedNode] { nodes.filter(\.isPresent) }

  // MARK: Nodes come and go

  /// An address that no node has had yet: global unicast, spread over the address space.
  public func unusedEndpoint() -> Endpoint {
    while true {
      nextAddress += 1
      // An odd factor makes this a permutation of the 32-bit numbers, so no address comes twice.
      let address = IPAddress(v4: nextAddress &* 0x9e37_79b1)
      if address.isGlobalUnicast, address.v4.map({ $0 & 0xff != 0 && $0 & 0xff != 0xff }) == true {
        return Endpoint(address, port: 6881)
      }
    }
  }

  /// Adds a node; it begins at once to look for others through `bootstrap`.
  @discardableResult
  public func addNode(
    _ configuration: NodeConfiguration, bootstrap: [Endpoint] = [], at endpoint: Endpoint? = nil,
    restoring saved: SavedNodes? = nil
  ) -> SimulatedNode {
    let endpoint = endpoint ?? unusedEndpoint()
    var configuration = configuration
    configuration.localEndpoints = [endpoint]
    configuration.hasBootstrap = !bootstrap.isEmpty
    let delays = conditions.accessDelay
    let spread = delays.upperBound.nanoseconds - delays.lowerBound.nanoseconds
    let state = DHTNode(
      configuration: configuration, restoring: saved, random: RandomSource(seed: random.next()), at: now)
    let node = SimulatedNode(
      index: UInt32(nodes.count), endpoint: endpoint, bootstrap: bootstrap,
      accessDelay: delays.lowerBound.nanoseconds + Int64(unit() * Double(spread)), node: state)
    nodes.append(node)
    receivers[endpoint] = .node(node.index)
    settle(node)
    return node
  }

  /// Takes a node off the network without a word, as a process that is killed.
  public func remove(_ node: SimulatedNode) {
    node.isPresent = false
    receivers[node.endpoint] = nil
    node.running = []
  }

  /// Adds a peer that follows a script.
  public func addPeer(_ peer: ScriptedPeer) {
    receivers[peer.endpoint] = .peer(peers.count)
    peers.append(peer)
  }

  /// Sends one datagram that claims to come from `sender`.
  public func inject(_ bytes: [UInt8], from sender: Endpoint, to receiver: Endpoint) {
    bytes.withUnsafeBytes { send($0, from: sender, to: receiver, delay: 0) }
  }

  /// Fills the node's table with these contacts, as if they had answered.
  public func seed(_ node: SimulatedNode, with contacts: [NodeContact]) {
    node.node.seed(contacts, at: now)
    settle(node)
  }

  // MARK: Queries

  /// Starts a query on a node.
  public func start(_ query: Query, on node: SimulatedNode) -> QueryID {
    let id = node.node.start(query, at: now)
    node.running.insert(id)
    settle(node)
    return id
  }

  /// How a query ended, told once; nil while it runs.
  public func takeResult(of id: QueryID, on node: SimulatedNode) -> QueryResult? {
    node.results.removeValue(forKey: id)
  }

  /// Runs the network until a query has ended; nil if it takes longer than `limit`.
  public func result(of query: Query, on node: SimulatedNode, within limit: Duration = .seconds(60)) -> QueryResult? {
    let id = start(query, on: node)
    let end = now.advanced(by: limit)
    while node.results[id] == nil, step(notAfter: end) {}
    node.running.remove(id)
    return takeResult(of: id, on: node)
  }

  // MARK: Time

  /// Lets time pass.
  public func run(for duration: Duration) { run(until: now.advanced(by: duration)) }

  /// Lets time pass up to an instant.
  public func run(until end: Instant) {
    while step(notAfter: end) {}
    now = max(now, end)
  }

  /// Does the next thing, if it is due by `end`; false, and the clock is at `end`, if nothing is.
  private func step(notAfter end: Instant) -> Bool {
    guard let time = heap.nextTime, time <= end.nanoseconds, let event = heap.removeFirst() else {
      now = max(now, end)
      return false
    }
    now = Instant(nanoseconds: time)
    switch event.kind {
    case .arrival: arrive(event.index)
    case .deadline:
      let node = nodes[Int(event.index)]
      guard node.isPresent, node.scheduledDeadline.nanoseconds == time else { return true }
      node.scheduledDeadline = .never
      statistics.deadlines += 1
      node.node.tick(at: now)
      settle(node)
    }
    return true
  }

  private func arrive(_ index: UInt32) {
    let header = datagrams.header(index)
    let bytes = UnsafeRawBufferPointer(datagrams[index])
    switch receivers[header.receiver] {
    case .node(let number):
      mix(header, bytes)
      statistics.delivered += 1
      let node = nodes[Int(number)]
      node.node.receive(bytes.bytes, from: header.sender, at: now)
      datagrams.remove(index)
      settle(node)
    case .peer(let number):
      mix(header, bytes)
      statistics.delivered += 1
      let copy = [UInt8](bytes)
      datagrams.remove(index)
      for datagram in peers[number].answer(copy, header.sender, &random) {
        datagram.bytes.withUnsafeBytes { send($0, from: datagram.sender, to: datagram.receiver, delay: 0) }
      }
    case nil:
      statistics.undeliverable += 1
      datagrams.remove(index)
    }
  }

  /// Sends what a node wants sent, hands on its events and plans its next deadline.
  private func settle(_ node: SimulatedNode) {
    for event in node.node.takeEvents() { handle(event, of: node) }
    for index in 0..<node.node.outbox.count {
      send(
        node.node.outbox.bytes(at: index), from: node.endpoint, to: node.node.outbox.endpoint(at: index),
        delay: node.accessDelay)
    }
    node.node.outbox.removeAll()
    let deadline = node.node.nextDeadline
    if deadline < node.scheduledDeadline {
      node.scheduledDeadline = max(deadline, now)
      heap.insert(.deadline, node.index, at: node.scheduledDeadline.nanoseconds)
    }
  }

  private func handle(_ event: NodeEvent, of node: SimulatedNode) {
    switch event {
    case .finished(let id, let result):
      if node.running.remove(id) != nil { node.results[id] = result }
    case .wantsBootstrap:
      node.node.addBootstrap(node.bootstrap, at: now)
    case .probeReachability(let endpoint, let datagram):
      // Every port of a simulated node is open.
      let other = Endpoint(node.endpoint.address, port: 50_000)
      datagram.withUnsafeBytes { send($0, from: other, to: endpoint, delay: node.accessDelay) }
    case .mutableItem, .peers: break
    }
    node.onEvent?(event)
  }

  // MARK: The network

  private func unit() -> Double { Double(network.next() >> 11) * 0x1p-53 }

  private func send(_ bytes: UnsafeRawBufferPointer, from sender: Endpoint, to receiver: Endpoint, delay: Int64) {
    statistics.sent += 1
    statistics.bytesSent += UInt64(bytes.count)
    statistics.largestDatagram = max(statistics.largestDatagram, bytes.count)
    if conditions.loss > 0, unit() < conditions.loss {
      statistics.lost += 1
      return
    }
    transmit(bytes, from: sender, to: receiver, delay: delay)
    if conditions.duplication > 0, unit() < conditions.duplication {
      statistics.duplicated += 1
      transmit(bytes, from: sender, to: receiver, delay: delay)
    }
  }

  private func transmit(_ bytes: UnsafeRawBufferPointer, from sender: Endpoint, to receiver: Endpoint, delay: Int64) {
    let index = datagrams.insert(bytes, from: sender, to: receiver)
    if conditions.corruption > 0, unit() < conditions.corruption, !bytes.isEmpty {
      statistics.corrupted += 1
      let copy = datagrams[index]
      for _ in 0...network.next() % 3 {
        let bit = Int(network.next() % UInt64(copy.count * 8))
        copy[bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
    var total = delay
    if case .node(let number)? = receivers[receiver] { total += nodes[Int(number)].accessDelay }
    if conditions.jitter > .zero {
      // An exponential distribution with few bits of randomness is enough here, and the same on every machine.
      total += Int64(Double(conditions.jitter.nanoseconds) * Self.exponential[Int(network.next() >> 56)])
    }
    if conditions.reordering > 0, unit() < conditions.reordering {
      total += Int64(unit() * Double(conditions.reorderingDelay.nanoseconds))
    }
    heap.insert(.arrival, index, at: now.nanoseconds + max(total, 1))
  }

  /// 256 quantiles of the exponential distribution with mean 1: Σ 1/k is −ln(1 − p) at p = n/256, close enough.
  private static let exponential: [Double] = {
    var quantiles: [Double] = []
    var sum = 0.0
    for index in 0..<256 {
      quantiles.append(sum)
      sum += 1 / Double(256 - index)
    }
    return quantiles
  }()

  private func mix(_ header: DatagramPool.Header, _ bytes: UnsafeRawBufferPointer) {
    func fold(_ word: UInt64) {
      let (high, low) = (digest ^ word).multipliedFullWidth(by: 0x9fb2_1c65_1e98_df25)
      digest = high ^ low &+ 0x2545_f491_4f6c_dd1d
    }
    fold(UInt64(bitPattern: now.nanoseconds))
    fold(header.sender.address.low &+ UInt64(header.sender.port) << 48)
    fold(header.receiver.address.low &+ UInt64(header.receiver.port) << 48)
    var offset = 0
    while offset + 8 <= bytes.count {
      fold(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    var rest: UInt64 = UInt64(bytes.count) << 56
    for index in offset..<bytes.count { rest |= UInt64(bytes[index]) << UInt64(8 * (index - offset)) }
    fold(rest)
  }
}

extension Duration {
  fileprivate var nanoseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
  }
}
