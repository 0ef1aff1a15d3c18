import MainlineProtocol
import Pkarr
import Testing

@testable import PkarrClient

/// When a resolution ends, decided without any network.
@Suite("The race of DHT and relays")
struct ResolveRaceTests {
  private let now = Timestamp.wallClock
  private let urls: [RelayURL] = ["https://a.example", "https://b.example", "https://c.example"]

  private func race(
    _ policy: ResolvePolicy, relays count: Int, dht: Bool = true, cached: SignedPacket? = nil
  ) -> ResolveRace {
    ResolveRace(
      policy: policy, context: CacheContext(cached: cached, policy: CachePolicy()), relays: Array(urls.prefix(count)),
      asksDHT: dht)
  }

  /// The end of a lookup whose closest nodes hold these versions.
  private func completion(
    _ result: Result<SignedPacket, ResolveError>, holding versions: [UInt64?] = []
  ) -> DHTCompletion {
    var counts = GetOutcome()
    counts.storageNodes = versions.enumerated().map { number, version in
      StorageNode(
        contact: NodeContact(id: .zero, endpoint: .init(.loopbackV4, port: UInt16(1000 + number))), token: [1],
        seq: version.map { Int64($0) })
    }
    return DHTCompletion(result, report: ResolveReport(counts))
  }

  @Test("without anybody to ask it is over, and nothing was found")
  func nobody() {
    let race = race(.cacheOnly, relays: 0)
    #expect(race.isOver)
    #expect(race.result == .failure(.notFound))
  }

  @Test("CacheFirst ends with the first good answer of either side")
  func firstAnswer() throws {
    let packet = try Samples.packet(10)
    var byRelay = race(.cacheFirst, relays: 2)
    byRelay.relayEnded(1, .success(packet), at: now)
    #expect(byRelay.isOver && byRelay.isEarly)
    #expect(try byRelay.result.get().source == .relay(urls[1]))
    var byDHT = race(.cacheFirst, relays: 2)
    byDHT.dhtFound(packet, at: now)
    #expect(byDHT.isOver && byDHT.isEarly)
    #expect(try byDHT.result.get().source == .dht)
  }

  @Test("CacheFirst is not ended by a packet below the floor, nor by an expired one, nor by an error")
  func notGoodEnough() throws {
    var race = race(.cacheFirst, relays: 2, cached: try Samples.packet(10))
    race.dhtFound(try Samples.packet(9), at: now)
    race.relayEnded(0, .success(try Samples.packet(11).seen(secondsAgo: 1000)), at: now)
    #expect(!race.isOver)
    race.dhtEnded(completion(.success(try Samples.packet(9))), at: now)
    #expect(!race.isOver)
    race.relayEnded(1, .failure(.timeout), at: now)
    #expect(race.isOver && !race.isEarly)
    // The newest of all, which the client will cache and not return.
    #expect(try race.result.get().packet.timestamp.microseconds == 11)
  }

  @Test("NetworkOnly ends when everybody has answered, whatever they answer")
  func everybody() throws {
    var race = race(.networkOnly, relays: 2)
    race.dhtFound(try Samples.packet(10), at: now)
    race.relayEnded(0, .success(try Samples.packet(12)), at: now)
    race.dhtEnded(completion(.success(try Samples.packet(11)), holding: [11, 11, 10]), at: now)
    #expect(!race.isOver && !race.isAgreed)
    race.relayEnded(1, .failure(.notFound), at: now)
    #expect(race.isOver && !race.isEarly)
    #expect(try race.result.get().packet.timestamp.microseconds == 12)
    let report = race.report(.testnet)
    #expect(report.newest == Timestamp(microseconds: 12))
    #expect(report.relays.map(\.standing) == [.current, .nothing])
    #expect(report.nodesServingOlder == 3 && report.dht?.nodesWithNewest == 0)
    #expect(!report.isAgreed)
    #expect("\(report)".contains("3 of 3 DHT nodes") && "\(report)".contains("https://b.example"))
  }

  @Test(
    "DHT and a relay agree if most of the closest nodes that hold anything hold the newest of all",
    arguments: [
      ([10, 10, 10], true), ([10, 9, 10, nil, nil], true), ([10, 9], false), ([10, 9, 9], false),
      // Beyond the eight closest nobody looks.
      ([10, 10, 10, 10, 10, 9, 9, 9, 9, 9, 9], true), ([10, 10, 10, 10, 9, 9, 9, 9, 10, 10], false),
    ] as [([UInt64?], Bool)])
  func agreement(versions: [UInt64?], isAgreed: Bool) throws {
    let packet = try Samples.packet(10)
    var race = race(.networkOnly, relays: 3)
    race.dhtEnded(completion(.success(packet), holding: versions), at: now)
    // No relay has spoken.
    #expect(!race.isAgreed)
    race.relayEnded(0, .failure(.timeout), at: now)
    #expect(!race.isAgreed)
    race.relayEnded(1, .success(try Samples.packet(9)), at: now)
    #expect(race.isAgreed == isAgreed && !race.isOver)
    race.graceEnded()
    #expect(race.isOver == isAgreed)
    #expect(race.pendingRelays == [2])
  }

  @Test("a relay that knows something newer breaks the agreement, and is waited for with all others")
  func brokenAgreement() throws {
    var race = race(.networkOnly, relays: 3)
    race.dhtEnded(completion(.success(try Samples.packet(10)), holding: [10, 10]), at: now)
    race.relayEnded(0, .success(try Samples.packet(10)), at: now)
    #expect(race.isAgreed)
    race.relayEnded(1, .success(try Samples.packet(11)), at: now)
    #expect(!race.isAgreed)
    race.graceEnded()
    #expect(!race.isOver)
    race.relayEnded(2, .failure(.timeout), at: now)
    #expect(race.isOver)
    #expect(try race.result.get().packet.timestamp.microseconds == 11)
  }

  @Test("that nobody has anything can be agreed as well; a DHT that failed agrees to nothing")
  func agreementAboutNothing() {
    var race = race(.networkOnly, relays: 2)
    race.dhtEnded(completion(.failure(.notFound), holding: [nil, nil]), at: now)
    race.relayEnded(0, .failure(.notFound), at: now)
    #expect(race.isAgreed)
    for error in [ResolveError.noResponses, .noDHTNodesQueried, .noUsableResponses, .invalidSignedPacket(seq: 3)] {
      var failed = self.race(.networkOnly, relays: 2)
      failed.dhtEnded(completion(.failure(error)), at: now)
      failed.relayEnded(0, .failure(.notFound), at: now)
      #expect(!failed.isAgreed)
    }
  }

  @Test("relays alone agree if more than half of them say the same and none says otherwise")
  func relaysAlone() throws {
    let packet = try Samples.packet(10)
    var race = race(.networkOnly, relays: 3, dht: false)
    race.relayEnded(0, .success(packet), at: now)
    #expect(!race.isAgreed)
    race.relayEnded(1, .success(packet), at: now)
    #expect(race.isAgreed)
    var divided = self.race(.networkOnly, relays: 3, dht: false)
    divided.relayEnded(0, .success(packet), at: now)
    divided.relayEnded(1, .failure(.notFound), at: now)
    #expect(!divided.isAgreed)
    var empty = self.race(.networkOnly, relays: 3, dht: false)
    empty.relayEnded(0, .failure(.notFound), at: now)
    empty.relayEnded(2, .failure(.notFound), at: now)
    #expect(empty.isAgreed)
  }

  @Test("only NetworkOnly ends by agreement")
  func otherPolicies() throws {
    for policy in [ResolvePolicy.cacheFirst, .cacheOnly] {
      var race = race(policy, relays: 2, dht: false)
      race.relayEnded(0, .failure(.notFound), at: now)
      #expect(!race.isAgreed && !race.isOver)
    }
  }
}

@Suite("The grace for relays")
struct GraceTests {
  @Test("a relay that was measured gets what it usually takes, a stranger twice what the slowest took")
  func time() {
    func grace(_ pending: [Duration?], _ elapsed: Duration, _ slowest: Duration) -> Duration {
      Grace.time(pending: pending, elapsed: elapsed, slowest: slowest)
    }
    #expect(grace([.milliseconds(400)], .milliseconds(100), .milliseconds(30)) == .milliseconds(300))
    #expect(grace([.milliseconds(400), nil], .milliseconds(100), .milliseconds(300)) == .milliseconds(500))
    #expect(grace([nil], .milliseconds(20), .milliseconds(10)) == .milliseconds(80))
    // Never less than a moment, never more than a second.
    #expect(grace([.milliseconds(400)], .milliseconds(900), .milliseconds(30)) == .milliseconds(50))
    #expect(grace([.seconds(9)], .zero, .zero) == .seconds(1))
    #expect(grace([], .seconds(5), .zero) == .milliseconds(50))
  }

  @Test("answer times follow what is measured")
  func measured() {
    var times = AnswerTimes()
    #expect(times.expected == nil)
    times.add(.milliseconds(100))
    #expect(times.expected == .milliseconds(300))
    for _ in 0..<100 { times.add(.milliseconds(100)) }
    let steady = times.expected!
    #expect(steady >= .milliseconds(100) && steady < .milliseconds(102))
    times.add(.milliseconds(500))
    #expect(times.expected! > .milliseconds(400))
  }
}
