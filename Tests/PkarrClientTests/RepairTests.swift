import Mainline
import MainlineProtocol
import Pkarr
import Testing

@testable import PkarrClient

@Suite("Repairs", .serialized)
struct RepairTests {
  private let key = Samples.keypair.publicKey
  private let old = Result { try Samples.packet(1_000_000_000) }
  private let new = Result { try Samples.packet(2_000_000_000) }

  @Test("relays that serve something older or nothing get the newest, those that failed do not")
  func relays() async throws {
    try await withNetworks(.relays, relays: 4) { networks in
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try new.get())
      networks.relays[3].mood = .failing(500)
      let client = try await networks.client()
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: try new.get()))
      await client.finishRepairs()
      #expect(networks.relays[0].packet(of: key)?.isSame(as: try new.get()) == true)
      #expect(networks.relays[2].packet(of: key)?.isSame(as: try new.get()) == true)
      #expect(networks.relays.map { $0.requests(.put).count } == [1, 0, 1, 0])
      let again = try await client.resolution(of: key, policy: .networkOnly)
      #expect(again.report.relaysBehind.isEmpty)
    }
  }

  @Test("nodes of the DHT that serve something older or nothing get the newest")
  func nodes() async throws {
    try await withNetworks(.dht, nodes: 12) { networks in
      let dht = DHTClient(sharing: networks.testnet!.nodes[0])
      try await dht.publish(try old.get())
      let holders = await dht.resolve(key).completion().report.counts.storageNodes
      try await dht.repair(try new.get(), at: Array(holders.prefix(3)))
      let client = try await networks.client()
      let found = try await client.resolution(of: key, policy: .networkOnly)
      #expect(found.packet.isSame(as: try new.get()))
      #expect(found.report.dht?.nodesWithNewest == 3 && found.report.nodesServingOlder >= 5)
      await client.finishRepairs()
      let repaired = try await client.resolution(of: key, policy: .networkOnly)
      #expect(repaired.report.isAgreed && repaired.report.nodesServingOlder == 0)
      #expect(repaired.report.dht?.nodesWithNewest == repaired.report.dht?.lookup.counts.storageNodes.count)
    }
  }

  @Test(
    "what only a relay knows reaches the DHT, and what only the DHT knows reaches the relays", arguments: [true, false])
  func across(isAtRelay: Bool) async throws {
    try await withNetworks(.both) { networks in
      let dht = DHTClient(sharing: networks.testnet!.nodes[0])
      if isAtRelay { networks.relay.hold(try new.get()) } else { try await dht.publish(try new.get()) }
      let client = try await networks.client()
      #expect(try await client.resolve(key, policy: .networkOnly).isSame(as: try new.get()))
      await client.finishRepairs()
      #expect(try await dht.resolve(key).completion().result.get().isSame(as: try new.get()))
      #expect(networks.relay.packet(of: key)?.isSame(as: try new.get()) == true)
    }
  }

  @Test("a key is repaired once in a while, not with each resolution")
  func rate() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let clock = ManualClock()
      networks.relays[0].hold(try new.get())
      networks.relays[1].mood = .wellBehaved
      let client = try await networks.client(clock: clock.clock)
      for expected in [1, 1] {
        networks.relays[1].hold(try old.get())
        _ = try await client.resolve(key, policy: .networkOnly)
        await client.finishRepairs()
        #expect(networks.relays[1].requests(.put).count == expected)
      }
      clock.advance(by: .seconds(300))
      _ = try await client.resolve(key, policy: .networkOnly)
      await client.finishRepairs()
      #expect(networks.relays[1].requests(.put).count == 2)
    }
  }

  @Test("nobody is repaired if that is not wanted, nor after a first answer that was good enough")
  func off() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      networks.relays[0].hold(try old.get())
      networks.relays[1].hold(try new.get())
      let off = try await networks.client { $0.repair.isEnabled = false }
      _ = try await off.resolve(key, policy: .networkOnly)
      let early = try await networks.client()
      _ = try await early.resolve(key)
      _ = try await early.resolve(key, policy: .cacheOnly)
      await off.finishRepairs()
      await early.finishRepairs()
      #expect(networks.relays.allSatisfy { $0.requests(.put).isEmpty })
    }
  }

  @Test("an older packet is not put back over a newer item that is no packet")
  func invalid() async throws {
    try await withNetworks(.both) { networks in
      try await networks.hold(try old.get())
      try await networks.put(invalidItem(1_000_000_001))
      networks.relay.mood = .failing(404)
      let client = try await networks.client()
      await #expect(throws: ResolveError.invalidSignedPacket(seq: 1_000_000_001)) {
        try await client.resolve(key, policy: .networkOnly)
      }
      await client.finishRepairs()
      #expect(networks.relay.requests(.put).isEmpty)
    }
  }

  @Test("a client that ends lets go of its repairs")
  func shutdown() async throws {
    try await withNetworks(.relays, relays: 2) { networks in
      let gate = Gate()
      networks.relays[0].hold(try new.get())
      let transport = ScriptedTransport { [relays = networks.relays] request in
        if request.method == .put { await gate.wait() }
        do throws(RelayTransportError) {
          return .success(try await MemoryTransport(relays).send(request))
        } catch {
          return .failure(error)
        }
      }
      let client = try await networks.client { $0.transport = transport }
      _ = try await client.resolve(key, policy: .networkOnly)
      await eventually { gate.waiterCount == 1 }
      await client.shutdown()
      #expect(gate.waiterCount == 0)
      // After its end a client begins no repair.
      _ = try await client.resolve(key, policy: .networkOnly)
      await client.finishRepairs()
      #expect(gate.waiterCount == 0)
    }
  }
}

@Suite("The limits of repairs")
struct RepairLimiterTests {
  private let second: UInt64 = 1_000_000_000
  private let start: UInt64 = 5_000_000_000

  /// The limiter behind a reference, so that expectations can change it.
  private final class Limiter {
    var value: RepairLimiter
    init(_ policy: RepairPolicy) { value = RepairLimiter(policy) }
    func admit(_ key: PublicKey, at now: UInt64) -> Bool { value.admit(key, at: now) }
  }

  private func keys(_ count: Int) -> [PublicKey] { (0..<count).map { _ in Keypair().publicKey } }

  @Test("a key has its interval, and all together their rate")
  func rates() {
    var policy = RepairPolicy()
    policy.burst = 3
    policy.repairsPerSecond = 2
    let limiter = Limiter(policy)
    let keys = keys(5)
    #expect(limiter.admit(keys[0], at: start))
    #expect(!limiter.admit(keys[0], at: start))
    #expect(!limiter.admit(keys[0], at: start + 299 * second))
    #expect(limiter.admit(keys[0], at: start + 300 * second))
    // Two more of the burst, then one each half second.
    let later = start + 300 * second
    #expect(limiter.admit(keys[1], at: later))
    #expect(limiter.admit(keys[2], at: later))
    #expect(!limiter.admit(keys[3], at: later))
    #expect(limiter.admit(keys[3], at: later + second / 2))
    #expect(!limiter.admit(keys[4], at: later + second / 2))
  }

  @Test("the keys that are remembered are bounded")
  func bounded() {
    var policy = RepairPolicy()
    policy.repairsPerSecond = 1e9
    policy.burst = 1_000_000
    let limiter = Limiter(policy)
    let keys = keys(RepairLimiter.maximumKeyCount + 10)
    for (number, key) in keys.enumerated() { #expect(limiter.admit(key, at: start + UInt64(number))) }
    #expect(limiter.value.keyCount == RepairLimiter.maximumKeyCount)
    // The one repaired longest ago was forgotten, the last one was not.
    #expect(limiter.admit(keys[0], at: start + second))
    #expect(!limiter.admit(keys[keys.count - 1], at: start + second))
    // Once their time is over all are forgotten.
    #expect(limiter.admit(Keypair().publicKey, at: start + 400 * second))
    #expect(limiter.value.keyCount == 1)
  }

  @Test("odd policies let nothing or everything through, and never trap")
  func extremes() {
    var off = RepairPolicy()
    off.isEnabled = false
    var none = RepairPolicy()
    none.repairsPerSecond = 0
    var never = RepairPolicy()
    never.repairsPerSecond = -1
    var empty = RepairPolicy()
    empty.burst = 0
    var slow = RepairPolicy()
    slow.repairsPerSecond = 1e-300
    slow.burst = .max
    var strange = RepairPolicy()
    strange.repairsPerSecond = .nan
    let key = Keypair().publicKey
    for policy in [off, none, never, empty, strange] {
      let limiter = Limiter(policy)
      #expect(!limiter.admit(key, at: start))
    }
    let limiter = Limiter(slow)
    #expect(limiter.admit(key, at: .max / 2))
    _ = limiter.admit(Keypair().publicKey, at: .max)
  }
}
