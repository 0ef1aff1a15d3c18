import Addresses
import MainlineProtocol

/// Nodes that name only each other, hide what they hold and write themselves into the tables of others.
public final class Eclipse: Attacker {
  private var crowd = AttackerCrowd()
  /// Answers that named accomplices only.
  public private(set) var answers = 0

  /// An attacker without nodes.
  public init() {}

  /// Takes a node over.
  public func take(_ node: SimulatedNode) {
    node.attacker = self
    crowd.add(node)
  }

  /// Names accomplices, knows no item and stores nothing.
  public func answer(
    _ query: ScriptedQuery, as node: SimulatedNode, in simulation: Simulation
  ) -> [ScriptedDatagram]? {
    if query.stores { return [query.response(as: node.id, naming: [])] }
    guard query.isLookup, let target = query.target else { return nil }
    answers += 1
    let accomplices = crowd.closest(to: target, count: 9).filter { $0.id != node.id }
    return [query.response(as: node.id, naming: Array(accomplices.prefix(8)))]
  }

  /// Each node asks the victim something, so that the victim hears of all of them.
  public func press(_ victim: SimulatedNode, in simulation: Simulation) {
    for member in crowd.members {
      let query = ScriptedQuery.find(victim.id, as: member.id)
      simulation.inject(query, from: member.endpoint, to: victim.endpoint)
    }
  }
}
