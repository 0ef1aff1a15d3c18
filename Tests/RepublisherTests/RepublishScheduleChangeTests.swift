import MainlineProtocol
import Pkarr
import Testing

@testable import Republisher

@Suite("Keys that come and go, and policies that change")
struct RepublishScheduleChangeTests {
  typealias Stand = RepublishScheduleTests.Stand
  private static let hour = RepublishScheduleTests.hour

  @Test("a key that was removed is not checked any more; one that is being checked stays until that has ended")
  func remove() {
    var stand = Stand(RepublishScheduleTests.policy { $0.concurrency = 2 }, isSingleRound: true)
    let keys = RepublishScheduleTests.keys(5)
    stand.add(keys)
    let running = stand.due()
    #expect(running.count == 2)
    let waiting = keys.filter { !running.contains($0) }
    let (isWaitingGone, isRunningGone) = (stand.schedule.remove(waiting[0]), stand.schedule.remove(running[0]))
    #expect(isWaitingGone && !isRunningGone && stand.schedule.count == 4)
    stand.finish(running)
    let rest = stand.due()
    #expect(Set(rest) == Set(waiting.dropFirst()))
    stand.finish(rest)
    #expect(stand.schedule.isFinished)
    for key in keys { stand.schedule.remove(key) }
    let deadline = stand.schedule.deadline()
    #expect(stand.schedule.isFinished && stand.schedule.count == 0 && deadline == nil)
  }

  @Test("a key that is removed and added again is due once")
  func again() {
    var stand = Stand(RepublishScheduleTests.policy())
    let keys = RepublishScheduleTests.keys(3)
    stand.add(keys)
    for _ in 0..<10 {
      stand.schedule.remove(keys[0])
      stand.add([keys[0]])
    }
    #expect(stand.schedule.dueCount(at: stand.now) >= 3)
    let (first, second) = (stand.due(), stand.due())
    #expect(first.count == 3 && Set(first) == Set(keys) && second.isEmpty)
    #expect(stand.schedule.dueCount(at: stand.now) == 0)
  }

  @Test("keys that come and go a hundred thousand times do not fill the queue")
  func churn() {
    var stand = Stand(RepublishScheduleTests.policy { $0.concurrency = 1 })
    let keys = RepublishScheduleTests.keys(100)
    // One is under way, so that nothing is taken from the head of the queue.
    stand.add([keys[0]])
    let running = stand.due()
    #expect(running == [keys[0]])
    for number in 0..<100_000 {
      let key = keys[1 + number % 99]
      stand.add([key])
      stand.schedule.remove(key)
    }
    #expect(stand.schedule.queueLength < 1000 && stand.schedule.count == 1)
  }

  @Test("what is due is counted, and nothing else")
  func due() {
    var stand = Stand(RepublishScheduleTests.policy { $0.concurrency = 10 })
    stand.add(RepublishScheduleTests.keys(50))
    #expect(stand.schedule.dueCount(at: stand.now) == 50)
    stand.finish(stand.due())
    #expect(stand.schedule.dueCount(at: stand.now) == 40)
    for _ in 0..<4 { stand.finish(stand.due()) }
    #expect(stand.schedule.dueCount(at: stand.now) == 0)
    #expect(stand.schedule.dueCount(at: stand.now.advanced(by: Self.hour * 2)) == 50)
  }

  @Test("with a shorter interval every key is checked within it, with a longer one none earlier than it was to be")
  func interval() {
    var stand = Stand(RepublishScheduleTests.policy { $0.interval = Self.hour * 24 })
    let keys = RepublishScheduleTests.keys(300)
    stand.add(keys)
    stand.finish(stand.due())
    let start = stand.now
    stand.schedule.change(RepublishScheduleTests.policy { $0.interval = Self.hour }, at: start)
    var seen: Set<PublicKey> = []
    while seen.count < 300, stand.skip(), start.duration(to: stand.now) <= Self.hour {
      let due = stand.due()
      seen.formUnion(due)
      // Spread, and not all at once.
      #expect(due.count < 30)
      stand.finish(due)
    }
    #expect(seen.count == 300)
    let before = stand.schedule.deadline()
    stand.schedule.change(RepublishScheduleTests.policy { $0.interval = Self.hour * 48 }, at: stand.now)
    let after = stand.schedule.deadline()
    #expect(before == after)
  }

  @Test("the defaults have room for a hundred thousand keys an hour, if a check takes a second")
  func manyKeys() {
    var stand = Stand(RepublishPolicy())
    stand.add(RepublishScheduleTests.keys(100_000))
    let start = stand.now
    var running: [(key: PublicKey, end: Instant)] = []
    var head = 0
    var checked = 0
    while checked < 100_000 {
      for key in stand.due() { running.append((key, stand.now.advanced(by: .seconds(1)))) }
      // Whatever comes first: a check may begin, or one ends.
      let deadline = stand.schedule.deadline()
      let end = head < running.count ? running[head].end : nil
      guard let next = [deadline, end].compactMap({ $0 }).min() else { break }
      stand.now = max(stand.now, next)
      while head < running.count, running[head].end <= stand.now {
        stand.finish([running[head].key])
        head += 1
        checked += 1
      }
    }
    #expect(checked == 100_000 && stand.schedule.report.alreadyAlive == 100_000)
    #expect(start.duration(to: stand.now) <= Self.hour)
  }

  @Test("a node is let send as much as the keys take, and never more than the rate of the checks")
  func queries() {
    let policy = RepublishPolicy()
    #expect(policy.queriesPerSecond(keys: 0) == 0 && policy.queriesPerSecond(keys: 3600) == 2 * 90)
    #expect(policy.queriesPerSecond(keys: 100_000) == 50 * 90 && policy.queriesPerSecond(keys: 1_000_000) == 50 * 90)
    #expect(policy.queriesPerSecond(keys: 5, isSingleRound: true) == 5 * 90)
    let unlimited = RepublishScheduleTests.policy()
    #expect(unlimited.queriesPerSecond(keys: 1_000_000, isSingleRound: true) == 1000 * 90)
  }

  @Test("a higher rate counts at once")
  func rate() {
    var stand = Stand(RepublishScheduleTests.policy { $0.rate = 0.001 })
    stand.add(RepublishScheduleTests.keys(20))
    let (first, second) = (stand.due().count, stand.due().count)
    stand.schedule.change(RepublishScheduleTests.policy(), at: stand.now)
    let third = stand.due().count
    #expect(first == 1 && second == 0 && third == 19)
  }
}
