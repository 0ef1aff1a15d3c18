import Addresses
import Cryptography
import MainlineProtocol

/// What came of an attack of one strength.
struct AttackResult {
  let kind: AttackExperiment.Kind
  let strength: Double
  var lookups = 0
  var newest = 0
  var older = 0
  var copies = 0
  var milliseconds: [Double] = []
  var putMilliseconds: [Double] = []
  var datagrams: [Double] = []

  var newestShare: Double { lookups == 0 ? 0 : Double(newest) / Double(lookups) }
  var meanDatagrams: Double { Percentiles(datagrams).mean ?? 0 }

  var row: [Report.Value] {
    let times = Percentiles(milliseconds)
    return [
      .text(kind.rawValue), .number(strength, digits: 2), .count(lookups), .count(newest), .count(older),
      .count(lookups - newest - older), .share(newest, of: lookups),
      .number(newest == 0 ? nil : Double(copies) / Double(newest), digits: 2),
      .number(Percentiles(datagrams).mean, digits: 1), .number(times.value(at: 0.5), digits: 0),
      .number(times.value(at: 0.99), digits: 0), .number(Percentiles(putMilliseconds).value(at: 0.5), digits: 0),
    ]
  }
}

/// A network under attack: records are published, published anew, and looked up.
final class AttackRun {
  private let experiment: AttackExperiment
  private let population: Population
  private var result: AttackResult
  private var random: Xoshiro256
  /// Whoever is behind it, kept for as long as the run lasts.
  private var eclipse: Eclipse?
  private var stale: StaleNodes?
  private var sybils: [VerticalSybil] = []

  init(_ experiment: AttackExperiment, _ kind: AttackExperiment.Kind, strength: Double, seed: UInt64) {
    self.experiment = experiment
    population = Population(experiment.plan, seed: seed)
    result = AttackResult(kind: kind, strength: strength)
    random = Xoshiro256(seed: seed ^ 0x4154_5441_434b)
  }

  func run() throws(CancellationError) -> AttackResult {
    recruit()
    try population.grow()
    if result.strength > 0 { try meet() }
    let records = (0..<experiment.records).map { _ in population.record() }
    if result.kind == .sybil { try surround(records) }
    _ = try publish(records, version: 1)
    stale?.isFrozen = true
    result.putMilliseconds = try publish(records, version: 2)
    // Readers of the real network have not just published: nothing of that is fresh any more.
    try population.run(for: .seconds(360))
    try lookUp(records)
    return result
  }

  // MARK: Attackers

  /// Decides about each node that joins whether it is the attacker's.
  private func recruit() {
    guard result.strength > 0 else { return }
    let attacker: (any Attacker)?
    switch result.kind {
    case .stale:
      stale = StaleNodes()
      attacker = stale
    case .lying: attacker = LyingNodes()
    case .slow: attacker = SlowDrip()
    case .eclipse:
      eclipse = Eclipse()
      attacker = eclipse
    case .sybil: attacker = nil
    }
    guard let attacker else { return }
    population.onJoin = { [unowned self] node in
      // The first few are honest, or nobody would join.
      guard population.simulation.presentNodes.count > 5, random.unit() < result.strength else { return }
      if let eclipse { eclipse.take(node) } else { node.attacker = attacker }
    }
  }

  /// Readers and writers begin with three nodes of which one is honest: who knows attackers alone is lost, whatever he does.
  /// Before an eclipse the others are the attacker's, and all of his nodes write to each reader and writer.
  private func meet() throws(CancellationError) {
    let isEclipse = eclipse != nil
    try population.beginAnew { simulation in
      let others = (0..<2).map { _ in
        simulation.randomNode { $0.isServer && !$0.isBehindNAT && (!isEclipse || $0.attacker != nil) }
      }
      let honest = simulation.randomNode { $0.attacker == nil && $0.isServer && !$0.isBehindNAT }
      return (others + [honest]).compactMap { $0?.endpoint }
    }
    guard let eclipse else { return }
    for observer in population.readers + population.writers { eclipse.press(observer, in: population.simulation) }
    try population.run(for: .seconds(60))
  }

  /// Peers crowd around each record before it is published.
  private func surround(_ records: [ExperimentRecord]) throws(CancellationError) {
    let addresses = Int((result.strength * Double(experiment.plan.nodes)).rounded())
    guard addresses > 0 else { return }
    for record in records {
      let sybil = VerticalSybil(
        around: record.item(1).target, addresses: addresses, secure: min(20, addresses), insecure: min(20, addresses),
        in: population.simulation)
      sybils.append(sybil)
      // Who asks is pinged at most once in five seconds, so it takes a while.
      sybil.introduce(to: population.simulation)
      try population.run(for: .seconds(20))
    }
    try population.run(for: .seconds(300))
  }

  // MARK: Records

  private func publish(_ records: [ExperimentRecord], version: Int64) throws(CancellationError) -> [Double] {
    let answers = try population.perform(
      records.map { .putMutable($0.item(version), PutOptions()) }, on: population.writers)
    return answers.compactMap { answer in
      if case .stored(let outcome)? = answer.result { outcome.duration.inMilliseconds } else { nil }
    }
  }

  private func lookUp(_ records: [ExperimentRecord]) throws(CancellationError) {
    let queries = (0..<experiment.lookups).map { records[$0 % records.count].lookup }
    for answer in try population.perform(queries, on: population.readers) {
      result.lookups += 1
      result.datagrams.append(Double(answer.datagrams))
      guard case .mutable(let item, let outcome)? = answer.result else { continue }
      result.milliseconds.append(outcome.duration.inMilliseconds)
      guard let item else { continue }
      if item.seq == 2 {
        result.newest += 1
        result.copies += outcome.holdersOfNewest
      } else {
        result.older += 1
      }
    }
  }
}
