import Addresses
import Bencode
import Cryptography
import MainlineProtocol

/// Somebody who answers for nodes of the network that are in his hands.
///
/// His nodes are members like any other: they joined, answer pings and stand in tables. He decides about each query that
/// reaches one of them.
public protocol Attacker: AnyObject {
  /// What answers a query to `node`; nil: the node answers as an honest one.
  func answer(_ query: ScriptedQuery, as node: SimulatedNode, in simulation: Simulation) -> [ScriptedDatagram]?
}

/// The nodes of one attacker, and what he makes up.
struct AttackerCrowd {
  private(set) var members: [NodeContact] = []

  mutating func add(_ node: SimulatedNode) { members.append(NodeContact(id: node.id, endpoint: node.endpoint)) }

  /// The members closest to a target.
  func closest(to target: NodeID, count: Int = 8) -> [NodeContact] {
    var nearest: [(distance: NodeID, contact: NodeContact)] = []
    for contact in members {
      let distance = contact.id ^ target
      if nearest.count == count, let last = nearest.last, last.distance < distance { continue }
      let place = nearest.firstIndex { distance < $0.distance } ?? nearest.count
      nearest.insert((distance, contact), at: place)
      if nearest.count > count { nearest.removeLast() }
    }
    return nearest.map(\.contact)
  }

  /// Neighbours of a target that do not exist: ids that share its first 40 bits, at addresses where nobody is.
  static func invented(near target: NodeID, count: Int = 8, using random: inout RandomSource) -> [NodeContact] {
    (0..<count).map { _ in
      var bytes = random.bytes(NodeID.byteCount)
      bytes.replaceSubrange(0..<5, with: target.bytes.prefix(5))
      // 1.0.0.0 to 223.255.255.254 without those that are not public, as far as it matters to a liar.
      let address = IPAddress(v4: UInt32(0x0b00_0000 + random.next() % 0x6f00_0000))
      return NodeContact(id: NodeID(bytes) ?? target, endpoint: Endpoint(address, port: 6881))
    }
  }
}

extension ScriptedQuery {
  /// A response of a node, with nodes and a token as the method wants them.
  func response(as id: NodeID, naming nodes: [NodeContact], value: [String: BencodeValue] = [:]) -> ScriptedDatagram {
    var results = value
    results["id"] = .string(id.bytes)
    if method == "get" || method == "get_peers" || method == "find_node" {
      results["nodes"] = .string(nodes.flatMap(\.compact))
    }
    if method == "get" || method == "get_peers" { results["token"] = .string([0x61, 0x62, 0x63, 0x64]) }
    return response(results)
  }

  /// True if it asks where something is.
  var isLookup: Bool { method == "get" || method == "get_peers" || method == "find_node" }

  /// True if it stores something.
  var stores: Bool { method == "put" || method == "announce_peer" }
}

extension ScriptedDatagram {
  /// The same, sent later.
  func after(_ pause: Duration) -> ScriptedDatagram {
    var late = self
    late.pause = pause
    return late
  }
}
