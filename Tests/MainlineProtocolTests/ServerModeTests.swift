import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

/// A node on the public network whose peers are played by the test.
@Suite struct ServerModeTests {
  /// One node and what the world sends it.
  final class World {
    var node: DHTNode
    var now = Instant(nanoseconds: 1)
    let publicEndpoint = Endpoint(IPAddress(203, 1, 114, 9), port: 6881)
    var probes: [[UInt8]] = []

    init(mode: NodeConfiguration.Mode = .adaptive) {
      var configuration = NodeConfiguration()
      configuration.mode = mode
      node = DHTNode(configuration: configuration, random: RandomSource(seed: 8), at: now)
    }

    /// Peers in twenty different networks, each with an id of its own.
    let peers: [NodeContact] = (0..<20).map { index in
      var random = RandomSource(seed: UInt64(index))
      let address = IPAddress(UInt8(20 + index), 3, 7, 1)
      return NodeContact(
        id: SecureNodeID.generate(for: address, using: &random), endpoint: Endpoint(address, port: 4000))
    }

    /// Answers every query in the outbox as its receiver would, naming all peers, and saying what endpoint is seen.
    func answerAll(seen: Endpoint) {
      var rounds = 0
      while !node.outbox.isEmpty, rounds < 100 {
        rounds += 1
        let sent = (0..<node.outbox.count).map { (node.outbox.endpoint(at: $0), [UInt8](node.outbox.bytes(at: $0))) }
        node.outbox.removeAll()
        for (endpoint, query) in sent { answer(query, of: endpoint, seen: seen) }
        note(node.takeEvents())
      }
    }

    func note(_ events: [NodeEvent]) {
      for case .probeReachability(publicEndpoint, let datagram) in events { probes.append(datagram) }
    }

    private func answer(_ query: [UInt8], of endpoint: Endpoint, seen: Endpoint) {
      guard let message = KRPCParser.parse(query.span.bytes), message.kind == .query,
        let peer = peers.first(where: { $0.endpoint == endpoint })
      else { return }
      let bytes = [UInt8](upTo: 1452) { writer in
        writer.beginResponse(observed: seen, id: peer.id)
        writer.write("5:nodes208:")
        for other in peers.prefix(8) { writer.write(other) }
        writer.endResponse(transaction: query.span.bytes.extracting(message.transaction), version: [1, 2, 3, 4])
      }
      node.receive(bytes!.span.bytes, from: endpoint, at: now)
    }

    func pass(_ duration: Duration, seen: Endpoint) {
      let end = now.advanced(by: duration)
      while node.nextDeadline <= end {
        now = max(now, node.nextDeadline)
        node.tick(at: now)
        note(node.takeEvents())
        answerAll(seen: seen)
      }
      now = end
    }

    var isServer: Bool { node.isServer }
    var info: NodeInfo { node.info(at: now) }

    /// A ping from a stranger; true if it is answered.
    func isPinged(from address: IPAddress) -> Bool {
      node.outbox.removeAll()
      let ping = Array("d1:ad2:id20:mnopqrstuvwxyz123456e1:q4:ping1:t2:aa1:y1:qe".utf8)
      let sender = Endpoint(address, port: 999)
      node.receive(ping.span.bytes, from: sender, at: now)
      let endpoints = (0..<node.outbox.count).map { node.outbox.endpoint(at: $0) }
      node.outbox.removeAll()
      return endpoints.contains(sender)
    }

    func start() {
      node.seed(peers, at: now)
      node.tick(at: now)
      note(node.takeEvents())
      answerAll(seen: publicEndpoint)
    }

    func confirmReachability() {
      guard let probe = probes.last else { return }
      node.receive(probe.span.bytes, from: Endpoint(publicEndpoint.address, port: 50_001), at: now)
    }
  }

  @Test("a client answers nobody, however it is asked")
  func client() {
    let world = World(mode: .client)
    world.start()
    #expect(!world.isPinged(from: IPAddress(9, 9, 9, 9)))
  }

  @Test("an adaptive node serves after fifteen minutes at one address, once it is proven reachable")
  func promotion() {
    let world = World()
    world.start()
    #expect(world.info.families[0].publicEndpoint == world.publicEndpoint)
    #expect(!world.probes.isEmpty)
    world.confirmReachability()
    #expect(!world.info.isFirewalled)
    #expect(!world.isPinged(from: IPAddress(9, 9, 9, 9)))
    world.pass(.seconds(17 * 60), seen: world.publicEndpoint)
    #expect(world.isServer)
    #expect(world.isPinged(from: IPAddress(9, 9, 9, 9)))
  }

  @Test("its id is then bound to its address, and the nodes it knew are kept")
  func secureID() {
    let world = World()
    world.start()
    let id = world.info.families[0].id
    #expect(SecureNodeID.isValid(id, for: world.publicEndpoint.address, exemptsLocalNetworks: false))
    #expect(world.info.families[0].goodNodes >= 15)
  }

  @Test("without the proof it stays a client")
  func unreachable() {
    let world = World()
    world.start()
    world.pass(.seconds(3 * 3600), seen: world.publicEndpoint)
    #expect(!world.isServer)
    #expect(world.info.isFirewalled)
  }

  @Test("a server that no stranger asks goes back to being a client")
  func probation() {
    let world = World()
    world.start()
    world.confirmReachability()
    world.pass(.seconds(17 * 60), seen: world.publicEndpoint)
    #expect(world.isServer)
    world.pass(.seconds(32 * 60), seen: world.publicEndpoint)
    #expect(!world.isServer)
    world.confirmReachability()
    world.pass(.seconds(2 * 3600), seen: world.publicEndpoint)
    #expect(!world.isServer)
  }

  @Test("a server that strangers ask stays one")
  func asked() {
    let world = World()
    world.start()
    world.confirmReachability()
    world.pass(.seconds(17 * 60), seen: world.publicEndpoint)
    for address in [IPAddress(100, 1, 1, 1), IPAddress(101, 1, 1, 1), IPAddress(102, 1, 1, 1)] {
      #expect(world.isPinged(from: address))
    }
    world.pass(.seconds(3 * 3600), seen: world.publicEndpoint)
    #expect(world.isServer)
  }

  @Test("a query that only looks like the probe proves nothing")
  func forgedProbe() {
    let world = World()
    world.start()
    let ping = Array("d1:ad2:id20:mnopqrstuvwxyz123456e1:q4:ping1:t4:aaaa1:y1:qe".utf8)
    world.node.receive(ping.span.bytes, from: world.publicEndpoint, at: world.now)
    #expect(world.info.isFirewalled)
  }
}

@Suite struct SecureIDEnforcementTests {
  @Test(
    "a node that enforces secure ids knows only nodes whose id is bound to their address", arguments: [false, true])
  func enforcement(isEnforced: Bool) {
    let now = Instant(nanoseconds: 1)
    var configuration = NodeConfiguration()
    configuration.mode = .server
    configuration.enforcesSecureIDs = isEnforced
    var random = RandomSource(seed: 3)
    var node = DHTNode(configuration: configuration, random: random, at: now)
    let address = IPAddress(80, 1, 2, 3)
    let secure = NodeContact(
      id: SecureNodeID.generate(for: address, using: &random), endpoint: Endpoint(address, port: 1))
    let insecure = NodeContact(id: .random(using: &random), endpoint: Endpoint(IPAddress(90, 1, 2, 3), port: 1))
    for contact in [secure, insecure] {
      _ = node.start(.ping(contact.endpoint), at: now)
      let query = [UInt8](node.outbox.bytes(at: 0))
      node.outbox.removeAll()
      let transaction = KRPCParser.parse(query.span.bytes)!.transaction
      let answer = [UInt8](upTo: 200) {
        $0.beginResponse(observed: Endpoint(IPAddress(1, 2, 3, 4), port: 5), id: contact.id)
        $0.endResponse(transaction: query.span.bytes.extracting(transaction), version: [1, 2, 3, 4])
      }
      node.receive(answer!.span.bytes, from: contact.endpoint, at: now)
    }
    #expect(node.info(at: now).families[0].goodNodes == (isEnforced ? 1 : 2))
  }
}
