import MainlineProtocol
import MainlineSimulator
import Testing

/// Small runs of the experiments of `pubky simulate`.
@Suite(.timeLimit(.minutes(10))) struct ExperimentTests {
  /// Nodes of a small network; `SIMULATION_NODES` sets an upper bound.
  static var nodes: Int { min(50, parameter("SIMULATION_NODES", 50)) }

  static var plan: NetworkPlan {
    var plan = NetworkPlan()
    plan.nodes = nodes
    return plan
  }

  static func column(_ name: String, _ report: Report) -> [Report.Value] {
    guard let index = report.columns.firstIndex(where: { $0.name == name }) else { return [] }
    return report.rows.map { $0[index] }
  }

  static func numbers(_ name: String, _ report: Report) -> [Double] {
    column(name, report).compactMap { Double($0.text) }
  }

  static var survival: SurvivalExperiment {
    var experiment = SurvivalExperiment()
    experiment.plan.nodes = nodes
    // Short lives, so that a few hours show what days do.
    experiment.plan.sessions = .exponential(mean: .seconds(3600))
    experiment.plan.growth = .seconds(30)
    experiment.plan.settling = .seconds(300)
    experiment.length = .seconds(2 * 3600)
    experiment.records = 6
    experiment.intervals = [nil, .seconds(1800)]
    return experiment
  }

  @Test("the same seed gives the same report, byte for byte, and another seed another")
  func repeatable() throws {
    var experiment = Self.survival
    experiment.length = .seconds(1800)
    let reports = try [7, 7, 8].map { try experiment.run(seed: $0) }
    #expect(reports[0].csv == reports[1].csv)
    #expect(reports[0].svg == reports[1].svg)
    #expect(reports[0].jsonLines == reports[1].jsonLines)
    #expect(reports[0].csv != reports[2].csv)
  }

  @Test("copies grow fewer with age when nobody publishes again, and records stay findable when somebody does")
  func survives() throws {
    let report = try Self.survival.run(seed: 1)
    let groups = Self.column("published", report).map(\.text)
    let copies = Self.numbers("copies", report)
    let once = zip(groups, copies).filter { $0.0 == "once" }.map(\.1)
    let again = zip(groups, copies).filter { $0.0 == "every 30 min" }.map(\.1)
    try #require(once.count >= 6 && again.count == once.count)
    #expect(once[0] >= 10)
    #expect(once[once.count - 1] < once[0] / 3)
    // The law of the nodes: after two mean lives 14 % are left.
    #expect((Self.numbers("law", report).last ?? 1) < 0.15)
    #expect(again[again.count - 1] > once[once.count - 1])
    let found = zip(groups, Self.numbers("found_share", report)).filter { $0.0 == "every 30 min" }.map(\.1)
    #expect(found.allSatisfy { $0 == 1 })
    let replaced = try #require(report.figures.first { $0.name == "replaced" })
    #expect((Int(replaced.value.text) ?? 0) > Self.nodes)
  }

  @Test("items that nobody puts again are forgotten by nodes that keep them for two hours only")
  func expiry() throws {
    var experiment = Self.survival
    experiment.plan.sessions = .endless
    experiment.plan.cooperation.forgetful = 1
    experiment.length = .seconds(3 * 3600)
    experiment.intervals = [nil, .seconds(3600)]
    let report = try experiment.run(seed: 2)
    let groups = Self.column("published", report).map(\.text)
    let rows = zip(groups, zip(Self.numbers("hours", report), Self.numbers("found_share", report)))
    for (group, (hours, share)) in rows {
      if group == "once" { #expect(share == (hours < 2 ? 1 : hours > 2.1 ? 0 : share), "\(hours) h") }
      if group == "every 1 h" { #expect(share == 1, "\(hours) h") }
    }
  }

  @Test("nodes that answer neither get nor put do not keep records from being found")
  func withoutItems() throws {
    var experiment = Self.survival
    experiment.plan.sessions = .endless
    experiment.plan.cooperation.withoutItems = 0.3
    experiment.length = .seconds(1800)
    experiment.intervals = [nil]
    let report = try experiment.run(seed: 3)
    #expect(Self.numbers("found_share", report).allSatisfy { $0 == 1 })
    #expect(Self.numbers("copies", report).allSatisfy { $0 >= 8 })
  }

  @Test("lookups take longer with loss, and all end")
  func latency() throws {
    var experiment = LatencyExperiment()
    experiment.plan = Self.plan
    experiment.plan.settling = .seconds(300)
    experiment.losses = [0, 0.1]
    experiment.records = 10
    experiment.lookups = 40
    let report = try experiment.run(seed: 1)
    func figure(_ name: String) throws -> Double {
      let figure = try #require(report.figures.first { $0.name == name }, "\(name)")
      return try #require(Double(figure.value.text))
    }
    #expect(try figure("get_loss_0_failed") == 0)
    #expect(try figure("get_loss_10_failed") == 0)
    #expect(try figure("put_loss_10_failed") == 0)
    #expect(try figure("get_loss_0_p50") <= figure("get_loss_10_p50"))
    #expect(try figure("first_loss_0_p50") < figure("get_loss_0_p50"))
    #expect(try figure("get_loss_0_datagrams") > 20)
    #expect(report.rows.count == 6 * 14)
  }

  @Test("traffic is counted for servers, for nodes behind routers, and for clients")
  func traffic() throws {
    var experiment = TrafficExperiment()
    experiment.plan = Self.plan
    experiment.plan.natShare = 0.3
    experiment.plan.settling = .seconds(60)
    experiment.length = .seconds(900)
    experiment.lookupsPerHour = 4
    let report = try experiment.run(seed: 1)
    let roles = Self.column("role", report).map(\.text)
    #expect(Set(roles) == ["server", "behind NAT", "client"])
    #expect(Self.numbers("mean", report).allSatisfy { $0 > 0 })
    let lookups = try #require(report.figures.first { $0.name == "lookups" })
    #expect((Int(lookups.value.text) ?? 0) > Self.nodes * 3)
  }

  @Test("an experiment whose task is cancelled ends without a report")
  func cancellation() async {
    let task = Task {
      while !Task.isCancelled { await Task.yield() }
      return try Self.survival.run(seed: 1)
    }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
  }
}
