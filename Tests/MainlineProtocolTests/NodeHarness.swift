import Addresses
import Bencode
import Cryptography
import Testing
import WireFormat

@testable import MainlineProtocol

/// Reading and building messages as trees: a second implementation next to the node's own.
extension BencodeValue {
  static func text(_ text: String) -> BencodeValue { .string(Array(text.utf8)) }

  static func fields(_ fields: [String: BencodeValue]) -> BencodeValue {
    .dictionary(Dictionary(uniqueKeysWithValues: fields.map { (Array($0.key.utf8), $0.value) }))
  }

  subscript(_ key: String) -> BencodeValue? {
    guard case .dictionary(let fields) = self else { return nil }
    return fields[Array(key.utf8)]
  }

  var bytes: [UInt8]? { if case .string(let bytes) = self { bytes } else { nil } }
  var number: Int64? { if case .integer(let number) = self { number } else { nil } }
  var list: [BencodeValue]? { if case .list(let list) = self { list } else { nil } }

  /// The same dictionary with some fields set, or removed where nil.
  func with(_ changes: [String: BencodeValue?]) -> BencodeValue {
    guard case .dictionary(var fields) = self else { return self }
    for (key, value) in changes { fields[Array(key.utf8)] = value }
    return .dictionary(fields)
  }
}

/// A datagram that the node under test has sent.
struct SentDatagram {
  let endpoint: Endpoint
  let bytes: [UInt8]
  /// Decoded strictly: whatever a node sends must be canonical.
  let message: BencodeValue

  /// The method, if it is a query.
  var method: String? { message["q"]?.bytes.map { String(decoding: $0, as: UTF8.self) } }
}

/// A node under test, its clock, and what it sends.
struct NodeHarness: ~Copyable {
  var node: DHTNode
  var now: Instant
  /// Every datagram that left the node.
  var sent: [SentDatagram] = []
  /// What the node told that belongs to no query.
  var events: [NodeEvent] = []

  /// A server of an isolated network that knows nobody, unless told otherwise.
  static var isolated: NodeConfiguration {
    var configuration = NodeConfiguration.isolated
    configuration.hasBootstrap = false
    return configuration
  }

  init(_ configuration: NodeConfiguration = Self.isolated, restoring saved: SavedNodes? = nil, seed: UInt64 = 1) {
    now = Instant(nanoseconds: 1_000_000_000)
    node = DHTNode(configuration: configuration, restoring: saved, random: RandomSource(seed: seed), at: now)
    node.tick(at: now)
  }

  /// What the node tells about itself.
  var info: NodeInfo { node.info(at: now) }

  /// Takes what the node wants sent. Every datagram is checked: canonical and not too long.
  mutating func drain() -> [SentDatagram] {
    var datagrams: [SentDatagram] = []
    for index in 0..<node.outbox.count {
      let bytes = [UInt8](node.outbox.bytes(at: index))
      #expect(bytes.count <= 1452)
      guard let message = try? BencodeValue(bytes) else {
        Issue.record("not canonical: \(Hex.encode(bytes))")
        continue
      }
      datagrams.append(SentDatagram(endpoint: node.outbox.endpoint(at: index), bytes: bytes, message: message))
    }
    node.outbox.removeAll()
    sent += datagrams
    return datagrams
  }

  /// Lets one datagram in.
  mutating func feed(_ bytes: [UInt8], from sender: Endpoint) {
    node.receive(bytes.span.bytes, from: sender, at: now)
  }

  /// Lets one datagram in, and returns what goes back to its sender.
  mutating func receive(_ bytes: [UInt8], from sender: Endpoint) -> [SentDatagram] {
    _ = drain()
    feed(bytes, from: sender)
    return drain().filter { $0.endpoint == sender && $0.message["y"]?.bytes != Array("q".utf8) }
  }

  /// Lets time pass, doing whatever becomes due; `network` answers what the node asks meanwhile.
  mutating func pass(_ duration: Duration, with network: ScriptedNetwork? = nil) {
    let end = now.advanced(by: duration)
    exchange(with: network)
    while node.nextDeadline <= end {
      now = max(now, node.nextDeadline)
      node.tick(at: now)
      exchange(with: network)
    }
    now = end
  }

  /// Carries datagrams to and fro until nobody has anything to say.
  mutating func exchange(with network: ScriptedNetwork?) {
    for _ in 0..<10_000 {
      let datagrams = drain()
      if datagrams.isEmpty { return }
      guard let network else { continue }
      for datagram in datagrams {
        for (answer, sender) in network.deliver(datagram) {
          feed(answer, from: sender)
        }
      }
    }
    Issue.record("the conversation does not end")
  }

  /// Runs a query to its end against `network`.
  mutating func run(_ query: Query, with network: ScriptedNetwork, limit: Duration = .seconds(30)) -> QueryRun {
    run([query], with: network, limit: limit)[0]
  }

  /// Runs queries at the same time until all have ended.
  mutating func run(_ queries: [Query], with network: ScriptedNetwork, limit: Duration = .seconds(30)) -> [QueryRun] {
    let start = now
    let end = now.advanced(by: limit)
    let ids = queries.map { node.start($0, at: now) }
    var runs = Dictionary(uniqueKeysWithValues: ids.map { ($0, QueryRun()) })
    while true {
      exchange(with: network)
      for event in node.takeEvents() {
        switch event {
        case .finished(let id, let result):
          runs[id]?.result = result
          runs[id]?.duration = start.duration(to: now)
        case .mutableItem(let id, let item): runs[id]?.items.append(item)
        case .peers(let id, let peers): runs[id]?.peers += peers
        default: events.append(event)
        }
      }
      guard runs.values.contains(where: { $0.result == nil }), node.nextDeadline <= end else { break }
      now = max(now, node.nextDeadline)
      node.tick(at: now)
    }
    return ids.map { runs[$0]! }
  }
}

/// How a query went.
struct QueryRun {
  var result: QueryResult?
  var items: [MutableItem] = []
  var peers: [Endpoint] = []
  var duration: Duration = .zero

  var failure: QueryFailure? { if case .failed(let failure) = result { failure } else { nil } }
  var stored: PutOutcome? { if case .stored(let outcome) = result { outcome } else { nil } }
  var mutable: (item: MutableItem?, counts: GetOutcome)? {
    if case .mutable(let item, let counts) = result { (item, counts) } else { nil }
  }
}

/// Other nodes, as scripts: what each answers to a query.
final class ScriptedNetwork {
  /// Answers a query: the fields of the whole message besides `t`, or nil for silence.
  typealias Script = (_ query: BencodeValue) -> BencodeValue?

  struct Peer {
    let contact: NodeContact
    var script: Script
  }

  private(set) var peers: [Endpoint: Peer] = [:]
  /// Changes an answer on its way: to another sender, or its bytes.
  var tamper: ((_ answer: [UInt8], _ sender: Endpoint) -> [(answer: [UInt8], sender: Endpoint)])?

  /// The contacts of all.
  var contacts: [NodeContact] { peers.values.map(\.contact).sorted { $0.id < $1.id } }

  func add(_ contact: NodeContact, _ script: @escaping Script) {
    peers[contact.endpoint] = Peer(contact: contact, script: script)
  }

  /// Loopback nodes on ports of their own, all with the same script. Returns their contacts.
  @discardableResult
  func addPeers(
    _ count: Int, firstPort: UInt16 = 20_000, seed: UInt64 = 5, _ script: @escaping (NodeContact) -> Script
  ) -> [NodeContact] {
    var random = RandomSource(seed: seed)
    return (0..<count).map { number in
      let contact = NodeContact(
        id: .random(using: &random), endpoint: Endpoint(.loopbackV4, port: firstPort + UInt16(number)))
      add(contact, script(contact))
      return contact
    }
  }

  func deliver(_ datagram: SentDatagram) -> [(answer: [UInt8], sender: Endpoint)] {
    guard let peer = peers[datagram.endpoint], datagram.message["y"]?.bytes == Array("q".utf8),
      let answer = peer.script(datagram.message), let transaction = datagram.message["t"]
    else { return [] }
    let bytes = answer.with(["t": transaction]).encoded
    return tamper?(bytes, datagram.endpoint) ?? [(bytes, datagram.endpoint)]
  }

  // MARK: Scripts

  static func response(_ id: NodeID, _ results: [String: BencodeValue] = [:]) -> BencodeValue {
    .fields(["y": .text("r"), "r": .fields(results.merging(["id": .string(id.bytes)]) { $1 })])
  }

  static func error(_ code: Int64, _ text: String = "no") -> BencodeValue {
    .fields(["y": .text("e"), "e": .list([.integer(code), .text(text)])])
  }

  static func compact(_ contacts: some Sequence<NodeContact>) -> BencodeValue {
    .string(
      contacts.flatMap {
        $0.id.bytes + $0.endpoint.address.bytes + [UInt8($0.endpoint.port >> 8), UInt8($0.endpoint.port & 255)]
      })
  }

  /// A well-behaved node: names the eight closest of the network (or of the half that it knows), gives tokens, and stores
  /// whatever comes.
  func honest(_ contact: NodeContact, holding item: MutableItem? = nil, knowsAll: Bool = true) -> Script {
    { [unowned self] query in
      let target = (query["a"]?["target"] ?? query["a"]?["info_hash"])?.bytes.flatMap { NodeID($0) }
      var results: [String: BencodeValue] = [:]
      if let target {
        let known = knowsAll ? contacts : contacts.filter { (($0.id ^ contact.id).third &* 0x9e37_79b1) >> 31 == 0 }
        let closest = known.sorted { $0.id ^ target < $1.id ^ target }.prefix(8)
        results["nodes"] = Self.compact(closest)
        results["token"] = .text("token")
      }
      if let item, query["q"] == .text("get"), item.target == target {
        results.merge(Self.fields(of: item)) { $1 }
      }
      return Self.response(contact.id, results)
    }
  }

  /// The results of a `get` that finds an item.
  static func fields(of item: MutableItem) -> [String: BencodeValue] {
    [
      "v": try! BencodeValue(item.value), "k": .string(item.key.bytes), "sig": .string(item.signature.bytes),
      "seq": .integer(item.seq),
    ]
  }
}
