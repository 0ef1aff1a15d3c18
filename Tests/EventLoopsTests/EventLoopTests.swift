import CLinux
import Glibc
import Synchronization
import Testing

@testable import EventLoops

@Suite("Event loop")
struct EventLoopTests {
  @Test("an actor on a loop runs on the loop's thread, before and after it suspends")
  func actorRunsOnLoop() async throws {
    try await withLoop { loop in
      let resident = Resident(loop)
      #expect(await resident.visit())
      #expect(await resident.visitTwice())
      #expect(!loop.isOnLoop)
      let isInside = try await loop.value { resident.assumeIsolated { $0.visits == 3 } && loop.isOnLoop }
      #expect(isInside)
    }
  }

  @Test("a task with the loop as its preference stays on the loop's thread")
  func taskPreference() async throws {
    @Sendable func here(_ loop: EventLoop) async -> Bool {
      await Task.yield()
      return loop.isOnLoop
    }
    try await withLoop { loop in
      let stayed = await Task(executorPreference: loop) { @Sendable in
        var stayed = await here(loop)
        for _ in 0..<50 where stayed { stayed = await here(loop) }
        return stayed
      }.value
      #expect(stayed)
    }
  }

  @Test("a loop's thread has the priority that it was given, and no other thread has it")
  func priority() async throws {
    let loop = try EventLoop(name: "gathering", priority: ThreadPriority(.gathering, niceness: 5))
    try loop.start()
    let here = linux_thread_is_batch() == 1
    // On Linux what is asked about a process is about the calling thread.
    let isProcess = Int32(bitPattern: PRIO_PROCESS.rawValue)
    let (isGathering, niceness) = try await loop.value { (linux_thread_is_batch() == 1, getpriority(isProcess, 0)) }
    await loop.shutdown()
    #expect(isGathering && niceness == 5 && !here)
    try await withLoop { loop in
      let isGathering = try await loop.value { linux_thread_is_batch() }
      #expect(isGathering == 0)
    }
    #expect(ThreadPriority(niceness: 20).niceness == 19 && ThreadPriority(niceness: -1).niceness == 0)
  }

  @Test("a timer that is due is not kept waiting by jobs that take long, however many there are")
  func longJobs() async throws {
    try await withLoop { loop in
      let done = Counter()
      let doneBefore = try await loop.value { () -> Counter in
        let doneBefore = Counter()
        for _ in 0..<1000 {
          loop.execute {
            let end = MonotonicClock.now + EventLoop.jobTimePerTurn
            while MonotonicClock.now < end {}
            done.add()
          }
        }
        loop.schedule(at: MonotonicClock.now) { doneBefore.add(done.value) }
        return doneBefore
      }
      await done.reaches(1000)
      // A tenth of a second of them. Without interruptions a few come first; a busy machine makes more of them.
      #expect(doneBefore.value < 1000)
    }
  }

  private nonisolated func unisolated() async {}

  @Test("a task that prefers the loop calls functions without isolation at once, not as jobs behind others")
  func unisolatedCalls() async throws {
    try await withLoop { loop in
      let others = Counter()
      let before = await Task(executorPreference: loop) {
        loop.execute { others.add() }
        await unisolated()
        await unisolated()
        return others.value
      }.value
      #expect(before == 0)
      await others.reaches(1)
    }
  }

  /// Gives its loop work when it goes.
  private final class LastWill: Sendable {
    let loop: EventLoop
    let counter: Counter

    init(_ loop: EventLoop, _ counter: Counter) {
      self.loop = loop
      self.counter = counter
    }

    deinit { loop.execute { [counter] in counter.add() } }
  }

  @Test("what goes together with a closure that was run may give the loop work")
  func lastWill() async throws {
    try await withLoop { loop in
      let counter = Counter()
      for _ in 0..<10 {
        let will = LastWill(loop, counter)
        loop.execute { _ = will.counter }
      }
      await counter.reaches(10)
    }
  }

  @Test("no wake-up is lost when eight threads give work to a loop that falls asleep all the time")
  func wakeUps() async throws {
    try await withLoop { loop in
      let counter = Counter()
      for _ in 0..<8 {
        _ = try NativeThread.start(name: "giver", isDetached: true) {
          for _ in 0..<1000 { loop.execute { counter.add() } }
        }
      }
      await counter.reaches(8000)
      // One at a time: each needs its own wake-up.
      for _ in 0..<1000 { _ = try await loop.value { true } }
      #expect(counter.value == 8000)
    }
  }

  @Test("loops that give each other work wake each other, from work, timers and descriptors")
  func loopsWakeEachOther() async throws {
    try await withLoop { first in
      try await withLoop { second in
        let counter = Counter()
        @Sendable func pass(_ left: Int, to loop: EventLoop, from other: EventLoop) {
          loop.execute {
            counter.add()
            if left > 0 { pass(left - 1, to: other, from: loop) }
          }
        }
        pass(5000, to: first, from: second)
        await counter.reaches(5001)
        // Each timer fires on one loop and gives its work to the other one, which has nothing else to do.
        for number in 1...20 {
          first.execute { _ = first.schedule(after: .microseconds(1)) { pass(0, to: second, from: first) } }
          await counter.reaches(5001 + number)
        }
      }
    }
  }

  @Test("a loop that has much to do wakes others before it is done")
  func othersAreWokenEarly() async throws {
    try await withLoop { busy in
      try await withLoop { other in
        let woken = Gate()
        let counter = Counter()
        busy.execute {
          other.execute { woken.open() }
          // Long before the end of these the other loop must have run, or the last one would wait for ever.
          for _ in 0..<EventLoop.itemsBetweenWakes { busy.execute { counter.add() } }
          busy.execute {
            woken.wait()
            counter.add()
          }
        }
        await counter.reaches(EventLoop.itemsBetweenWakes + 1)
      }
    }
  }

  @Test("work of one thread runs in the order it was given")
  func order() async throws {
    try await withLoop { loop in
      let seen = LockedValue<[Int]>([])
      for number in 0..<5000 { loop.execute { seen.withLock { $0.append(number) } } }
      _ = try await loop.value { true }
      #expect(seen.withLock { $0 } == Array(0..<5000))
    }
  }

  @Test("work that never ends does not keep descriptors and timers waiting")
  func fairness() async throws {
    try await withLoop { loop in
      let isDone = Atomic(false)
      @Sendable func spin() {
        if !isDone.load(ordering: .relaxed) { loop.execute { spin() } }
      }
      loop.execute { spin() }
      try await loop.sleep(for: .milliseconds(1))
      let ready = Counter()
      try await loop.value {
        let event = TestDescriptor(loop) { _ in ready.add() }
        try event.watch()
        event.signal()
      }
      await ready.reaches(1)
      isDone.store(true, ordering: .relaxed)
    }
  }

  @Test("a loop can run on the thread that asks for it, and is stopped from inside")
  func runOnThisThread() async throws {
    let loop = try EventLoop()
    let counter = Counter()
    let sum = LockedValue(0)
    loop.execute {
      // Inside the loop, work given now runs later.
      loop.execute {
        sum.withLock { $0 += 1 }
        loop.stop()
      }
      sum.withLock { $0 += 10 }
    }
    _ = try NativeThread.start(name: "runner", isDetached: true) {
      loop.run()
      counter.add()
    }
    await counter.reaches(1)
    #expect(sum.withLock { $0 } == 11)
    loop.stop()
  }

  @Test("work given to a loop that has been stopped still runs, one piece at a time")
  func workAfterTheEnd() async throws {
    let loop = try EventLoop()
    try loop.start()
    let resident = Resident(loop)
    _ = await resident.visit()
    loop.stop()
    #expect(!loop.isOnLoop)
    await withTaskGroup { group in
      for _ in 0..<200 { group.addTask { #expect(await resident.visit()) } }
    }
    #expect(await resident.visits == 201)
  }

  @Test("nothing is lost when a loop is stopped while others give it work")
  func stopWhileBusy() async throws {
    for _ in 0..<20 {
      let loop = try EventLoop()
      try loop.start()
      let counter = Counter()
      for _ in 0..<4 {
        _ = try NativeThread.start(name: "giver", isDetached: true) {
          for _ in 0..<250 { loop.execute { counter.add() } }
        }
      }
      await counter.reaches(100)
      await loop.shutdown()
      await counter.reaches(1000)
      #expect(counter.value == 1000)
    }
  }

  @Test("a loop that was never started can be stopped, and its work runs")
  func stopBeforeStart() async throws {
    let loop = try EventLoop()
    let counter = Counter()
    loop.execute { counter.add() }
    loop.stop()
    loop.stop()
    await loop.shutdown()
    await counter.reaches(1)
  }

  @Test("a loop that has ended leaves no descriptors open")
  func descriptorsAreClosed() async throws {
    func openDescriptors() throws -> Int {
      let directory = try #require(opendir("/proc/self/fd"))
      defer { closedir(directory) }
      var count = 0
      while readdir(directory) != nil { count += 1 }
      return count
    }
    let before = try openDescriptors()
    for _ in 0..<300 {
      let loop = try EventLoop()
      try loop.start()
      loop.stop()
    }
    for _ in 0..<300 { _ = try EventLoop() }
    // Tests that run at the same time open a few.
    #expect(try openDescriptors() < before + 200)
  }
}
