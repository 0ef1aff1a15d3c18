import MainlineProtocol
import MainlineSimulator
import Testing

/// Each attacker of the laboratory against a small network.
@Suite(.timeLimit(.minutes(10))) struct AttackTests {
  static func experiment(_ kind: AttackExperiment.Kind) -> AttackExperiment {
    var experiment = AttackExperiment()
    experiment.plan.nodes = ExperimentTests.nodes
    experiment.kinds = [kind]
    experiment.strengths = [0, 0.3]
    experiment.records = 5
    experiment.lookups = 20
    return experiment
  }

  @Test(
    "with three of ten nodes in an attacker's hands, readers find the newest version",
    arguments: AttackExperiment.Kind.allCases)
  func survived(_ kind: AttackExperiment.Kind) throws {
    let report = try Self.experiment(kind).run(seed: 4)
    let newest = ExperimentTests.numbers("newest", report)
    let copies = ExperimentTests.numbers("copies", report)
    let datagrams = ExperimentTests.numbers("datagrams", report)
    try #require(newest.count == 2 && copies.count == 2 && datagrams.count == 2)
    #expect(newest == [20, 20])
    // The attack has taken place: it costs copies, or datagrams.
    #expect(copies[1] < copies[0] || datagrams[1] > datagrams[0])
  }

  @Test("of all tricks with tokens only a rightful token stores anything, and an answer is a few times its question")
  func tokensAndAmplification() throws {
    var experiment = Self.experiment(.stale)
    experiment.strengths = [0]
    experiment.lookups = 1
    let report = try experiment.run(seed: 5)
    func figure(_ name: String) throws -> Double {
      let figure = try #require(report.figures.first { $0.name == name }, "\(name)")
      return try #require(Double(figure.value.text))
    }
    for trick in TokenAbuse.Trick.allCases {
      #expect(try figure("tokens_\(trick.rawValue)_accepted") == (trick == .rightful ? 10 : 0), "\(trick)")
    }
    #expect(try (0.5...4).contains(figure("amplification_ping")))
    #expect(try figure("amplification_get") > figure("amplification_find_node"))
    #expect(try figure("amplification_get") < 20)
    // A flood is not answered: 8 kB a second at most, after a burst.
    #expect(try figure("amplification_flood") < 0.6)
    #expect(try figure("amplification_flood_bytes") < 10_000)
  }
}
