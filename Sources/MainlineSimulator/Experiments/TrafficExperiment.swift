import MainlineProtocol

/// What a node sends and receives: to stay in the network, to serve others, and for lookups of its own.
public struct TrafficExperiment: Experiment {
  /// The network.
  public var plan = NetworkPlan()
  /// How long it is measured, after an hour in which the network settles.
  public var length: Duration = .seconds(2 * 3600)
  /// Lookups of each node in an hour.
  public var lookupsPerHour = 2.0

  /// Bounds of what a run can be asked for.
  public static let lookupBounds = 0.0...3600.0

  /// 500 nodes for two hours, each with two lookups an hour.
  public init() {}

  /// What one node did while it was measured.
  private struct Usage {
    var role: String
    var sent: Double
    var received: Double
    var bytesSent: Double
    var bytesReceived: Double
  }

  private static let roles = ["server", "behind NAT", "client"]

  /// Runs it.
  public func run(seed: UInt64, progress: ExperimentProgress) throws(CancellationError) -> Report {
    let population = Population(plan, seed: seed)
    try population.grow { progress("nodes join", 0.2 * $0) }
    let simulation = population.simulation
    let records = (0..<50).map { _ in population.record() }
    _ = try population.perform(records.map { .putMutable($0.item(1), PutOptions()) }, on: population.writers)
    let load = LookupLoad(on: simulation, records: records, perSecond: lookupsPerHour * Double(plan.nodes) / 3600)
    try population.run(for: .seconds(3600))
    progress("measuring", 0.4)
    let nodes = simulation.nodes
    let before = nodes.map(\.statistics)
    let start = simulation.now
    for step in 1...10 {
      try population.run(until: start.advanced(by: length / 10 * step))
      progress("measuring", 0.4 + 0.06 * Double(step))
    }
    let seconds = start.duration(to: simulation.now).inSeconds
    let clients = Set((population.readers + population.writers).map(\.endpoint))
    // Only those that were there all the time.
    let usages = zip(nodes, before).filter { $0.0.isPresent }.map { node, before in
      let after = node.statistics
      return Usage(
        role: clients.contains(node.endpoint) ? "client" : node.isBehindNAT ? "behind NAT" : "server",
        sent: Double(after.datagramsSent - before.datagramsSent) / seconds,
        received: Double(after.datagramsReceived - before.datagramsReceived) / seconds,
        bytesSent: Double(after.bytesSent - before.bytesSent) / seconds,
        bytesReceived: Double(after.bytesReceived - before.bytesReceived) / seconds)
    }
    return report(usages, lookups: load.count, population, seed: seed)
  }

  // MARK: Report

  private func report(_ usages: [Usage], lookups: Int, _ population: Population, seed: UInt64) -> Report {
    var report = Report(
      "traffic", title: "What a node sends and receives",
      parameters: plan.fields(seed: seed) + [
        .init("hours", .number(length.inSeconds / 3600, digits: 2)),
        .init("lookups_per_hour", .number(lookupsPerHour, digits: 2)),
      ],
      columns: [
        .init("role", "role"), .init("nodes", "nodes"), .init("figure", "figure"), .init("mean", "mean"),
        .init("p50", "median"), .init("p95", "95 %"), .init("largest", "largest"),
      ])
    let figures: [(name: String, value: KeyPath<Usage, Double>)] = [
      ("datagrams sent a second", \.sent), ("datagrams received a second", \.received),
      ("bytes sent a second", \.bytesSent), ("bytes received a second", \.bytesReceived),
    ]
    for role in Self.roles {
      let group = usages.filter { $0.role == role }
      guard !group.isEmpty else { continue }
      for figure in figures {
        let values = Percentiles(group.map { $0[keyPath: figure.value] })
        report.rows.append([
          .text(role), .count(group.count), .text(figure.name), .number(values.mean, digits: 3),
          .number(values.value(at: 0.5), digits: 3), .number(values.value(at: 0.95), digits: 3),
          .number(values.largest, digits: 3),
        ])
      }
    }
    let servers = usages.filter { $0.role == "server" }
    report.figures = [
      .init("lookups", "lookups of all nodes", .count(lookups)),
      .init(
        "server_megabytes_per_day", "MB a day and server, in both directions",
        .number(Percentiles(servers.map { ($0.bytesSent + $0.bytesReceived) * 86_400 / 1e6 }).mean, digits: 2)),
      .init("datagrams", "datagrams delivered", .count(Int(population.simulation.statistics.delivered))),
    ]
    report.plots = [plot(usages)]
    return report
  }

  private func plot(_ usages: [Usage]) -> Plot {
    Plot(
      "Bytes a second and node, sent and received", x: .init("bytes a second", logarithmic: true),
      y: .init("nodes with at most that, %", range: 0...100),
      series: Self.roles.compactMap { role in
        let values = Percentiles(usages.filter { $0.role == role }.map { max(0.1, $0.bytesSent + $0.bytesReceived) })
        let shares = stride(from: 1.0, through: 100, by: 3)
        let points = shares.compactMap { share in values.value(at: share / 100).map { Plot.Series.Point($0, share) } }
        return points.isEmpty ? nil : .init(role, points)
      })
  }
}

/// Random nodes look up random records, evenly over time, for as long as this is kept.
private final class LookupLoad {
  private(set) var count = 0
  private let simulation: Simulation
  private let records: [ExperimentRecord]
  private let pause: Duration

  init(on simulation: Simulation, records: [ExperimentRecord], perSecond rate: Double) {
    self.simulation = simulation
    self.records = records
    pause = .seconds(1 / max(rate, 1e-9))
    if rate > 0 { next() }
  }

  private func next() {
    simulation.schedule(after: pause) { [weak self] in
      self?.lookUp()
      self?.next()
    }
  }

  private func lookUp() {
    guard let node = simulation.randomNode(), let record = simulation.random.pick(records) else { return }
    let id = simulation.start(record.lookup, on: node)
    count += 1
    // Nobody waits for the answer; it must not pile up either.
    simulation.schedule(after: .seconds(60)) { [weak self, weak node] in
      if let node { _ = self?.simulation.takeResult(of: id, on: node) }
    }
  }
}
