import Cryptography
import Testing

@testable import HTTP

@Suite("The race between attempts to connect")
struct ConnectionRaceTests {
  /// A race that can be asked within an expectation.
  private final class Course {
    private var race: ConnectionRace

    init(delay: UInt64) { race = ConnectionRace(delay: delay) }

    func next(at now: UInt64) -> ConnectionRace.Step { race.next(at: now) }
    func found(at now: UInt64) -> Int { race.found(at: now) }
    func foundNothing() { race.foundNothing() }
    func failed(_ attempt: Int) { race.failed(attempt) }
    func connected(_ attempt: Int) -> Bool { race.connected(attempt) }

    /// Finds a candidate if that is the next step.
    func begin(at now: UInt64) -> Int? { next(at: now) == .find ? found(at: now) : nil }
  }

  @Test("the next attempt begins when the last has had its time, and the first that connects ends the race")
  func staggered() {
    let race = Course(delay: 250)
    #expect(race.begin(at: 1000) == 0)
    #expect(race.next(at: 1000) == .wait(until: 1250))
    #expect(race.next(at: 1249) == .wait(until: 1250))
    #expect(race.begin(at: 1250) == 1)
    #expect(race.next(at: 1300) == .wait(until: 1500))
    #expect(race.begin(at: 1600) == 2)
    #expect(race.next(at: 1600) == .wait(until: 1850))
    #expect(race.connected(0))
    #expect(race.next(at: 1601) == .over(winner: 0))
    // One that connects at the same moment has lost.
    #expect(!race.connected(1))
    race.failed(2)
    #expect(race.next(at: 9999) == .over(winner: 0))
  }

  @Test("an attempt that fails makes room for the next one at once")
  func failing() {
    let race = Course(delay: 250)
    #expect(race.begin(at: 0) == 0)
    race.failed(0)
    #expect(race.begin(at: 1) == 1)
    #expect(race.next(at: 2) == .wait(until: 251))
    #expect(race.begin(at: 251) == 2)
    race.failed(1)
    #expect(race.begin(at: 252) == 3)
    // A failure that is told twice, or of an attempt that does not exist, changes nothing.
    race.failed(1)
    race.failed(77)
    #expect(race.next(at: 253) == .wait(until: 502))
    race.failed(2)
    #expect(race.next(at: 254) == .find)
    race.foundNothing()
    #expect(race.next(at: 255) == .wait(until: nil))
    race.failed(3)
    #expect(race.next(at: 256) == .over(winner: nil))
  }

  @Test("one candidate is looked for at a time, and attempts go on meanwhile")
  func slowSearch() {
    let race = Course(delay: 250)
    #expect(race.begin(at: 0) == 0)
    #expect(race.next(at: 250) == .find)
    #expect(race.next(at: 300) == .wait(until: nil))
    race.failed(0)
    #expect(race.next(at: 301) == .wait(until: nil))
    #expect(race.found(at: 900) == 1)
    #expect(race.next(at: 900) == .wait(until: 1150))
    #expect(race.next(at: 1150) == .find)
    #expect(race.connected(1))
    #expect(race.next(at: 1151) == .over(winner: 1))
    race.foundNothing()
    #expect(race.next(at: 1152) == .over(winner: 1))
  }

  @Test("without a candidate it is lost, and without an end only so many attempts run at once")
  func bounds() {
    let none = Course(delay: 250)
    #expect(none.next(at: 0) == .find)
    none.foundNothing()
    #expect(none.next(at: 0) == .over(winner: nil))
    let many = Course(delay: 0)
    for number in 0..<ConnectionRace.maximumAtOnce { #expect(many.begin(at: 5) == number) }
    #expect(many.next(at: 1000) == .wait(until: nil))
    many.failed(3)
    #expect(many.begin(at: 1000) == ConnectionRace.maximumAtOnce)
    // The largest delay there is means never.
    let patient = Course(delay: .max)
    #expect(patient.begin(at: 5) == 0)
    #expect(patient.next(at: .max - 1) == .wait(until: .max))
  }

  @Test("whatever happens, an attempt ends once, and the winner is one that connected")
  func anyOrder() {
    for seed in 0..<2000 as Range<UInt64> {
      var generator = Xoshiro256(seed: seed)
      let race = Course(delay: UInt64.random(in: 0...300, using: &generator))
      var (running, now, left) = (Set<Int>(), UInt64(0), Int.random(in: 0...12, using: &generator))
      var expected: Int?
      for _ in 0..<200 {
        let step = race.next(at: now)
        if case .over(let winner) = step {
          #expect(winner == expected && (expected != nil || running.isEmpty && left == 0))
          break
        }
        #expect(expected == nil)
        if step == .find {
          if left > 0 {
            left -= 1
            running.insert(race.found(at: now))
          } else {
            race.foundNothing()
          }
        } else if let attempt = running.randomElement(using: &generator), Bool.random(using: &generator) {
          running.remove(attempt)
          if Int.random(in: 0..<8, using: &generator) == 0 {
            #expect(race.connected(attempt))
            expected = attempt
          } else {
            race.failed(attempt)
          }
        }
        #expect(running.count <= ConnectionRace.maximumAtOnce)
        now += UInt64.random(in: 0...200, using: &generator)
      }
    }
  }
}
