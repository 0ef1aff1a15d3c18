import Addresses
import Bencode
import Cryptography
import Testing
import WireFormat

@testable import MainlineProtocol

/// Ways in which pubky/mainline 7.0.0 can be stopped, deceived or worn out, each tried on this node. (D6 is in
/// `TokenIssuerTests`, D11 and D13 in `NetworkSizeTests`, D14 in `PutOutcomeTests`, D15 in `ItemShelfTests` and
/// `PeerStoreTests`.)
@Suite("Defects of the reference that this node must not have")
struct DefectTests {
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 77, count: 32))!
  private let stranger = Ed25519.SecretKey(seed: Array(repeating: 66, count: 32))!

  private func item(_ seq: Int64 = 5, _ bytes: [UInt8] = [1, 2, 3]) -> MutableItem {
    try! MutableItem(signedBy: owner, seq: seq, bytes: bytes)
  }

  private var wanted: Query { .getMutable(key: owner.publicKey, salt: [], newerThan: nil) }

  @Test("D0: a put with `k` but without `seq` or `sig` is refused with 203, and the node lives")
  func incompletePut() {
    var visitor = Visitor()
    for missing in [["seq"], ["sig"], ["seq", "sig"], ["seq", "sig", "token"], ["v", "seq", "sig"]] {
      #expect(visitor.put(item(), without: missing) == "error 203", "\(missing)")
    }
    #expect(visitor.put(item(), ["seq": .text("5")]) == "error 203")
    #expect(visitor.put(item(), ["sig": .integer(5)]) == "error 203")
    #expect(visitor.put(item()) == "stored")
  }

  @Test("D1: an item signed by any other key is not the item that was asked for")
  func foreignItems() throws {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let mine = item(5)
    let foreign = try MutableItem(signedBy: stranger, seq: 99, bytes: [9])
    network.addPeers(12) { contact in
      let number = Int(contact.endpoint.port) - 20_000
      return { _ in
        var results = ScriptedNetwork.fields(of: number < 8 ? foreign : mine)
        results["token"] = .text("t")
        return ScriptedNetwork.response(contact.id, results)
      }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let run = harness.run(wanted, with: network)
    #expect(run.mutable?.item == mine && run.items == [mine])
    #expect(run.mutable?.counts.invalidValues == 8 && run.mutable?.counts.values == 4)
  }

  @Test("D2: a mutable item is stored under the hash of its key and salt, and nowhere else")
  func wrongTarget() {
    var visitor = Visitor()
    let wrong = item().target.flippingBit(7)
    let tokens = [visitor.token(for: wrong), visitor.token(for: item().target)]
    for token in tokens {
      #expect(visitor.put(item(), ["target": .string(wrong.bytes), "token": token!]) == "error 203")
    }
    #expect(Visitor.describe(visitor.get(wrong)) == "nothing stored")
    #expect(Visitor.describe(visitor.get(item().target)) == "nothing stored")
  }

  @Test("D3: nodes that answer stay in the table for hours, nodes that fall silent leave it")
  func tablesDoNotDecay() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let contacts = network.addPeers(7) { network.honest($0) }
    harness.node.seed(contacts, at: harness.now)
    harness.pass(.seconds(3 * 3600), with: network)
    #expect(harness.info.families[0].goodNodes == 7)
    let half = ScriptedNetwork()
    for contact in contacts.prefix(3) { half.add(contact, half.honest(contact)) }
    harness.pass(.seconds(3600), with: half)
    #expect(harness.info.families[0].goodNodes == 3)
  }

  @Test("D4: neighbours that a liar invents neither stop a lookup nor make it last")
  func inventedNeighbours() {
    let mine = item()
    let target = mine.target
    func run(withLiar: Bool) -> QueryRun {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      let honest = network.addPeers(120) { network.honest($0, holding: mine, knowsAll: false) }
      let invented = (0..<20).map {
        NodeContact(
          id: target.flippingBit(159).flippingBit(158 - $0), endpoint: Endpoint(.loopbackV4, port: UInt16(30_000 + $0)))
      }
      let liar = NodeContact(id: target.flippingBit(100), endpoint: Endpoint(.loopbackV4, port: 29_999))
      if withLiar {
        network.add(liar) { _ in
          ScriptedNetwork.response(liar.id, ["nodes": ScriptedNetwork.compact(invented), "token": .text("t")])
        }
      }
      harness.node.seed(withLiar ? [liar, honest[0]] : [honest[0]], at: harness.now)
      return harness.run(wanted, with: network)
    }
    let undisturbed = run(withLiar: false)
    let disturbed = run(withLiar: true)
    #expect((undisturbed.mutable?.counts.values ?? 0) >= 20)
    #expect(disturbed.mutable?.item == mine)
    #expect((disturbed.mutable?.counts.values ?? 0) >= 19, "\(String(describing: disturbed.mutable?.counts))")
    #expect(disturbed.duration < .seconds(2), "shorter than one request timeout")
  }

  @Test("D5: transaction ids are four unpredictable bytes, and an answer counts only from the endpoint asked")
  func transactionIDs() {
    var all: [UInt32] = []
    for seed in UInt64(1)...4 {
      var harness = NodeHarness(seed: seed)
      let network = ScriptedNetwork()
      harness.node.seed(network.addPeers(30) { network.honest($0) }, at: harness.now)
      _ = harness.run(wanted, with: network)
      let ids = harness.sent.compactMap { $0.message["t"]?.bytes }
      #expect(ids.allSatisfy { $0.count == 4 })
      all += ids.map { $0.reduce(0) { $0 << 8 | UInt32($1) } }
    }
    #expect(all.count >= 60 && Set(all).count == all.count)
    #expect(zip(all, all.dropFirst()).allSatisfy { $1 &- $0 > 1000 && $0 &- $1 > 1000 })
  }

  @Test("D5: a response from another port or with another id is dropped and does not disturb the one awaited")
  func spoofedResponses() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let mine = item()
    let contacts = network.addPeers(1) { network.honest($0, holding: mine) }
    network.tamper = { answer, sender in
      var wrongTransaction = answer
      let place = answer.count - 5
      wrongTransaction[place - 4] ^= 1
      return [
        (answer, Endpoint(sender.address, port: sender.port + 1)),
        (answer, Endpoint(IPAddress(127, 0, 0, 2), port: sender.port)),
        (wrongTransaction, sender), (answer, sender), (answer, sender),
      ]
    }
    harness.node.seed(contacts, at: harness.now)
    let run = harness.run(wanted, with: network)
    #expect(run.mutable?.item == mine)
    #expect(run.mutable?.counts.values == 1)
    #expect(harness.node.statistics.unmatched >= 4)
  }

  @Test("D7: a put after, or during, a find_node of the same target ends")
  func putAfterFindNode() {
    for isTogether in [false, true] {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      harness.node.seed(network.addPeers(10) { network.honest($0) }, at: harness.now)
      let mine = item()
      let queries: [Query] = [.findNode(mine.target), .putMutable(mine, PutOptions())]
      let runs = isTogether ? harness.run(queries, with: network) : queries.map { harness.run($0, with: network) }
      guard case .nodes = runs[0].result else {
        Issue.record("find_node")
        continue
      }
      #expect(runs[1].stored?.stored == 10)
    }
  }

  @Test("D8: who asks the first node of a network does not enter its table under an id of his choice")
  func strangersDoNotEnter() {
    var visitor = Visitor()
    let chosen = NodeID(Array(repeating: 0x99, count: 20))!
    for isReadOnly in [true, false] {
      let query = BencodeValue.fields([
        "a": .fields(["id": .string(visitor.id.bytes), "target": .string(chosen.bytes)]), "q": .text("find_node"),
        "ro": .integer(isReadOnly ? 1 : 0), "t": .text("aa"), "y": .text("q"),
      ])
      #expect(visitor.harness.receive(query.encoded, from: visitor.endpoint).count == 1)
    }
    visitor.harness.pass(.seconds(60))
    #expect(visitor.harness.info.families[0].goodNodes == 0)
    visitor.endpoint = Endpoint("127.0.0.1:40009")!
    #expect(visitor.ask("find_node", ["target": .string(chosen.bytes)])?["r"]?["nodes"]?.bytes == [])
  }

  @Test("D8: a read-only querier is never pinged, named to others or kept")
  func readOnlyQueriers() {
    var visitor = Visitor()
    let query = BencodeValue.fields([
      "a": .fields(["id": .string(visitor.id.bytes)]), "q": .text("ping"), "ro": .integer(1), "t": .text("aa"),
      "y": .text("q"),
    ])
    #expect(visitor.harness.receive(query.encoded, from: visitor.endpoint).count == 1)
    let before = visitor.harness.sent.count
    visitor.harness.pass(.seconds(600))
    #expect(visitor.harness.sent.dropFirst(before).allSatisfy { $0.endpoint != visitor.endpoint })
  }

  @Test("D9: on the public network nobody is sent to private, reserved or own addresses")
  func privateNeighbours() {
    var configuration = NodeConfiguration()
    configuration.mode = .client
    let own = Endpoint("45.5.5.5:6881")!
    configuration.localEndpoints = [own]
    var harness = NodeHarness(configuration)
    let network = ScriptedNetwork()
    let router = NodeContact(id: NodeID(Array(repeating: 1, count: 20))!, endpoint: Endpoint("45.33.32.1:6881")!)
    let bad =
      [
        "10.0.0.1:1", "127.0.0.1:1", "192.168.1.1:1", "172.16.5.5:1", "169.254.1.1:1", "100.64.0.1:1", "0.0.0.0:1",
        "224.0.0.1:1", "240.0.0.1:1", "255.255.255.255:1", "192.0.2.1:1", "198.51.100.1:1", "203.0.113.1:1",
        "8.8.8.8:0",
        "198.18.0.1:1",
      ].map { Endpoint($0)! } + [own]
    var random = RandomSource(seed: 4)
    let named = bad.map { NodeContact(id: .random(using: &random), endpoint: $0) }
    let good = NodeContact(id: .random(using: &random), endpoint: Endpoint("46.44.44.4:6881")!)
    for contact in [router, good] {
      network.add(contact) { _ in
        ScriptedNetwork.response(
          contact.id, ["nodes": ScriptedNetwork.compact(named + [good]), "token": .text("t")])
      }
    }
    harness.node.addBootstrap([router.endpoint], at: harness.now)
    _ = harness.run(wanted, with: network)
    #expect(Set(harness.sent.map(\.endpoint)) == [router.endpoint, good.endpoint])
  }

  @Test("D10: lookups of one target for different things run side by side, equal ones share a walk")
  func joining() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let mine = item()
    let peer: [UInt8] = [127, 0, 0, 9, 0, 9]
    network.addPeers(10) { contact in
      let script = network.honest(contact, holding: mine)
      return { query in
        guard query["q"] == .text("get_peers") else { return script(query) }
        return ScriptedNetwork.response(contact.id, ["values": .list([.string(peer)]), "token": .text("t")])
      }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let runs = harness.run(
      [
        .findNode(mine.target), .getPeers(mine.target), wanted, wanted,
        .getMutable(key: owner.publicKey, salt: [], newerThan: 5),
      ],
      with: network)
    guard case .nodes(let nodes) = runs[0].result, case .peers = runs[1].result else {
      Issue.record("\(runs)")
      return
    }
    #expect(nodes.nodes.count == 10)
    #expect(runs[1].peers.count == 10)
    #expect(runs[2].mutable?.item == mine && runs[3].mutable?.item == mine)
    #expect(runs[4].mutable?.item == nil, "nothing newer than 5")
    let gets = harness.sent.filter { $0.method == "get" }
    #expect(gets.count == 20, "two walks for three queries")
  }

  @Test("D12: an answer with the largest value names at most eight nodes and fits one packet")
  func answerSize() {
    var visitor = Visitor()
    var random = RandomSource(seed: 8)
    let contacts = (0..<100).map {
      NodeContact(id: .random(using: &random), endpoint: Endpoint(.loopbackV4, port: UInt16(20_000 + $0)))
    }
    visitor.harness.node.seed(contacts, at: visitor.harness.now)
    let mine = item(.max, Array(repeating: 255, count: 1000))
    #expect(visitor.put(mine) == "stored")
    for length in [1, 4, 64] {
      let answer = visitor.ask(
        "get", ["target": .string(mine.target.bytes)], transaction: Array(repeating: 1, count: length))
      #expect(answer != nil, "transaction id of \(length) bytes")
      #expect(answer?["r"]?["v"]?.bytes?.count == 1000)
      #expect((0...8).contains((answer?["r"]?["nodes"]?.bytes?.count ?? -1) / 26))
      #expect((answer?.encoded.count ?? 0) <= 1452)
    }
    let found = visitor.ask("find_node", ["target": .string(mine.target.bytes)])
    #expect(found?["r"]?["nodes"]?.bytes?.count == 8 * 26)
  }

  @Test("D16: a configured public address is reported at once")
  func configuredAddress() {
    var configuration = NodeConfiguration()
    configuration.publicEndpoints = [Endpoint("45.5.5.5:6881")!]
    let harness = NodeHarness(configuration)
    let family = harness.info.families[0]
    #expect(family.publicEndpoint == Endpoint("45.5.5.5:6881"))
    #expect(SecureNodeID.isValid(family.id, for: IPAddress("45.5.5.5")!, exemptsLocalNetworks: false))
  }

  @Test("D17: a node that was offline at its start finds the network when it can")
  func offlineAtStart() {
    var configuration = NodeHarness.isolated
    configuration.hasBootstrap = true
    var harness = NodeHarness(configuration)
    let network = ScriptedNetwork()
    func wishes(_ harness: inout NodeHarness) -> Int {
      harness.node.takeEvents().count { if case .wantsBootstrap = $0 { true } else { false } }
    }
    #expect(wishes(&harness) == 1)
    harness.node.addBootstrap([], at: harness.now)
    var count = 0
    for _ in 0..<300 {
      harness.pass(.seconds(1), with: network)
      let new = wishes(&harness)
      if new > 0 { harness.node.addBootstrap([], at: harness.now) }
      count += new
    }
    #expect((5...12).contains(count), "with growing pauses of at most a minute: \(count)")
    let contacts = network.addPeers(12) { network.honest($0) }
    harness.node.addBootstrap([contacts[0].endpoint], at: harness.now)
    harness.pass(.seconds(5), with: network)
    #expect(harness.info.families[0].goodNodes >= 8)
    #expect(harness.node.isBootstrapped(at: harness.now) == true)
  }

  @Test("D17: a query that finds nobody to ask ends after five seconds")
  func nobodyToAsk() {
    var configuration = NodeHarness.isolated
    configuration.hasBootstrap = true
    var harness = NodeHarness(configuration)
    harness.node.addBootstrap([], at: harness.now)
    let run = harness.run(wanted, with: ScriptedNetwork())
    #expect(run.failure == .noNodes)
    #expect(run.duration == .seconds(5))
  }

  @Test("D18: bootstrap addresses that are added are asked beside the earlier ones, not in their place")
  func addedBootstrap() {
    var configuration = NodeHarness.isolated
    configuration.hasBootstrap = true
    var harness = NodeHarness(configuration)
    let network = ScriptedNetwork()
    let contacts = network.addPeers(3) { _ in { _ in nil } }
    for contact in contacts { harness.node.addBootstrap([contact.endpoint], at: harness.now) }
    _ = harness.run(wanted, with: network)
    #expect(Set(harness.sent.filter { $0.method == "get" }.map(\.endpoint)) == Set(contacts.map(\.endpoint)))
  }

  @Test("D19, D20: queries with transaction ids of any length are served, and puts without `target` stored")
  func otherPrograms() {
    for length in [1, 2, 3, 4, 8, 20] {
      var visitor = Visitor()
      #expect(visitor.ask("ping", [:], transaction: Array(repeating: 9, count: length)) != nil, "\(length)")
      #expect(visitor.put(item(), without: ["target"]) == "stored")
      #expect(Visitor.describe(visitor.get(item().target)) == "v, k, sig, seq")
    }
  }

  @Test("D21: fields of unexpected form do not cost the rest of an answer")
  func strangeFields() {
    let mine = item()
    let strange: [[String: BencodeValue]] = [
      ["v": .text("x")], ["v": .text("longer than four")], ["v": .integer(5)], ["v": .string([])],
      ["ip": .string([1, 2, 3])], ["ip": .string(Array(repeating: 1, count: 18))], ["ip": .integer(1)],
      ["ro": .text("1")], ["ro": .integer(.max)], ["ro": .list([])], ["zz": .string([0xff, 0xfe])],
      ["e": .text("no list")], ["q": .text("get")], ["a": .integer(1)],
    ]
    for fields in strange {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      network.addPeers(1) { contact in
        { [unowned network] query in
          network.honest(contact, holding: mine)(query)?.with(fields.mapValues { .some($0) })
        }
      }
      harness.node.seed(network.contacts, at: harness.now)
      #expect(harness.run(wanted, with: network).mutable?.item == mine, "\(fields)")
    }
  }

  @Test("D21: an error text that is no UTF-8, or none at all, still is an error with its code")
  func strangeErrors() throws {
    let errors: [BencodeValue] = [
      .list([.integer(205), .string([0xff, 0xfe])]), .list([.integer(205)]), .list([.integer(205), .integer(1)]),
      .list([.integer(205), .string([]), .text("more")]),
    ]
    for error in errors {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      network.addPeers(3) { contact in
        { [unowned network] query in
          query["q"] == .text("put") ? .fields(["y": .text("e"), "e": error]) : network.honest(contact)(query)
        }
      }
      harness.node.seed(network.contacts, at: harness.now)
      let run = harness.run(.putMutable(item(), PutOptions()), with: network)
      guard case .rejected(205, let outcome) = run.failure else {
        Issue.record("\(error): \(String(describing: run.result))")
        continue
      }
      #expect(outcome.rejections == [205: 3])
    }
  }

  @Test("D21: peers of the other family among `values` are no obstacle")
  func mixedValues() {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    network.addPeers(1) { contact in
      { _ in
        ScriptedNetwork.response(
          contact.id,
          [
            "token": .text("t"),
            "values": .list([
              .string(Array(repeating: 0x20, count: 18)), .string([127, 0, 0, 9, 0, 9]), .string([1, 2, 3]),
              .string([]),
            ]),
          ])
      }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let run = harness.run(.getPeers(NodeID(Array(repeating: 1, count: 20))!), with: network)
    #expect(run.peers.contains(Endpoint("127.0.0.9:9")!))
  }

  @Test("D22: every query carries the node's one id; puts name their target, mutable gets a seq")
  func oneID() throws {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    harness.node.seed(network.addPeers(10) { network.honest($0) }, at: harness.now)
    let hash = NodeID(Array(repeating: 4, count: 20))!
    let queries: [Query] = [
      .ping(network.contacts[0].endpoint), .findNode(hash), .getPeers(hash), .announcePeer(hash, port: 7000), wanted,
      .putMutable(item(), PutOptions()), .putImmutable(try ImmutableItem(bytes: [1])), .getImmutable(hash),
    ]
    for query in queries { _ = harness.run(query, with: network) }
    harness.pass(.seconds(1800), with: network)
    let id = harness.node.id(.ipv4)!.bytes
    let sent = harness.sent.filter { $0.message["y"] == .text("q") }
    #expect(Set(sent.compactMap(\.method)) == ["ping", "find_node", "get_peers", "announce_peer", "get", "put"])
    for datagram in sent {
      let arguments = datagram.message["a"]
      #expect(arguments?["id"]?.bytes == id)
      #expect(datagram.message["ro"] == nil, "a server leaves `ro` out")
      if datagram.method == "put" { #expect(arguments?["target"]?.bytes?.count == 20) }
      if datagram.method == "get", arguments?["target"]?.bytes == item().target.bytes {
        #expect((arguments?["seq"]?.number ?? -1) >= 0)
      }
    }
  }

  @Test("D23: an announcement with a port says `implied_port` 0, one without says 1")
  func announcements() {
    for port in [UInt16?.some(7000), nil] {
      var harness = NodeHarness()
      let network = ScriptedNetwork()
      harness.node.seed(network.addPeers(5) { network.honest($0) }, at: harness.now)
      let run = harness.run(.announcePeer(NodeID(Array(repeating: 4, count: 20))!, port: port), with: network)
      #expect(run.stored?.stored == 5)
      let announcements = harness.sent.filter { $0.method == "announce_peer" }
      #expect(announcements.count == 5)
      for announcement in announcements {
        #expect(announcement.message["a"]?["implied_port"] == .integer(port == nil ? 1 : 0))
        if let port { #expect(announcement.message["a"]?["port"] == .integer(Int64(port))) }
        #expect(announcement.message["a"]?["token"] == .text("token"))
      }
    }
  }

  @Test("D24: an adaptive node serves once it is proven reachable, and stops if nobody asks")
  func adaptiveMode() {
    var configuration = NodeConfiguration()
    configuration.mode = .adaptive
    var harness = NodeHarness(configuration)
    let home = Endpoint("45.5.5.5:6881")!
    let network = ScriptedNetwork()
    var random = RandomSource(seed: 12)
    for number in UInt8(0)..<30 {
      let endpoint = Endpoint(IPAddress(46, number, 7, 7), port: 6881)
      let contact = NodeContact(id: SecureNodeID.generate(for: endpoint.address, using: &random), endpoint: endpoint)
      network.add(contact) { [unowned network] query in
        network.honest(contact)(query)?.with(["ip": .string([45, 5, 5, 5, 0x1a, 0xe1])])
      }
    }
    harness.node.addBootstrap([network.contacts[0].endpoint], at: harness.now)
    func probe(_ harness: inout NodeHarness) -> Bool {
      var isProbed = false
      for case .probeReachability(let endpoint, let datagram) in harness.node.takeEvents() {
        #expect(endpoint == home)
        harness.feed(datagram, from: Endpoint(home.address, port: 50_000))
        isProbed = true
      }
      return isProbed
    }
    harness.pass(.seconds(60), with: network)
    #expect(!harness.info.isServer)
    #expect(harness.info.families[0].publicEndpoint == home)
    #expect(probe(&harness) == true)
    #expect(!harness.info.isFirewalled)
    #expect(!harness.info.isServer, "not within the first quarter of an hour")
    for _ in 0..<16 {
      harness.pass(.seconds(60), with: network)
      _ = probe(&harness)
    }
    #expect(harness.info.isServer)
    for _ in 0..<32 {
      harness.pass(.seconds(60), with: network)
      _ = probe(&harness)
    }
    #expect(!harness.info.isServer, "half an hour without a stranger's query")
  }
}
