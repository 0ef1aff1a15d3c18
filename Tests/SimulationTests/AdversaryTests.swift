import Addresses
import Bencode
import Cryptography
import MainlineProtocol
import MainlineSimulator
import Testing
import WireFormat

/// Attackers and peers with limits, as scripts in a simulated public network (spec: what an attacker may try).
@Suite(.timeLimit(.minutes(10))) struct AdversaryTests {
  static func string(_ bytes: [UInt8]) -> BencodeValue { .string(bytes) }

  /// A network of honest servers that has settled, and an honest client. It is so small that the client's buckets have
  /// room for attackers.
  static func network(seed: UInt64, nodes: Int = 24) -> (simulation: Simulation, client: SimulatedNode) {
    let simulation = Simulation(seed: seed)
    simulation.grow(by: nodes)
    let client = simulation.addClient(bootstrap: simulation.bootstrapEndpoints())
    simulation.run(for: .seconds(10))
    return (simulation, client)
  }

  /// A contact whose id shares the first `bits` bits with `target`: a place that an attacker picked.
  static func near(_ target: NodeID, _ endpoint: Endpoint, number: Int) -> NodeContact {
    var bytes = target.bytes
    bytes[18] ^= UInt8(truncatingIfNeeded: number >> 8)
    bytes[19] ^= UInt8(truncatingIfNeeded: number + 1)
    return NodeContact(id: NodeID(bytes)!, endpoint: endpoint)
  }

  /// Adds a scripted peer and makes `victim` take it for a neighbour.
  static func addLiar(
    _ simulation: Simulation, to victim: SimulatedNode, id: NodeID,
    answer: @escaping (ScriptedQuery, inout RandomSource) -> [ScriptedDatagram]
  ) -> Endpoint {
    let endpoint = simulation.unusedEndpoint()
    simulation.addPeer(ScriptedPeer(at: endpoint, answeringQueries: answer))
    simulation.seed(victim, with: [NodeContact(id: id, endpoint: endpoint)])
    return endpoint
  }

  @Test("an item that somebody else signed is not taken for the one of the key that was asked for")
  func foreignKey() throws {
    let (simulation, client) = Self.network(seed: 21)
    let item = try record(1)
    let forged = try record(2, seq: 1000, text: "forged")
    var asked = 0
    for number in 0..<10 {
      let id = Self.near(item.target, simulation.unusedEndpoint(), number: number).id
      _ = Self.addLiar(simulation, to: client, id: id) { query, _ in
        if query.method == "get" { asked += 1 }
        return [
          query.response([
            "id": Self.string(id.bytes), "token": Self.string([1, 2, 3, 4]), "k": Self.string(forged.key.bytes),
            "seq": .integer(forged.seq), "sig": Self.string(forged.signature.bytes),
            "v": Self.string(forged.bytes ?? []),
          ])
        ]
      }
    }
    _ = simulation.result(of: .putMutable(item, PutOptions()), on: try #require(simulation.nodes.first))
    let answer = try #require(simulation.find(item, from: client))
    #expect(asked > 0)
    #expect(answer.item == item)
    #expect(answer.outcome.invalidValues > 0)
  }

  @Test("twenty invented neighbours of the target, named by liars, do not keep a lookup from the honest ones")
  func forgedNodes() throws {
    let (simulation, client) = Self.network(seed: 22)
    let item = try record(3)
    _ = simulation.result(of: .putMutable(item, PutOptions()), on: try #require(simulation.nodes.first))
    var lies = 0
    for liar in 0..<5 {
      let id = Self.near(item.target, simulation.unusedEndpoint(), number: 300 + liar).id
      _ = Self.addLiar(simulation, to: client, id: id) { query, _ in
        guard query.method != "ping" else { return [query.response(["id": Self.string(id.bytes)])] }
        lies += 1
        // Nobody is at these addresses; each lies in a block of its own.
        let invented = (0..<20).map { number in
          Self.near(
            item.target, Endpoint(IPAddress(60 + UInt8(liar), UInt8(number * 12), 1, 1), port: 6881),
            number: liar * 20 + number)
        }
        return [
          query.response([
            "id": Self.string(id.bytes), "nodes": Self.string(invented.flatMap(\.compact)),
            "token": Self.string([9]),
          ])
        ]
      }
    }
    let answer = try #require(simulation.find(item, from: client))
    #expect(lies > 0)
    #expect(answer.item == item)
    #expect(answer.outcome.duration < .seconds(10))
  }

  @Test("private addresses in answers are never asked on the public network")
  func privateAddresses() throws {
    let (simulation, client) = Self.network(seed: 23)
    let target = NodeID([UInt8](repeating: 0x77, count: 20))!
    let places = ["10.0.0.1:6881", "192.168.1.1:6881", "127.0.0.1:6881", "169.254.1.1:6881", "100.64.0.1:6881"]
      .compactMap { Endpoint($0) }
    var reached = 0
    for place in places {
      simulation.addPeer(
        ScriptedPeer(at: place) { _, _, _ in
          reached += 1; return []
        })
    }
    var lies = 0
    let id = Self.near(target, simulation.unusedEndpoint(), number: 1).id
    _ = Self.addLiar(simulation, to: client, id: id) { query, _ in
      lies += 1
      let nodes = places.enumerated().flatMap { Self.near(target, $1, number: 10 + $0).compact }
      return [query.response(["id": Self.string(id.bytes), "nodes": Self.string(nodes)])]
    }
    guard case .nodes(let outcome)? = simulation.result(of: .findNode(target), on: client) else {
      Issue.record("the lookup did not end with nodes")
      return
    }
    #expect(lies > 0)
    #expect(reached == 0)
    #expect(!outcome.nodes.contains { places.contains($0.contact.endpoint) })
  }

  @Test("twenty-five nodes with insecure ids at the target do not take the places of honest ones")
  func crowding() throws {
    let (simulation, client) = Self.network(seed: 24)
    let item = try record(5)
    var puts = 0
    for number in 0..<25 {
      let id = Self.near(item.target, simulation.unusedEndpoint(), number: number).id
      _ = Self.addLiar(simulation, to: client, id: id) { query, _ in
        if query.method == "put" { puts += 1 }
        // Says that it has stored, and has not.
        return [query.response(["id": Self.string(id.bytes), "token": Self.string([1])])]
      }
    }
    guard case .stored(let outcome)? = simulation.result(of: .putMutable(item, PutOptions()), on: client) else {
      Issue.record("not stored")
      return
    }
    #expect(puts > 0)
    #expect(outcome.stored - puts >= 10)
    // Whoever reads elsewhere finds it with honest nodes.
    let reader = try #require(simulation.nodes.last { $0 !== client })
    let answer = try #require(simulation.find(item, from: reader))
    #expect(answer.item == item)
    #expect(answer.outcome.holdersOfNewest >= 10)
  }

  @Test("answers from another port or with another transaction id are not believed")
  func spoofedAnswers() throws {
    let (simulation, client) = Self.network(seed: 25)
    let item = try record(6, seq: 5)
    let planted = try record(6, seq: 6, text: "planted")
    var sent = 0
    let id = Self.near(item.target, simulation.unusedEndpoint(), number: 1).id
    _ = Self.addLiar(simulation, to: client, id: id) { query, random in
      guard query.method == "get" else { return [query.response(["id": Self.string(id.bytes)])] }
      sent += 1
      let results: [String: BencodeValue] = [
        "id": Self.string(id.bytes), "token": Self.string([1]), "k": Self.string(planted.key.bytes),
        "seq": .integer(planted.seq), "sig": Self.string(planted.signature.bytes),
        "v": Self.string(planted.bytes ?? []),
      ]
      let otherPort = Endpoint(query.receiver.address, port: query.receiver.port + 1)
      var wrong = query.response(results)
      wrong.bytes = wrong.bytes.replacing(query.transaction, with: random.bytes(query.transaction.count))
      return [query.response(results, from: otherPort), wrong]
    }
    _ = simulation.result(of: .putMutable(item, PutOptions()), on: try #require(simulation.nodes.first))
    let answer = try #require(simulation.find(item, from: client))
    #expect(sent > 0)
    #expect(answer.item == item)
  }

  @Test("votes of one attacker's address block do not move a node's public address")
  func voteStuffing() throws {
    let (simulation, client) = Self.network(seed: 26)
    let stolen: [UInt8] = [8, 8, 8, 8, 0x1a, 0xe1]
    var votes = 0
    for number in 0..<40 {
      let endpoint = Endpoint(IPAddress(66, 77, UInt8(number), 5), port: 6881)
      let id = NodeID([UInt8](repeating: UInt8(number * 6), count: 20))!
      simulation.addPeer(
        ScriptedPeer(at: endpoint) { datagram, sender, _ in
          guard let query = ScriptedQuery(datagram, from: sender, to: endpoint) else { return [] }
          votes += 1
          var answer = query.response(["id": Self.string(id.bytes)])
          // `ip` stands in front of `r`.
          answer.bytes = Array("d2:ip6:".utf8) + stolen + answer.bytes.dropFirst()
          return [answer]
        })
      simulation.seed(client, with: [NodeContact(id: id, endpoint: endpoint)])
    }
    for _ in 0..<5 {
      _ = simulation.result(of: .findNode(.random(using: &simulation.random)), on: client)
      simulation.run(for: .seconds(60))
    }
    #expect(votes >= 5)
    let address = client.info(at: simulation.now).families.first?.publicEndpoint?.address
    #expect(address == nil || address == client.endpoint.address)
  }

  @Test("a token is good for one address and one target, and none can be made up")
  func tokens() throws {
    let (simulation, _) = Self.network(seed: 27, nodes: 10)
    let server = try #require(simulation.nodes.first)
    let item = try record(7)
    let other = try record(8)
    let attacker = simulation.unusedEndpoint()
    var answers: [[UInt8]] = []
    simulation.addPeer(
      ScriptedPeer(at: attacker) { datagram, _, _ in
        answers.append(datagram); return []
      })
    func ask(_ method: String, _ arguments: [String: BencodeValue]) -> BencodeValue? {
      var all = Dictionary(uniqueKeysWithValues: arguments.map { (Array($0.utf8), $1) })
      all[Array("id".utf8)] = .string([UInt8](repeating: 3, count: 20))
      let message = BencodeValue.dictionary([
        Array("a".utf8): .dictionary(all), Array("q".utf8): .string(Array(method.utf8)),
        Array("t".utf8): .string(Array("zzzz".utf8)), Array("y".utf8): .string(Array("q".utf8)),
      ])
      answers = []
      simulation.inject(message.encoded, from: attacker, to: server.endpoint)
      simulation.run(for: .seconds(2))
      return answers.lazy.compactMap { try? BencodeValue($0) }.first {
        if case .dictionary(let fields) = $0 { fields[Array("t".utf8)] == .string(Array("zzzz".utf8)) } else { false }
      }
    }
    func put(_ item: MutableItem, _ token: [UInt8]) -> Int64? {
      let answer = ask(
        "put",
        [
          "k": Self.string(item.key.bytes), "seq": .integer(item.seq), "sig": Self.string(item.signature.bytes),
          "token": Self.string(token), "v": Self.string(item.bytes ?? []),
        ])
      guard case .dictionary(let fields)? = answer else { return nil }
      if case .list(let error)? = fields[Array("e".utf8)], case .integer(let code)? = error.first { return code }
      return 0
    }
    let get = ask("get", ["target": Self.string(item.target.bytes)])
    guard case .dictionary(let fields)? = get, case .dictionary(let results)? = fields[Array("r".utf8)],
      case .string(let token)? = results[Array("token".utf8)]
    else {
      Issue.record("no token")
      return
    }
    #expect(put(item, [UInt8](repeating: 0, count: token.count)) == 203)
    #expect(put(item, token.map { $0 ^ 1 }) == 203)
    #expect(put(other, token) == 203)
    #expect(put(item, token) == 0)
    #expect(server.info(at: simulation.now).storedItems == 1)
  }

  @Test("publishing a hundred records at once never sends any peer 50 datagrams in ten seconds")
  func pacing() throws {
    let (simulation, client) = Self.network(seed: 28, nodes: 0)
    // Peers like libtorrent's nodes with their default limits: the 50th datagram within ten seconds ends the talk.
    var contacts: [NodeContact] = []
    var history: [Endpoint: [Instant]] = [:]
    var most = 0
    for number in 0..<30 {
      let endpoint = Endpoint(IPAddress(20 + UInt8(number), 1, 2, 3), port: 6881)
      let contact = NodeContact(id: NodeID([UInt8](repeating: UInt8(number * 8), count: 20))!, endpoint: endpoint)
      contacts.append(contact)
      simulation.addPeer(
        ScriptedPeer(at: endpoint) { [unowned simulation] datagram, sender, _ in
          history[endpoint, default: []].append(simulation.now)
          let recent = history[endpoint, default: []].filter { $0.advanced(by: .seconds(10)) > simulation.now }
          history[endpoint] = recent
          most = max(most, recent.count)
          guard let query = ScriptedQuery(datagram, from: sender, to: endpoint) else { return [] }
          return [query.response(["id": Self.string(contact.id.bytes), "token": Self.string([1])])]
        })
    }
    simulation.seed(client, with: contacts)
    let queries = try (0..<100).map { number in
      let key = Ed25519.SecretKey(seed: [UInt8](repeating: UInt8(number), count: 32))!
      let item = try MutableItem(signedBy: key, seq: 1, bytes: [UInt8(number)])
      return simulation.start(.putMutable(item, PutOptions()), on: client)
    }
    var stored = 0
    for _ in 0..<120 where stored < queries.count {
      simulation.run(for: .seconds(10))
      stored += queries.count { if case .stored? = simulation.takeResult(of: $0, on: client) { true } else { false } }
    }
    // Some lookups reach their time limit before their turn to send comes: a publisher spreads its puts.
    #expect(stored >= 50)
    #expect((10..<50).contains(most))
  }
}
