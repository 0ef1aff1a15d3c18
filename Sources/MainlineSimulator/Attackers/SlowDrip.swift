import MainlineProtocol

/// Nodes that keep lookups busy: they answer just before an answer would be too late, name one invented node at a time,
/// and store nothing.
public final class SlowDrip: Attacker {
  /// How long an answer is held back: a little less than the two seconds after which a request has failed.
  public let pause: Duration
  /// Answers that were held back.
  public private(set) var drops = 0

  /// Nodes that wait for `pause` before each answer.
  public init(pause: Duration = .milliseconds(1700)) { self.pause = pause }

  /// Answers late, with little.
  public func answer(
    _ query: ScriptedQuery, as node: SimulatedNode, in simulation: Simulation
  ) -> [ScriptedDatagram]? {
    guard query.isLookup || query.stores else { return nil }
    drops += 1
    let nodes = query.target.map { AttackerCrowd.invented(near: $0, count: 1, using: &simulation.random) } ?? []
    return [query.response(as: node.id, naming: nodes).after(pause)]
  }
}
