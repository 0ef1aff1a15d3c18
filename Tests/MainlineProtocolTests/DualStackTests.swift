import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite struct DualStackTests {
  let owner = Ed25519.SecretKey(seed: [UInt8](repeating: 7, count: 32))!

  /// Ten nodes on IPv4, ten on IPv6, and between them one on both.
  func network() -> SmallNetwork {
    let network = SmallNetwork()
    for index in 0..<10 {
      network.add(
        on: [.loopbackV4], seed: UInt64(index), bootstrap: index == 0 ? [] : [network.hosts[0].endpoint])
    }
    for index in 10..<20 {
      network.add(
        on: [.loopbackV6], seed: UInt64(index), bootstrap: index == 10 ? [] : [network.hosts[10].endpoint])
    }
    network.add(
      on: [.loopbackV4, .loopbackV6], seed: 20, bootstrap: [network.hosts[0].endpoint, network.hosts[10].endpoint])
    return network
  }

  @Test("a node on both internets has one id and one table for each")
  func tables() {
    let network = network()
    let info = network.hosts[20].node.info(at: network.now)
    #expect(info.families.map(\.family) == [.ipv4, .ipv6])
    #expect(info.families[0].id != info.families[1].id)
    #expect(info.families.allSatisfy { $0.goodNodes >= 8 })
  }

  @Test("what it stores is found from either")
  func putReachesBoth() throws {
    let network = network()
    let item = try MutableItem(signedBy: owner, seq: 3, bytes: [1, 2, 3])
    guard case .stored(let outcome) = network.run(.putMutable(item, PutOptions()), on: 20).result else {
      Issue.record("not stored")
      return
    }
    #expect(outcome.stored >= 18)
    for host in [4, 14] {
      let query = Query.getMutable(key: owner.publicKey, salt: [], newerThan: nil)
      guard case .mutable(let found, _) = network.run(query, on: host).result else {
        Issue.record("not found by \(host)")
        continue
      }
      #expect(found == item)
    }
  }

  @Test("what is stored on one internet only is found by a node on both, once")
  func getAsksBoth() throws {
    let network = network()
    let item = try MutableItem(signedBy: owner, seq: 3, bytes: [1, 2, 3])
    _ = network.run(.putMutable(item, PutOptions()), on: 15)
    let found = network.run(.getMutable(key: owner.publicKey, salt: [], newerThan: nil), on: 20)
    #expect(found.items == [item])
    guard case .mutable(item, let counts) = found.result else {
      Issue.record("not found")
      return
    }
    #expect(counts.values >= 8 && counts.noValues >= 8)
  }

  @Test("asked for both families it names nodes of both")
  func want() {
    let network = network()
    let host = network.hosts[20]
    let query = Array(
      "d1:ad2:id20:mnopqrstuvwxyz1234566:target20:zzopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node1:t2:aa1:y1:qe"
        .utf8)
    host.node.receive(query.span.bytes, from: Endpoint(.loopbackV4, port: 999), at: network.now)
    let answer = [UInt8](host.node.outbox.bytes(at: 0))
    let body = KRPCParser.parse(answer.span.bytes)?.body
    #expect(body.map { Int($0.nodes.count) } == 8 * 26)
    #expect(body.map { Int($0.nodes6.count) } == 8 * 38)
  }
}

@Suite struct BootstrapTests {
  @Test("a node that starts offline bootstraps once its hosts can be resolved")
  func offlineStart() {
    let network = SmallNetwork(nodes: 12)
    let host = network.add(seed: 50, bootstrap: [Endpoint(.loopbackV4, port: 1)])  // nobody is there
    func wishes() -> Int { host.events.count { if case .wantsBootstrap = $0 { true } else { false } } }
    let atOnce = wishes()
    #expect(atOnce == 1)
    network.advance(by: .seconds(100))
    #expect(wishes() > 3)
    host.node.addBootstrap([network.hosts[3].endpoint], at: network.now)
    network.settle()
    let isBootstrapped = host.node.isBootstrapped(at: network.now)
    #expect(isBootstrapped)
  }

  @Test("a query that comes before the first node is known waits for it, and not for ever")
  func deferredQuery() throws {
    let network = SmallNetwork(nodes: 12)
    var configuration = NodeConfiguration.isolated
    configuration.hasBootstrap = true
    let early = SmallNetwork.Host(
      configuration, endpoints: [Endpoint(.loopbackV4, port: 5)], seed: 60, at: network.now)
    _ = early.node.start(.findNode(.zero), at: network.now)
    #expect(early.node.takeEvents().isEmpty)
    early.node.tick(at: network.now.advanced(by: .seconds(5)))
    let ended = early.node.takeEvents().contains {
      if case .finished(_, .failed(.noNodes)) = $0 { true } else { false }
    }
    #expect(ended)
  }

  @Test("the first node of a new network asks nobody")
  func firstNode() {
    let network = SmallNetwork(nodes: 1)
    network.advance(by: .seconds(3600))
    #expect(network.hosts[0].node.statistics.datagramsSent == 0)
    #expect(network.hosts[0].events.isEmpty)
  }

  @Test("after a restart the saved nodes suffice to come back, under the same id")
  func restart() throws {
    let network = SmallNetwork(nodes: 15)
    let saved = network.hosts[7].node.saved(at: network.now)
    #expect(saved.nodes.count >= 8)
    var configuration = NodeConfiguration.isolated
    configuration.localEndpoints = [Endpoint(.loopbackV4, port: 5)]
    var node = DHTNode(
      configuration: configuration, restoring: saved, random: RandomSource(seed: 1), at: network.now)
    #expect(node.id(.ipv4) == saved.ids[.ipv4])
    node.tick(at: network.now)
    let asked = Set((0..<node.outbox.count).map { node.outbox.endpoint(at: $0) })
    #expect(asked.isSubset(of: Set(saved.nodes.map(\.endpoint))))
    #expect(asked.count >= 8)
  }
}
