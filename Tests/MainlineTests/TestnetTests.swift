import Addresses
import Cryptography
import EventLoops
import MainlineProtocol
import Testing

@testable import Mainline

// One after the other: a node takes a machine that is too busy to answer within a second for a silent one.
@Suite("Testnet", .serialized)
struct TestnetTests {
  @Test("what one node stores another one finds", arguments: [true, false])
  func putAndGet(isSeeded: Bool) async throws {
    try await withTestnet(nodes: 10, isSeeded: isSeeded) { testnet in
      let key = Ed25519.SecretKey()
      let stored = try await testnet.nodes[1].putMutable(item(key, seq: 1, "first"))
      #expect(stored.stored >= 1)
      #expect(stored.target == MutableItem.target(of: key.publicKey))
      let found = try await testnet.nodes[8].getMutableMostRecent(key: key.publicKey)
      #expect(try found == item(key, seq: 1, "first"))
    }
  }

  @Test("a client that knows the bootstrap list only stores and finds", arguments: [true, false])
  func client(isSeeded: Bool) async throws {
    try await withTestnet(nodes: 10, isSeeded: isSeeded) { testnet in
      let key = Ed25519.SecretKey()
      let writer = try await testnet.client()
      let reader = try await testnet.client()
      let outcome = try await writer.putMutable(item(key, seq: 7, "value", salt: "salt"))
      #expect(outcome.stored >= 5)
      let lookup = reader.getMutable(key: key.publicKey, salt: Array("salt".utf8))
      var seen: [MutableItem] = []
      for try await item in lookup { seen.append(item) }
      #expect(try seen == [item(key, seq: 7, "value", salt: "salt")])
      let (newest, counts) = try await lookup.outcome()
      #expect(newest == seen.last)
      #expect(counts.holdersOfNewest >= 5)
      // Another salt is another item.
      #expect(try await reader.getMutableMostRecent(key: key.publicKey) == nil)
      try await writer.shutdown()
      try await reader.shutdown()
    }
  }

  @Test("a newer item takes the place of the older one, and the older one is refused")
  func newer() async throws {
    try await withTestnet(nodes: 8) { testnet in
      let key = Ed25519.SecretKey()
      try await testnet.nodes[0].putMutable(item(key, seq: 10, "old"))
      try await testnet.nodes[1].putMutable(item(key, seq: 11, "new"))
      #expect(try await testnet.nodes[2].getMutableMostRecent(key: key.publicKey)?.seq == 11)
      let failure = await #expect(throws: QueryFailure.self) {
        try await testnet.nodes[3].putMutable(item(key, seq: 10, "old"))
      }
      guard case .notMostRecent(let outcome) = failure else {
        Issue.record("expected notMostRecent, got \(String(describing: failure))")
        return
      }
      #expect(outcome.highestSeqFound == 11)
      // Who knows seq 11 already is told nothing new.
      #expect(try await testnet.nodes[4].getMutableMostRecent(key: key.publicKey, newerThan: 11) == nil)
      #expect(try await testnet.nodes[4].getMutableMostRecent(key: key.publicKey, newerThan: 10)?.seq == 11)
    }
  }

  @Test("immutable items are stored and found under their hash")
  func immutable() async throws {
    try await withTestnet(nodes: 8) { testnet in
      let item = try ImmutableItem(bytes: Array("Hello, DHT".utf8))
      let outcome = try await testnet.nodes[0].putImmutable(item)
      #expect(outcome.target == item.target && outcome.stored >= 1)
      #expect(try await testnet.nodes[5].getImmutable(item.target) == item)
      let (missing, counts) = try await testnet.nodes[5].getImmutableDetailed(NodeID.zero)
      #expect(missing == nil)
      #expect(counts.responded >= 1 && counts.values == 0)
    }
  }

  @Test("peers that announce themselves are found")
  func peers() async throws {
    try await withTestnet(nodes: 8) { testnet in
      let infoHash = NodeID([UInt8](repeating: 0xab, count: 20))!
      try await testnet.nodes[0].announcePeer(infoHash)
      try await testnet.nodes[1].announcePeer(infoHash, port: 4321)
      let lookup = testnet.nodes[6].getPeers(infoHash)
      var found: Set<Endpoint> = []
      for try await peers in lookup { found.formUnion(peers) }
      #expect(found == [testnet.nodes[0].endpoint, Endpoint(.loopbackV4, port: 4321)])
      #expect(try await lookup.outcome().values >= 1)
    }
  }

  @Test("nodes answer pings with the id that they say they have, and are found by it")
  func pingAndFind() async throws {
    try await withTestnet(nodes: 12) { testnet in
      let info = try #require(await testnet.nodes[3].info())
      let id = info.families[0].id
      let pong = try await testnet.nodes[0].ping(testnet.nodes[3].endpoint)
      #expect(pong.id == id)
      #expect(pong.observedEndpoint == testnet.nodes[0].endpoint)
      let found = try await testnet.nodes[7].findNode(id)
      #expect(found.nodes.contains { $0.contact == NodeContact(id: id, endpoint: testnet.nodes[3].endpoint) })
      let closest = try await testnet.nodes[7].closestNodes(to: id)
      #expect(!closest.nodes.isEmpty && closest.nodes.allSatisfy { $0.responded && $0.token != nil })
    }
  }

  @Test("the fastest answer is enough for who wants no more, and nothing is left behind")
  func first() async throws {
    try await withTestnet(nodes: 8) { testnet in
      let key = Ed25519.SecretKey()
      #expect(try await testnet.nodes[0].getMutableFirst(key: key.publicKey) == nil)
      try await testnet.nodes[0].putMutable(item(key, seq: 1, "x"))
      #expect(try await testnet.nodes[1].getMutableFirst(key: key.publicKey)?.seq == 1)
      // The lookup goes on alone and ends.
      while await !testnet.nodes[1].core.pending.isEmpty { await Task.yield() }
    }
  }

  @Test("items are stored and found though datagrams get lost, doubled and out of order")
  func badNetwork() async throws {
    let random = LockedValue(RandomSource(seed: 7))
    let fates = LockedValue<[PacketFate: Int]>([:])
    let filter: PacketFilter = { _, _, _ in
      let fate: PacketFate =
        switch random.withLock({ $0.next() % 20 }) {
        case 0: .dropped
        case 1, 2: .duplicated
        case 3, 4, 5: .delayed(.milliseconds(3))
        default: .delivered
        }
      fates.withLock { $0[fate, default: 0] += 1 }
      return fate
    }
    let testnet = try await Testnet(nodes: 20, packetFilter: filter) { _, node in
      node.requestTimeout = .milliseconds(500)
    }
    for number in 0..<2 {
      let key = Ed25519.SecretKey()
      let outcome = try await testnet.nodes[number].putMutable(item(key, seq: 1, "value"))
      #expect(outcome.stored >= 10)
      let found = try await testnet.nodes[19 - number].getMutableMostRecent(key: key.publicKey)
      #expect(found?.key == key.publicKey)
    }
    #expect(fates.withLock { $0.count } == 4)
    await testnet.stop()
  }

  @Test("a thousand lookups at the same time all end, with the right item or without any")
  func manyAtOnce() async throws {
    try await withTestnet(nodes: 8) { testnet in
      let keys = (0..<20).map { _ in Ed25519.SecretKey() }
      for key in keys { try await testnet.nodes[0].putMutable(item(key, seq: 1, "x")) }
      let outcomes = await withTaskGroup(of: Result<MutableItem?, QueryFailure>.self) { group in
        for number in 0..<1000 {
          let key = keys[number % keys.count].publicKey
          let node = testnet.nodes[1 + number % 7]
          group.addTask {
            do throws(QueryFailure) {
              let item = try await node.getMutableMostRecent(key: key)
              #expect(item == nil || item?.key == key)
              return .success(item)
            } catch {
              return .failure(error)
            }
          }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.count == 1000)
      // On a machine that is busy with other things some may run out of time; nothing else may happen.
      let failures = outcomes.compactMap { if case .failure(let failure) = $0 { failure } else { nil } }
      #expect(failures.allSatisfy { $0 == .noNodes })
      #expect(outcomes.contains { if case .success(.some) = $0 { true } else { false } })
      for node in testnet.nodes { #expect(await node.core.pending.isEmpty) }
    }
  }

  @Test("fifty nodes find each other from one of them")
  func converge() async throws {
    try await withTestnet(nodes: 50, isSeeded: false) { testnet in
      #expect(testnet.bootstrap == [HostName(testnet.nodes[0].endpoint)])
      for node in testnet.nodes {
        #expect(await node.hasGoodNodes(20, within: .seconds(60)))
        #expect(await node.bootstrapped())
      }
      let endpoints = Set(testnet.nodes.map(\.endpoint))
      #expect(endpoints.count == 50)
      let known = await testnet.nodes[0].bootstrapEndpoints()
      #expect(known.count >= 8 && endpoints.isSuperset(of: known))
    }
  }

  @Test("ports can be chosen, are taken while the network runs, and free after it has stopped")
  func ports() async throws {
    let probe = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0)).localEndpoint.port
    // Others may take a port of the range meanwhile; some range near it is free.
    for first in stride(from: UInt16(probe / 2 + 1024), to: 32_000, by: 16) {
      guard let testnet = try? await Testnet(nodes: 3, firstPort: first) else { continue }
      #expect(testnet.nodes.map(\.endpoint.port) == [first, first + 1, first + 2])
      #expect(testnet.bootstrap.map(\.port) == [first, first + 1, first + 2])
      await #expect(throws: SystemError.self) { try await Testnet(nodes: 3, firstPort: first + 2) }
      await testnet.stop()
      _ = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: first))
      return
    }
    Issue.record("no three ports in a row were free")
  }

  @Test("a network of one node stores nothing and says why")
  func alone() async throws {
    try await withTestnet(nodes: 1) { testnet in
      let key = Ed25519.SecretKey()
      await #expect(throws: QueryFailure.noNodes) { try await testnet.nodes[0].putMutable(item(key, seq: 1, "x")) }
      #expect(await !testnet.nodes[0].bootstrapped())
    }
  }

  @Test("after its stop a network fails what runs and what comes, and answers nobody")
  func stop() async throws {
    let testnet = try await Testnet(nodes: 4)
    let node = testnet.nodes[0]
    let key = Ed25519.SecretKey().publicKey
    let lookups = (0..<50).map { _ in node.getMutable(key: key) }
    await testnet.stop()
    for lookup in lookups {
      // Each has ended, one way or the other.
      do { for try await _ in lookup {} } catch { #expect(error == .cancelled) }
    }
    await #expect(throws: QueryFailure.cancelled) { try await node.getMutableMostRecent(key: key) }
    await #expect(throws: QueryFailure.cancelled) { try await node.ping(testnet.nodes[1].endpoint) }
    #expect(await node.info() == nil)
    #expect(await !node.bootstrapped())
    try await node.shutdown()
  }
}
