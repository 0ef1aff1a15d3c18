import MainlineSimulator
import Testing

/// A short form of what `scripts/bench churn` runs for 24 simulated hours with 200 nodes.
@Suite(.timeLimit(.minutes(10))) struct ChurnTests {
  @Test("records stay findable and tables filled while 30 % of the nodes are replaced every ten minutes")
  func churn() {
    var scenario = ChurnScenario()
    scenario.nodes = parameter("SIMULATION_CHURN_NODES", 60)
    scenario.records = 8
    scenario.length = .seconds(parameter("SIMULATION_CHURN_MINUTES", 80) * 60)
    let report = scenario.run(seed: 1)
    #expect(report.replaced >= 100)
    #expect(report.published >= scenario.records * 2)
    #expect(report.unpublished == 0)
    #expect(report.resolves >= 100)
    #expect(report.share >= 0.999)
    #expect((1..<Int.max).contains(report.smallestTable))
  }
}
