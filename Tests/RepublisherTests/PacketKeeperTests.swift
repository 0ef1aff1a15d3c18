import EventLoops
import Mainline
import Pkarr
import PlainText
import Testing

@testable import Republisher

@Suite("Keeping alive what a service is asked for", .serialized)
struct PacketKeeperTests {
  typealias Stand = RepublisherTests.Stand

  /// What a service holds, and hears.
  final class Service: Sendable {
    let packets = LockedValue<[PublicKey: SignedPacket]>([:])
    let newer = LockedValue<[SignedPacket]>([])

    func keeper(_ stand: Stand) -> PacketKeeper {
      let keeper = PacketKeeper(through: stand.node, packet: { key in self.packets.withLock { $0[key] } })
      keeper.tellNewer { packet in self.newer.withLock { $0.append(packet) } }
      return keeper
    }

    func hold(_ packet: SignedPacket) { packets.withLock { $0[packet.publicKey] = packet } }
  }

  private func settings(_ change: (inout PacketKeeperSettings) -> Void = { _ in }) -> PacketKeeperSettings {
    var settings = PacketKeeperSettings()
    settings.requests = 1
    settings.rate = 1000
    change(&settings)
    return settings
  }

  private func packet(_ number: Int, _ version: UInt64 = 5_000_000, _ text: String = "world") throws -> SignedPacket {
    try RepublishSamples.packet(try RepublishSamples.keypair(number), version, text)
  }

  /// Waits until it has done so many checks.
  private func checks(_ count: UInt64, of keeper: PacketKeeper) async -> RepublishTotals? {
    var totals: RepublishTotals?
    let isDone = await eventually {
      totals = await keeper.status()?.totals
      return totals?.checkTimes.count ?? 0 >= count
    }
    return isDone ? totals : nil
  }

  @Test("what is asked for is put where it is missing; what nobody asks for is not")
  func requested() async throws {
    try await Stand.run { stand in
      let service = Service()
      let keeper = service.keeper(stand)
      let (wanted, other) = (try packet(1), try packet(2))
      service.hold(wanted)
      service.hold(other)
      keeper.note(wanted.publicKey)
      #expect(await keeper.status() == nil)
      await keeper.change(to: settings())
      keeper.note(wanted.publicKey)
      await keeper.sweep()
      let totals = try #require(await checks(1, of: keeper))
      #expect(totals.published == 1 && totals.copiesAdded >= 10)
      #expect(await keeper.status()?.keys == 1)
      #expect(try await stand.lookUp(wanted.publicKey).packet?.isSame(as: wanted) == true)
      #expect(try await stand.lookUp(other.publicKey).packet == nil)
      await keeper.end()
      #expect(await keeper.status() == nil)
    }
  }

  @Test("a newer version on the network is told, and kept alive from then on; a key without a packet is looked up")
  func newer() async throws {
    try await Stand.run { stand in
      let service = Service()
      let keeper = service.keeper(stand)
      let (old, new, unknown) = (try packet(3), try packet(3, 6_000_000), try packet(4))
      service.hold(old)
      try await stand.publish(new)
      try await stand.publish(unknown)
      await keeper.change(to: settings())
      for key in [old.publicKey, unknown.publicKey] { keeper.note(key) }
      await keeper.sweep()
      let totals = try #require(await checks(2, of: keeper))
      #expect(totals.superseded == 1 && totals.failed == 0)
      let told = service.newer.withLock { $0 }
      #expect(told.count == 2 && told.contains { $0.isSame(as: new) } && told.contains { $0.isSame(as: unknown) })
      await keeper.end()
    }
  }

  @Test("a packet that the service gets meanwhile takes the place of the older one")
  func news() async throws {
    try await Stand.run { stand in
      let service = Service()
      let keeper = service.keeper(stand)
      let (old, new, foreign) = (try packet(5), try packet(5, 6_000_000), try packet(6))
      service.hold(old)
      await keeper.change(to: settings())
      keeper.note(old.publicKey)
      await keeper.sweep()
      _ = try #require(await checks(1, of: keeper))
      keeper.news(new)
      keeper.news(foreign)
      // Known keys only: what is offered for others makes nothing grow.
      #expect(await keeper.status()?.keys == 1)
      #expect(await keeper.keptPacket(of: new.publicKey)?.isSame(as: new) == true)
      #expect(await keeper.keptPacket(of: foreign.publicKey) == nil)
      await keeper.end()
    }
  }

  @Test("no more keys are looked after than may be: those asked for last")
  func bounded() async throws {
    try await Stand.run { stand in
      let service = Service()
      let keeper = service.keeper(stand)
      let packets = try (10..<30).map { try packet($0) }
      for packet in packets { service.hold(packet) }
      await keeper.change(to: settings { $0.keys = 5 })
      for packet in packets[..<5] { keeper.note(packet.publicKey) }
      await keeper.sweep()
      for packet in packets { keeper.note(packet.publicKey) }
      await keeper.sweep()
      // What is being checked goes when that has ended.
      #expect(await eventually { await keeper.status()?.keys == 5 })
      for packet in packets[15...] { #expect(await keeper.keptPacket(of: packet.publicKey) != nil) }
      await keeper.end()
    }
  }

  @Test("it can be switched off and on and told other limits while it works, and ends with what runs")
  func changes() async throws {
    try await Stand.run { stand in
      let service = Service()
      let keeper = service.keeper(stand)
      let packets = try (40..<60).map { try packet($0) }
      for packet in packets { service.hold(packet) }
      await keeper.change(to: settings())
      for packet in packets { keeper.note(packet.publicKey) }
      await keeper.sweep()
      await keeper.change(to: settings { $0.keys = 3 })
      await keeper.sweep()
      #expect(await eventually { await keeper.status()?.keys == 3 })
      await keeper.change(to: nil)
      #expect(await keeper.status() == nil)
      keeper.note(packets[0].publicKey)
      await keeper.change(to: settings())
      #expect(await keeper.status()?.keys == 0)
      for packet in packets { keeper.note(packet.publicKey) }
      // In the middle of the checks.
      await keeper.sweep()
      await keeper.end()
      await keeper.change(to: settings())
      #expect(await keeper.status() == nil)
    }
  }

  @Test("metrics count each outcome and name each reason")
  func metrics() {
    var status = RepublishStatus()
    status.keys = 7
    status.due = 2
    status.totals.count(.published(CopyCount(held: 0, added: 12, wanted: 10)), took: .milliseconds(300))
    status.totals.count(.alreadyAlive(CopyCount(held: 20, wanted: 10)), took: .milliseconds(5))
    status.totals.count(.superseded(CopyCount(held: 3, added: 7, wanted: 10)), took: .milliseconds(5))
    status.totals.count(.failed(.refused(code: 202)), took: .seconds(2))
    status.totals.count(.failed(.notStored), took: .seconds(2))
    status.round.number = 3
    status.lastRound = .seconds(3600)
    var text = PrometheusText()
    RepublishMetrics.add(status, prefix: "x", to: &text)
    for line in [
      "x_keys 7", "x_due_keys 2", "x_checks_total{outcome=\"published\"} 1",
      "x_checks_total{outcome=\"already_alive\"} 1",
      "x_checks_total{outcome=\"superseded\"} 1", "x_checks_total{outcome=\"failed\"} 2",
      "x_failures_total{reason=\"refused\"} 1", "x_failures_total{reason=\"not_stored\"} 1",
      "x_failures_total{reason=\"no_nodes\"} 0", "x_copies_added_total 19", "x_check_seconds_bucket{le=\"0.01\"} 2",
      "x_check_seconds_count 5", "x_rounds_total 2", "x_last_round_seconds 3600",
    ] {
      #expect(text.text.contains("\n\(line)\n"), "\(line)")
    }
  }
}

/// Waits until something has become true; false after a generous while.
func eventually(_ condition: () async -> Bool) async -> Bool {
  let deadline = ContinuousClock.now + .seconds(300)
  while ContinuousClock.now < deadline {
    if await condition() { return true }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return false
}
