import CLinux
import Glibc
import Synchronization

/// One thread that waits for file descriptors, timers and Swift jobs, and runs what is ready.
///
/// A loop is a `SerialExecutor`: an actor whose `unownedExecutor` it is lives on the loop's thread, and a callback of
/// the loop enters the actor with `assumeIsolated` instead of a suspension. It is a `TaskExecutor` as well:
/// `Task(executorPreference: loop)` keeps a task on the thread, so that awaiting such an actor costs no thread hop.
///
/// Members marked *loop only* must be called on the loop's thread and trap elsewhere. All others may be called from any
/// thread. A loop that was started lives until it is stopped.
public final class EventLoop: SerialExecutor, TaskExecutor, @unchecked Sendable {
  enum Work {
    /// A piece of a task that is isolated to an actor of this loop.
    case isolated(UnownedJob)
    /// A piece of a task that prefers this loop and is isolated to nobody.
    case unisolated(UnownedJob)
    case body(@Sendable () -> Void)
    /// In the place of what has been taken out.
    case taken
  }

  enum Phase {
    case idle, running, stopped
  }

  /// What other threads touch.
  struct Inbox {
    var work: [Work] = []
    var phase = Phase.idle
    /// The loop waits in epoll, or is about to: new work must wake it.
    var isAsleep = false
    var isStopRequested = false
    /// Work that came after the end is being run.
    var isDraining = false
    /// The thread that `start` made, until someone joins it.
    var joinable: pthread_t?
    var stopWaiters: [UnsafeContinuation<Void, Never>] = []
  }

  /// Jobs run between two looks at the descriptors and timers, and the nanoseconds in which they are begun: however much is to
  /// be done, what comes in meanwhile is soon seen.
  static let jobsPerTurn = 1024
  static let jobTimePerTurn: UInt64 = 100_000
  static let eventsPerTurn = 256

  let inbox = LockedValue(Inbox())
  let ended = Gate()
  let epoll: Int32
  let wakeUp: Int32
  let name: String
  let priority: ThreadPriority
  private let thread = Atomic<UInt>(0)

  // Loop only from here on.
  /// What is to be run, from ``workHead`` on. Nothing with a life of its own is ever destroyed in there, and so nobody can want
  /// to change these while they are being changed: the checks for that at run time are left out.
  @exclusivity(unchecked) var work: [Work] = []
  @exclusivity(unchecked) var workHead = 0
  var timers = TimerHeap<TimerAction>()
  var descriptors = DescriptorTable()
  /// Those who got work from this loop in this turn and may be asleep.
  @exclusivity(unchecked) var sleepers: [any Wakeable] = []
  /// Nobody will look at descriptors and timers any more.
  var isEnding = false
  /// Buffers that all datagram sockets of the loop share.
  lazy var datagramBuffers = DatagramBuffers()

  /// A loop that is neither started nor run yet. Work may be given to it already.
  ///
  /// - Parameters:
  ///   - name: Shows in thread listings; at most 15 bytes.
  ///   - priority: How the thread that ``start()`` makes stands to others that want the same core.
  public init(name: String = "event-loop", priority: ThreadPriority = ThreadPriority()) throws(SystemError) {
    self.name = name
    self.priority = priority
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { throw SystemError(code: errno, operation: "epoll_create1") }
    wakeUp = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
    guard wakeUp >= 0 else {
      let code = errno
      close(epoll)
      throw SystemError(code: code, operation: "eventfd")
    }
    let code = linux_epoll_control(epoll, EPOLL_CTL_ADD, wakeUp, EPOLLIN.rawValue, Self.wakeUpToken)
    guard code == 0 else {
      close(epoll)
      close(wakeUp)
      throw SystemError(code: -code, operation: "epoll_ctl")
    }
  }

  /// No watch has this token: it would need 2^32 slots.
  static let wakeUpToken = UInt64.max

  deinit {
    if inbox.withLock({ $0.phase }) == .idle { close(epoll) }
    // Whoever holds the loop may be about to write to it.
    close(wakeUp)
  }

  /// True on the loop's thread.
  public var isOnLoop: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

  func adoptCurrentThread() {
    thread.store(UInt(pthread_self()), ordering: .relaxed)
    linux_set_thread_slot(Unmanaged.passUnretained(self).toOpaque())
  }

  func leaveCurrentThread() {
    linux_set_thread_slot(nil)
    thread.store(0, ordering: .relaxed)
  }

  /// The loop whose thread this is.
  private static var current: EventLoop? {
    linux_thread_slot().map { Unmanaged<EventLoop>.fromOpaque($0).takeUnretainedValue() }
  }

  func requireLoop() { precondition(isOnLoop, "must be called on the event loop's thread") }

  // MARK: Executor

  /// Runs a job of an actor on the loop, after those given before from the same thread.
  public func enqueue(_ job: consuming ExecutorJob) { add(.isolated(UnownedJob(job))) }

  /// Runs a job that no actor isolates on the loop, after those given before from the same thread.
  ///
  /// Were it run as if it were isolated, each of its calls to a function without isolation would leave that, and be a job of
  /// its own.
  @_implements(TaskExecutor,enqueue(_:))
  public func enqueueUnisolated(_ job: consuming ExecutorJob) { add(.unisolated(UnownedJob(job))) }

  /// For `unownedExecutor` of actors that live on this loop.
  public func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// For tasks that prefer this loop.
  public func asUnownedTaskExecutor() -> UnownedTaskExecutor { UnownedTaskExecutor(ordinary: self) }

  /// Traps off the loop's thread.
  public func checkIsolated() { requireLoop() }

  /// True on the loop's thread.
  public func isIsolatingCurrentContext() -> Bool? { isOnLoop }

  // MARK: Work

  /// Runs a closure on the loop, after the jobs and closures given before from the same thread; never at once.
  public func execute(_ body: @escaping @Sendable () -> Void) { add(.body(body)) }

  /// Runs a closure on the loop: at once if this is its thread, else as `execute`.
  func perform(_ body: @escaping @Sendable () -> Void) {
    if isOnLoop { body() } else { execute(body) }
  }

  private func add(_ item: Work) {
    if isOnLoop {
      work.append(item)
      return
    }
    let current = Self.current
    let (isAsleep, mustDrain) = inbox.withLock { inbox in
      inbox.work.append(item)
      let isAsleep = inbox.isAsleep
      if current == nil { inbox.isAsleep = false }
      let mustDrain = inbox.phase == .stopped && !inbox.isDraining
      if mustDrain { inbox.isDraining = true }
      return (isAsleep, mustDrain)
    }
    if mustDrain { return startDraining() }
    guard isAsleep else { return }
    if let current { current.wakeLater(self) } else { eventfd_write(wakeUp, 1) }
  }

  // MARK: Waking

  /// How much a loop does before it wakes those that it gave work to. Waking them for each piece of work would make two
  /// threads on one core take turns with every piece.
  static let itemsBetweenWakes = 16

  /// Wakes someone: soon, after more work may have come for him, if this is the thread of a loop; else at once.
  public static func wakeSoon(_ sleeper: some Wakeable) {
    if let current { current.wakeLater(sleeper) } else { sleeper.wake() }
  }

  private func wakeLater(_ sleeper: some Wakeable) {
    if !sleepers.contains(where: { $0 === sleeper }) { sleepers.append(sleeper) }
  }

  /// Wakes those who got work from this loop.
  func wakeOthers() {
    while let sleeper = sleepers.popLast() { sleeper.wake() }
  }

  // MARK: Work after the end

  /// Runs, one after the other on a short-lived thread, what reached the loop after its end: actors that lived on it
  /// must still be able to answer that they have ended, or their callers would wait for ever.
  func startDraining() {
    do throws(SystemError) {
      _ = try NativeThread.start(name: name, isDetached: true) { self.drain() }
    } catch {
      // No thread to be had: hand the work to Swift's pool.
      Task.detached { self.drain() }
    }
  }

  private func drain() {
    adoptCurrentThread()
    while true {
      let arrived: [Work]? = inbox.withLock { inbox in
        if inbox.work.isEmpty && work.isEmpty {
          inbox.isDraining = false
          // Before another drainer can begin.
          leaveCurrentThread()
          return nil
        }
        defer { inbox.work = [] }
        return inbox.work
      }
      guard let arrived else { return }
      work.append(contentsOf: arrived)
      runJobs(limit: .max, until: .max)
    }
  }
}

// MARK: - Waking

/// A thread that sleeps until it is woken.
public protocol Wakeable: AnyObject, Sendable {
  /// Wakes it if it sleeps. Any thread may call this, at any time.
  func wake()
}

extension EventLoop: Wakeable {
  /// Makes the loop look at what it was given.
  public func wake() {
    let wasAsleep = inbox.withLock { inbox in
      defer { inbox.isAsleep = false }
      return inbox.isAsleep
    }
    // Not under the lock, since that is the first thing that the woken thread takes.
    if wasAsleep { eventfd_write(wakeUp, 1) }
  }
}
