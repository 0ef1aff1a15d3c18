import CLinux
import Glibc

extension EventLoop {
  /// Starts a thread that runs the loop until it is stopped. The loop must be new.
  public func start() throws(SystemError) {
    let failure: SystemError? = inbox.withLock { inbox in
      precondition(inbox.phase == .idle, "an event loop runs once")
      do throws(SystemError) {
        inbox.joinable = try NativeThread.start(name: name, isDetached: false, priority: priority) {
          self.runUntilStopped()
        }
        inbox.phase = .running
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// Runs the loop on the calling thread until it is stopped. The loop must be new.
  public func run() {
    inbox.withLock { inbox in
      precondition(inbox.phase == .idle, "an event loop runs once")
      inbox.phase = .running
    }
    runUntilStopped()
  }

  /// Asks the loop to end after what it is doing at the moment. Returns at once.
  ///
  /// At the end the handlers of watched descriptors are told, who sleeps is woken with `EventLoopStopped`, timers with
  /// a closure are dropped, and jobs that are left or come later run on a thread of their own, still one at a time.
  public func requestStop() {
    let mustDrain = inbox.withLock { inbox in
      inbox.isStopRequested = true
      guard inbox.phase == .idle else { return false }
      inbox.phase = .stopped
      isEnding = true
      close(epoll)
      ended.open()
      inbox.isDraining = !inbox.work.isEmpty
      return inbox.isDraining
    }
    wake()
    if mustDrain { startDraining() }
  }

  /// Stops the loop and blocks until its thread has ended; on the loop's own thread the same as `requestStop`.
  public func stop() {
    requestStop()
    if isOnLoop { return }
    let joinable = inbox.withLock { inbox in
      defer { inbox.joinable = nil }
      return inbox.joinable
    }
    if let joinable { pthread_join(joinable, nil) } else { ended.wait() }
  }

  /// Stops the loop and waits, without blocking a thread, until it has ended.
  public func shutdown() async {
    requestStop()
    await withUnsafeContinuation { continuation in
      let isStopped = inbox.withLock { inbox in
        if inbox.phase == .stopped { return true }
        inbox.stopWaiters.append(continuation)
        return false
      }
      if isStopped { continuation.resume() }
    }
  }

  // MARK: - Turns

  private func runUntilStopped() {
    adoptCurrentThread()
    let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: Self.eventsPerTurn)
    while let timeout = prepareToWait() {
      let count = epoll_wait(epoll, events, Int32(Self.eventsPerTurn), timeout)
      let start = MonotonicClock.now
      takeInbox()
      if count > 0 { dispatch(UnsafeBufferPointer(start: events, count: Int(count))) }
      fireTimers()
      wakeOthers()
      // Jobs get no less time than descriptors and timers took, or they would pile up where much comes in.
      let now = MonotonicClock.now
      runJobs(limit: Self.jobsPerTurn, until: now + max(Self.jobTimePerTurn, now - start))
    }
    events.deallocate()
    end()
  }

  /// How long to wait for events, in milliseconds (-1: until something happens); nil if the loop is to end.
  private func prepareToWait() -> Int32? {
    var timeout: Int32 = -1
    if workHead < work.count {
      timeout = 0
    } else if let deadline = timers.nextDeadline {
      let now = MonotonicClock.now
      // Rounded up: a timer must not fire early. An hour is as good as for ever.
      timeout = deadline <= now ? 0 : Int32(min((deadline - now - 1) / 1_000_000 + 1, 3_600_000))
    }
    return inbox.withLock { inbox in
      if inbox.isStopRequested { return nil }
      if timeout == 0 || !inbox.work.isEmpty { return 0 }
      inbox.isAsleep = true
      return timeout
    }
  }

  private func takeInbox() {
    inbox.withLock { inbox in
      inbox.isAsleep = false
      if inbox.work.isEmpty { return }
      work.append(contentsOf: inbox.work)
      inbox.work.removeAll(keepingCapacity: inbox.work.capacity <= 4096)
    }
  }

  private func dispatch(_ events: UnsafeBufferPointer<epoll_event>) {
    for (number, event) in events.enumerated() {
      if number % Self.itemsBetweenWakes == 0 { wakeOthers() }
      let token = event.data.u64
      if token == Self.wakeUpToken {
        var value: UInt64 = 0
        eventfd_read(wakeUp, &value)
      } else if let handler = descriptors.handler(Watch(token: token)) {
        handler.descriptorReady(Readiness(rawValue: event.events))
      }
    }
  }

  private func fireTimers() {
    guard let first = timers.nextDeadline else { return }
    let now = MonotonicClock.now
    if first > now { return }
    // A timer that is added now waits for the next turn, however short it is: descriptors come in between.
    let limit = timers.nextSequence
    while let action = timers.popDue(at: now, addedBefore: limit) { action.fire() }
  }

  func runJobs(limit: Int, until deadline: UInt64) {
    let serial = asUnownedSerialExecutor()
    let task = asUnownedTaskExecutor()
    var left = limit
    while workHead < work.count, left > 0, left == limit || deadline == .max || MonotonicClock.now < deadline {
      left -= 1
      if left % Self.itemsBetweenWakes == 0 { wakeOthers() }
      switch takeItem() {
      case .isolated(let job): job.runSynchronously(isolatedTo: serial, taskExecutor: task)
      case .unisolated(let job): job.runSynchronously(on: task)
      case .body(let body): body()
      case .taken: break
      }
    }
    wakeOthers()
  }

  /// Takes the first item out: what it holds goes when it has been run, and may give the loop work then.
  private func takeItem() -> Work {
    let item = work[workHead]
    work[workHead] = .taken
    workHead += 1
    // The front must not grow without end while the queue never empties.
    if workHead == work.count {
      work.removeAll(keepingCapacity: work.capacity <= 4 * Self.jobsPerTurn)
      workHead = 0
    } else if workHead == 4 * Self.jobsPerTurn {
      work.removeFirst(workHead)
      workHead = 0
    }
    return item
  }

  // MARK: - The end

  private func end() {
    isEnding = true
    for handler in descriptors.removeAll() { handler.eventLoopStopped() }
    while let action = timers.popFirst() { action.drop() }
    wakeOthers()
    let (waiters, mustDrain) = inbox.withLock { inbox in
      inbox.phase = .stopped
      inbox.work = work[workHead...] + inbox.work
      work = []
      workHead = 0
      close(epoll)
      if let thread = inbox.joinable {
        inbox.joinable = nil
        pthread_detach(thread)
      }
      leaveCurrentThread()
      let mustDrain = !inbox.work.isEmpty
      inbox.isDraining = mustDrain
      defer { inbox.stopWaiters = [] }
      return (inbox.stopWaiters, mustDrain)
    }
    if mustDrain { startDraining() }
    for waiter in waiters { waiter.resume() }
    ended.open()
  }
}
