import Addresses
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr
import Testing

@testable import PkarrClient

/// Runs a body with a network of nodes on loopback, and stops it afterwards.
func withTestnet<T>(nodes count: Int = 8, _ body: (Testnet) async throws -> T) async throws -> T {
  let testnet = try await Testnet(nodes: count)
  do {
    let value = try await body(testnet)
    await testnet.stop()
    return value
  } catch {
    await testnet.stop()
    throw error
  }
}

extension Testnet {
  /// A DHT client that is no node of the network.
  func client() async throws -> DHTClient { try await DHTClient(configuration, reportPolicy: .testnet) }

  /// A node that uses the network and does not serve it.
  var configuration: MainlineConfiguration {
    var configuration = MainlineConfiguration.isolated(bootstrap: bootstrap)
    configuration.node.mode = .client
    // A machine that is busy with other tests is no silent network.
    configuration.node.requestTimeout = .seconds(10)
    return configuration
  }
}

/// A signed item of a key that is no signed packet.
func invalidItem(_ seq: Int64, by keypair: Keypair = Samples.keypair) throws -> MutableItem {
  try MutableItem(signedBy: keypair.secretKey, seq: seq, bytes: Array("not DNS".utf8))
}

@Suite("A client of the DHT", .serialized)
struct DHTClientTests {
  private let key = Samples.keypair.publicKey

  @Test("what is published is found, first the fastest answer, then the newest with a report")
  func roundTrip() async throws {
    try await withTestnet { testnet in
      let packet = try Samples.packet()
      let writer = try await testnet.client()
      let outcome = try await writer.publish(packet)
      #expect(outcome.stored >= 1)
      #expect(ReportPolicy.testnet.warnings(storedOn: outcome.stored).isEmpty)
      let lookup = try await testnet.client().resolve(key)
      #expect(await lookup.first()?.isSame(as: packet) == true)
      let completion = await lookup.completion()
      #expect(try completion.result.get().isSame(as: packet))
      #expect(completion.report.counts.holdersOfNewest >= 1)
      #expect(completion.report.warnings(.testnet).isEmpty)
      #expect(completion.report.counts.storageNodes.contains { $0.seq == packet.timestamp.seq })
      // Both can be asked for again, and by others.
      #expect(await lookup.first()?.isSame(as: packet) == true)
      #expect(await lookup.packets.reduce(0) { count, _ in count + 1 } == 1)
      try await writer.shutdown()
    }
  }

  @Test("the completion waits for no iteration, and an iteration for no completion")
  func stages() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      try await client.publish(try Samples.packet(5))
      #expect(try await client.resolve(key).completion().result.get().timestamp.microseconds == 5)
      var versions: [UInt64] = []
      for await packet in client.resolve(key).packets { versions.append(packet.timestamp.microseconds) }
      #expect(versions == [5])
    }
  }

  @Test("nobody has the packet of an unknown key, and a network of nobody cannot be asked")
  func nothing() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      let lookup = client.resolve(key)
      #expect(await lookup.first() == nil)
      let completion = await lookup.completion()
      #expect(completion.result == .failure(.notFound))
      #expect(completion.report.responded >= 1)
    }
    let lonely = try await DHTClient(.isolated())
    #expect(await lonely.resolve(key).completion().result == .failure(.noDHTNodesQueried))
    await #expect(throws: PublishError.noDHTNodesQueried) { try await lonely.publish(try Samples.packet()) }
  }

  @Test("a newer item that is no packet hides the older packet, and an equally old one does not")
  func invalidItems() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      try await client.publish(try Samples.packet(10))
      try await client.node.putMutable(invalidItem(11))
      let lookup = client.resolve(key)
      #expect(await lookup.completion().result == .failure(.invalidSignedPacket(seq: 11)))
      // A packet above it is the current state again.
      try await client.publish(try Samples.packet(12))
      #expect(try await client.resolve(key).completion().result.get().timestamp.microseconds == 12)
    }
  }

  @Test("who knows a version is told of newer ones, and with the bound for the cache of equal ones as well")
  func newerThan() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      let packet = try Samples.packet(10)
      try await client.publish(packet)
      #expect(await client.resolve(key, newerThan: 10).completion().result == .failure(.notFound))
      let bound = CacheContext(cached: packet, policy: CachePolicy()).dhtBound
      #expect(try await client.resolve(key, newerThan: bound).completion().result.get().isSame(as: packet))
    }
  }

  @Test("an older packet is refused, the same one is not")
  func conflicts() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      let packet = try Samples.packet(10)
      try await client.publish(packet)
      try await client.publish(packet)
      let other = try await testnet.client()
      await #expect(throws: PublishError.notMostRecent) { try await other.publish(try Samples.packet(9)) }
      await #expect(throws: PublishError.notMostRecent) { try await other.publish(try Samples.packet(10, "different")) }
    }
  }

  @Test("a packet that the DHT cannot store is not sent")
  func unpublishable() async throws {
    try await withTestnet(nodes: 2) { testnet in
      let client = try await testnet.client()
      for version in [0, 1 << 63, .max] as [UInt64] {
        await #expect(throws: PublishError.notPublishable(.timestamp(Timestamp(microseconds: version)))) {
          try await client.publish(try Samples.packet(version))
        }
      }
      // A cache may have lost a bit: the stored form is read without checking the signature.
      var stored = try Samples.packet(5).cachedForm
      stored[50] ^= 1
      let damaged = try SignedPacket(cachedForm: stored)
      await #expect(throws: PublishError.notPublishable(.signature)) { try await client.publish(damaged) }
      #expect(try await client.publish(try Samples.packet(1 << 63 - 1)).stored >= 1)
    }
  }

  @Test("nodes that are behind are named, and a repair brings just them up to date")
  func repair() async throws {
    try await withTestnet(nodes: 12) { testnet in
      let client = try await testnet.client()
      try await client.publish(try Samples.packet(10))
      let old = await client.resolve(key).completion().report.counts.storageNodes
      #expect(old.count == 12 && old.allSatisfy { $0.seq == 10 })
      let newer = try Samples.packet(11)
      #expect(try await client.repair(newer, at: Array(old.prefix(4))) == 4)
      let mixed = await client.resolve(key).completion().report.counts.storageNodes
      #expect(mixed.count { $0.seq == 11 } == 4 && mixed.count { $0.seq == 10 } == 8)
      #expect(try await client.repair(newer, at: mixed.filter { $0.seq == 10 }) == 8)
      let repaired = await client.resolve(key).completion().report.counts.storageNodes
      #expect(repaired.allSatisfy { $0.seq == 11 })
    }
  }

  @Test("a lookup that is released ends, though somebody has waited for it in vain")
  func release() async throws {
    let silence = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
    var configuration = MainlineConfiguration.isolated(bootstrap: [HostName(silence.localEndpoint)])
    configuration.node.requestTimeout = .seconds(600)
    let client = try await DHTClient(configuration)
    var lookup: DHTResolution? = client.resolve(key)
    let waiter = Task { [lookup] in await lookup?.first() }
    waiter.cancel()
    #expect(await waiter.value == nil)
    lookup = nil
    // The node still answers, and ends at once: nothing holds it.
    #expect(await client.info()?.goodNodes == 0)
    try await client.shutdown()
    silence.close()
  }

  @Test("a task that is cancelled stops waiting and leaves the lookup to others")
  func cancellation() async throws {
    try await withTestnet { testnet in
      let client = try await testnet.client()
      try await client.publish(try Samples.packet(10))
      let lookup = client.resolve(key)
      let waiter = Task { await lookup.completion().result }
      waiter.cancel()
      let early = await waiter.value
      #expect(early == .failure(.cancelled) || (try? early.get()) != nil)
      #expect(try await lookup.completion().result.get().timestamp.microseconds == 10)
    }
  }

  @Test("without IPv6 on the machine the client does with IPv4, and without either it does not start")
  func fallback() async throws {
    var configuration = MainlineConfiguration.isolated()
    // Nobody has this address (RFC 3849).
    let nowhere = try #require(IPAddress("2001:db8::1"))
    configuration.bindAddresses = [.loopbackV4, nowhere]
    let client = try await DHTClient(configuration)
    #expect(client.node.localEndpoints.map(\.address) == [.loopbackV4])
    configuration.bindAddresses = [nowhere]
    await #expect(throws: SystemError.self) { try await DHTClient(configuration) }
  }

  @Test("a shared node outlives the client")
  func sharedNode() async throws {
    try await withTestnet { testnet in
      let node = testnet.nodes[3]
      let client = DHTClient(sharing: node, reportPolicy: .testnet)
      try await client.publish(try Samples.packet(10))
      try await client.shutdown()
      #expect(await node.info() != nil)
      let info = try #require(await client.info())
      #expect(info.localEndpoints == node.localEndpoints && info.goodNodes == 7)
    }
  }
}
