import EventLoops
import HTTP
import Mainline
import Pkarr
import Testing

@testable import PkarrClient

@Suite("Changing what is published", .serialized)
struct UpdateTests {
  private let keypair = Samples.keypair
  private var key: PublicKey { keypair.publicKey }

  @Test("an update sees what is there and replaces it", arguments: NetworkKind.allCases)
  func update(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      try await client.publish(updating: keypair) { state in
        if state.packet == nil { TXT("first", "1") }
      }
      try await networks.client().publish(updating: keypair) { state in
        for record in state.packet?.records ?? [] { record }
        TXT("second", "2")
      }
      let packet = try await networks.client().resolve(key, policy: .networkOnly)
      #expect(packet.records(named: "first").count == 1 && packet.records(named: "second").count == 1)
    }
  }

  @Test("updates of one key at the same time build upon each other", arguments: NetworkKind.allCases)
  func concurrent(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let client = try await networks.client()
      let keypair = keypair
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<8 {
          group.addTask {
            try await client.publish(updating: keypair) { state in
              for record in state.packet?.records ?? [] { record }
              TXT("n\(number)", "x")
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await client.resolve(key, policy: .networkOnly).records.count == 8)
    }
  }

  @Test(
    "the new version is above the one that was seen, though the clock says otherwise", arguments: NetworkKind.allCases)
  func futureVersion(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      let future = Timestamp.wallClock.adding(seconds: 1_000_000)
      try await networks.hold(try Samples.packet(future.microseconds))
      let client = try await networks.client()
      try await client.publish(updating: keypair) { _ in TXT("_", "x") }
      #expect(try await client.resolve(key, policy: .networkOnly).timestamp == future.adding(microseconds: 1))
    }
  }

  @Test("an item that is no packet is in use: the new version is above it")
  func unreadable() async throws {
    try await withNetworks(.dht) { networks in
      let seq = Timestamp.wallClock.adding(seconds: 200_000).seq
      try await networks.put(invalidItem(seq))
      let seen = LockedValue<Int64?>(nil)
      let client = try await networks.client()
      try await client.publish(updating: keypair) { state in
        let _ = seen.withLock { $0 = state.packet == nil ? state.observed.seq : nil }
        TXT("_", "x")
      }
      #expect(seen.withLock { $0 } == seq)
      #expect(try await client.resolve(key, policy: .networkOnly).timestamp.seq == seq + 1)
    }
  }

  @Test(
    "what a relay says of an item that nobody can check is believed only up to a day ahead", arguments: [true, false])
  func unproven(isFarAhead: Bool) async throws {
    try await withNetworks(.relays) { networks in
      let seq = Timestamp.wallClock.adding(seconds: isFarAhead ? 200_000 : 1000).seq
      let relay = networks.relay
      let transport = ScriptedTransport { request in
        if request.method == .get {
          return .success(RelayResponse(status: 404, fields: ["pkarr-invalid-signed-packet-seq": "\(seq)"]))
        }
        do throws(RelayTransportError) {
          return .success(try await MemoryTransport(relay).send(request))
        } catch {
          return .failure(error)
        }
      }
      let client = try await networks.client { $0.transport = transport }
      let result = await Result { () async throws(UpdateError) in
        try await client.publish(updating: keypair) { _ in TXT("_", "x") }.storedNodes
      }
      if isFarAhead {
        #expect(result.failure?.name == "InvalidSignedPacket" && relay.requests.isEmpty)
      } else {
        #expect(relay.packet(of: key)?.timestamp.seq == seq + 1)
      }
    }
  }

  @Test("the last version there is cannot be replaced")
  func lastVersion() async throws {
    try await withNetworks(.relays) { networks in
      networks.relay.hold(try Samples.packet(UInt64(Int64.max)))
      let client = try await networks.client()
      let error = await #expect(throws: UpdateError.self) {
        try await client.publish(updating: keypair) { _ in TXT("_", "x") }
      }
      #expect(error?.name == "NotPublishable")
      #expect(networks.relay.requests(.put).isEmpty)
    }
  }

  @Test("nothing is replaced while it is not known what is there, nor by records that make no packet")
  func failures() async throws {
    try await withNetworks(.relays) { networks in
      networks.relay.mood = .unreachable
      let client = try await networks.client()
      let unknown = await #expect(throws: UpdateError.self) {
        try await client.publish(updating: keypair) { _ in TXT("_", "x") }
      }
      #expect(unknown?.name == "NoResponses")
      networks.relay.mood = .wellBehaved
      let tooLarge = await #expect(throws: UpdateError.self) {
        try await client.publish(updating: keypair) { _ in TXT("_", String(repeating: "x", count: 2000)) }
      }
      #expect(tooLarge?.name == "PacketTooLarge")
      #expect(networks.relay.requests(.put).isEmpty)
      // The turn was given back.
      try await client.publish(updating: keypair) { _ in TXT("_", "x") }
    }
  }

  @Test("a packet of the cache that is newer than the network's is what an update builds upon")
  func newerCache() async throws {
    try await withNetworks(.relays) { networks in
      networks.relay.hold(try Samples.packet(1_000_000_000, "old"))
      let client = try await networks.client { $0.repair.isEnabled = false }
      client.cache?.offer(try Samples.packet(2_000_000_000, "new"))
      try await client.publish(updating: keypair) { state in
        for record in state.packet?.records ?? [] { record }
      }
      let packet = try #require(networks.relay.packet(of: key))
      #expect(packet.records.map(\.data) == (try Samples.packet(1, "new")).records.map(\.data))
    }
  }

  @Test("if somebody else publishes in between, an update begins anew, and not for ever", arguments: [1, 9])
  func interference(count: Int) async throws {
    try await withNetworks(.relays) { networks in
      let left = LockedValue(count)
      let relay = networks.relay
      let keypair = keypair
      let transport = ScriptedTransport { request in
        if request.method == .put,
          left.withLock({
            $0 -= 1; return $0 >= 0
          })
        {
          relay.hold(
            try! Samples.packet(
              Timestamp.wallClock.adding(seconds: 100).microseconds + UInt64(100 - left.withLock { $0 })))
        }
        do throws(RelayTransportError) {
          return .success(try await MemoryTransport(relay).send(request))
        } catch {
          return .failure(error)
        }
      }
      let client = try await networks.client { configuration in
        configuration.transport = transport
        configuration.repair.isEnabled = false
      }
      let calls = LockedValue(0)
      let result = await Result { () async throws(UpdateError) in
        try await client.publish(updating: keypair) { _ in
          let _ = calls.withLock { $0 += 1 }
          TXT("_", "mine")
        }.storedNodes
      }
      if count == 1 {
        #expect((try? result.get()) == 7 && calls.withLock { $0 } == 2)
      } else {
        #expect(result.failure?.name == "NotMostRecent" && calls.withLock { $0 } == 3)
      }
    }
  }

  @Test("a publication is repeated until enough nodes have stored it, with longer and longer pauses")
  func untilStored() async throws {
    try await withNetworks(.relays) { networks in
      let clock = ManualClock()
      networks.relay.storedNodes = 3
      let client = try await networks.client(clock: clock.clock)
      let packet = try Samples.packet()
      let publication = Task { try await client.publish(packet, untilStoredOn: 10, attempts: 4, pause: .seconds(2)) }
      for (pause, next) in [(Duration.seconds(2), 5), (.seconds(4), 12)] {
        await eventually { clock.pending == [pause] }
        networks.relay.storedNodes = next
        clock.advance(by: pause)
      }
      #expect(try await publication.value.storedNodes == 12)
      #expect(networks.relay.requests(.put).count == 3)
    }
  }

  @Test("repetition has an end: the best attempt counts, or the last error")
  func untilStoredInVain() async throws {
    try await withNetworks(.relays) { networks in
      let relay = networks.relay
      var configuration = networks.configuration()
      // Pauses pass at once, requests may take their time.
      configuration.clock.sleep = { if $0 == Networks.requestTimeout { await Gate().wait() } }
      let client = try await PkarrClient(configuration)
      let packet = try Samples.packet(2_000_000_000)
      #expect(try await client.publish(packet, untilStoredOn: 100).storedNodes == 7)
      #expect(relay.requests(.put).count == 3)
      relay.mood = .failing(500)
      await #expect(throws: PublishError.unexpectedResponses) { try await client.publish(packet, untilStoredOn: 1) }
      #expect(relay.requests(.put).count == 6)
      relay.mood = .failing(409)
      await #expect(throws: PublishError.notMostRecent) { try await client.publish(packet, untilStoredOn: 1) }
      #expect(relay.requests(.put).count == 7)
      relay.mood = .wellBehaved
      #expect(try await client.publish(packet, untilStoredOn: 1, attempts: -5).storedNodes == 7)
    }
  }
}
