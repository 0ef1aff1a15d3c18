import Bencode
import Cryptography
import MainlineProtocol

/// Nodes that lie about everything: they name neighbours of the target that do not exist, return items under the right key
/// with a wrong signature, and say that they have stored what they have not.
public final class LyingNodes: Attacker {
  /// Lies so far.
  public private(set) var lies = 0

  /// Liars that have not lied yet.
  public init() {}

  /// Lies about nodes and items.
  public func answer(
    _ query: ScriptedQuery, as node: SimulatedNode, in simulation: Simulation
  ) -> [ScriptedDatagram]? {
    if query.stores {
      lies += 1
      return [query.response(as: node.id, naming: [])]
    }
    guard query.isLookup, let target = query.target else { return nil }
    lies += 1
    var value: [String: BencodeValue] = [:]
    if query.method == "get" {
      value["k"] = .string(simulation.random.bytes(32))
      value["seq"] = .integer(Int64.max - 1)
      value["sig"] = .string(simulation.random.bytes(64))
      value["v"] = .string(Array("a lie".utf8))
    }
    let nodes = AttackerCrowd.invented(near: target, using: &simulation.random)
    return [query.response(as: node.id, naming: nodes, value: value)]
  }
}
