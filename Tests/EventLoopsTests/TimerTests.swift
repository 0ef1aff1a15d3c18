import Synchronization
import Testing

@testable import EventLoops

@Suite("Timers")
struct TimerTests {
  @Test("timers fire in the order of their deadlines, equal ones in the order of their making")
  func order() async throws {
    try await withLoop { loop in
      let seen = LockedValue<[Int]>([])
      let done = Counter()
      loop.execute {
        let base = MonotonicClock.now + 2_000_000
        for number in 0..<400 {
          let deadline = base + UInt64(number * 7919 % 20) * 100_000
          loop.schedule(at: deadline) {
            #expect(MonotonicClock.now >= deadline)
            seen.withLock { $0.append(number) }
            done.add()
          }
        }
      }
      await done.reaches(400)
      let expected = (0..<400).sorted { ($0 * 7919 % 20, $0) < ($1 * 7919 % 20, $1) }
      #expect(seen.withLock { $0 } == expected)
    }
  }

  @Test("a cancelled timer does not fire, and its handle does not cancel the timer that takes its place")
  func cancel() async throws {
    try await withLoop { loop in
      let fired = LockedValue<[String]>([])
      let done = Counter()
      loop.execute {
        let soon = MonotonicClock.now + 1_000_000
        let first = loop.schedule(at: soon) { fired.withLock { $0.append("first") } }
        #expect(loop.cancel(first))
        #expect(!loop.cancel(first))
        let second = loop.schedule(at: soon) { fired.withLock { $0.append("second") } }
        #expect(second.slot == first.slot)
        #expect(!loop.cancel(first))
        loop.schedule(at: soon + 1) {
          #expect(!loop.cancel(second))
          done.add()
        }
      }
      await done.reaches(1)
      #expect(fired.withLock { $0 } == ["second"])
    }
  }

  @Test("a timer can cancel the one that is due after it, and a timer added while others fire waits for the next turn")
  func timersTouchTimers() async throws {
    try await withLoop { loop in
      let log = LockedValue<[String]>([])
      let done = Counter()
      loop.execute {
        let now = MonotonicClock.now
        let victim = LockedValue<TimerHandle?>(nil)
        loop.schedule(at: now) {
          log.withLock { $0.append("a") }
          if let handle = victim.withLock({ $0 }) { loop.cancel(handle) }
          loop.schedule(at: 0) {
            log.withLock { $0.append("c") }
            done.add()
          }
        }
        let handle = loop.schedule(at: now) { log.withLock { $0.append("victim") } }
        victim.withLock { $0 = handle }
        loop.schedule(at: now) { log.withLock { $0.append("b") } }
      }
      await done.reaches(1)
      #expect(log.withLock { $0 } == ["a", "b", "c"])
    }
  }

  @Test("a timer that always sets itself again, for a time long past, does not keep others from firing")
  func noStarvation() async throws {
    try await withLoop { loop in
      let isDone = Atomic(false)
      @Sendable func again() {
        if !isDone.load(ordering: .relaxed) { loop.schedule(at: 0) { again() } }
      }
      loop.execute { again() }
      try await loop.sleep(for: .milliseconds(1))
      isDone.store(true, ordering: .relaxed)
    }
  }

  @Test("the heap gives back what went in, sorted, whatever is removed in between")
  func heap() {
    var random = SystemRandomNumberGenerator()
    var heap = TimerHeap<UInt64>()
    var handles: [(TimerHandle, UInt64)] = []
    for _ in 0..<2000 {
      let deadline = UInt64.random(in: 0..<500, using: &random)
      handles.append((heap.insert(deadline: deadline, deadline), deadline))
    }
    handles.shuffle()
    for (handle, deadline) in handles.prefix(900) {
      #expect(heap.remove(handle) == deadline)
      #expect(heap.remove(handle) == nil)
    }
    var popped: [UInt64] = []
    while let deadline = heap.popFirst() { popped.append(deadline) }
    #expect(popped == handles.dropFirst(900).map(\.1).sorted())
    #expect(heap.count == 0 && heap.nextDeadline == nil)
  }

  @Test("a task sleeps at least as long as it asked to")
  func sleep() async throws {
    try await withLoop { loop in
      let deadline = MonotonicClock.now + 3_000_000
      try await loop.sleep(until: deadline)
      #expect(MonotonicClock.now >= deadline)
    }
  }

  @Test("cancelling a task wakes it from its sleep", arguments: [false, true])
  func cancelSleep(isOnLoop: Bool) async throws {
    try await withLoop { loop in
      let task =
        isOnLoop
        ? Task(executorPreference: loop) { try await loop.sleep(for: .seconds(3600)) }
        : Task { try await loop.sleep(for: .seconds(3600)) }
      await Task.yield()
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      let left = try await loop.value { loop.timers.count }
      #expect(left == 0)
    }
  }

  @Test("stopping the loop wakes who sleeps, and nobody can fall asleep afterwards")
  func stopWakesSleepers() async throws {
    let loop = try EventLoop()
    try loop.start()
    let sleepers = (0..<20).map { number in Task { try await loop.sleep(for: .seconds(3600 + number)) } }
    while try await loop.value({ loop.timers.count }) < 20 { await Task.yield() }
    loop.stop()
    for sleeper in sleepers { await #expect(throws: EventLoopStopped.self) { try await sleeper.value } }
    await #expect(throws: EventLoopStopped.self) { try await loop.sleep(for: .seconds(3600)) }
  }

  @Test("durations that do not fit are cut to what does")
  func durations() {
    #expect(Duration.milliseconds(-1).clampedNanoseconds == 0)
    #expect(Duration.seconds(Int64.max).clampedNanoseconds == .max)
    #expect((Duration.seconds(2) + .nanoseconds(5)).clampedNanoseconds == 2_000_000_005)
  }
}
