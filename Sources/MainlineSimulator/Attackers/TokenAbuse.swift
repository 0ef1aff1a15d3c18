import Addresses
import Bencode
import Cryptography
import MainlineProtocol

/// An attacker who stores without the right to: with tokens that he guesses, that were given to another address, or for
/// another target (BEP 44).
public final class TokenAbuse {
  /// What is tried.
  public enum Trick: String, CaseIterable, Sendable {
    /// Eight random bytes.
    case guessed
    /// The token of another address of his.
    case foreign
    /// His own token for another target.
    case otherTarget = "other_target"
    /// A token that is right, but fifteen minutes old.
    case expired
    /// His own token for this very target: what everybody may do, to see that the others fail for the right reason.
    case rightful

    /// What follows "a token that is", for people.
    public var title: String {
      switch self {
      case .guessed: "guessed"
      case .foreign: "given to another address"
      case .otherTarget: "given for another target"
      case .expired: "fifteen minutes old"
      case .rightful: "rightful"
      }
    }
  }

  private let simulation: Simulation
  private let first: Endpoint
  private let second: Endpoint
  private var answers: [[UInt8]] = []

  /// An attacker with two addresses.
  public init(in simulation: Simulation) {
    self.simulation = simulation
    first = simulation.unusedEndpoint()
    second = simulation.unusedEndpoint()
    for endpoint in [first, second] {
      simulation.addPeer(
        ScriptedPeer(at: endpoint) { [weak self] datagram, _, _ in
          self?.answers.append(datagram)
          return []
        })
    }
  }

  /// Tries to store an item at each of these nodes; how many took it.
  public func attempt(_ trick: Trick, _ item: MutableItem, at nodes: [SimulatedNode]) -> Int {
    let tokens = nodes.map { node -> [UInt8]? in
      switch trick {
      case .guessed: return simulation.random.bytes(8)
      case .foreign: return token(for: item.target, from: second, at: node)
      case .otherTarget: return token(for: .random(using: &simulation.random), from: first, at: node)
      case .expired, .rightful: return token(for: item.target, from: first, at: node)
      }
    }
    if trick == .expired { simulation.run(for: .seconds(900)) }
    return zip(nodes, tokens).count { node, token in token.map { store(item, with: $0, at: node) } ?? false }
  }

  private func store(_ item: MutableItem, with token: [UInt8], at node: SimulatedNode) -> Bool {
    let answer = ask(
      "put",
      [
        "k": .string(item.key.bytes), "seq": .integer(item.seq), "sig": .string(item.signature.bytes),
        "token": .string(token), "v": .string(item.bytes ?? []),
      ], from: first, at: node)
    return answer?["r"] != nil
  }

  private func token(for target: NodeID, from endpoint: Endpoint, at node: SimulatedNode) -> [UInt8]? {
    guard
      case .dictionary(let results)? = ask("get", ["target": .string(target.bytes)], from: endpoint, at: node)?["r"],
      case .string(let token)? = results[Array("token".utf8)]
    else { return nil }
    return token
  }

  /// One question and its answer, by field.
  private func ask(
    _ method: String, _ arguments: [String: BencodeValue], from endpoint: Endpoint, at node: SimulatedNode
  ) -> [String: BencodeValue]? {
    answers = []
    let id = NodeID.random(using: &simulation.random)
    simulation.inject(ScriptedQuery.message(method, arguments, as: id), from: endpoint, to: node.endpoint)
    simulation.run(for: .seconds(2))
    for datagram in answers {
      guard case .dictionary(let fields)? = try? BencodeValue(datagram) else { continue }
      let named = Dictionary(uniqueKeysWithValues: fields.map { (String(decoding: $0.key, as: UTF8.self), $0.value) })
      if named["t"] == .string(ScriptedQuery.ownTransaction) { return named }
    }
    return nil
  }
}
