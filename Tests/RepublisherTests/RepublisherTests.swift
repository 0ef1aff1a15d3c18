import Addresses
import Cryptography
import EventLoops
import Foundation
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import Testing

@testable import Republisher

@Suite("A republisher on a network", .serialized)
struct RepublisherTests {
  /// A network, and one who asks it. Everything is stopped afterwards.
  struct Stand {
    let testnet: Testnet
    let node: MainlineNode
    let loop: EventLoop

    static func run(nodes: Int = 24, filter: PacketFilter? = nil, _ body: (Stand) async throws -> Void) async throws {
      let testnet = try await Testnet(nodes: nodes, packetFilter: filter)
      let loop = try EventLoop(name: "republisher-test")
      try loop.start()
      var configuration = MainlineConfiguration.isolated(bootstrap: testnet.bootstrap)
      configuration.node.mode = .client
      configuration.eventLoop = loop
      do {
        let node = try await MainlineNode(configuration)
        try await body(Stand(testnet: testnet, node: node, loop: loop))
        try await node.shutdown()
      } catch {
        await loop.shutdown()
        await testnet.stop()
        throw error
      }
      await loop.shutdown()
      await testnet.stop()
    }

    static var policy: RepublishPolicy {
      var policy = RepublishPolicy()
      policy.firstRetry = .milliseconds(1)
      policy.rate = nil
      return policy
    }

    /// One round over some keys.
    func round(
      _ keys: [RepublishedKey], state: RepublishStateFile? = nil, policy: RepublishPolicy = policy
    ) async throws -> (RoundReport, Republisher) {
      let republisher = try Republisher(through: node, on: loop, policy, isSingleRound: true, stateFile: state)
      for key in keys { await republisher.add(key) }
      return (await republisher.run(), republisher)
    }

    /// What a complete lookup finds.
    func lookUp(_ key: PublicKey) async throws -> (packet: SignedPacket?, counts: GetOutcome) {
      let (item, counts) = try await node.getMutable(key: key.verificationKey).outcome()
      return (item.flatMap { SignedPacket($0, lastSeen: .wallClock) }, counts)
    }

    /// Nodes that hold a packet, and whether those are as many as there can be. In a small network a packet may belong to no
    /// more than the eight closest nodes.
    func holders(of packet: SignedPacket) async throws -> (endpoints: [Endpoint], suffice: Bool) {
      let (found, counts) = try await lookUp(packet.publicKey)
      let holders = counts.storageNodes.filter { $0.seq == packet.timestamp.seq }.map(\.contact.endpoint)
      let isFound = found?.isSame(as: packet) == true
      return (holders, isFound && holders.count >= min(8, counts.storageNodes.count))
    }

    /// Rounds until enough nodes hold the packets; how many times one was put. A node that a busy machine keeps from
    /// answering in time is missed in one round and found again in the next.
    func rounds(_ packets: [SignedPacket]) async throws -> Int {
      var published = 0
      for _ in 0..<5 {
        published += try await round(packets.map { RepublishedKey($0) }).0.published
        var suffice = true
        for packet in packets where suffice { suffice = try await holders(of: packet).suffice }
        if suffice { break }
      }
      return published
    }

    /// Publishes as somebody else does.
    func publish(_ packet: SignedPacket) async throws {
      _ = try await testnet.nodes.last!.putMutable(try RepublishSamples.item(packet))
    }
  }

  private let keypair: Keypair
  private let old: SignedPacket
  private let new: SignedPacket

  init() throws {
    keypair = try RepublishSamples.keypair(77)
    old = try RepublishSamples.packet(keypair, 1_000_000_000_000, "old")
    new = try RepublishSamples.packet(keypair, 2_000_000_000_000, "new")
  }

  @Test("a packet that nobody holds is put, and left alone while enough hold it")
  func publishThenAlive() async throws {
    try await Stand.run { stand in
      let (first, _) = try await stand.round([RepublishedKey(new)])
      #expect(first.published == 1 && first.failed == 0 && first.thin == 0 && first.copiesAdded >= 10)
      let (second, _) = try await stand.round([RepublishedKey(new)])
      #expect(second.alreadyAlive == 1 && second.copiesAdded == 0)
      let found = try await stand.lookUp(keypair.publicKey)
      #expect(found.packet?.isSame(as: new) == true)
      #expect(found.counts.holdersOfNewest >= 10)
    }
  }

  @Test("nodes that die take their copies along; the record comes back on others")
  func dyingNodes() async throws {
    try await Stand.run(nodes: 40) { stand in
      let other = try RepublishSamples.packet(try RepublishSamples.keypair(78), 5_000_000)
      _ = try await stand.round([RepublishedKey(new), RepublishedKey(other)])
      // All that are closest to the key, and hold it. One that was busy at the first lookup is found by the next.
      var holders: Set<Endpoint> = []
      while true {
        let found = try await stand.holders(of: new).endpoints.filter { !holders.contains($0) }
        if found.isEmpty { break }
        for node in stand.testnet.nodes where node.localEndpoints.contains(where: found.contains) {
          try await node.shutdown()
        }
        holders.formUnion(found)
      }
      #expect(holders.count >= 10)
      #expect(try await stand.rounds([new]) >= 1)
      let after = try await stand.holders(of: new)
      #expect(after.suffice && after.endpoints.count >= min(8, 40 - holders.count))
      #expect(Set(after.endpoints).isDisjoint(with: holders))
    }
  }

  @Test("nodes that die in the middle of a round: what they took along is back after the next one")
  func dyingMeanwhile() async throws {
    try await Stand.run(nodes: 60) { stand in
      let packets = try (200..<216).map { try RepublishSamples.packet(try RepublishSamples.keypair($0), 5_000_000) }
      let checks = LockedValue(0)
      let signal = Signal()
      var policy = Stand.policy
      policy.concurrency = 4
      let republisher = try Republisher(
        through: stand.node, on: stand.loop, policy, isSingleRound: true,
        onCheck: { _, _ in
          if checks.withLock({ count in
            count += 1
            return count == 6
          }) {
            signal.send()
          }
        })
      for packet in packets { await republisher.add(RepublishedKey(packet)) }
      async let ending = republisher.run()
      await signal.wait()
      for node in stand.testnet.nodes.prefix(20) { try await node.shutdown() }
      let first = await ending
      #expect(first.checked == 16 && first.failed == 0, "\(first)")
      _ = try await stand.rounds(packets)
      for packet in packets { #expect(try await stand.holders(of: packet).suffice) }
    }
  }

  @Test("a key that is let go in the middle of its check is forgotten, and may come back")
  func letGo() async throws {
    let gate = PutGate()
    try await Stand.run(filter: gate.filter) { stand in
      let republisher = try Republisher(through: stand.node, on: stand.loop, Stand.policy)
      await republisher.add(RepublishedKey(new))
      gate.close(for: stand.node)
      let running = Task { await republisher.run() }
      await gate.reached()
      #expect(await republisher.status.running == 1)
      await republisher.remove(new.publicKey)
      #expect(await eventually { await republisher.count == 0 })
      gate.open()
      #expect(await republisher.status.running == 0)
      await republisher.offer(new)
      #expect(await republisher.count == 0)
      await republisher.add(RepublishedKey(new))
      #expect(await eventually { await republisher.status.totals.checkTimes.count == 1 })
      let status = await republisher.status
      #expect(status.keys == 1 && status.totals.published + status.totals.alreadyAlive == 1)
      running.cancel()
      _ = await running.value
    }
  }

  @Test("a version that the owner has published elsewhere takes the place of the older one, and is never put over")
  func ownerPublishesNewer() async throws {
    try await Stand.run { stand in
      let republisher = try Republisher(through: stand.node, on: stand.loop, Stand.policy, isSingleRound: true)
      await republisher.add(RepublishedKey(old))
      try await stand.publish(new)
      let report = await republisher.run()
      #expect(report.superseded == 1 && report.failed == 0)
      #expect(await republisher.packet(of: keypair.publicKey)?.isSame(as: new) == true)
      let found = try await stand.lookUp(keypair.publicKey)
      #expect(found.packet?.isSame(as: new) == true)
      #expect(found.counts.storageNodes.allSatisfy { $0.seq == nil || $0.seq == new.timestamp.seq })
    }
  }

  @Test("an owner who publishes while the older version is on its way to the nodes wins")
  func ownerPublishesMeanwhile() async throws {
    let gate = PutGate()
    try await Stand.run(filter: gate.filter) { stand in
      let republisher = try Republisher(through: stand.node, on: stand.loop, Stand.policy, isSingleRound: true)
      await republisher.add(RepublishedKey(old))
      gate.close(for: stand.node)
      async let ending = republisher.run()
      // The lookup is over and has found nothing; the puts are held up.
      await gate.reached()
      try await stand.publish(new)
      gate.open()
      let report = await ending
      #expect(report.superseded == 1 && report.failed == 0)
      #expect(await republisher.packet(of: keypair.publicKey)?.isSame(as: new) == true)
      #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: new) == true)
    }
  }

  @Test(
    "a key without a packet: what is published is kept alive; what is not is not found, and an item of others is left")
  func lookedUp() async throws {
    try await Stand.run { stand in
      let nobody = try RepublishSamples.keypair(79).publicKey
      let strange = try RepublishSamples.keypair(80)
      try await stand.publish(new)
      let value = ItemValue.encoding(byteString: Array("no packet".utf8))
      let item = try MutableItem(signedBy: strange.secretKey, seq: 5, value: value)
      _ = try await stand.testnet.nodes[0].putMutable(item)
      let keys = [keypair.publicKey, nobody, strange.publicKey].map { RepublishedKey($0) }
      let (report, _) = try await stand.round(keys)
      #expect(report.alreadyAlive + report.published == 1)
      #expect(report.failures == ["not_found": 1, "not_a_packet": 1])
      let found = try await stand.node.getMutableMostRecent(key: strange.publicKey.verificationKey)
      #expect(found?.seq == 5)
    }
  }

  @Test("a packet that was not signed so is not sent to anybody, and hides no other")
  func forged() async throws {
    try await Stand.run(nodes: 8) { stand in
      var bytes = new.cachedForm
      bytes[bytes.count - 3] ^= 1
      let forged = try SignedPacket(cachedForm: bytes)
      let (report, _) = try await stand.round([RepublishedKey(forged)])
      #expect(report.failures == ["not_publishable": 1])
      #expect(try await stand.lookUp(keypair.publicKey).packet == nil)
      // Nor does it hide the one that is published, though that is older.
      try await stand.publish(old)
      let (again, republisher) = try await stand.round([RepublishedKey(forged)])
      #expect(again.failed == 0)
      #expect(await republisher.packet(of: keypair.publicKey)?.isSame(as: old) == true)
    }
  }

  @Test("without a network a round ends, and says so")
  func noNetwork() async throws {
    let testnet = try await Testnet(nodes: 1)
    let bootstrap = testnet.bootstrap
    await testnet.stop()
    let loop = try EventLoop(name: "republisher-test")
    try loop.start()
    var configuration = MainlineConfiguration.isolated(bootstrap: bootstrap)
    configuration.node.mode = .client
    configuration.node.requestTimeout = .milliseconds(50)
    configuration.eventLoop = loop
    let node = try await MainlineNode(configuration)
    let republisher = try Republisher(through: node, on: loop, Stand.policy, isSingleRound: true)
    for number in 0..<50 {
      await republisher.add(RepublishedKey(try RepublishSamples.packet(try RepublishSamples.keypair(number), 5)))
    }
    let report = await republisher.run()
    #expect(report.failures == ["no_nodes": 50])
    try await node.shutdown()
    await loop.shutdown()
  }

  // MARK: - Own keys

  private func zone(_ text: String) -> RepublishedKey.Zone {
    let record = ResourceRecord(
      name: keypair.publicKey.domainName, class: .internet, ttl: 300, data: .txt(.init(text)))
    return .init(records: [record], digest: SHA1.hash(Array(text.utf8)).bytes)
  }

  @Test("a zone is signed once and put again as it is; when it changes, and only then, there is a new version")
  func ownZone() async throws {
    try await inFolder { folder in
      let state = RepublishStateFile(folder.appending(path: "state").path)
      try await Stand.run { stand in
        try await stand.publish(old)
        let first = RepublishedKey(RepublishedKey.Owner(keypair, zone: zone("one")))
        let (published, republisher) = try await stand.round([first], state: state)
        #expect(published.published == 1)
        let signed = try #require(await republisher.packet(of: keypair.publicKey))
        #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: signed) == true)
        let (again, _) = try await stand.round([first], state: state)
        #expect(again.alreadyAlive == 1)
        #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: signed) == true)
        // The state is lost, but the network still has these records.
        let (found, _) = try await stand.round([first])
        #expect(found.alreadyAlive == 1)
        #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: signed) == true)
        let (changed, _) = try await stand.round(
          [RepublishedKey(RepublishedKey.Owner(keypair, zone: zone("two")))], state: state)
        #expect(changed.published == 1)
        let newer = try #require(try await stand.lookUp(keypair.publicKey).packet)
        #expect(newer.timestamp > signed.timestamp && newer.records == zone("two").records)
      }
    }
  }

  @Test("a version that the owner publishes with another device is kept, though the zone file says something else")
  func ownZoneElsewhere() async throws {
    try await inFolder { folder in
      let state = RepublishStateFile(folder.appending(path: "state").path)
      try await Stand.run { stand in
        let own = RepublishedKey(RepublishedKey.Owner(keypair, zone: zone("one")))
        _ = try await stand.round([own], state: state)
        let elsewhere = try SignedPacket(signedBy: keypair) { TXT("_hello", "elsewhere") }
        try await stand.publish(elsewhere)
        let (report, _) = try await stand.round([own], state: state)
        #expect(report.superseded == 1)
        // Also after another restart: the state has that version.
        let (last, republisher) = try await stand.round([own], state: state)
        #expect(last.alreadyAlive == 1)
        #expect(await republisher.packet(of: keypair.publicKey)?.isSame(as: elsewhere) == true)
        #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: elsewhere) == true)
      }
    }
  }

  @Test("signed anew each time: the same records with a higher version, but never over one that is newer than the last")
  func signsAnew() async throws {
    try await Stand.run { stand in
      try await stand.publish(new)
      let own = RepublishedKey(RepublishedKey.Owner(keypair, signsAnew: true))
      let (first, _) = try await stand.round([own])
      #expect(first.published == 1)
      let signed = try #require(try await stand.lookUp(keypair.publicKey).packet)
      #expect(signed.timestamp > new.timestamp && signed.messageBytes == new.messageBytes)
      let elsewhere = try SignedPacket(signedBy: keypair) { TXT("_hello", "elsewhere") }
      let republisher = try Republisher(through: stand.node, on: stand.loop, Stand.policy, isSingleRound: true)
      await republisher.add(own)
      await republisher.add(RepublishedKey(signed))
      try await stand.publish(elsewhere)
      #expect(await republisher.run().superseded == 1)
      #expect(try await stand.lookUp(keypair.publicKey).packet?.isSame(as: elsewhere) == true)
    }
  }

  // MARK: - Restarts

  @Test("a round that is broken off is remembered, and goes on where it was")
  func restart() async throws {
    try await inFolder { folder in
      let state = RepublishStateFile(folder.appending(path: "state").path)
      var policy = Stand.policy
      policy.concurrency = 1
      let keys = try (0..<12).map {
        RepublishedKey(try RepublishSamples.packet(try RepublishSamples.keypair($0), 5_000_000))
      }
      try await Stand.run { stand in
        let signal = Signal()
        // The clock is read when a check begins and ends.
        let reads = LockedValue(0)
        let republisher = try Republisher(
          through: stand.node, on: stand.loop, policy, isSingleRound: true, stateFile: state,
          wallClock: {
            if reads.withLock({
              $0 += 1
              return $0 == 24
            }) {
              signal.send()
            }
            return .wallClock
          })
        for key in keys { await republisher.add(key) }
        let running = Task { await republisher.run() }
        await signal.wait()
        running.cancel()
        let broken = await running.value
        #expect(broken.checked >= 3 && broken.checked < 12 && broken.failed == 0, "\(broken)")
        #expect(try state.read().isRoundOpen)
        let (rest, _) = try await stand.round(keys, state: state, policy: policy)
        #expect(rest.checkedBefore == broken.checked)
        #expect(rest.published + rest.alreadyAlive == 12 - broken.checked)
        #expect(try !state.read().isRoundOpen)
        // The next round is a whole one.
        let (next, _) = try await stand.round(keys, state: state, policy: policy)
        #expect(next.checkedBefore == 0 && next.alreadyAlive == 12)
      }
    }
  }

  @Test("a clock that went back in between makes the round a new one; nothing is lost")
  func clockWentBack() async throws {
    try await inFolder { folder in
      let file = RepublishStateFile(folder.appending(path: "state").path)
      try await Stand.run(nodes: 12) { stand in
        _ = try await stand.round([RepublishedKey(new)], state: file)
        var state = try file.read()
        state.isRoundOpen = true
        state.roundStart = Timestamp.wallClock.adding(seconds: 86_400)
        for key in state.entries.keys { state.entries[key]!.checked = state.roundStart.adding(seconds: 5) }
        try file.write(state)
        let (report, _) = try await stand.round([RepublishedKey(new)], state: file)
        #expect(report.checkedBefore == 0 && report.alreadyAlive == 1)
        #expect(try file.read().roundStart < state.roundStart)
      }
    }
  }

  @Test("a state that cannot be written is told, and the keys are kept alive all the same")
  func unwritableState() async throws {
    try await Stand.run(nodes: 8) { stand in
      let failures = LockedValue(0)
      let republisher = try Republisher(
        through: stand.node, on: stand.loop, Stand.policy, isSingleRound: true,
        stateFile: RepublishStateFile("/proc/nowhere/state"), onSaveFailure: { _ in failures.withLock { $0 += 1 } })
      await republisher.add(RepublishedKey(new))
      #expect(await republisher.run().published == 1)
      #expect(failures.withLock { $0 } == 1)
    }
  }

  private func inFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "republisher-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
  }
}

/// Something that happens once.
final class Signal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self) }

  func send() { continuation.finish() }

  func wait() async { for await _ in stream {} }
}

/// Holds up the puts of one node until it is opened: its datagrams that are larger than any question.
final class PutGate: Sendable {
  private let sender = LockedValue<Endpoint?>(nil)
  private let signal = Signal()

  var filter: PacketFilter {
    { [self] sender, _, byteCount in
      guard byteCount > 200, self.sender.withLock({ $0 }) == sender else { return .delivered }
      signal.send()
      return .dropped
    }
  }

  func close(for node: MainlineNode) { sender.withLock { $0 = node.localEndpoints.first } }

  func reached() async { await signal.wait() }

  func open() { sender.withLock { $0 = nil } }
}
