import EventLoops
import Mainline
import Pkarr
import Testing

@testable import PkarrClient

@Suite("Freshness", .serialized)
struct FreshnessTests {
  private let key = Samples.keypair.publicKey
  private let old = Result { try Samples.packet(1_000_000_000) }
  private let new = Result { try Samples.packet(2_000_000_000) }

  @Test("once DHT and a relay agree, a silent relay is given a short grace and not its whole time")
  func grace() async throws {
    try await withNetworks(.both, relays: 2) { networks in
      let clock = ManualClock()
      try await networks.hold(try new.get())
      networks.relays[1].mood = .silent
      let client = try await networks.client(clock: clock.clock)
      let resolution = Task { try await client.resolution(of: key, policy: .networkOnly) }
      // The requests to the relays may take ten seconds; the grace is what ends first.
      await eventually { clock.pending.first ?? Networks.requestTimeout < Networks.requestTimeout }
      #expect(clock.pending.first == .milliseconds(100))
      clock.advance(by: .milliseconds(100))
      let found = try await resolution.value
      #expect(found.packet.isSame(as: try new.get()))
      #expect(found.report.relays.map(\.standing) == [.current, .unanswered])
      #expect(found.report.isAgreed)
      // Nobody waits any more.
      await eventually { clock.pending.isEmpty }
    }
  }

  @Test("a relay that answers within the grace counts")
  func withinGrace() async throws {
    try await withNetworks(.both, relays: 2) { networks in
      let clock = ManualClock()
      let gate = Gate()
      try await networks.hold(try old.get())
      networks.relays[1].hold(try new.get())
      networks.relays[1].mood = .waiting(gate)
      let client = try await networks.client(clock: clock.clock) { $0.repair.isEnabled = false }
      let resolution = Task { try await client.resolution(of: key, policy: .networkOnly) }
      await eventually { clock.pending.first ?? Networks.requestTimeout < Networks.requestTimeout }
      gate.open()
      let found = try await resolution.value
      #expect(found.packet.isSame(as: try new.get()) && found.source == .relay(networks.relays[1].url))
      #expect(found.report.relaysBehind == [networks.relays[0].url])
      #expect(found.report.nodesServingOlder >= 1 && !found.report.isAgreed)
    }
  }

  @Test("without agreement a silent relay is waited for as long as its request may take")
  func noAgreement() async throws {
    try await withNetworks(.both, relays: 2) { networks in
      let clock = ManualClock()
      try await networks.hold(try old.get())
      networks.relays[0].hold(try new.get())
      networks.relays[1].mood = .silent
      let client = try await networks.client(clock: clock.clock) { $0.repair.isEnabled = false }
      let resolution = Task { try await client.resolution(of: key, policy: .networkOnly) }
      // Each relay has a timer of its own; that of the silent one is left.
      await eventually { clock.sleeps == 2 && clock.pending == [Networks.requestTimeout] }
      clock.advance(by: Networks.requestTimeout)
      let found = try await resolution.value
      #expect(found.packet.isSame(as: try new.get()))
      #expect(found.report.relays.map(\.standing) == [.current, .failed(.timeout)])
    }
  }

  @Test("after an update everybody sees it, or is told who still serves what was there before")
  func update() async throws {
    try await withNetworks(.both, relays: 2) { networks in
      let owner = try await networks.client()
      try await owner.publish(try old.get())
      networks.relays[1].mood = .forgetful
      try await owner.publish(try new.get())
      let reader = try await networks.client { $0.repair.isEnabled = false }
      let found = try await reader.resolution(of: key, policy: .networkOnly)
      #expect(found.packet.isSame(as: try new.get()))
      #expect(found.report.relaysBehind == [networks.relays[1].url])
      #expect(found.report.nodesServingOlder == 0)
      #expect(found.report.dht?.nodesWithNewest ?? 0 >= 1)
      #expect("\(found.report)" == "https://relay1.example serves something older, or nothing")
    }
  }

  @Test("updates deliver the fastest answer at once, and then each newer one")
  func updates() async throws {
    try await withNetworks(.relays, relays: 3) { networks in
      let gates = [Gate(), Gate()]
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try Samples.packet(500_000_000))
      networks.relays[1].mood = .waiting(gates[0])
      networks.relays[2].hold(try new.get())
      networks.relays[2].mood = .waiting(gates[1])
      let client = try await networks.client { $0.repair.isEnabled = false }
      var updates = client.updates(of: key).makeAsyncIterator()
      #expect(try await updates.next()?.packet.isSame(as: try old.get()) == true)
      gates[0].open()
      gates[1].open()
      let last = try #require(try await updates.next())
      #expect(last.packet.isSame(as: try new.get()) && last.source == .relay(networks.relays[2].url))
      #expect(try await updates.next() == nil)
      #expect(client.cache?.peek(key.target)?.isSame(as: try new.get()) == true)
    }
  }

  @Test("updates over the DHT end with the newest", arguments: NetworkKind.allCases)
  func updatesEverywhere(kind: NetworkKind) async throws {
    try await withNetworks(kind) { networks in
      try await networks.hold(try new.get())
      var versions: [UInt64] = []
      for try await resolution in try await networks.client().updates(of: key) {
        versions.append(resolution.packet.timestamp.microseconds)
      }
      #expect(versions == [2_000_000_000])
    }
  }

  @Test("updates fail if there is no packet, and if what was delivered is outdated by something invalid")
  func failedUpdates() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let client = try await networks.client()
      var nothing = client.updates(of: key).makeAsyncIterator()
      await #expect(throws: ResolveError.notFound) { try await nothing.next() }
      #expect(try await nothing.next() == nil)
      let gate = Gate()
      networks.relays[0].hold(try old.get())
      let transport = ScriptedTransport { request in
        guard request.url.contains("relay1") else {
          return .success(RelayResponse(status: 200, body: try! old.get().relayPayload))
        }
        await gate.wait()
        return .success(RelayResponse(status: 404, fields: ["pkarr-invalid-signed-packet-seq": "1000000001"]))
      }
      let other = try await networks.client { $0.transport = transport }
      var outdated = other.updates(of: key).makeAsyncIterator()
      #expect(try await outdated.next()?.packet.isSame(as: try old.get()) == true)
      gate.open()
      await #expect(throws: ResolveError.invalidSignedPacket(seq: 1_000_000_001)) { try await outdated.next() }
    }
  }

  @Test("a lookup ends when nobody wants its updates any more")
  func abandonedUpdates() async throws {
    try await withNetworks(.relays) { networks in
      let gate = Gate()
      networks.relay.mood = .waiting(gate)
      let client = try await networks.client()
      var updates: PacketUpdates.Iterator? = client.updates(of: key).makeAsyncIterator()
      await eventually { gate.waiterCount == 1 }
      updates = nil
      await eventually { gate.waiterCount == 0 }
      #expect(updates == nil)
      let task = Task { for try await _ in client.updates(of: key) {} }
      await eventually { gate.waiterCount == 1 }
      task.cancel()
      await eventually { gate.waiterCount == 0 }
      _ = await task.result
    }
  }

  @Test("a watch tells of newer packets and of each change for the worse, once")
  func watch() async throws {
    try await withNetworks(.relays) { networks in
      let clock = ManualClock()
      let client = try await networks.client(clock: clock.clock)
      let told = LockedValue<[String]>([])
      let task = Task {
        for await result in client.watch(key, every: .seconds(60)) {
          let text = (try? result.get()).map { "\($0.packet.timestamp.microseconds)" } ?? result.failure?.name ?? ""
          told.withLock { $0.append(text) }
        }
      }
      /// Waits until a number of lookups has ended, and lets a minute pass.
      func minute(after lookups: Int) async {
        await eventually { networks.relay.requests.count == lookups && clock.pending == [.seconds(60)] }
        clock.advance(by: .seconds(60))
      }
      await minute(after: 1)
      // What has not changed is not told again.
      await eventually { networks.relay.requests.count == 2 && clock.pending == [.seconds(60)] }
      networks.relay.hold(try old.get())
      clock.advance(by: .seconds(60))
      await minute(after: 3)
      await eventually { networks.relay.requests.count == 4 && clock.pending == [.seconds(60)] }
      networks.relay.mood = .unreachable
      clock.advance(by: .seconds(60))
      await minute(after: 5)
      await eventually { networks.relay.requests.count == 6 && clock.pending == [.seconds(60)] }
      networks.relay.mood = .wellBehaved
      networks.relay.hold(try new.get())
      clock.advance(by: .seconds(60))
      await eventually { told.withLock { $0.count } == 4 }
      #expect(told.withLock { $0 } == ["NotFound", "1000000000", "NoResponses", "2000000000"])
      task.cancel()
      await task.value
    }
  }

  @Test("a watch ends with its task")
  func endedWatch() async throws {
    try await withNetworks(.relays) { networks in
      let clock = ManualClock()
      let client = try await networks.client(clock: clock.clock)
      let task = Task {
        var count = 0
        for await _ in client.watch(key) { count += 1 }
        return count
      }
      await eventually { clock.pending == [.seconds(60)] }
      task.cancel()
      #expect(await task.value == 1)
    }
  }

  @Test("a stale packet is offered if the network cannot be reached, and only if that is wanted")
  func stale() async throws {
    try await withNetworks(.relays) { networks in
      networks.relay.mood = .unreachable
      let client = try await networks.client()
      let cached = try old.get().seen(secondsAgo: 100_000)
      client.cache?.offer(cached)
      for policy in [ResolvePolicy.cacheFirst, .networkOnly] {
        await #expect(throws: ResolveError.noResponses) { try await client.resolve(key, policy: policy) }
        let stale = try await client.resolution(of: key, policy: policy, allowsStale: true)
        #expect(stale.packet == cached && stale.isStale && stale.source == .cache && stale.expiresIn == 0)
        #expect(stale.age >= 100_000)
        #expect(stale.report.relays.map(\.standing) == [.failed(.request("connection refused"))])
      }
      let lenient = try await networks.client { configuration in
        configuration.allowsStale = true
        configuration.cache = client.cache
      }
      #expect(try await lenient.resolve(key) == cached)
      await #expect(throws: ResolveError.noResponses) { try await lenient.resolve(key, allowsStale: false) }
      // An answer is an answer, even a refusal.
      networks.relay.mood = .failing(500)
      await #expect(throws: ResolveError.unexpectedResponses) { try await lenient.resolve(key) }
      networks.relay.mood = .wellBehaved
      await #expect(throws: ResolveError.notFound) { try await lenient.resolve(key) }
    }
    let lonely = try await Networks(testnet: nil, relays: []).client { configuration in
      configuration.dht = .isolated()
      configuration.allowsStale = true
    }
    await #expect(throws: ResolveError.noDHTNodesQueried) { try await lonely.resolve(key) }
    lonely.cache?.offer(try old.get().seen(secondsAgo: 100_000))
    #expect(try await lonely.resolution(of: key).isStale)
  }
}

extension Result {
  /// Why there is no value; nil if there is one.
  var failure: Failure? { if case .failure(let failure) = self { failure } else { nil } }
}
