import HTTP
import Pkarr
import Testing

@testable import PkarrClient

/// What a client makes of relays that fail, lag, and disagree.
@Suite("A client of several relays")
struct ClientRelayTests {
  private let key = Samples.keypair.publicKey
  private let old = Result { try Samples.packet(1_000_000_000) }
  private let new = Result { try Samples.packet(2_000_000_000) }

  @Test("a publication waits past the first error")
  func publicationPastError() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let gate = Gate()
      networks.relays[0].mood = .failing(500)
      networks.relays[1].mood = .waiting(gate)
      let client = try await networks.client()
      let packet = try new.get()
      let publication = Task { try await client.publish(packet) }
      await eventually { gate.waiterCount == 1 && !networks.relays[0].requests.isEmpty }
      gate.open()
      let report = try await publication.value
      #expect(report.storedNodes == 7)
      #expect(report.backends.map(\.relayError) == [.unexpectedStatus(500), nil])
      #expect(report.backends[0].result == .failure(.unexpectedResponses))
    }
  }

  @Test("as many conflicts as successes are a conflict, fewer are not")
  func conflictQuorum() async throws {
    try await withNetworks(.relays, relays: 3) { networks in
      networks.relays[0].hold(try new.get())
      let client = try await networks.client()
      #expect(try await client.publish(try old.get()).storedNodes == 7)
      let other = MemoryRelay("https://other.example", holding: try new.get())
      let four = Networks(testnet: nil, relays: networks.relays + [other])
      await #expect(throws: PublishError.notMostRecent) { try await four.client().publish(try old.get()) }
    }
  }

  @Test("with the DHT and one relay, a conflict of either beats a success of the other", arguments: [true, false])
  func combinedConflict(isRelayAhead: Bool) async throws {
    try await withNetworks(.both) { networks in
      if isRelayAhead {
        networks.relay.hold(try new.get())
      } else {
        try await DHTClient(sharing: networks.testnet!.nodes[0]).publish(try new.get())
      }
      let report = await (try networks.client()).attemptToPublish(try old.get())
      #expect(report.result == .failure(.notMostRecent))
      #expect(report.backends.map(\.target) == [.dht, .relay(networks.relay.url)])
      #expect(report.backends.count { (try? $0.result.get()) != nil } == 1)
    }
  }

  @Test("a failing relay does not spoil what the DHT stores, nor a dead DHT what a relay stores")
  func combinedFailure() async throws {
    try await withNetworks(.both) { networks in
      networks.relay.mood = .unreachable
      let report = try await networks.client().publish(try old.get())
      #expect(report.storedNodes >= 1 && report.backends[1].result == .failure(.noResponses))
      networks.relay.mood = .wellBehaved
      let lonely = try await networks.client { $0.dht = .isolated() }
      let relayed = try await lonely.publish(try new.get())
      #expect(relayed.storedNodes == 7 && relayed.backends[0].result == .failure(.noDHTNodesQueried))
    }
  }

  @Test("what CacheOnly finds at a relay is cached, however old")
  func cacheOnly() async throws {
    try await withNetworks(.both) { networks in
      let expired = try old.get().seen(secondsAgo: 100_000)
      networks.relay.hold(expired)
      let client = try await networks.client()
      let resolution = try await client.resolution(of: key, policy: .cacheOnly)
      #expect(resolution.packet.isSame(as: expired) && resolution.source == .relay(networks.relay.url))
      #expect(networks.relay.requests.map(\.url) == ["https://relay0.example/\(key.z32)?policy=CacheOnly"])
      // The DHT, which has nothing, was not asked.
      #expect(resolution.report.dht == nil)
      #expect(client.cache?.peek(key.target)?.isSame(as: expired) == true)
      #expect(try await client.resolution(of: key, policy: .cacheOnly).source == .cache)
    }
  }

  @Test("NetworkOnly waits for all relays and takes the newest, whoever answers first")
  func newestOfAll() async throws {
    try await withNetworks(.relays, relays: 3) { networks in
      let gate = Gate()
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try new.get())
      networks.relays[1].mood = .waiting(gate)
      let client = try await networks.client { $0.repair.isEnabled = false }
      let resolution = Task { try await client.resolution(of: key, policy: .networkOnly) }
      await eventually { gate.waiterCount == 1 && !networks.relays[2].requests.isEmpty }
      gate.open()
      let found = try await resolution.value
      #expect(found.packet.isSame(as: try new.get()) && found.source == .relay(networks.relays[1].url))
      #expect(
        found.report.relays.map(\.standing) == [.older(Timestamp(microseconds: 1_000_000_000)), .current, .nothing])
      #expect(found.report.relaysBehind == [networks.relays[0].url, networks.relays[2].url])
      #expect(networks.relays.allSatisfy { $0.requests[0].fields[.cacheControl] != nil })
    }
  }

  @Test("CacheFirst is content with the first good answer and lets go of the others")
  func firstAnswer() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try new.get())
      networks.relays[1].mood = .silent
      let found = try await networks.client().resolution(of: key)
      #expect(found.packet.isSame(as: try old.get()))
      #expect(found.report.relays.map(\.standing) == [.current, .unanswered])
    }
  }

  @Test("CacheFirst waits for a relay that is not behind the expired packet")
  func aboveFloor() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let gate = Gate()
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try Samples.packet(3_000_000_000))
      networks.relays[1].mood = .waiting(gate)
      let client = try await networks.client()
      client.cache?.offer(try new.get().seen(secondsAgo: 1000))
      let resolution = Task { try await client.resolve(key) }
      await eventually { gate.waiterCount == 1 && !networks.relays[0].requests.isEmpty }
      gate.open()
      #expect(try await resolution.value.timestamp.microseconds == 3_000_000_000)
      // A second before the cached one, since HTTP dates know no fractions.
      #expect(
        networks.relays[0].requests[0].fields[.ifModifiedSince] == Timestamp(microseconds: 1_999_000_000).httpDate)
    }
  }

  @Test("CacheFirst waits past an expired answer for a fresh one, though it be older")
  func pastExpired() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let gate = Gate()
      networks.relays[0].hold(try new.get().seen(secondsAgo: 1000))
      networks.relays[1].hold(try old.get())
      networks.relays[1].mood = .waiting(gate)
      let client = try await networks.client()
      let resolution = Task { try await client.resolve(key) }
      await eventually { gate.waiterCount == 1 && !networks.relays[0].requests.isEmpty }
      gate.open()
      #expect(try await resolution.value.isSame(as: try old.get()))
    }
  }

  @Test("a newer packet that has expired at the relay is cached, and not found")
  func newerExpired() async throws {
    try await withNetworks(.relays) { networks in
      networks.relay.hold(try new.get().seen(secondsAgo: 1000))
      let client = try await networks.client()
      client.cache?.offer(try old.get().seen(secondsAgo: 1000))
      await #expect(throws: ResolveError.notFound) { try await client.resolve(key) }
      #expect(client.cache?.peek(key.target)?.isSame(as: try new.get()) == true)
    }
  }

  @Test("an early error of a relay does not end the lookup on the DHT, whichever policy")
  func earlyError() async throws {
    try await withNetworks(.both) { networks in
      try await DHTClient(sharing: networks.testnet!.nodes[0]).publish(try new.get())
      networks.relay.mood = .failing(500)
      for policy in [ResolvePolicy.cacheFirst, .networkOnly] {
        let found = try await networks.client().resolution(of: key, policy: policy)
        #expect(found.packet.isSame(as: try new.get()) && found.source == .dht)
      }
    }
  }

  @Test("a relay that reports a newer item that is no packet is believed")
  func invalidAtRelay() async throws {
    try await withNetworks(.both) { networks in
      try await DHTClient(sharing: networks.testnet!.nodes[0]).publish(try new.get())
      networks.relay.mood = .failing(404, ["pkarr-invalid-signed-packet-seq": "2000000001"])
      let client = try await networks.client()
      await #expect(throws: ResolveError.invalidSignedPacket(seq: 2_000_000_001)) {
        try await client.resolve(key, policy: .networkOnly)
      }
      networks.relay.mood = .failing(404, ["pkarr-invalid-signed-packet-seq": "2000000000"])
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: try new.get()))
    }
  }

  @Test("a failure says what each relay said")
  func failureReport() async throws {
    try await withNetworks(.relays, relays: 3) { networks in
      networks.relays[0].mood = .failing(429)
      networks.relays[1].mood = .unreachable
      networks.relays[2].mood = .failing(503)
      let failure = await #expect(throws: ResolveFailure.self) {
        try await networks.client().resolution(of: key, policy: .networkOnly)
      }
      #expect(failure?.error == .noResponses)
      #expect(
        failure?.report.relays.map(\.standing) == [
          .failed(.unexpectedStatus(429)), .failed(.request("connection refused")), .failed(.dhtUnavailable),
        ])
    }
  }

  @Test("the error of all relays together stands beside that of the DHT")
  func nestedErrors() async throws {
    try await withNetworks(.both, relays: 2) { networks in
      for relay in networks.relays { relay.mood = .unreachable }
      let client = try await networks.client { $0.dht = .isolated() }
      // Two relays without answer are one opinion, and the DHT says more than they do.
      await #expect(throws: ResolveError.noDHTNodesQueried) { try await client.resolve(key, policy: .networkOnly) }
      await #expect(throws: PublishError.noDHTNodesQueried) { try await client.publish(try new.get()) }
    }
  }

  @Test("abandoning a resolution ends the requests to relays")
  func abandoned() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let gate = Gate()
      for relay in networks.relays { relay.mood = .waiting(gate) }
      let client = try await networks.client()
      for policy in [ResolvePolicy.cacheFirst, .networkOnly] {
        let resolution = Task {
          await Result { () async throws(ResolveError) in try await client.resolve(key, policy: policy) }
        }
        await eventually { gate.waiterCount == 2 }
        resolution.cancel()
        #expect(await resolution.value == .failure(.cancelled))
        #expect(gate.waiterCount == 0)
      }
      let packet = try new.get()
      let publication = Task { await client.attemptToPublish(packet).result }
      await eventually { gate.waiterCount == 2 }
      publication.cancel()
      #expect(await publication.value == .failure(.cancelled))
      #expect(gate.waiterCount == 0 && client.cache?.peek(key.target) == nil)
    }
  }
}
