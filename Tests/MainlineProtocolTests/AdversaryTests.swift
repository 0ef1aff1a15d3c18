import Addresses
import Bencode
import Cryptography
import Testing
import WireFormat

@testable import MainlineProtocol

/// Liars, crowds and floods on the public network, where addresses cost something.
@Suite("A node among adversaries on the public network")
struct AdversaryTests {
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 77, count: 32))!

  private func item(_ seq: Int64 = 5, _ bytes: [UInt8] = [1, 2, 3]) -> MutableItem {
    try! MutableItem(signedBy: owner, seq: seq, bytes: bytes)
  }

  /// A client of the public network, with limits off where a test wants many queries at once.
  private func client() -> NodeHarness {
    var configuration = NodeConfiguration()
    configuration.mode = .client
    return NodeHarness(configuration)
  }

  /// Honest nodes, each at a provider of its own and with an id bound to its address.
  private func honestNetwork(_ count: Int, holding item: MutableItem? = nil) -> ScriptedNetwork {
    let network = ScriptedNetwork()
    var random = RandomSource(seed: 21)
    for number in 0..<count {
      let endpoint = Endpoint(IPAddress(UInt8(60 + number % 100), UInt8(number), 7, 7), port: 6881)
      let contact = NodeContact(id: SecureNodeID.generate(for: endpoint.address, using: &random), endpoint: endpoint)
      network.add(contact, network.honest(contact, holding: item, knowsAll: false))
    }
    return network
  }

  @Test("25 unbound ids right at the target do not keep an item from the honest nodes")
  func insecureCrowd() {
    var harness = client()
    let mine = item()
    let crowd = ScriptedNetwork()
    for number in 0..<25 {
      let contact = NodeContact(
        id: mine.target.flippingBit(159).flippingBit(150 - number),
        endpoint: Endpoint(IPAddress(45, UInt8(number), 1, 1), port: 6881))
      crowd.add(contact, crowd.honest(contact))
    }
    // A fifth of the honest nodes have been talked into knowing the crowd, and name nobody else.
    let honestNodes = honestNetwork(60)
    let network = ScriptedNetwork()
    for (number, contact) in honestNodes.contacts.enumerated() {
      network.add(contact, number % 5 == 0 ? crowd.honest(contact) : honestNodes.peers[contact.endpoint]!.script)
    }
    for (_, peer) in crowd.peers { network.add(peer.contact, peer.script) }
    harness.node.addBootstrap(honestNodes.contacts.prefix(4).map(\.endpoint), at: harness.now)
    let run = harness.run(.putMutable(mine, PutOptions()), with: network)
    let stored = Set(harness.sent.filter { $0.method == "put" }.map(\.endpoint))
    let honest = stored.filter { $0.address.bytes[0] != 45 }
    #expect(honest.count >= 20, "\(honest.count) of \(stored.count)")
    #expect(stored.count > honest.count, "the crowd was met")
    #expect((run.stored?.stored ?? 0) == stored.count)
  }

  @Test("of one /24 at most two nodes are asked, whoever names them")
  func oneNetwork() {
    var harness = client()
    let network = ScriptedNetwork()
    var random = RandomSource(seed: 3)
    let neighbours = (1...20).map {
      let endpoint = Endpoint(IPAddress(45, 9, 9, UInt8($0)), port: 6881)
      return NodeContact(id: SecureNodeID.generate(for: endpoint.address, using: &random), endpoint: endpoint)
    }
    let router = NodeContact(id: .random(using: &random), endpoint: Endpoint("46.1.1.1:6881")!)
    network.add(router) { _ in
      ScriptedNetwork.response(router.id, ["nodes": ScriptedNetwork.compact(neighbours), "token": .text("t")])
    }
    for contact in neighbours { network.add(contact, network.honest(contact)) }
    harness.node.addBootstrap([router.endpoint], at: harness.now)
    harness.exchange(with: network)
    let before = harness.sent.count
    _ = harness.run(.findNode(item().target), with: network)
    let asked = Set(harness.sent.dropFirst(before).map(\.endpoint.address)).filter { $0.bytes[0] == 45 }
    #expect((1...2).contains(asked.count))
  }

  @Test("a mutable get carries `seq`, so a stranger's junk under the same target cannot hide the item")
  func hidingAttack() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let mine = item()
    // What a node of libtorrent answers: without `seq` the junk that a stranger planted, with it the item.
    network.addPeers(8) { contact in
      { query in
        var results: [String: BencodeValue] = ["token": .text("t"), "nodes": .string([])]
        if query["a"]?["seq"] == nil {
          results["v"] = .text("junk")
        } else {
          results.merge(ScriptedNetwork.fields(of: mine)) { $1 }
        }
        return ScriptedNetwork.response(contact.id, results)
      }
    }
    harness.node.seed(network.contacts, at: harness.now)
    for newerThan in [Int64?.none, 0, 4] {
      let run = harness.run(.getMutable(key: owner.publicKey, salt: [], newerThan: newerThan), with: network)
      #expect(run.mutable?.item == mine && run.mutable?.counts.hidden == 0)
    }
  }

  @Test("junk without a key is counted as a hiding attack and taken for nothing")
  func plantedJunk() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    network.addPeers(8) { contact in
      { _ in ScriptedNetwork.response(contact.id, ["v": .text("junk"), "token": .text("t")]) }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let run = harness.run(.getMutable(key: owner.publicKey, salt: [], newerThan: nil), with: network)
    #expect(run.mutable?.item == nil && run.mutable?.counts.hidden == 8 && run.items.isEmpty)
  }

  @Test("who asks more than 50 times at once is ignored until his bucket fills again; others are served")
  func flood() {
    var configuration = NodeConfiguration()
    configuration.mode = .server
    var visitor = Visitor(configuration, from: Endpoint("45.1.2.3:1000")!)
    var answers = 0
    for port in 0..<100 {
      visitor.endpoint.port = UInt16(1000 + port)
      if visitor.ask("ping", [:]) != nil { answers += 1 }
    }
    #expect(answers == 50)
    visitor.endpoint = Endpoint("45.1.2.4:1000")!
    #expect(visitor.ask("ping", [:]) != nil)
    visitor.endpoint = Endpoint("45.1.2.3:1000")!
    #expect(visitor.ask("ping", [:]) == nil)
    visitor.harness.pass(.seconds(1))
    #expect((0..<20).filter { _ in visitor.ask("ping", [:]) != nil }.count == 10)
    #expect(visitor.harness.node.statistics.queriesDropped == 61)
  }

  @Test("one address makes the node verify at most 20 signatures a second")
  func verificationFlood() {
    var configuration = NodeConfiguration()
    configuration.mode = .server
    configuration.rates.queriesPerAddress = 1e6
    configuration.rates.queryBurstPerAddress = 1e6
    var visitor = Visitor(configuration, from: Endpoint("45.1.2.3:1000")!)
    let bad = BencodeValue.string(Array(repeating: 0, count: 64))
    let outcomes = (0..<50).map { _ in visitor.put(item(), ["sig": bad]) }
    #expect(outcomes.filter { $0 == "error 206" }.count == 20)
    #expect(outcomes.filter { $0 == "no answer" }.count == 30)
    #expect(visitor.harness.node.statistics.verifications == 20)
  }

  @Test("a put sends `cas` to every node if it has one, and no `cas` if not")
  func compareAndSwap() {
    for cas in [Int64?.none, 4] {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      harness.node.seed(network.addPeers(6) { network.honest($0) }, at: harness.now)
      var options = PutOptions()
      options.cas = cas
      let run = harness.run(.putMutable(item(), options), with: network)
      #expect(run.stored?.stored == 6)
      let puts = harness.sent.filter { $0.method == "put" }
      #expect(puts.count == 6 && puts.allSatisfy { $0.message["a"]?["cas"]?.number == cas })
    }
  }

  @Test("extra nodes are asked for a token of their own first, and then given the item as well")
  func extraNodes() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    harness.node.seed(network.addPeers(25) { network.honest($0) }, at: harness.now)
    let outsider = NodeContact(id: item().target.flippingBit(0), endpoint: Endpoint("127.0.0.1:25000")!)
    let outsiders = ScriptedNetwork()
    outsiders.add(outsider) { query in
      let isPut = query["q"] == .text("put")
      if isPut, query["a"]?["token"] != .text("own") { return ScriptedNetwork.error(203) }
      return ScriptedNetwork.response(outsider.id, isPut ? [:] : ["token": .text("own"), "nodes": .string([])])
    }
    for (_, peer) in outsiders.peers { network.add(peer.contact, peer.script) }
    var options = PutOptions()
    options.extraNodes = [outsider.endpoint]
    let run = harness.run(.putMutable(item(), options), with: network)
    #expect(run.stored?.rejections == [:])
    #expect(harness.sent.filter { $0.endpoint == outsider.endpoint }.compactMap(\.method).suffix(2) == ["get", "put"])
  }

  @Test("a walk asks each node once, and at most twenty at the same time")
  func parallelism() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    harness.node.seed(network.addPeers(60) { _ in { _ in nil } }, at: harness.now)
    _ = harness.node.start(.getPeers(item().target), at: harness.now)
    let first = harness.drain().filter { $0.method == "get_peers" }
    #expect(first.count == 20)
    harness.pass(.seconds(12), with: network)
    let asked = harness.sent.filter { $0.method == "get_peers" }.map(\.endpoint)
    #expect(asked.count == Set(asked).count && asked.count > 20)
  }
}
