import Addresses
import Bencode
import MainlineProtocol

/// An attacker who writes to nodes in a victim's name, so that their answers reach the victim.
public final class Amplification {
  private let simulation: Simulation
  private let victim: Endpoint
  /// Bytes that reached the victim.
  public private(set) var received = 0
  /// Datagrams that reached the victim.
  public private(set) var datagrams = 0
  /// Bytes that the attacker sent.
  public private(set) var sent = 0

  /// A victim that only counts.
  public init(in simulation: Simulation) {
    self.simulation = simulation
    victim = simulation.unusedEndpoint()
    simulation.addPeer(
      ScriptedPeer(at: victim) { [weak self] datagram, _, _ in
        self?.received += datagram.count
        self?.datagrams += 1
        return []
      })
  }

  /// Bytes at the victim for each byte of the attacker.
  public var factor: Double { sent == 0 ? 0 : Double(received) / Double(sent) }

  /// Sends `count` queries of one kind to a node in the victim's name, evenly over `length`, and waits for the answers.
  public func flood(
    _ method: QueryMethod, target: NodeID, at node: SimulatedNode, count: Int, over length: Duration
  ) {
    received = 0
    datagrams = 0
    sent = 0
    let id = NodeID.random(using: &simulation.random)
    let name = method == .getPeers || method == .announcePeer ? "info_hash" : "target"
    let arguments: [String: BencodeValue] = method == .ping ? [:] : [name: .string(target.bytes)]
    let query = ScriptedQuery.message(method.rawValue, arguments, as: id)
    for _ in 0..<count {
      sent += query.count
      simulation.inject(query, from: victim, to: node.endpoint)
      simulation.run(for: length / count)
    }
    simulation.run(for: .seconds(2))
  }
}
