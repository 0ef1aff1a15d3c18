import Addresses
import EventLoops
import Pkarr
import Testing

@testable import PkarrRelay

@Suite("Checking signatures on a loop")
struct VerificationLaneTests {
  private func withLane(
    gatherTime: Duration = .milliseconds(2), _ body: (VerificationLane, RelayCounter) async throws -> Void
  ) async throws {
    let loop = try EventLoop(name: "lane")
    try loop.start()
    let counter = RelayCounter()
    do {
      try await body(VerificationLane(on: loop, counter, gatherTime: gatherTime), counter)
    } catch {
      await loop.shutdown()
      throw error
    }
    await loop.shutdown()
  }

  private func outcome(
    _ lane: VerificationLane, _ packet: SignedPacket, damaged: Bool = false, from client: IPAddress
  ) async -> Result<SignedPacket, RelayFailure> {
    var payload = packet.relayPayload
    if damaged { payload[3] ^= 1 }
    do throws(RelayFailure) {
      return .success(try await lane.verify(payload, key: packet.publicKey.bytes, from: client))
    } catch {
      return .failure(error)
    }
  }

  @Test("good packets pass, bad ones are refused with the reason")
  func verdicts() async throws {
    try await withLane { lane, counter in
      let packet = try makePacket(Keypair(), at: 1_000_000)
      let client = IPAddress(192, 0, 2, 1)
      guard case .success(let checked) = await outcome(lane, packet, from: client) else { throw CancellationError() }
      #expect(checked.isSame(as: packet))
      #expect(await outcome(lane, packet, damaged: true, from: client) == .failure(.invalidPacket(.invalidSignature)))
      #expect(counter.current.verified == 2 && counter.current.invalid == 1)
      for count in [0, 71, 1073] {
        await #expect(throws: RelayFailure.self) {
          try await lane.verify([UInt8](repeating: 0, count: count), key: packet.publicKey.bytes, from: client)
        }
      }
      // No signature was looked at for that.
      #expect(counter.current.verified == 2)
      #expect(await lane.waiting() == 0)
    }
  }

  @Test("while many send rubbish, those who do not get their turn, and nobody's answer is lost")
  func flood() async throws {
    try await withLane { lane, counter in
      let packet = try makePacket(Keypair(), at: 1_000_000)
      await withTaskGroup(of: (isGood: Bool, result: Result<SignedPacket, RelayFailure>).self) { group in
        for number in 0..<600 {
          let isGood = number % 20 == 0
          let client = isGood ? IPAddress(192, 0, 2, UInt8(number / 20)) : IPAddress(10, 0, 0, UInt8(number % 8))
          group.addTask { (isGood, await outcome(lane, packet, damaged: !isGood, from: client)) }
        }
        var good = 0
        var answers = 0
        for await (isGood, result) in group {
          answers += 1
          switch (isGood, result) {
          case (true, .success): good += 1
          case (false, .failure(.invalidPacket)), (false, .failure(.busy)): break
          default: Issue.record("\(isGood): \(result)")
          }
        }
        #expect(good == 30 && answers == 600)
      }
      #expect(counter.current.invalid + 30 == counter.current.verified)
    }
  }

  @Test("while many packets are being published, others wait for company; a full group and a lone packet do not")
  func company() async throws {
    try await withLane(gatherTime: .seconds(86_400)) { lane, counter in
      let packet = try makePacket(Keypair(), at: 1_000_000)
      let client = IPAddress(192, 0, 2, 1)
      lane.underWay.store(VerificationLane.company - 1, ordering: .relaxed)
      #expect((try? await outcome(lane, packet, from: client).get()) != nil)
      lane.underWay.store(VerificationLane.company, ordering: .relaxed)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 1..<VerificationLane.jobsPerTurn {
          group.addTask { #expect((try? await outcome(lane, packet, from: client).get()) != nil) }
        }
        while await lane.waiting() < VerificationLane.jobsPerTurn - 1 { await Task.yield() }
        #expect(counter.current.verified == 1)
        group.addTask { #expect((try? await outcome(lane, packet, from: client).get()) != nil) }
        try await group.waitForAll()
      }
      #expect(counter.current.verified == UInt64(1 + VerificationLane.jobsPerTurn))
    }
  }

  @Test("a packet that waits for company is checked without any, after a moment")
  func noCompany() async throws {
    try await withLane { lane, _ in
      lane.underWay.store(VerificationLane.company, ordering: .relaxed)
      let packet = try makePacket(Keypair(), at: 1_000_000)
      #expect((try? await outcome(lane, packet, from: IPAddress(192, 0, 2, 1)).get()) != nil)
    }
  }

  @Test("who goes away waits no longer")
  func cancelled() async throws {
    try await withLane { lane, _ in
      let packet = try makePacket(Keypair(), at: 1_000_000)
      // The loop is kept busy until the task is cancelled.
      let gate = ScriptedNetwork.Gate()
      let busy = LockedValue(true)
      lane.loop.execute { while busy.withLock({ $0 }) {} }
      let task = Task { await outcome(lane, packet, from: IPAddress(192, 0, 2, 1)) }
      Task {
        await gate.wait()
        busy.withLock { $0 = false }
      }
      task.cancel()
      gate.open()
      let result = await task.value
      // The job may have been done in the moment before.
      #expect(result == .failure(.cancelled) || (try? result.get().isSame(as: packet)) == true)
      #expect(await lane.waiting() == 0)
    }
  }
}
