import MainlineProtocol
import MainlineSimulator
import Testing

/// Nodes behind routers with address translation.
@Suite(.timeLimit(.minutes(10))) struct NATTests {
  @Test(
    "behind each kind of router a node finds others, publishes, and is found by lookups", arguments: NATKind.allCases)
  func publishAndFind(_ kind: NATKind) throws {
    let simulation = Simulation(seed: 31)
    simulation.grow(by: 40)
    let writer = simulation.addNode(
      NodeConfiguration(), bootstrap: simulation.bootstrapEndpoints(), behind: kind)
    let reader = simulation.addNode(
      NodeConfiguration(), bootstrap: simulation.bootstrapEndpoints(), behind: kind)
    simulation.run(for: .seconds(30))
    let item = try record(9)
    guard case .stored(let outcome)? = simulation.result(of: .putMutable(item, PutOptions()), on: writer) else {
      Issue.record("not stored")
      return
    }
    #expect(outcome.stored >= 10)
    let answer = try #require(simulation.find(item, from: reader))
    #expect(answer.item == item)
    #expect(answer.outcome.holdersOfNewest >= 10)
  }

  @Test("an adaptive node becomes a server behind a full cone that lets it be reached, and never behind the others")
  func becomesServer() {
    let simulation = Simulation(seed: 32)
    simulation.grow(by: 40)
    let nodes = NATKind.allCases.map { kind in
      simulation.addNode(NodeConfiguration(), bootstrap: simulation.bootstrapEndpoints(), behind: kind)
    }
    var everServer = Set<Int>()
    for _ in 0..<50 {
      simulation.run(for: .seconds(60))
      for (index, node) in nodes.enumerated() where node.isServer { everServer.insert(index) }
    }
    #expect(everServer == [NATKind.allCases.firstIndex(of: .fullCone)!])
    #expect(simulation.statistics.blocked > 0)
  }
}
