import Addresses
import Cryptography
import MainlineProtocol

/// A network whose nodes are replaced all the time, with publishers that publish again and readers that look.
///
/// Every node that leaves takes its copies along without a word; its successor knows nothing.
public struct ChurnScenario: Sendable {
  /// Servers in the network, at any time.
  public var nodes = 200
  /// Share of the servers that is replaced in ten minutes.
  public var replacedPerTenMinutes = 0.3
  /// Records, each published by a client of its own key.
  public var records = 20
  /// Time between two publications of a record.
  public var republishInterval: Duration = .seconds(3600)
  /// Time between two resolves.
  public var resolveInterval: Duration = .seconds(30)
  /// How long it goes on.
  public var length: Duration = .seconds(24 * 3600)
  /// A reader that finds fewer copies than this of the newest item stores it again, as relays and republishers do; at
  /// most once in half an hour for each record. 0: readers only read.
  public var repairBelow = 10
  /// How datagrams fare.
  public var conditions = NetworkConditions()

  /// The figures of the project's promise.
  public init() {}

  /// What came of it.
  public struct Report: Sendable, Hashable {
    /// Resolves that ended.
    public var resolves = 0
    /// Those that found the newest publication.
    public var found = 0
    /// Those that found an older one.
    public var stale = 0
    /// Publications that were stored on at least one node.
    public var published = 0
    /// Publications that were not.
    public var unpublished = 0
    /// Times that a reader stored a record again.
    public var repairs = 0
    /// Servers that left.
    public var replaced = 0
    /// The fewest nodes that the table of a node older than two minutes ever held.
    public var smallestTable = Int.max
    /// What the network did.
    public var statistics = SimulationStatistics()

    /// Share of the resolves that found the newest publication.
    public var share: Double { resolves == 0 ? 0 : Double(found) / Double(resolves) }
  }

  /// Runs it.
  public func run(seed: UInt64) -> Report {
    let run = ChurnRun(scenario: self, seed: seed)
    return run.run()
  }
}

private final class ChurnRun {
  struct Record {
    let key: Ed25519.SecretKey
    var newest: MutableItem?
    var nextPublication: Instant
    var lastRepair = Instant.distantPast
  }

  /// A resolve under way.
  struct Resolve {
    let record: Int
    let node: SimulatedNode
    let query: QueryID
    let wanted: MutableItem
  }

  let scenario: ChurnScenario
  let simulation: Simulation
  var records: [Record] = []
  var publications: [(record: Int, item: MutableItem, query: QueryID)] = []
  var resolves: [Resolve] = []
  var report = ChurnScenario.Report()

  init(scenario: ChurnScenario, seed: UInt64) {
    self.scenario = scenario
    simulation = Simulation(seed: seed, conditions: scenario.conditions)
  }

  func run() -> ChurnScenario.Report {
    simulation.grow(by: scenario.nodes)
    let publisher = simulation.addClient(bootstrap: simulation.bootstrapEndpoints())
    simulation.run(for: .seconds(10))
    let start = simulation.now
    for index in 0..<scenario.records {
      let key = Ed25519.SecretKey(seed: simulation.random.bytes(32))!
      // Spread over the first tenth of the interval: a publisher paces itself.
      let offset = scenario.republishInterval / 10 * index / max(1, scenario.records)
      records.append(Record(key: key, nextPublication: start.advanced(by: offset)))
    }
    let end = start.advanced(by: scenario.length)
    let replacement = Duration.seconds(600 / (Double(scenario.nodes) * scenario.replacedPerTenMinutes))
    var nextReplacement = start
    // Nothing is read before everything has been published once.
    var nextResolve = start.advanced(by: scenario.republishInterval / 10 + .seconds(30))
    var nextCheck = start
    while simulation.now < end {
      simulation.run(for: .seconds(1))
      while nextReplacement <= simulation.now {
        replaceNode()
        nextReplacement = nextReplacement.advanced(by: replacement)
      }
      publish(from: publisher)
      if nextResolve <= simulation.now {
        resolve()
        nextResolve = nextResolve.advanced(by: scenario.resolveInterval)
      }
      collect(publisher)
      if nextCheck <= simulation.now {
        checkTables()
        nextCheck = nextCheck.advanced(by: .seconds(60))
      }
    }
    report.statistics = simulation.statistics
    return report
  }

  private func replaceNode() {
    guard let node = simulation.randomNode(where: { $0.isServer }) else { return }
    simulation.remove(node)
    report.replaced += 1
    simulation.addServer(bootstrap: simulation.bootstrapEndpoints())
  }

  private func publish(from publisher: SimulatedNode) {
    for index in records.indices where records[index].nextPublication <= simulation.now {
      records[index].nextPublication = records[index].nextPublication.advanced(by: scenario.republishInterval)
      let value = simulation.random.bytes(200)
      guard
        let item = try? MutableItem(
          signedBy: records[index].key, seq: simulation.now.nanoseconds / 1000, bytes: value)
      else { continue }
      let query = simulation.start(.putMutable(item, PutOptions()), on: publisher)
      publications.append((index, item, query))
    }
  }

  private func resolve() {
    let index = Int(simulation.random.next() % UInt64(records.count))
    guard let wanted = records[index].newest else { return }
    // A reader has been there for a minute: one that has just started still looks for its first neighbours.
    let reader = simulation.randomNode { node in
      node.isServer && node.joined.advanced(by: .seconds(60)) <= simulation.now
    }
    guard let reader else { return }
    let query = simulation.start(
      .getMutable(key: records[index].key.publicKey, salt: [], newerThan: nil), on: reader)
    resolves.append(Resolve(record: index, node: reader, query: query, wanted: wanted))
  }

  private func collect(_ publisher: SimulatedNode) {
    publications.removeAll { publication in
      guard let result = simulation.takeResult(of: publication.query, on: publisher) else { return false }
      if case .stored = result {
        report.published += 1
        records[publication.record].newest = publication.item
      } else {
        report.unpublished += 1
      }
      return true
    }
    resolves.removeAll { resolve in
      // Whoever asked has left: nobody waits for the answer.
      guard resolve.node.isPresent else { return true }
      guard let result = simulation.takeResult(of: resolve.query, on: resolve.node) else { return false }
      judge(result, of: resolve)
      return true
    }
  }

  private func judge(_ result: QueryResult, of resolve: Resolve) {
    report.resolves += 1
    guard case .mutable(let item?, let outcome) = result else { return }
    guard item.seq >= resolve.wanted.seq else {
      report.stale += 1
      return
    }
    report.found += 1
    if outcome.holdersOfNewest < scenario.repairBelow,
      records[resolve.record].lastRepair.advanced(by: .seconds(1800)) <= simulation.now
    {
      records[resolve.record].lastRepair = simulation.now
      report.repairs += 1
      _ = simulation.start(.putMutable(item, PutOptions()), on: resolve.node)
    }
  }

  private func checkTables() {
    for node in simulation.presentNodes
    where node.joined.advanced(by: .seconds(120)) <= simulation.now {
      let size = node.info(at: simulation.now).families.reduce(0) { $0 + $1.goodNodes + $1.questionableNodes }
      report.smallestTable = min(report.smallestTable, size)
    }
  }
}
