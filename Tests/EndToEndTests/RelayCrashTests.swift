import Foundation
import Pkarr
import Testing

@Suite("A relay that is killed", .serialized, .timeLimit(.minutes(10)))
struct RelayCrashTests {
  private static let rounds = 4
  private static let packetsPerRound = 300
  private static let clients = 16

  /// What clients know of their packets.
  private actor Progress {
    private var waiting: [SignedPacket]
    private(set) var accepted: [SignedPacket] = []
    private(set) var unexpected: [Int] = []
    /// Requests that had no answer.
    private(set) var lost = 0

    init(_ packets: [SignedPacket]) { waiting = packets }

    func next() -> SignedPacket? { waiting.popLast() }

    /// How many were accepted until now.
    func note(_ status: Int?, _ packet: SignedPacket) -> Int {
      switch status {
      case 204: accepted.append(packet)
      case let status?: unexpected.append(status)
      case nil: lost += 1
      }
      return accepted.count
    }
  }

  @Test("every packet that was answered with 204 is in the cache after SIGKILL and a new start")
  func killed() async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "5"]) { bootstrap in
        let path = try pubky.write(
          "relay.toml", PubkyCommand.relaySettings(bootstrap: bootstrap, tables: "[cache]\npath = \".\""))
        var accepted: [SignedPacket] = []
        var wasKilledAtWork = 0
        for round in 0..<Self.rounds {
          let packets = try (0..<Self.packetsPerRound).map { index in
            try SignedPacket(signedBy: Keypair()) { TXT("_crash", "\(round) \(index)", ttl: 3600) }
          }
          let relay = try await pubky.startRelay(path)
          defer { relay.command.kill() }
          try await expectAll(accepted, at: relay)
          // Each round is killed at another point of its work.
          let progress = await put(packets, at: relay, killAfter: 40 + 60 * round)
          _ = await relay.command.end()
          let unexpected = await progress.unexpected
          #expect(unexpected.isEmpty, "\(unexpected)")
          let stored = await progress.accepted
          #expect(stored.count >= 40 + 60 * round)
          if await progress.lost > 0 { wasKilledAtWork += 1 }
          accepted += stored
        }
        #expect(wasKilledAtWork > 0, "no relay was killed while requests were under way")
        let relay = try await pubky.startRelay(path)
        defer { relay.command.kill() }
        try await expectAll(accepted, at: relay)
        relay.command.terminate()
        #expect(await relay.command.end().status == 0)
      }
    }
  }

  @Test(
    "what a killed relay without a place for its cache leaves behind is removed by the next one, while a living one keeps its own"
  )
  func leftovers() async throws {
    try await PubkyCommand.inFolder { pubky in
      var pubky = pubky
      let temporary = pubky.path("temporary")
      try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
      pubky.environment["TMPDIR"] = temporary
      func directories() throws -> Set<String> { Set(try FileManager.default.contentsOfDirectory(atPath: temporary)) }
      try await pubky.withTestnet(["--nodes", "2"]) { bootstrap in
        let path = try pubky.write("relay.toml", PubkyCommand.relaySettings(bootstrap: bootstrap))
        let killed = try await pubky.startRelay(path)
        let abandoned = try directories()
        #expect(abandoned.count == 1)
        killed.command.kill()
        _ = await killed.command.end()
        #expect(try directories() == abandoned)

        let living = try await pubky.startRelay(path)
        defer { living.command.kill() }
        let own = try directories()
        #expect(own.count == 1 && own.isDisjoint(with: abandoned))
        let other = try await pubky.startRelay(path)
        defer { other.command.kill() }
        #expect(try directories().isSuperset(of: own) && directories().count == 2)
        for relay in [other, living] {
          relay.command.terminate()
          #expect(await relay.command.end().status == 0)
        }
        #expect(try directories().isEmpty)
      }
    }
  }

  /// Puts packets over many connections, and kills the relay once so many were accepted.
  private func put(_ packets: [SignedPacket], at relay: RunningRelay, killAfter count: Int) async -> Progress {
    let progress = Progress(packets)
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<Self.clients {
        group.addTask {
          while let packet = await progress.next() {
            let status = try? await relay.put(packet)
            if await progress.note(status, packet) >= count { relay.command.kill() }
            if status == nil { return }
          }
        }
      }
    }
    return progress
  }

  private func expectAll(_ packets: [SignedPacket], at relay: RunningRelay) async throws {
    var missing = 0
    for packet in packets {
      let response = try await relay.get(packet, policy: "CacheOnly")
      if response.status != 200 || response.body != packet.relayPayload { missing += 1 }
    }
    #expect(missing == 0, "\(missing) of \(packets.count) acknowledged packets are lost")
  }
}
