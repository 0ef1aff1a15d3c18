import MainlineProtocol

/// Nodes that keep what they had: from some moment on they say that they have stored a newer version and go on returning
/// the old one, which is rightly signed.
public final class StaleNodes: Attacker {
  /// From now on nothing new is stored.
  public var isFrozen = false
  /// Puts that were thrown away.
  public private(set) var discarded = 0

  /// Nodes that still store.
  public init() {}

  /// Acknowledges puts without storing; all else is honest, and old.
  public func answer(
    _ query: ScriptedQuery, as node: SimulatedNode, in simulation: Simulation
  ) -> [ScriptedDatagram]? {
    guard isFrozen, query.stores else { return nil }
    discarded += 1
    return [query.response(as: node.id, naming: [])]
  }
}
