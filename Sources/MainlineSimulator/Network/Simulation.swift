import Addresses
import Cryptography
import MainlineProtocol

/// A network of DHT nodes in one process, with its own clock: nothing waits, and the same seed gives the same run.
///
/// Nodes join with ``addNode(_:bootstrap:at:restoring:behind:)`` and leave with ``remove(_:)``; whatever they send is
/// delayed, lost, duplicated, reordered or damaged as ``conditions`` say. Time passes only in ``run(for:)`` and
/// ``run(until:)``.
public final class Simulation {
  /// How datagrams fare from now on. The latency model holds for nodes that join later.
  public var conditions: NetworkConditions
  /// The simulated clock.
  public private(set) var now = Instant(nanoseconds: 1_000_000_000)
  /// What has happened so far.
  public internal(set) var statistics = SimulationStatistics()
  /// A number that depends on every datagram that was delivered: when, from whom, to whom and what.
  public internal(set) var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  /// Nodes that have not left, in an order that means nothing.
  public private(set) var presentNodes: [SimulatedNode] = []
  /// Randomness for the caller's decisions, part of the run.
  public var random: RandomSource

  enum Receiver {
    case node(UInt32)
    case peer(Int)
  }

  /// By number; nil once it has left.
  var members: [SimulatedNode?] = []
  var receivers: [Endpoint: Receiver] = [:]
  /// Nodes behind routers, by public address.
  var gateways: [IPAddress: UInt32] = [:]
  var peers: [(peer: ScriptedPeer, place: Place)] = []
  var datagrams = DatagramPool()
  var network: Xoshiro256
  var heap = EventHeap()
  /// What the node that is driven at the moment sends: one warm queue for all, so that none keeps its own.
  private var outbox = DatagramQueue()
  private var actions: [UInt32: () -> Void] = [:]
  private var nextAction: UInt32 = 0
  private var nextAddress: UInt32 = 0

  /// An empty network.
  public init(seed: UInt64, conditions: NetworkConditions = NetworkConditions()) {
    self.conditions = conditions
    network = Xoshiro256(seed: seed)
    random = RandomSource(seed: seed ^ 0x5157_4946_542d_4448)
  }

  /// Nodes that have not left, those that joined first before the others.
  public var nodes: [SimulatedNode] { members.compactMap { $0 } }

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
  ///
  /// - Parameter router: the kind of address translation that it is behind, if any.
  @discardableResult
  public func addNode(
    _ configuration: NodeConfiguration, bootstrap: [Endpoint] = [], at endpoint: Endpoint? = nil,
    restoring saved: SavedNodes? = nil, behind router: NATKind? = nil
  ) -> SimulatedNode {
    let endpoint = endpoint ?? unusedEndpoint()
    var configuration = configuration
    configuration.localEndpoints = [router == nil ? endpoint : Endpoint(IPAddress(192, 168, 1, 2), port: 6881)]
    configuration.hasBootstrap = !bootstrap.isEmpty
    let place = conditions.latency.place(using: &network)
    let state = DHTNode(
      configuration: configuration, restoring: saved, random: RandomSource(seed: random.next()), at: now)
    let node = SimulatedNode(
      index: UInt32(members.count), endpoint: endpoint, bootstrap: bootstrap, place: place,
      router: router.map { NATRouter($0, at: endpoint) }, node: state, joined: now)
    node.position = presentNodes.count
    members.append(node)
    presentNodes.append(node)
    if router == nil { receivers[endpoint] = .node(node.index) } else { gateways[endpoint.address] = node.index }
    drive(node) { _, _ in }
    return node
  }

  /// Takes a node off the network without a word, as a process that is killed.
  public func remove(_ node: SimulatedNode) {
    guard node.isPresent else { return }
    node.isPresent = false
    if node.isBehindNAT { gateways[node.endpoint.address] = nil } else { receivers[node.endpoint] = nil }
    node.running = []
    members[Int(node.index)] = nil
    // The last one takes its place.
    let last = presentNodes.removeLast()
    if last !== node {
      presentNodes[node.position] = last
      last.position = node.position
    }
  }

  /// Adds a peer that follows a script.
  public func addPeer(_ peer: ScriptedPeer) {
    receivers[peer.endpoint] = .peer(peers.count)
    peers.append((peer, conditions.latency.place(using: &network)))
  }

  /// Sends one datagram that claims to come from `sender`.
  public func inject(_ bytes: [UInt8], from sender: Endpoint, to receiver: Endpoint) {
    bytes.withUnsafeBytes { send($0, from: sender, to: receiver, at: Place()) }
  }

  /// Fills the node's table with these contacts, as if they had answered.
  public func seed(_ node: SimulatedNode, with contacts: [NodeContact]) {
    drive(node) { node, now in node.seed(contacts, at: now) }
  }

  // MARK: Queries

  /// Starts a query on a node.
  public func start(_ query: Query, on node: SimulatedNode) -> QueryID {
    drive(node) { state, now in
      let id = state.start(query, at: now)
      node.running.insert(id)
      return id
    }
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

  /// Has something done at an instant, or at once if that has passed.
  public func schedule(at instant: Instant, _ action: @escaping () -> Void) {
    while actions[nextAction] != nil { nextAction &+= 1 }
    actions[nextAction] = action
    heap.insert(.action, nextAction, at: max(instant, now).nanoseconds)
    nextAction &+= 1
  }

  /// Has something done after a while.
  public func schedule(after delay: Duration, _ action: @escaping () -> Void) {
    schedule(at: now.advanced(by: delay), action)
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
    case .action: actions.removeValue(forKey: event.index)?()
    case .deadline:
      guard let node = members[Int(event.index)], node.scheduledDeadline.nanoseconds == time else { return true }
      node.scheduledDeadline = .never
      statistics.deadlines += 1
      drive(node) { node, now in node.tick(at: now) }
    }
    return true
  }

  // MARK: Driving a node

  /// Has a node do something, sends what it wants sent, hands on its events and plans its next deadline.
  @discardableResult
  func drive<Result>(_ node: SimulatedNode, _ body: (inout DHTNode, Instant) -> Result) -> Result {
    swap(&outbox, &node.node.outbox)
    let result = body(&node.node, now)
    for event in node.node.takeEvents() { handle(event, of: node) }
    for index in 0..<node.node.outbox.count {
      let receiver = node.node.outbox.endpoint(at: index)
      let sender = node.router?.send(to: receiver, at: now.nanoseconds) ?? node.endpoint
      send(node.node.outbox.bytes(at: index), from: sender, to: receiver, at: node.place)
    }
    node.node.outbox.removeAll()
    swap(&outbox, &node.node.outbox)
    let deadline = node.node.nextDeadline
    if deadline < node.scheduledDeadline {
      node.scheduledDeadline = max(deadline, now)
      heap.insert(.deadline, node.index, at: node.scheduledDeadline.nanoseconds)
    }
    return result
  }

  private func handle(_ event: NodeEvent, of node: SimulatedNode) {
    switch event {
    case .finished(let id, let result):
      if node.running.remove(id) != nil { node.results[id] = result }
    case .wantsBootstrap:
      node.node.addBootstrap(node.bootstrap, at: now)
    case .probeReachability(let endpoint, let datagram):
      // From a second socket; behind a router it is behind the same one.
      let other = Endpoint(node.endpoint.address, port: 50_000)
      datagram.withUnsafeBytes { send($0, from: other, to: endpoint, at: node.place) }
    case .mutableItem, .peers: break
    }
    node.onEvent?(event)
  }
}
