import Addresses
import Testing

@testable import PkarrRelay

@Suite("Signatures that wait to be checked")
struct VerificationQueueTests {
  private typealias Queue = VerificationQueue<String>

  private func client(_ number: UInt8) -> IPAddress { IPAddress(192, 0, 2, number) }

  private func queue(perClient: Int = 32, total: Int = 1024) -> Queue {
    var limits = Queue.Limits()
    limits.perClient = perClient
    limits.total = total
    return Queue(limits)
  }

  private func isWaiting(_ admission: Queue.Admission) -> Bool {
    if case .waiting = admission { true } else { false }
  }

  private func isRefused(_ admission: Queue.Admission) -> Bool {
    if case .refused = admission { true } else { false }
  }

  @Test("clients take turns, however many jobs one of them has")
  func turns() {
    var queue = queue()
    for number in 1...4 { #expect(isWaiting(queue.add("a\(number)", from: client(1), at: 0))) }
    for number in 1...2 { #expect(isWaiting(queue.add("b\(number)", from: client(2), at: 0))) }
    #expect(isWaiting(queue.add("c1", from: nil, at: 0)))
    #expect(queue.next(upTo: 4, at: 0).map(\.job) == ["a1", "b1", "c1", "a2"])
    #expect(isWaiting(queue.add("d1", from: client(4), at: 0)))
    #expect(queue.next(upTo: 8, at: 0).map(\.job) == ["b2", "a3", "d1", "a4"])
    #expect(queue.isEmpty && queue.next(upTo: 8, at: 0).isEmpty)
  }

  @Test("who sent rubbish lately comes last, until some time has passed")
  func last() {
    var queue = queue()
    queue.report(client(1), isValid: false, at: 0)
    _ = queue.add("bad1", from: client(1), at: 0)
    _ = queue.add("bad2", from: client(1), at: 0)
    for number in 2...5 as ClosedRange<UInt8> { _ = queue.add("good\(number)", from: client(number), at: 0) }
    #expect(queue.next(upTo: 5, at: 0).map(\.job) == ["good2", "good3", "good4", "good5", "bad1"])
    // A second of good behaviour later its turn is like everybody's.
    _ = queue.add("good6", from: client(6), at: 999_999_999)
    _ = queue.add("good7", from: client(7), at: 1_000_000_000)
    #expect(queue.next(upTo: 3, at: 1_000_000_000).map(\.job) == ["good6", "good7", "bad2"])
    queue.report(client(1), isValid: false, at: 2_000_000_000)
    #expect(queue.comesLast(client(1), at: 3_999_999_999) && !queue.comesLast(client(1), at: 4_000_000_000))
  }

  @Test("who is found guilty while he waits loses his turn")
  func found() {
    var queue = queue()
    for number in 1...3 { _ = queue.add("bad\(number)", from: client(1), at: 0) }
    for number in 1...3 { _ = queue.add("good\(number)", from: client(2), at: 0) }
    #expect(queue.next(upTo: 1, at: 0).map(\.job) == ["bad1"])
    queue.report(client(1), isValid: false, at: 0)
    #expect(queue.next(upTo: 10, at: 0).map(\.job) == ["good1", "good2", "good3", "bad2", "bad3"])
  }

  @Test("a flood of rubbish from many addresses does not keep others waiting")
  func flood() {
    var queue = queue(perClient: 8, total: 64)
    var now: UInt64 = 0
    var served = 0
    for round in 0..<1000 {
      now += 1_000_000
      for number in 0..<20 { _ = queue.add("bad", from: IPAddress(10, 0, 0, UInt8((round + number) % 40)), at: now) }
      if round % 10 == 0 { #expect(!isRefused(queue.add("good", from: client(1), at: now)) || round < 50) }
      for (client, job) in queue.next(upTo: 4, at: now) {
        if job == "good" { served += 1 }
        queue.report(client, isValid: job == "good", at: now)
      }
      #expect(queue.count <= 64)
    }
    #expect(served >= 95)
  }

  @Test("places are bounded for each client and in all, and those who come last make room")
  func bounds() {
    var queue = queue(perClient: 2, total: 3)
    #expect(isWaiting(queue.add("a1", from: client(1), at: 0)) && isWaiting(queue.add("a2", from: client(1), at: 0)))
    #expect(isRefused(queue.add("a3", from: client(1), at: 0)))
    queue.report(client(2), isValid: false, at: 0)
    #expect(isWaiting(queue.add("b1", from: client(2), at: 0)))
    #expect(isRefused(queue.add("b2", from: client(2), at: 0)))
    guard case .waitingInsteadOf("b1") = queue.add("c1", from: client(3), at: 0) else {
      Issue.record("no room was made")
      return
    }
    #expect(isRefused(queue.add("d1", from: client(4), at: 0)) && queue.count == 3)
    #expect(queue.next(upTo: 9, at: 0).map(\.job) == ["a1", "c1", "a2"])
    // Whose job was taken away can come again.
    #expect(isWaiting(queue.add("b3", from: client(2), at: 0)))
    #expect(queue.next(upTo: 9, at: 0).map(\.job) == ["b3"])
  }

  @Test("whatever happens, each job comes out once, or is told to have lost its place")
  func everyJobOnce() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      var queue = VerificationQueue<Int>(
        {
          var limits = VerificationQueue<Int>.Limits()
          limits.perClient = .random(in: 1...4, using: &random)
          limits.total = .random(in: 1...20, using: &random)
          limits.remembered = .random(in: 1...5, using: &random)
          limits.penalty = 5
          return limits
        }())
      var inside: Set<Int> = []
      for step in 0..<2000 {
        let client = Bool.random(using: &random) ? client(.random(in: 0..<12, using: &random)) : nil
        switch queue.add(step, from: client, at: UInt64(step)) {
        case .waiting: inside.insert(step)
        case .waitingInsteadOf(let other):
          inside.insert(step)
          #expect(inside.remove(other) != nil)
        case .refused: break
        }
        if step % 3 == 0 {
          for (client, job) in queue.next(upTo: .random(in: 0...4, using: &random), at: UInt64(step)) {
            #expect(inside.remove(job) != nil)
            queue.report(client, isValid: Bool.random(using: &random), at: UInt64(step))
          }
        }
        #expect(queue.count == inside.count)
      }
      for (_, job) in queue.next(upTo: .max, at: 5000) { #expect(inside.remove(job) != nil) }
      #expect(inside.isEmpty && queue.isEmpty)
    }
  }
}
