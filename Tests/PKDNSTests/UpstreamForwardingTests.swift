import Addresses
import Cryptography
import DNSWire
import Testing

@testable import PKDNS

/// Forwarding on a virtual clock: what is sent when, and what is believed.
@Suite("Forwarding, without sockets")
struct UpstreamForwardingTests {
  private static let millisecond: UInt64 = 1_000_000
  private static let servers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map { UpstreamServer($0)! }
  private static let question = UpstreamQuestion(try! DomainName("www.example."), .a)

  /// What was decided, gathered.
  private struct Bench {
    var forwarding: UpstreamForwarding
    var now: UInt64 = 1_000_000_000
    var sent: [(attempt: UInt64, server: UpstreamServer, isStream: Bool, bytes: [UInt8])] = []
    var closed: [UInt64] = []
    var finished: [UInt64: UpstreamResult] = [:]

    init(_ servers: [UpstreamServer], policy: UpstreamPolicy = UpstreamPolicy()) {
      forwarding = UpstreamForwarding(servers, policy: policy, random: RandomSource(seed: 7))
    }

    mutating func settle() {
      while let action = forwarding.takeAction() {
        switch action {
        case .send(let attempt, let server, let isStream, let bytes): sent.append((attempt, server, isStream, bytes))
        case .close(let attempt): closed.append(attempt)
        case .finish(let number, let result): finished[number] = result
        }
      }
    }

    mutating func begin(_ number: UInt64 = 1, delegate: Endpoint? = nil) {
      forwarding.begin(number, UpstreamForwardingTests.question, delegate: delegate, now: now)
      settle()
    }

    mutating func pass(_ milliseconds: UInt64) {
      let end = now + milliseconds * UpstreamForwardingTests.millisecond
      while let deadline = forwarding.nextDeadline, deadline <= end {
        now = max(now, deadline)
        forwarding.tick(now: now)
        settle()
      }
      now = end
    }

    @discardableResult
    mutating func answer(_ index: Int, code: UInt8 = 0, changing change: (inout [UInt8]) -> Void = { _ in }) -> Bool {
      var bytes = sent[index].bytes
      bytes[2] |= 0x80
      bytes[3] = bytes[3] & 0xf0 | code
      change(&bytes)
      let isMeant = forwarding.received(sent[index].attempt, bytes.span.bytes, now: now)
      settle()
      return isMeant
    }

    /// Makes all servers known, each with a round trip.
    mutating func teach(_ roundTrips: [UInt64]) {
      for (index, time) in roundTrips.enumerated() {
        forwarding.estimates[index].answered(after: time * UpstreamForwardingTests.millisecond, at: now)
      }
    }
  }

  @Test(
    "a question goes to the fastest server, and the answer of another name, type, identifier or direction is not believed"
  )
  func question() throws {
    var bench = Bench(Self.servers)
    bench.teach([50, 10, 90])
    bench.begin()
    #expect(bench.sent.map(\.server) == [Self.servers[1]])
    let forgeries: [(inout [UInt8]) -> Void] = [
      { $0[0] ^= 1 }, { $0[2] &= 0x7f }, { $0[13] ^= 1 }, { $0[12 + 13 + 1] ^= 2 }, { $0[5] = 2 },
      { $0 = Array($0.prefix(20)) },
    ]
    for forgery in forgeries {
      let isBelieved = bench.answer(0, changing: forgery)
      #expect(!isBelieved)
    }
    #expect(bench.finished.isEmpty && bench.forwarding.counts.foreignMessages == 6)
    let isBelieved1 = bench.answer(0)
    #expect(isBelieved1)
    guard case .answer(let bytes, let server)? = bench.finished[1] else {
      Issue.record("no answer")
      return
    }
    #expect(server == Self.servers[1] && bytes[0] == 0 && bytes[1] == 0)
    #expect(Array(bytes[12..<25]) == Self.question.name.wire, "letters come back as they were asked")
    #expect(bench.forwarding.attemptCount == 0 && bench.forwarding.questionCount == 0)
  }

  @Test("identifiers and letters are random, and letters are what was asked")
  func randomness() {
    var bench = Bench([Self.servers[0]])
    for number in 1...64 as ClosedRange<UInt64> { bench.begin(number) }
    let identifiers = Set(bench.sent.map { UInt16($0.bytes[0]) << 8 | UInt16($0.bytes[1]) })
    let spellings = Set(bench.sent.map { Array($0.bytes[12..<25]) })
    #expect(identifiers.count > 60 && spellings.count > 55)
    for spelling in spellings { #expect(String(decoding: spelling, as: UTF8.self).lowercased().hasSuffix("example\0")) }
  }

  @Test("a silent server is left for the next best after its usual time, and an answer that comes late still counts")
  func retry() {
    var bench = Bench(Self.servers)
    bench.teach([10, 20, 30])
    bench.begin()
    bench.pass(49)
    #expect(bench.sent.count == 1)
    bench.pass(10)
    #expect(bench.sent.map(\.server) == [Self.servers[0], Self.servers[1]])
    bench.pass(200)
    #expect(bench.sent.map(\.server).prefix(3) == Self.servers[...])
    let isBelieved2 = bench.answer(0)
    #expect(isBelieved2)
    #expect(bench.finished.count == 1 && bench.closed.count == bench.sent.count)
  }

  @Test("a question without any answer ends at the deadline after at most so many attempts")
  func deadline() {
    var bench = Bench(Self.servers)
    bench.begin()
    bench.pass(4999)
    #expect(bench.finished.isEmpty && bench.sent.count <= 6 && bench.sent.count >= 4)
    bench.pass(1)
    #expect(bench.finished[1] == .failure(.timedOut))
    #expect(bench.forwarding.questionCount == 0 && bench.forwarding.attemptCount == 0)
  }

  @Test("servers that were never measured are asked along with the best, once a second at most")
  func race() {
    var bench = Bench(Array(Self.servers.prefix(2)))
    bench.teach([10])
    bench.begin(1)
    #expect(bench.sent.map(\.server) == Array(Self.servers.prefix(2)))
    bench.answer(0)
    bench.begin(2)
    #expect(bench.sent.count == 3 && bench.sent[2].server == Self.servers[0])
    // The slower answer of the first question is measured although the question has ended.
    bench.now += 5 * Self.millisecond
    let isBelieved3 = bench.answer(1)
    #expect(isBelieved3)
    #expect(bench.forwarding.estimates[1].roundTrip == 5 * Self.millisecond)
    bench.begin(3)
    #expect(bench.sent[3].server == Self.servers[1], "it has turned out to be the faster one")
  }

  @Test("a server that does not answer is avoided for longer and longer, and used again once it answers")
  func death() {
    var estimate = UpstreamEstimate()
    for _ in 0..<3 { estimate.failed(at: 0) }
    #expect(estimate.isDead(at: 999_999_999) && !estimate.isDead(at: 1_000_000_000))
    estimate.failed(at: 0)
    #expect(estimate.isDead(at: 1_999_999_999))
    for _ in 0..<40 { estimate.failed(at: 0) }
    #expect(estimate.isDead(at: 59_000_000_000) && !estimate.isDead(at: 60_000_000_001))
    estimate.answered(after: 1000, at: 5)
    #expect(!estimate.isDead(at: 5) && estimate.failures == 0)

    var bench = Bench(Array(Self.servers.prefix(2)))
    bench.teach([10, 20])
    for _ in 0..<3 { bench.forwarding.estimates[0].failed(at: bench.now) }
    bench.begin()
    #expect(bench.sent[0].server == Self.servers[1])
    for _ in 0..<9 { bench.forwarding.estimates[1].failed(at: bench.now) }
    bench.begin(2)
    #expect(bench.sent.last?.server == Self.servers[0], "if all are dead, the one that is back first")
  }

  @Test("a cut answer is asked for again over TCP; if even that is cut there is none")
  func truncation() {
    var bench = Bench([Self.servers[0]])
    bench.begin()
    let isBelieved4 = bench.answer(0) { $0[2] |= 0x02 }
    #expect(isBelieved4)
    #expect(bench.sent.count == 2 && bench.sent[1].isStream && bench.closed == [bench.sent[0].attempt])
    bench.answer(1) { $0[2] |= 0x02 }
    bench.pass(5000)
    #expect(bench.finished[1] == .failure(.truncated) || bench.finished[1] == .failure(.timedOut))
  }

  @Test("who guesses identifiers drives the question to TCP, where guesses do not arrive")
  func flood() {
    var bench = Bench([Self.servers[0]])
    bench.begin()
    for guess in 0..<100 as Range<UInt8> { bench.answer(0) { $0[0] = ~$0[0] ^ guess & 0x0f } }
    #expect(bench.sent.count == 2 && bench.sent[1].isStream)
    let isBelieved5 = bench.answer(1)
    #expect(isBelieved5)
    if case .answer? = bench.finished[1] {} else { Issue.record("no answer") }
  }

  @Test("an answer in another case is asked for again over TCP, and a server that always answers so is learnt")
  func otherCase() {
    var bench = Bench([Self.servers[0]])
    bench.begin()
    let lowered: (inout [UInt8]) -> Void = { bytes in
      for index in 12..<24 where (0x41...0x5a).contains(bytes[index]) { bytes[index] |= 0x20 }
    }
    let isBelieved6 = bench.answer(0, changing: lowered)
    #expect(isBelieved6)
    #expect(bench.finished.isEmpty && bench.sent[1].isStream)
    let isBelieved7 = bench.answer(1, changing: lowered)
    #expect(isBelieved7)
    #expect(bench.finished.count == 1)
  }

  @Test(
    "a refusal makes the next server answer; it is the answer if nobody has a better one", arguments: [2, 5] as [UInt8])
  func refusal(code: UInt8) {
    var bench = Bench(Array(Self.servers.prefix(2)))
    bench.teach([10, 20])
    bench.begin()
    bench.answer(0, code: code)
    #expect(bench.finished.isEmpty && bench.sent.map(\.server) == Array(Self.servers.prefix(2)))
    bench.answer(1, code: code)
    guard case .answer(let bytes, _)? = bench.finished[1] else {
      Issue.record("no answer")
      return
    }
    #expect(bytes[3] & 15 == code)
  }

  @Test("a server from before EDNS is asked without, and is not asked with it again")
  func noOptions() {
    var bench = Bench([Self.servers[0]])
    bench.begin()
    bench.answer(0, code: 1) { bytes in
      bytes[11] = 0
      bytes.removeLast(11)
    }
    #expect(bench.sent.count == 2 && bench.sent[1].bytes[11] == 0)
    bench.answer(1)
    bench.begin(2)
    #expect(bench.sent[2].bytes[11] == 0)
  }

  @Test("what cannot be reached is left at once for another server, and not asked again and again")
  func unreachable() {
    var bench = Bench(Array(Self.servers.prefix(2)))
    bench.teach([10, 20])
    bench.begin()
    bench.forwarding.failed(bench.sent[0].attempt, .unreachable(111), now: bench.now)
    bench.settle()
    #expect(bench.sent.count == 2)
    bench.forwarding.failed(bench.sent[1].attempt, .unreachable(111), now: bench.now)
    bench.settle()
    #expect(bench.sent.count == 2, "the next attempt waits for its time")
    bench.pass(5000)
    #expect(bench.sent.count <= UpstreamPolicy().maximumAttempts)
    #expect(bench.finished[1] == .failure(.unreachable(111)) || bench.finished[1] == .failure(.timedOut))
  }

  @Test("questions are bounded, and without servers there is nobody to ask")
  func bounds() {
    var policy = UpstreamPolicy()
    policy.maximumQuestions = 2
    var bench = Bench(Self.servers, policy: policy)
    for number in 1...3 as ClosedRange<UInt64> { bench.begin(number) }
    #expect(bench.finished == [3: .failure(.busy)])
    var nobody = Bench([])
    nobody.begin()
    #expect(nobody.finished == [1: .failure(.noServer)])
  }

  @Test("a delegated server is asked alone, and only it is believed")
  func delegation() {
    var bench = Bench(Self.servers)
    let server = Endpoint(IPAddress(203, 0, 113, 1), port: 53)
    bench.begin(delegate: server)
    #expect(bench.sent.map(\.server.endpoint) == [server])
    bench.pass(1000)
    #expect(Set(bench.sent.map(\.server.endpoint)) == [server])
    bench.answer(0)
    #expect(bench.finished.count == 1)
  }

  @Test("when servers are replaced, questions under way are asked anew")
  func replacement() {
    var bench = Bench([Self.servers[0]])
    bench.begin()
    bench.forwarding.replace(servers: [Self.servers[2]], now: bench.now)
    bench.settle()
    #expect(bench.sent.map(\.server) == [Self.servers[0], Self.servers[2]] && bench.closed == [bench.sent[0].attempt])
    let isBelieved8 = bench.answer(0)
    #expect(!isBelieved8)
    let isBelieved9 = bench.answer(1)
    #expect(isBelieved9)
    #expect(bench.finished.count == 1)
  }

  @Test("a thousand questions with losses leave nothing behind")
  func manyQuestions() {
    var bench = Bench(Self.servers)
    var random = RandomSource(seed: 3)
    for number in 1...1000 as ClosedRange<UInt64> {
      bench.begin(number)
      if random.next() % 3 > 0 { bench.answer(Int(random.next() % UInt64(bench.sent.count))) }
      bench.pass(random.next() % 40)
    }
    bench.pass(10_000)
    #expect(bench.finished.count == 1000)
    #expect(bench.forwarding.questionCount == 0 && bench.forwarding.attemptCount == 0)
    #expect(bench.forwarding.nextDeadline == nil)
  }
}
