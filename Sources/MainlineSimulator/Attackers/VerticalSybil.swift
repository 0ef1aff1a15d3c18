import Addresses
import Bencode
import Cryptography
import MainlineProtocol

/// An attacker who crowds around one target: he computes ids next to it, makes the nodes there know them, and hides the
/// item (pubky/mainline calls it the vertical Sybil attack).
///
/// An id has to be bound to its address (BEP 42) to rank before others, so how near he comes is a matter of how many
/// addresses he has: each gives eight ids to choose from. Ids without such a bond can be had right at the target, and rank
/// behind.
public final class VerticalSybil {
  private var crowd: [NodeContact] = []
  private let target: NodeID
  /// Lookups for the target that were told nothing.
  public private(set) var hidden = 0
  /// Puts that were acknowledged and thrown away.
  public private(set) var discarded = 0

  /// Sets up peers around a target.
  ///
  /// - Parameters:
  ///   - addresses: how many addresses the attacker chooses from, each in a /24 of its own.
  ///   - secure: peers whose ids are bound to the best of those addresses.
  ///   - insecure: peers with ids of the attacker's choice.
  public init(around target: NodeID, addresses: Int, secure: Int, insecure: Int, in simulation: Simulation) {
    self.target = target
    var best: [(distance: NodeID, contact: NodeContact)] = []
    for _ in 0..<addresses {
      let endpoint = simulation.unusedEndpoint()
      let ids = (UInt8(0)..<8).map { Self.boundID(near: target, at: endpoint.address, last: $0) }
      if let id = ids.min(by: { $0 ^ target < $1 ^ target }) {
        best.append((id ^ target, NodeContact(id: id, endpoint: endpoint)))
      }
    }
    best.sort { $0.distance < $1.distance }
    crowd = best.prefix(secure).map(\.contact)
    for number in 0..<insecure {
      var bytes = target.bytes
      bytes[17] ^= UInt8(truncatingIfNeeded: number >> 8) | 0x80
      bytes[18] ^= UInt8(truncatingIfNeeded: number)
      crowd.append(NodeContact(id: NodeID(bytes) ?? target, endpoint: simulation.unusedEndpoint()))
    }
    for contact in crowd {
      simulation.addPeer(
        ScriptedPeer(at: contact.endpoint) { [weak self] query, _ in self?.answer(query, as: contact) ?? [] })
    }
  }

  /// The peers, those with bound ids first.
  public var members: [NodeContact] { crowd }

  /// Makes the honest nodes nearest to the target hear of the peers: each asks each of them something.
  public func introduce(to simulation: Simulation, neighbours: Int = 40) {
    let near = simulation.presentNodes.filter(\.isServer).sorted { $0.id ^ target < $1.id ^ target }
    for node in near.prefix(neighbours) {
      for member in crowd {
        simulation.inject(ScriptedQuery.find(target, as: member.id), from: member.endpoint, to: node.endpoint)
      }
    }
  }

  private func answer(_ query: ScriptedQuery, as contact: NodeContact) -> [ScriptedDatagram] {
    if query.method == "get" { hidden += 1 }
    if query.stores { discarded += 1 }
    let accomplices = crowd.filter { $0 != contact }.prefix(8)
    return [query.response(as: contact.id, naming: Array(accomplices))]
  }

  /// The id nearest to the target that this address may have with these last bits (BEP 42).
  private static func boundID(near target: NodeID, at address: IPAddress, last: UInt8) -> NodeID {
    var bytes = target.bytes
    bytes[19] = bytes[19] & 0xf8 | last
    let prefix = SecureNodeID.prefix(for: address, lastByte: bytes[19])
    bytes[0] = UInt8(truncatingIfNeeded: prefix >> 13)
    bytes[1] = UInt8(truncatingIfNeeded: prefix >> 5)
    bytes[2] = UInt8(truncatingIfNeeded: prefix << 3) | bytes[2] & 7
    return NodeID(bytes) ?? target
  }
}
