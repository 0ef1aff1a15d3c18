import MainlineProtocol

/// How long lookups and publications take, and what they cost, at several rates of loss.
public struct LatencyExperiment: Experiment {
  /// The network; its loss is replaced by each of ``losses``.
  public var plan = NetworkPlan()
  /// Shares of datagrams that are lost.
  public var losses = [0.0, 0.05]
  /// Records that are published, and looked up as often as ``lookups`` says.
  public var records = 100
  /// Lookups at each rate of loss.
  public var lookups = 500

  /// Bounds of what a run can be asked for.
  public static let lookupBounds = 1...100_000

  /// 500 nodes, without loss and with 5 %.
  public init() {}

  private static let percentiles = [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9]

  /// How long one kind of thing took at one rate of loss.
  private struct Measurement {
    let name: String
    let title: String
    let loss: Double
    var milliseconds: [Double] = []
    var datagrams: [Double] = []
    var failures = 0

    var key: String { "\(name)_loss_\(Int((loss * 100).rounded()))" }
    var legend: String {
      "\(title), \(FixedPoint.text(loss * 100, digits: loss * 1000 == (loss * 100).rounded() * 10 ? 0 : 1)) % lost"
    }
  }

  /// Runs it.
  public func run(seed: UInt64, progress: ExperimentProgress) throws(CancellationError) -> Report {
    var measurements: [Measurement] = []
    for (index, loss) in losses.enumerated() {
      let done = Double(index) / Double(losses.count)
      progress("loss \(FixedPoint.text(loss * 100, digits: 1)) %", done)
      measurements += try measure(loss, seed: seed) { progress($0, done + $1 / Double(losses.count)) }
    }
    return report(measurements, seed: seed)
  }

  private func measure(_ loss: Double, seed: UInt64, _ progress: ExperimentProgress) throws(CancellationError)
    -> [Measurement]
  {
    var plan = plan
    // They join a network without loss, so that all rates meet the same one.
    plan.conditions.loss = 0
    let population = Population(plan, seed: seed)
    try population.grow { progress("nodes join", 0.4 * $0) }
    population.simulation.conditions.loss = loss
    // The estimate of round trips, and what the tables think of their nodes, get used to it.
    try population.run(for: .seconds(600))
    let records = (0..<records).map { _ in population.record() }
    var put = Measurement(name: "put", title: "published", loss: loss)
    var first = Measurement(name: "first", title: "first answer", loss: loss)
    var get = Measurement(name: "get", title: "lookup complete", loss: loss)
    progress("records are published", 0.5)
    for answer in try population.perform(
      records.map { .putMutable($0.item(1), PutOptions()) }, on: population.writers)
    {
      guard case .stored(let outcome)? = answer.result else {
        put.failures += 1
        continue
      }
      put.milliseconds.append(outcome.duration.inMilliseconds)
      put.datagrams.append(Double(answer.datagrams))
    }
    progress("records are looked up", 0.7)
    for answer in try population.perform(
      (0..<lookups).map { records[$0 % records.count].lookup }, on: population.readers)
    {
      guard case .mutable(_?, let outcome)? = answer.result, let value = outcome.firstValueAfter else {
        get.failures += 1
        first.failures += 1
        continue
      }
      first.milliseconds.append(value.inMilliseconds)
      get.milliseconds.append(outcome.duration.inMilliseconds)
      get.datagrams.append(Double(answer.datagrams))
    }
    return [first, get, put]
  }

  // MARK: Report

  private func report(_ measurements: [Measurement], seed: UInt64) -> Report {
    var report = Report(
      "latency", title: "How long lookups and publications take",
      parameters: plan.fields(seed: seed).filter { $0.name != "loss" } + [
        .init("lookups", .count(lookups)), .init("records", .count(records)),
      ],
      columns: [
        .init("operation", "what"), .init("loss", "loss"), .init("percentile", "percentile"),
        .init("milliseconds", "ms"),
      ])
    for measurement in measurements {
      let times = Percentiles(measurement.milliseconds)
      for percentile in Self.percentiles {
        report.rows.append([
          .text(measurement.name), .number(measurement.loss, digits: 4), .number(percentile, digits: 1),
          .number(times.value(at: percentile / 100), digits: 1),
        ])
      }
      report.figures += figures(measurement)
    }
    report.plots = [
      Plot(
        "Lookups and publications by time", x: .init("milliseconds", logarithmic: true),
        y: .init("ended, %", range: 0...100),
        series: measurements.map { measurement in
          let times = Percentiles(measurement.milliseconds)
          return .init(
            measurement.legend,
            Self.percentiles.compactMap { share in times.value(at: share / 100).map { .init($0, share) } })
        })
    ]
    return report
  }

  private func figures(_ measurement: Measurement) -> [Report.Figure] {
    let times = Percentiles(measurement.milliseconds)
    var figures: [Report.Figure] = [
      .init("\(measurement.key)_p50", "\(measurement.legend): median, ms", .number(times.value(at: 0.5), digits: 1)),
      .init(
        "\(measurement.key)_p99", "\(measurement.legend): 99 of 100 within, ms",
        .number(times.value(at: 0.99), digits: 1)),
    ]
    if !measurement.datagrams.isEmpty {
      figures.append(
        .init(
          "\(measurement.key)_datagrams", "\(measurement.legend): datagrams in both directions",
          .number(Percentiles(measurement.datagrams).mean, digits: 1)))
    }
    figures.append(
      .init("\(measurement.key)_failed", "\(measurement.legend): without success", .count(measurement.failures)))
    return figures
  }
}
