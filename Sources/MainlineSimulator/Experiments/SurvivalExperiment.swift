import MainlineProtocol

/// How long a record lives: published once, and published again at several intervals, in a network whose nodes come and go.
public struct SurvivalExperiment: Experiment {
  /// The network.
  public var plan: NetworkPlan
  /// How long it goes on after the first publication.
  public var length: Duration = .seconds(24 * 3600)
  /// Records of each kind.
  public var records = 50
  /// Intervals at which records are published again; nil: never.
  public var intervals: [Duration?] = [
    nil, .seconds(24 * 3600), .seconds(12 * 3600), .seconds(4 * 3600), .seconds(3600),
  ]

  /// Bounds of what a run can be asked for.
  public static let recordBounds = 1...10_000

  /// 500 nodes with the measured sessions, for a day.
  public init() {
    plan = NetworkPlan()
    plan.sessions = .measured
  }

  /// Runs it.
  public func run(seed: UInt64, progress: ExperimentProgress) throws(CancellationError) -> Report {
    let run = SurvivalRun(self, seed: seed)
    return try run.run(progress)
  }
}

private final class SurvivalRun {
  /// Records that are published at one interval.
  struct Group {
    let interval: Duration?
    var records: [ExperimentRecord]
    var nextPublication: Instant
    var publications = 0
    /// What each look found, in the order of the looks.
    var looks: [Look] = []

    var name: String { interval.map { "every " + SurvivalRun.name($0) } ?? "once" }
  }

  /// All records of a group looked up at one time.
  struct Look {
    var age: Duration
    var lookups = 0
    var found = 0
    var copies = 0

    var meanCopies: Double { lookups == 0 ? 0 : Double(copies) / Double(lookups) }
    var share: Double { lookups == 0 ? 0 : Double(found) / Double(lookups) }
  }

  let experiment: SurvivalExperiment
  let seed: UInt64
  let population: Population
  var groups: [Group] = []
  var unpublished = 0

  init(_ experiment: SurvivalExperiment, seed: UInt64) {
    self.experiment = experiment
    self.seed = seed
    population = Population(experiment.plan, seed: seed)
  }

  func run(_ progress: ExperimentProgress) throws(CancellationError) -> Report {
    try population.grow { progress("nodes join", 0.1 * $0) }
    let start = population.simulation.now
    for interval in experiment.intervals {
      let records = (0..<experiment.records).map { _ in population.record() }
      groups.append(Group(interval: interval, records: records, nextPublication: start))
    }
    for index in groups.indices { try publish(index) }
    let begin = population.simulation.now
    for index in groups.indices {
      groups[index].nextPublication = groups[index].interval.map { begin.advanced(by: $0) } ?? .never
    }
    for age in ages {
      let moment = begin.advanced(by: age)
      // What is due before the look, and at the same time as it: the look comes first.
      while let due = groups.indices.min(by: { groups[$0].nextPublication < groups[$1].nextPublication }),
        groups[due].nextPublication < moment
      {
        try population.run(until: groups[due].nextPublication)
        try publish(due)
        groups[due].nextPublication = groups[due].nextPublication.advanced(by: groups[due].interval ?? .seconds(1))
      }
      try population.run(until: moment)
      for index in groups.indices { try look(index, at: age) }
      progress("\(Self.name(age)) have passed", 0.1 + 0.9 * (age / experiment.length))
    }
    return report
  }

  /// When everything is looked up: close together at first, then each twelfth of the time.
  private var ages: [Duration] {
    let early: [Duration] = [0.05, 0.5, 1, 2, 4, 6].map { .seconds($0 * 3600) }
    let late = (1...12).map { experiment.length / 12 * $0 }
    return Array(Set((early + late).filter { $0 <= experiment.length })).sorted()
  }

  private func publish(_ index: Int) throws(CancellationError) {
    let puts = groups[index].records.map { Query.putMutable($0.item(1), PutOptions()) }
    for answer in try population.perform(puts, on: population.writers) {
      if case .stored? = answer.result { continue }
      unpublished += 1
    }
    groups[index].publications += 1
  }

  private func look(_ index: Int, at age: Duration) throws(CancellationError) {
    var look = Look(age: age)
    for answer in try population.perform(groups[index].records.map(\.lookup), on: population.readers) {
      look.lookups += 1
      guard case .mutable(_?, let outcome)? = answer.result else { continue }
      look.found += 1
      look.copies += outcome.holdersOfNewest
    }
    groups[index].looks.append(look)
  }

  // MARK: Report

  /// `90m`, `4h`, `2d`.
  static func name(_ duration: Duration) -> String {
    let minutes = Int(duration.inSeconds / 60)
    if minutes % 1440 == 0, minutes > 1440 { return "\(minutes / 1440) d" }
    if minutes % 60 == 0 { return "\(minutes / 60) h" }
    return "\(minutes) min"
  }

  private var report: Report {
    var report = Report(
      "survival", title: "How long a record lives",
      parameters: experiment.plan.fields(seed: seed) + [
        .init("hours", .number(experiment.length.inSeconds / 3600, digits: 2)),
        .init("records", .count(experiment.records)),
      ],
      columns: [
        .init("published", "published"), .init("hours", "hours"), .init("lookups", "lookups"), .init("found", "found"),
        .init("found_share", "share found"), .init("copies", "copies"), .init("copies_share", "share of copies"),
        .init("law", "measured law"),
      ])
    for group in groups {
      let first = group.looks.first?.meanCopies ?? 0
      for look in group.looks {
        let copies: Report.Value = first > 0 ? .number(look.meanCopies / first, digits: 4) : .missing
        report.rows.append([
          .text(group.name), .number(look.age.inSeconds / 3600, digits: 2), .count(look.lookups), .count(look.found),
          .share(look.found, of: look.lookups), .number(look.meanCopies, digits: 2), copies,
          group.interval == nil ? .number(law(look.age), digits: 4) : .missing,
        ])
      }
    }
    report.figures = figures
    report.plots = [copiesPlot, foundPlot]
    return report
  }

  /// The share of copies that the law of the plan leaves at an age, of those that were there at the first look.
  private func law(_ age: Duration) -> Double {
    let sessions = experiment.plan.sessions
    let first = groups.first?.looks.first?.age ?? .zero
    return sessions.survival(after: age) / sessions.survival(after: first)
  }

  private var figures: [Report.Figure] {
    var figures = groups.map { group in
      let lookups = group.looks.reduce(0) { $0 + $1.lookups }
      let found = group.looks.reduce(0) { $0 + $1.found }
      let name = group.interval.map { "found_every_\(Int($0.inSeconds))_s" } ?? "found_once"
      return Report.Figure(name, "found, published \(group.name)", .share(found, of: lookups))
    }
    figures += groups.compactMap { group in
      let fewest = group.looks.map(\.meanCopies).min()
      let name = group.interval.map { "fewest_copies_every_\(Int($0.inSeconds))_s" } ?? "fewest_copies_once"
      return Report.Figure(name, "fewest copies on average, published \(group.name)", .number(fewest, digits: 2))
    }
    figures.append(.init("unpublished", "publications that no node stored", .count(unpublished)))
    figures.append(.init("replaced", "nodes that were replaced", .count(population.replaced)))
    figures.append(
      .init("datagrams", "datagrams delivered", .count(Int(population.simulation.statistics.delivered))))
    return figures
  }

  private var copiesPlot: Plot {
    var series: [Plot.Series] = []
    if let group = groups.first(where: { $0.interval == nil }), let first = group.looks.first, first.copies > 0 {
      series.append(
        .init(
          "copies, published once",
          group.looks.map { .init($0.age.inSeconds / 3600, $0.meanCopies / first.meanCopies * 100) }))
      if case .endless = experiment.plan.sessions {
      } else {
        series.append(
          .init(
            "law of the nodes", style: .dashed, group.looks.map { .init($0.age.inSeconds / 3600, law($0.age) * 100) }))
      }
    }
    series.append(.init("measured, low", style: .points, ChurnStudy.shares.map { .init($0.hours, $0.low * 100) }))
    series.append(.init("measured, high", style: .points, ChurnStudy.shares.map { .init($0.hours, $0.high * 100) }))
    let end = experiment.length.inSeconds / 3600
    for index in series.indices { series[index].points.removeAll { $0.x > end } }
    return Plot(
      "Copies of a record that are left", x: .init("hours since it was published"),
      y: .init("copies, % of the first count", range: 0...100), series: series.filter { !$0.points.isEmpty })
  }

  private var foundPlot: Plot {
    Plot(
      "Records that are found", x: .init("hours since the first publication"),
      y: .init("found, %", range: 0...100),
      series: groups.map { group in
        .init("published \(group.name)", group.looks.map { .init($0.age.inSeconds / 3600, $0.share * 100) })
      })
  }
}

/// What pubky/pkarr-churn (35f291f) found on the public network: of the copies of its first count, the lowest and highest
/// share among its five runs that were still there.
enum ChurnStudy {
  static let shares: [(hours: Double, low: Double, high: Double)] = [
    (1, 0.91, 0.94), (2, 0.84, 0.90), (4, 0.74, 0.83), (6, 0.68, 0.76), (12, 0.53, 0.61), (24, 0.40, 0.46),
    (48, 0.25, 0.29),
  ]
}
