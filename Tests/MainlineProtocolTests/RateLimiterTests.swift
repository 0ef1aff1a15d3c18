import Addresses
import Testing

@testable import MainlineProtocol

@Suite("Rate limits for others")
struct RateLimiterTests {
  private let host = IPAddress(203, 0, 113, 5)
  private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }
  private func address(_ number: Int) -> IPAddress { IPAddress(v4: 0x0b00_0000 + UInt32(number)) }

  @Test("50 queries at once, then 10 a second, from one address")
  func queries() {
    var limiter = RateLimiter(RateLimits())
    #expect((0..<60).filter { _ in limiter.admitQuery(from: host, at: at(0)) }.count == 50)
    #expect(limiter.admitQuery(from: host, at: at(99)) == false)
    #expect(limiter.admitQuery(from: host, at: at(100)) == true)
    #expect(limiter.admitQuery(from: host, at: at(100)) == false)
    #expect((0..<60).filter { _ in limiter.admitQuery(from: host, at: at(1100)) }.count == 10)
    #expect((0..<60).filter { _ in limiter.admitQuery(from: host, at: at(100_000)) }.count == 50)
    #expect(limiter.admitQuery(from: address(1), at: at(100_000)) == true, "others do not suffer")
  }

  @Test("an IPv6 /64 counts as one address")
  func ipv6() {
    var limiter = RateLimiter(RateLimits())
    let admitted = (0..<200).filter { number in
      limiter.admitQuery(from: IPAddress(high: 0x2001_0db8_0000_0001, low: UInt64(number)), at: at(0))
    }
    #expect(admitted.count == 50)
    #expect(limiter.admitQuery(from: IPAddress(high: 0x2001_0db8_0000_0002, low: 0), at: at(0)) == true)
  }

  @Test("one address gets 64 kB of answers at once, then 8 kB a second")
  func answerBytes() {
    var limiter = RateLimiter(RateLimits())
    #expect((0..<100).filter { _ in limiter.admitAnswer(ofBytes: 1000, to: host, at: at(0)) }.count == 64)
    #expect((0..<100).filter { _ in limiter.admitAnswer(ofBytes: 1000, to: host, at: at(1000)) }.count == 8)
  }

  @Test("all addresses together get 1 MB of answers at once, then 500 kB a second")
  func totalAnswerBytes() {
    var limiter = RateLimiter(RateLimits())
    var admitted = 0
    for number in 0..<2000 where limiter.admitAnswer(ofBytes: 1000, to: address(number), at: at(0)) { admitted += 1 }
    #expect(admitted == 1000)
    for number in 3000..<5000 where limiter.admitAnswer(ofBytes: 1000, to: address(number), at: at(1000)) {
      admitted += 1
    }
    #expect(admitted == 1500)
    // What was refused for lack of bytes in all was not charged to the address.
    #expect((0..<64).filter { _ in limiter.admitAnswer(ofBytes: 1000, to: address(4999), at: at(60_000)) }.count == 64)
  }

  @Test("20 signature checks a second for one address, 2000 for all")
  func verifications() {
    var limiter = RateLimiter(RateLimits())
    #expect((0..<100).filter { _ in limiter.admitVerification(for: host, at: at(0)) }.count == 20)
    var admitted = 0
    for tick in 0..<10_000 {
      for number in 0..<3 where limiter.admitVerification(for: address(tick * 3 + number), at: at(10_000 + Int64(tick)))
      {
        admitted += 1
      }
    }
    // Ten seconds of three wishes a millisecond: the burst and 2000 a second.
    #expect((20_000...21_001).contains(admitted), "\(admitted)")
  }

  @Test("a flood from ever new addresses takes bounded memory and forgets the least recent first")
  func boundedTable() {
    var limiter = RateLimiter(RateLimits())
    for _ in 0..<50 { _ = limiter.admitQuery(from: host, at: at(0)) }
    for number in 0..<19_999 { #expect(limiter.admitQuery(from: address(number), at: at(1)) == true) }
    #expect(limiter.addressCount == 20_000)
    #expect(limiter.admitQuery(from: host, at: at(1)) == false, "still remembered, and now the most recent")
    for number in 20_000..<40_000 { _ = limiter.admitQuery(from: address(number), at: at(1)) }
    #expect(limiter.addressCount == 20_000)
    #expect(limiter.admitQuery(from: host, at: at(1)) == true, "forgotten")
  }

  @Test("switched off, everything passes and nothing is remembered")
  func off() {
    var limiter = RateLimiter(RateLimits(), isOn: false)
    for _ in 0..<5000 {
      #expect(limiter.admitQuery(from: host, at: at(0)) == true)
      #expect(limiter.admitAnswer(ofBytes: 1452, to: host, at: at(0)) == true)
      #expect(limiter.admitVerification(for: host, at: at(0)) == true)
    }
    #expect(limiter.addressCount == 0)
  }

  @Test(
    "a rate of zero lets nothing pass and no clock value traps", arguments: [Int64.min / 4, -1, 0, 1, .max - 1, .max])
  func extremes(nanoseconds: Int64) {
    let now = Instant(nanoseconds: nanoseconds)
    var rates = RateLimits()
    var limiter = RateLimiter(rates)
    #expect(limiter.admitQuery(from: host, at: now) == true)
    rates.queriesPerAddress = 0
    limiter = RateLimiter(rates)
    #expect(limiter.admitQuery(from: host, at: now) == false)
    var pacer = OutgoingPacer(rates)
    #expect(pacer.admit(to: host, at: now) == .now)
  }
}

@Suite("Pacing of what the node sends")
struct OutgoingPacerTests {
  private let host = IPAddress(203, 0, 113, 5)
  private func at(_ milliseconds: Int64) -> Instant { Instant(nanoseconds: milliseconds * 1_000_000) }

  @Test("20 packets at once to one destination, then 4 a second")
  func destination() {
    var pacer = OutgoingPacer(RateLimits())
    for _ in 0..<20 { #expect(pacer.admit(to: host, at: at(0)) == .now) }
    #expect(pacer.admit(to: host, at: at(0)) == .later(at(250)))
    #expect(pacer.admit(to: host, at: at(249)) == .later(at(250)))
    #expect(pacer.admit(to: host, at: at(250)) == .now)
    #expect(pacer.admit(to: IPAddress(203, 0, 113, 6), at: at(250)) == .now, "each destination has its own bucket")
  }

  @Test("never 50 packets to one destination within ten seconds, however eager the sender")
  func window() {
    var pacer = OutgoingPacer(RateLimits())
    var sent: [Int64] = []
    for millisecond in 0..<60_000 where pacer.admit(to: host, at: at(Int64(millisecond))) == .now {
      sent.append(Int64(millisecond))
    }
    #expect(sent.count > 200, "it is paced, not blocked: \(sent.count)")
    for (index, time) in sent.enumerated() {
      #expect(sent[index...].prefix { $0 < time + 10_000 }.count < 50)
    }
  }

  @Test("a configured rate above libtorrent's patience is held down all the same")
  func windowAgainstConfiguration() {
    var rates = RateLimits()
    rates.outgoingPerAddress = 1000
    rates.outgoingBurstPerAddress = 1000
    rates.outgoingQueries = 100_000
    rates.outgoingQueryBurst = 100_000
    var pacer = OutgoingPacer(rates)
    #expect((0..<100).filter { _ in pacer.admit(to: host, at: at(500)) == .now }.count == 49)
    guard case .later(let next) = pacer.admit(to: host, at: at(500)) else { return #expect(Bool(false)) }
    #expect(next == at(11_000))
    #expect(pacer.admit(to: host, at: at(10_999)) != .now)
    #expect(pacer.admit(to: host, at: next) == .now)
  }

  @Test("50 packets at once to all, then 250 a second; the promised instant is kept")
  func total() {
    var pacer = OutgoingPacer(RateLimits())
    func destination(_ number: Int) -> IPAddress { IPAddress(v4: 0x0b00_0000 + UInt32(number)) }
    for number in 0..<50 { #expect(pacer.admit(to: destination(number), at: at(0)) == .now) }
    #expect(pacer.admit(to: destination(50), at: at(0)) == .later(at(4)))
    #expect(pacer.admit(to: destination(50), at: at(4)) == .now)
    var admitted = 0
    for number in 100..<1100 where pacer.admit(to: destination(number), at: at(1000)) == .now { admitted += 1 }
    #expect(admitted == 50)
  }

  @Test("an extra allowance raises what all are sent together, not what one is, and can be taken back")
  func extra() {
    var pacer = OutgoingPacer(RateLimits())
    pacer.allow(extraPerSecond: 2250)
    func admitted(_ milliseconds: Int64) -> Int {
      (0..<3000).filter { pacer.admit(to: IPAddress(v4: 0x0b00_0000 + UInt32($0)), at: at(milliseconds)) == .now }.count
    }
    #expect(admitted(0) == 500)
    #expect((1...100).reduce(0) { $0 + admitted(10 * Int64($1)) } == 2500)
    var single = OutgoingPacer(RateLimits())
    single.allow(extraPerSecond: 2250)
    #expect((0..<100).filter { _ in single.admit(to: host, at: at(0)) == .now }.count == 20)
    pacer.allow(extraPerSecond: 0)
    #expect(admitted(5000) == 50)
  }

  @Test("a refused packet costs nothing")
  func refusalIsFree() {
    var pacer = OutgoingPacer(RateLimits())
    for _ in 0..<20 { _ = pacer.admit(to: host, at: at(0)) }
    for _ in 0..<1000 { #expect(pacer.admit(to: host, at: at(0)) == .later(at(250))) }
    #expect(
      (0..<100).filter { pacer.admit(to: IPAddress(v4: 0x0b00_0000 + UInt32($0)), at: at(0)) == .now }.count == 30)
  }
}
