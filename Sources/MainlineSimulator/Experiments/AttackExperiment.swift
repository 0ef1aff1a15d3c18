import MainlineProtocol

/// What attackers achieve: which share of lookups still finds the newest version of a record, and at what cost.
public struct AttackExperiment: Experiment {
  /// An attack.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Nodes that keep an old version (`StaleNodes`). The strength is their share of all nodes.
    case stale
    /// Nodes that name neighbours who do not exist and return forged items (`LyingNodes`). The strength is their share.
    case lying
    /// Nodes that answer late and little (`SlowDrip`). The strength is their share.
    case slow
    /// Nodes that name only each other (`Eclipse`), and two of the three nodes that readers begin with are theirs. The
    /// strength is their share.
    case eclipse
    /// Peers around the target (`VerticalSybil`). The strength is how many addresses the attacker chooses from, as a share of
    /// the nodes of the network.
    case sybil
  }

  /// The network.
  public var plan = NetworkPlan()
  /// The attacks that are tried.
  public var kinds = Kind.allCases
  /// Their strengths; 0 is a network without attackers.
  public var strengths = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
  /// Records; each is looked up several times.
  public var records = 50
  /// Lookups for each attack and strength.
  public var lookups = 500

  /// 500 nodes, each attack at six strengths.
  public init() {}

  /// Runs it.
  public func run(seed: UInt64, progress: ExperimentProgress) throws(CancellationError) -> Report {
    var results: [AttackResult] = []
    let steps = Double(kinds.count * strengths.count)
    for kind in kinds {
      for strength in strengths {
        let done = Double(results.count) / steps
        progress("\(kind.rawValue), strength \(FixedPoint.text(strength, digits: 2))", done)
        let run = AttackRun(self, kind, strength: strength, seed: seed)
        results.append(try run.run())
      }
    }
    return report(results, try serverFigures(seed: seed), seed: seed)
  }

  // MARK: Tokens and amplification

  /// What the servers of a small network do with abused tokens and with queries in a victim's name.
  private func serverFigures(seed: UInt64) throws(CancellationError) -> [Report.Figure] {
    var plan = plan
    plan.nodes = min(plan.nodes, 60)
    plan.conditions.loss = 0
    plan.natShare = 0
    plan.sessions = .endless
    plan.cooperation = Cooperation()
    let population = Population(plan, seed: seed)
    try population.grow(readers: 1, writers: 1)
    let simulation = population.simulation
    var figures: [Report.Figure] = []
    let abuse = TokenAbuse(in: simulation)
    let nodes = Array(population.members.prefix(10))
    for trick in TokenAbuse.Trick.allCases {
      let accepted = abuse.attempt(trick, population.record().item(1), at: nodes)
      figures.append(
        .init(
          "tokens_\(trick.rawValue)_accepted", "puts of \(nodes.count) taken, the token \(trick.title)",
          .count(accepted)))
    }
    let amplification = Amplification(in: simulation)
    let record = population.record(ofBytes: 990)
    _ = try population.perform([.putMutable(record.item(1), PutOptions())], on: population.writers)
    let target = record.item(1).target
    let holder = population.members.min { $0.id ^ target < $1.id ^ target }
    guard let holder else { return figures }
    for method in [QueryMethod.ping, .findNode, .getPeers, .get, .sampleInfohashes] {
      // Slow enough for every answer to be sent; then as fast as a flood.
      amplification.flood(method, target: target, at: holder, count: 20, over: .seconds(60))
      figures.append(
        .init(
          "amplification_\(method.rawValue)", "bytes for a byte in a victim's name, \(method.rawValue)",
          .number(amplification.factor, digits: 2)))
      try population.run(for: .seconds(30))
    }
    amplification.flood(.get, target: target, at: holder, count: 20_000, over: .seconds(60))
    figures.append(
      .init(
        "amplification_flood", "the same for 333 get a second from one address",
        .number(amplification.factor, digits: 2)))
    figures.append(
      .init(
        "amplification_flood_bytes", "bytes a second that reach the victim then",
        .count(amplification.received / 62)))
    return figures
  }

  // MARK: Report

  private func report(_ results: [AttackResult], _ figures: [Report.Figure], seed: UInt64) -> Report {
    var report = Report(
      "attack", title: "What attackers achieve",
      parameters: plan.fields(seed: seed) + [
        .init("records", .count(records)), .init("lookups", .count(lookups)),
      ],
      columns: [
        .init("attack", "attack"), .init("strength", "strength"), .init("lookups", "lookups"),
        .init("newest", "newest"), .init("older", "older"), .init("missing", "missing"),
        .init("newest_share", "share newest"), .init("copies", "copies"), .init("datagrams", "datagrams"),
        .init("p50", "p50, ms"), .init("p99", "p99, ms"), .init("put_p50", "put p50, ms"),
      ])
    report.rows = results.map(\.row)
    report.figures = figures
    report.plots = [
      Plot(
        "Lookups that find the newest version", x: .init("strength of the attack, %"),
        y: .init("newest, %", range: 0...100),
        series: kinds.map { kind in
          .init(
            kind.rawValue,
            results.filter { $0.kind == kind }.map { .init($0.strength * 100, $0.newestShare * 100) })
        }),
      Plot(
        "What a lookup costs meanwhile", x: .init("strength of the attack, %"),
        y: .init("datagrams in both directions"),
        series: kinds.map { kind in
          .init(kind.rawValue, results.filter { $0.kind == kind }.map { .init($0.strength * 100, $0.meanDatagrams) })
        }),
    ]
    return report
  }
}
