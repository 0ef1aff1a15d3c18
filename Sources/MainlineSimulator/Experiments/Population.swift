import Addresses
import Cryptography
import MainlineProtocol

/// The nodes of an experiment: they join, leave and are replaced as a plan says. Some observers stay, who publish and
/// look up.
final class Population {
  /// A query that has ended.
  struct Answer {
    /// Nil: it did not end in time.
    var result: QueryResult?
    /// Datagrams that the observer sent and received meanwhile.
    var datagrams: Int
  }

  let plan: NetworkPlan
  let simulation: Simulation
  /// Clients that look up.
  private(set) var readers: [SimulatedNode] = []
  /// Clients that publish: who has just published knows whom to ask, so readers are others.
  private(set) var writers: [SimulatedNode] = []
  /// Nodes that came in the place of others.
  private(set) var replaced = 0
  /// Called with each node that joins.
  var onJoin: ((SimulatedNode) -> Void)?
  private var random: Xoshiro256

  init(_ plan: NetworkPlan, seed: UInt64) {
    self.plan = plan
    simulation = Simulation(seed: seed, conditions: plan.conditions)
    random = Xoshiro256(seed: seed ^ 0x504f_5055_4c41_5445)
  }

  // MARK: Nodes

  /// Lets all nodes join and settle, then the observers; from then on nodes leave.
  ///
  /// - Parameter onGrowth: told the share of the nodes that have joined.
  func grow(
    readers readerCount: Int = 12, writers writerCount: Int = 4,
    onGrowth: (Double) -> Void = { _ in }
  ) throws(CancellationError) {
    for number in 0..<plan.nodes {
      join()
      simulation.run(for: max(.milliseconds(20), plan.growth / plan.nodes))
      try Self.checkCancellation()
      if number % 100 == 0 { onGrowth(Double(number) / Double(plan.nodes)) }
    }
    try run(for: plan.settling)
    readers = (0..<readerCount).map { _ in simulation.addClient(bootstrap: simulation.bootstrapEndpoints()) }
    writers = (0..<writerCount).map { _ in simulation.addClient(bootstrap: simulation.bootstrapEndpoints()) }
    let observers = Set((readers + writers).map(\.endpoint))
    try run(for: .seconds(20))
    for node in simulation.nodes where !observers.contains(node.endpoint) {
      if let rest = plan.sessions.residual(using: &random) { expect(node, toLeaveAfter: rest) }
    }
  }

  /// All observers leave, and others come in their place who begin with the nodes that `bootstrap` names to each.
  func beginAnew(_ bootstrap: (Simulation) -> [Endpoint]) throws(CancellationError) {
    for observer in readers + writers { simulation.remove(observer) }
    readers = readers.map { _ in simulation.addClient(bootstrap: bootstrap(simulation)) }
    writers = writers.map { _ in simulation.addClient(bootstrap: bootstrap(simulation)) }
    try run(for: .seconds(60))
  }

  /// A node joins, of the kind that the plan draws.
  @discardableResult
  private func join() -> SimulatedNode {
    let endpoint = simulation.unusedEndpoint()
    let isBehindNAT = random.unit() < plan.natShare
    var configuration = isBehindNAT ? NodeConfiguration() : NodeConfiguration.server(at: endpoint)
    plan.cooperation.apply(to: &configuration, share: random.unit())
    let node = simulation.addNode(
      configuration, bootstrap: simulation.bootstrapEndpoints(), at: endpoint,
      behind: isBehindNAT ? routerKind() : nil)
    onJoin?(node)
    return node
  }

  private func routerKind() -> NATKind {
    switch random.unit() {
    case ..<0.2: .fullCone
    case ..<0.4: .addressRestricted
    case ..<0.8: .portRestricted
    default: .symmetric
    }
  }

  private func expect(_ node: SimulatedNode, toLeaveAfter rest: Duration) {
    simulation.schedule(after: rest) { [unowned self, unowned simulation, weak node] in
      if let node { simulation.remove(node) }
      replaced += 1
      let successor = join()
      if let session = plan.sessions.session(using: &random) { expect(successor, toLeaveAfter: session) }
    }
  }

  /// Nodes that are there apart from the observers.
  var members: [SimulatedNode] {
    let observers = Set((readers + writers).map(\.endpoint))
    return simulation.nodes.filter { !observers.contains($0.endpoint) }
  }

  // MARK: Time

  /// Lets time pass.
  func run(for duration: Duration) throws(CancellationError) { try run(until: simulation.now.advanced(by: duration)) }

  /// Lets time pass up to an instant.
  func run(until end: Instant) throws(CancellationError) {
    while simulation.now < end {
      try Self.checkCancellation()
      simulation.run(until: min(end, simulation.now.advanced(by: .seconds(20))))
    }
  }

  private static func checkCancellation() throws(CancellationError) {
    if Task.isCancelled { throw CancellationError() }
  }

  // MARK: Queries

  /// Runs queries on these observers, each of which does one after the other; the answers in the order of the queries.
  func perform(_ queries: [Query], on observers: [SimulatedNode]) throws(CancellationError) -> [Answer] {
    var answers = [Answer](repeating: Answer(result: nil, datagrams: 0), count: queries.count)
    var next = 0
    var running = [(query: Int, id: QueryID, before: UInt64, until: Instant)?](repeating: nil, count: observers.count)
    repeat {
      for (index, observer) in observers.enumerated() {
        if let current = running[index] {
          let result = simulation.takeResult(of: current.id, on: observer)
          guard result != nil || simulation.now >= current.until else { continue }
          answers[current.query] = Answer(
            result: result, datagrams: Int(Self.datagrams(observer) - current.before))
          running[index] = nil
        }
        guard next < queries.count else { continue }
        let before = Self.datagrams(observer)
        let id = simulation.start(queries[next], on: observer)
        running[index] = (next, id, before, simulation.now.advanced(by: .seconds(60)))
        next += 1
      }
      try Self.checkCancellation()
      simulation.run(for: .milliseconds(25))
    } while running.contains { $0 != nil } || next < queries.count
    return answers
  }

  private static func datagrams(_ node: SimulatedNode) -> UInt64 {
    node.statistics.datagramsSent + node.statistics.datagramsReceived
  }

  // MARK: Records

  /// A record of a new key.
  func record(ofBytes size: Int = 200) -> ExperimentRecord {
    // A seed of 32 bytes always is a key.
    let key = Ed25519.SecretKey(seed: simulation.random.bytes(32))!
    return ExperimentRecord(key: key, value: simulation.random.bytes(size))
  }
}

/// A record that an experiment publishes, in one version after the other.
struct ExperimentRecord {
  let key: Ed25519.SecretKey
  let value: [UInt8]

  /// The item of a version. Its seq is the version, its value begins with it.
  func item(_ version: Int64) -> MutableItem {
    // 200 bytes and a small seq break no limit of BEP 44.
    try! MutableItem(signedBy: key, seq: version, bytes: [UInt8(truncatingIfNeeded: version)] + value)
  }

  /// The query that looks it up.
  var lookup: Query { .getMutable(key: key.publicKey, salt: [], newerThan: nil) }
}

/// Numbers in order.
struct Percentiles {
  private let values: [Double]

  init(_ values: [Double]) { self.values = values.sorted() }

  /// The value that `share` of all do not exceed; nil of none.
  func value(at share: Double) -> Double? {
    values.isEmpty ? nil : values[min(values.count - 1, max(0, Int((Double(values.count) * share).rounded(.up)) - 1))]
  }

  var mean: Double? { values.isEmpty ? nil : values.reduce(0, +) / Double(values.count) }
  var largest: Double? { values.last }
}

extension Report.Value {
  /// A number that may be missing.
  static func number(_ value: Double?, digits: Int) -> Report.Value {
    value.map { .number($0, digits: digits) } ?? .missing
  }
}
