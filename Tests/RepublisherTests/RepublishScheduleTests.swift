import Cryptography
import MainlineProtocol
import Pkarr
import Testing

@testable import Republisher

@Suite("When keys are republished")
struct RepublishScheduleTests {
  static let hour = Duration.seconds(3600)

  /// A policy without a limit of the rate.
  static func policy(_ change: (inout RepublishPolicy) -> Void = { _ in }) -> RepublishPolicy {
    var policy = RepublishPolicy()
    policy.rate = nil
    policy.concurrency = 1000
    change(&policy)
    return policy
  }

  /// A schedule with its virtual clock.
  struct Stand {
    var schedule: RepublishSchedule
    var now = Instant(nanoseconds: 1_000_000_000_000)

    init(_ policy: RepublishPolicy, isSingleRound: Bool = false) {
      schedule = RepublishSchedule(
        policy, isSingleRound: isSingleRound, random: RandomSource(seed: 5), at: Instant(nanoseconds: 1_000_000_000_000)
      )
    }

    mutating func add(_ keys: [PublicKey]) { for key in keys { schedule.add(key, at: now) } }

    /// All that may begin now.
    mutating func due() -> [PublicKey] {
      var keys: [PublicKey] = []
      while let key = schedule.next(at: now) { keys.append(key) }
      return keys
    }

    /// Moves the clock to where something may begin; false if only an end can change anything.
    mutating func skip() -> Bool {
      guard let deadline = schedule.deadline() else { return false }
      now = max(now, deadline)
      return true
    }

    mutating func finish(
      _ keys: [PublicKey], _ outcome: RepublishOutcome = .alreadyAlive(CopyCount(held: 20, wanted: 10))
    ) {
      for key in keys { schedule.finish(key, outcome, at: now) }
    }
  }

  static func keys(_ count: Int) -> [PublicKey] {
    var random = RandomSource(seed: 9)
    return (0..<count).compactMap { _ in (try? Keypair(seed: random.bytes(32)))?.publicKey }
  }

  @Test("keys that were never checked are due at once, and each once an interval from then on")
  func everyInterval() {
    var stand = Stand(Self.policy())
    let keys = Self.keys(200)
    stand.add(keys)
    let start = stand.now
    let first = stand.due()
    #expect(Set(first) == Set(keys))
    stand.finish(first)
    var last: [PublicKey: Instant] = [:]
    var gaps: [Duration] = []
    while stand.skip(), start.duration(to: stand.now) < Self.hour * 10 {
      for key in stand.due() {
        gaps.append((last[key] ?? start).duration(to: stand.now))
        last[key] = stand.now
        stand.finish([key])
      }
    }
    #expect(gaps.count > 200 * 9 && gaps.count < 200 * 11)
    // The first wait leads to the key's place; after that only the jitter is left.
    #expect(gaps.allSatisfy { $0 >= Self.hour / 4 && $0 <= Self.hour * 1.36 })
    #expect(gaps.dropFirst(400).allSatisfy { $0 >= Self.hour * 0.89 && $0 <= Self.hour * 1.11 })
  }

  @Test("keys are spread over the interval, and not checked in a burst")
  func spread() {
    var stand = Stand(Self.policy())
    stand.add(Self.keys(1000))
    stand.finish(stand.due())
    let start = stand.now
    var counts = [Int](repeating: 0, count: 12)
    while stand.skip() {
      let since = start.duration(to: stand.now)
      guard since < Self.hour * 3 else { break }
      for key in stand.due() {
        // From the second hour on every key has found its place.
        if since >= Self.hour * 1.5 && since < Self.hour * 2.5 {
          counts[Int((since - Self.hour * 1.5) / (Self.hour / 12))] += 1
        }
        stand.finish([key])
      }
    }
    #expect(counts.reduce(0, +) > 900)
    #expect(counts.allSatisfy { 40...140 ~= $0 }, "\(counts)")
  }

  @Test("a key that fails is tried again after a time that doubles up to the interval, and is on time once it succeeds")
  func backOff() {
    var stand = Stand(Self.policy())
    stand.add(Self.keys(1))
    var waits: [Duration] = []
    for _ in 0..<14 {
      let keys = stand.due()
      #expect(keys.count == 1)
      let before = stand.now
      stand.finish(keys, .failed(.notStored))
      #expect(stand.due().isEmpty)
      #expect((stand.skip()) == true)
      waits.append(before.duration(to: stand.now))
    }
    for (index, wait) in waits.enumerated() {
      let full = min(Self.hour, .seconds(5) * (1 << index))
      #expect(wait >= full * 0.74 && wait <= full, "\(index): \(wait)")
    }
    let keys = stand.due()
    stand.finish(keys)
    #expect(stand.schedule.failures(of: keys[0]) == 0)
  }

  @Test("a packet that stays on too few nodes is checked after a quarter and half of the interval, then as usual")
  func thin() {
    var stand = Stand(Self.policy { $0.jitter = 0 })
    stand.add(Self.keys(1))
    let thin = RepublishOutcome.published(CopyCount(held: 1, added: 2, wanted: 10))
    var waits: [Duration] = []
    for _ in 0..<5 {
      stand.finish(stand.due(), thin)
      let before = stand.now
      #expect((stand.skip()) == true)
      waits.append(before.duration(to: stand.now))
    }
    #expect(waits[0] <= Self.hour / 4 && waits[1] <= Self.hour / 2 && waits[1] >= Self.hour * 0.37)
    #expect(waits[4] == Self.hour)
    #expect(stand.schedule.report.thin == 1)
  }

  @Test("no more run at once than may, and no more begin in a second than may")
  func limits() {
    var stand = Stand(Self.policy { $0.concurrency = 7 })
    stand.add(Self.keys(20))
    let first = stand.due()
    #expect(first.count == 7 && stand.schedule.runningCount == 7 && stand.schedule.deadline() == nil)
    stand.finish(Array(first.prefix(3)))
    #expect(stand.due().count == 3)

    var limited = Stand(Self.policy { $0.rate = 50 })
    limited.add(Self.keys(500))
    let start = limited.now
    var begun = 0
    while limited.skip(), begun < 500 {
      let keys = limited.due()
      begun += keys.count
      limited.finish(keys)
      let seconds = start.duration(to: limited.now) / .seconds(1)
      #expect(Double(begun) <= 50 * seconds + 6.01)
      if begun == 500 { #expect(9.7...10.1 ~= seconds) }
    }
  }

  @Test("while the network is away one key tries, and all go on when it is back")
  func outage() {
    var stand = Stand(Self.policy { $0.concurrency = 8 })
    stand.add(Self.keys(40))
    stand.finish(stand.due(), .failed(.noNodes))
    for _ in 0..<10 {
      #expect(stand.due().isEmpty)
      let before = stand.now
      #expect((stand.skip()) == true)
      #expect(before.duration(to: stand.now) <= .seconds(60))
      let probe = stand.due()
      #expect(probe.count == 1)
      stand.finish(probe, .failed(.noNodes))
    }
    #expect((stand.skip()) == true)
    stand.finish(stand.due())
    #expect(stand.due().count == 8)
  }

  @Test("a single round checks each key once, tries again what failed, and ends")
  func singleRound() {
    var stand = Stand(Self.policy { $0.attempts = 3 }, isSingleRound: true)
    let keys = Self.keys(5)
    stand.add(keys)
    var tries: [PublicKey: Int] = [:]
    repeat {
      for key in stand.due() {
        tries[key, default: 0] += 1
        switch key {
        case keys[0]: stand.finish([key], .failed(.notStored))
        case keys[1]: stand.finish([key], .failed(.notFound))
        case keys[2] where tries[key] == 1: stand.finish([key], .failed(.refused(code: 202)))
        case keys[3]: stand.finish([key], .superseded(CopyCount(held: 3, added: 7, wanted: 10)))
        default: stand.finish([key], .published(CopyCount(held: 0, added: 20, wanted: 10)))
        }
      }
    } while !stand.schedule.isFinished && stand.skip()
    #expect(stand.schedule.isFinished)
    #expect(keys.map { tries[$0] } == [3, 1, 2, 1, 1])
    let report = stand.schedule.finalReport()
    #expect(report.published == 2 && report.superseded == 1 && report.failed == 2 && report.pending == 0)
    #expect(report.failures == ["not_stored": 1, "not_found": 1])
    #expect(stand.schedule.deadline() == nil)
  }

  @Test("a single round without a network ends, and says so of every key")
  func singleRoundOutage() {
    var stand = Stand(Self.policy { $0.concurrency = 2 }, isSingleRound: true)
    stand.add(Self.keys(50))
    var rounds = 0
    repeat {
      stand.finish(stand.due(), .failed(.noNodes))
      rounds += 1
    } while !stand.schedule.isFinished && stand.skip() && rounds < 100
    #expect(rounds == 4 && stand.schedule.isFinished)
    #expect(stand.schedule.finalReport().failures == ["no_nodes": 50])
  }

  @Test("each key counts once a round, with what happened to it last; rounds follow each other")
  func rounds() {
    var stand = Stand(Self.policy())
    stand.add(Self.keys(3))
    let keys = stand.due()
    stand.finish([keys[0]], .failed(.notStored))
    stand.finish([keys[1], keys[2]])
    #expect(stand.schedule.report.failed == 1 && stand.schedule.report.alreadyAlive == 2)
    #expect((stand.skip()) == true)
    stand.finish(stand.due(), .published(CopyCount(held: 2, added: 9, wanted: 10)))
    #expect(stand.schedule.report.failed == 0 && stand.schedule.report.published == 1)
    #expect(stand.schedule.report.checked == 3 && stand.schedule.report.copiesAdded == 9)
    #expect(stand.schedule.endRound(at: stand.now) == nil)
    // What was put in this round stays so, though it is found alive later.
    stand.schedule.hurry(keys[0], at: stand.now)
    let again = stand.due()
    stand.finish(again)
    #expect(again == [keys[0]] && stand.schedule.report.published == 1 && stand.schedule.report.checked == 3)
    stand.now = stand.schedule.roundDeadline!
    let ended = stand.schedule.endRound(at: stand.now)
    #expect(ended?.number == 1 && ended?.checked == 3)
    #expect(
      stand.schedule.report.number == 2 && stand.schedule.report.checked == 0 && stand.schedule.report.pending == 3)
  }

  @Test("after a long sleep everything is due once, within the limits, and one round has ended, not many")
  func sleep() {
    var stand = Stand(Self.policy { $0.concurrency = 10 })
    stand.add(Self.keys(30))
    for _ in 0..<3 { stand.finish(stand.due()) }
    stand.now = stand.now.advanced(by: .seconds(86_400 * 3))
    #expect(stand.schedule.endRound(at: stand.now)?.number == 1)
    #expect(stand.schedule.endRound(at: stand.now) == nil)
    var checked = 0
    while case let keys = stand.due(), !keys.isEmpty {
      #expect(keys.count <= 10)
      checked += keys.count
      stand.finish(keys)
    }
    #expect(checked == 30)
  }

  @Test(
    "after a restart a key is due when it would have been; after a jump of the clock, or a long time, at once",
    arguments: [
      (Duration?.some(.seconds(60)), false), (.seconds(3599), false), (.seconds(3600), true), (.seconds(90_000), true),
      (.seconds(-5), true), (nil, true),
    ])
  func restart(age: Duration?, isDue: Bool) {
    var stand = Stand(Self.policy())
    let key = Self.keys(1)[0]
    stand.schedule.add(key, age: age, at: stand.now)
    if age == .seconds(3599) {
      // It may be late already, but never later than its place.
      #expect((stand.skip()) == true)
      #expect(stand.now <= Instant(nanoseconds: 1_000_000_000_000).advanced(by: Self.hour * 0.36))
    } else {
      #expect(stand.due().isEmpty == !isDue)
    }
  }

  @Test("a single round that goes on leaves out what it has checked before")
  func continuedRound() {
    var stand = Stand(Self.policy(), isSingleRound: true)
    let keys = Self.keys(4)
    stand.schedule.add(keys[0], age: .seconds(5), isChecked: true, at: stand.now)
    stand.schedule.add(keys[1], age: .seconds(5), isChecked: true, at: stand.now)
    stand.add(keys)
    let due = stand.due()
    #expect(Set(due) == [keys[2], keys[3]])
    stand.finish(due)
    #expect(stand.schedule.isFinished)
    #expect(stand.schedule.report.checkedBefore == 2 && stand.schedule.report.checked == 4)
  }

  @Test("a check that was broken off is due as before, and counts as nothing")
  func release() {
    var stand = Stand(Self.policy())
    stand.add(Self.keys(1))
    let key = stand.due()[0]
    stand.schedule.release(key)
    #expect(stand.schedule.runningCount == 0 && stand.schedule.report.checked == 0)
    #expect(stand.due() == [key])
    // Ends that belong to nothing change nothing.
    stand.finish([key])
    stand.finish([key, Self.keys(2)[1]])
    #expect(stand.schedule.report.checked == 1)
  }

  @Test("those who were never checked come before those who are late")
  func priority() {
    var stand = Stand(Self.policy { $0.concurrency = 1 })
    let keys = Self.keys(2)
    stand.schedule.add(keys[0], age: .seconds(4000), at: stand.now)
    stand.schedule.add(keys[1], at: stand.now)
    #expect(stand.due() == [keys[1]])
  }

  @Test("a zone that has changed is due at once")
  func hurry() {
    var stand = Stand(Self.policy())
    stand.add(Self.keys(1))
    let key = stand.due()
    stand.finish(key)
    #expect(stand.due().isEmpty)
    stand.schedule.hurry(key[0], at: stand.now)
    #expect(stand.due() == key)
    stand.finish(key)
    #expect(stand.due().isEmpty)
  }
}
