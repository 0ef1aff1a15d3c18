import Addresses
import Bencode
import Cryptography
import MainlineProtocol
import MainlineSimulator

/// A node that takes part in the DHT and lies. Its id is bound to its address as BEP 42 wants it, and it answers pings, so
/// that honest nodes take it for one of theirs.
struct Liar {
  /// What it does to who trusts it.
  enum Habit: Int, CaseIterable {
    /// Answers pings and questions for nodes, and nothing about items.
    case silent
    /// Names nodes next to every target at addresses where nobody is.
    case inventive
    /// Stores the first version of each item that it gets, and gives that one out for ever.
    case stale
    /// Gives out values that nobody has signed, with higher versions than any.
    case forging
    /// Refuses every put because it knows something newer, which it does not show.
    case refusing
    /// Answers with rubbish: cut, oversized, twice, to other questions.
    case babbling
  }

  let contact: NodeContact
  let habit: Habit
  private var random: RandomSource
  private var kept: [[UInt8]: [[UInt8]: BencodeValue]] = [:]

  /// Most items that a stale one keeps.
  private static let capacity = 10_000

  init(at endpoint: Endpoint, _ habit: Habit, seed: UInt64) {
    random = RandomSource(seed: seed)
    contact = NodeContact(id: SecureNodeID.generate(for: endpoint.address, using: &random), endpoint: endpoint)
    self.habit = habit
  }

  /// What it sends back for a datagram; `others` are nodes that it may name.
  mutating func answers(to datagram: [UInt8], from sender: Endpoint, naming others: [NodeContact]) -> [[UInt8]] {
    guard let query = ScriptedQuery(datagram, from: sender, to: contact.endpoint) else { return [] }
    if query.method == "ping" { return [answer(query)] }
    if habit == .babbling { return rubbish(query) }
    switch query.method {
    case "find_node": return [answer(query, ["nodes": nodes(query, others)])]
    case "get": return answersToGet(query, others)
    case "put": return answersToPut(query)
    default: return [answer(query, ["nodes": nodes(query, others), "token": token])]
    }
  }

  private func answer(_ query: ScriptedQuery, _ fields: [String: BencodeValue] = [:]) -> [UInt8] {
    query.response(fields.merging(["id": .string(contact.id.bytes)]) { own, _ in own }).bytes
  }

  private var token: BencodeValue { .string([1, 2, 3, 4]) }

  // MARK: - Nodes

  private mutating func nodes(_ query: ScriptedQuery, _ others: [NodeContact]) -> BencodeValue {
    var named = (0..<4).compactMap { _ in others.randomElement(using: &random) }
    if habit == .inventive, let target = query.target { named = (0..<20).map { _ in invented(near: target) } }
    return .string(named.flatMap(\.compact))
  }

  private mutating func invented(near target: NodeID) -> NodeContact {
    var bytes = target.bytes
    for index in 17..<20 { bytes[index] = UInt8.random(in: 0...255, using: &random) }
    let first = contact.endpoint.address.bytes[0]
    let address = IPAddress(first, .random(in: 0...255, using: &random), .random(in: 100...200, using: &random), 9)
    return NodeContact(id: NodeID(bytes) ?? target, endpoint: Endpoint(address, port: 6999))
  }

  // MARK: - Items

  private mutating func answersToGet(_ query: ScriptedQuery, _ others: [NodeContact]) -> [[UInt8]] {
    var fields = ["nodes": nodes(query, others), "token": token]
    switch habit {
    case .silent, .babbling: return []
    case .inventive: break
    case .stale:
      for (name, value) in kept[query.string("target") ?? []] ?? [:] {
        fields[String(decoding: name, as: UTF8.self)] = value
      }
    case .forging:
      fields["k"] = .string(random.bytes(32))
      fields["sig"] = .string(random.bytes(64))
      fields["seq"] = .integer(.max - 1)
      fields["v"] = .string(random.bytes(100))
    case .refusing: fields["seq"] = .integer(.max - 1)
    }
    return [answer(query, fields)]
  }

  private mutating func answersToPut(_ query: ScriptedQuery) -> [[UInt8]] {
    switch habit {
    case .silent, .babbling: return []
    case .refusing: return [query.error(302, "sequence number less than current").bytes]
    case .stale: keep(query)
    case .inventive, .forging: break
    }
    return [answer(query)]
  }

  private mutating func keep(_ query: ScriptedQuery) {
    guard kept.count < Self.capacity, let key = query.string("k") else { return }
    let target = SHA1.hash(key + (query.string("salt") ?? [])).bytes
    if kept[target] != nil { return }
    kept[target] = query.arguments.filter {
      ["k", "sig", "seq", "v"].contains(String(decoding: $0.key, as: UTF8.self))
    }
  }

  // MARK: - Rubbish

  private mutating func rubbish(_ query: ScriptedQuery) -> [[UInt8]] {
    let whole = answer(query, ["nodes": .string(random.bytes(26 * 8)), "token": token, "seq": .integer(-1)])
    switch Int.random(in: 0..<5, using: &random) {
    case 0: return [Array(whole.prefix(whole.count / 2))]
    case 1: return [random.bytes(1400)]
    case 2: return [whole, whole, whole]
    case 3: return [[UInt8](repeating: UInt8(ascii: "l"), count: 1400)]
    default:
      var other = whole
      if let place = other.indices.randomElement(using: &random) { other[place] ^= 0x5a }
      return [other]
    }
  }
}
