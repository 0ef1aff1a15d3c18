import Cryptography
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr

/// Keeps records alive: checks for each key how many of the closest nodes hold its newest packet, and puts it to those
/// who do not when there are too few.
///
///     let loop = try EventLoop(name: "republisher")
///     try loop.start()
///     var configuration = MainlineConfiguration.ephemeralClient
///     configuration.eventLoop = loop
///     let node = try await MainlineNode(configuration)
///     let republisher = try Republisher(through: node, on: loop)
///     for packet in packets { await republisher.add(RepublishedKey(packet)) }
///     let report = await republisher.run()  // until its task is cancelled
///
/// A newer version that somebody has published is never put over: it takes the place of the one that was kept alive. The
/// republisher decides nothing itself; see ``RepublishSchedule`` for when, and ``CopyCheck`` for whether.
///
/// Let the node live on the same event loop: then a check does not change threads.
public actor Republisher {
  /// Where it lives.
  public nonisolated let loop: EventLoop
  /// The executor of that loop.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
  /// The node that asks.
  public nonisolated let node: MainlineNode
  /// What it goes by.
  public private(set) var policy: RepublishPolicy

  var schedule: RepublishSchedule
  var entries: [PublicKey: RepublishedEntry] = [:]
  private let stateFile: RepublishStateFile?
  private let remembered: RepublishState
  private let onCheck: (@Sendable (PublicKey, RepublishOutcome) -> Void)?
  private let onRound: (@Sendable (RoundReport) -> Void)?
  let onNewer: (@Sendable (SignedPacket) -> Void)?
  private let onSaveFailure: (@Sendable (SystemError) -> Void)?
  let wallClock: @Sendable () -> Timestamp

  private var roundStart: Timestamp
  /// When the round and the one before began.
  private var roundBeginnings: (last: Instant?, current: Instant)
  private var totals = RepublishTotals()
  private var tasks: [PublicKey: Task<Void, Never>] = [:]
  private var waiter: CheckedContinuation<Void, Never>?
  private var timer: TimerHandle?
  private var saveTask: Task<Void, Never>?
  private var lastSave = Republisher.now
  private var isStopping = false

  /// A timer is looked at again after so long, since it does not count the time that the machine sleeps.
  private static let longestTimer = Duration.seconds(60)

  /// Reads the state; begins nothing yet.
  ///
  /// - Parameters:
  ///   - isSingleRound: True: ``run()`` ends when each key was checked.
  ///   - stateFile: Where it is remembered what was done; nil: nowhere.
  ///   - wallClock: The time of day, for versions and for the state.
  ///   - onCheck: Hears of each check, on the loop.
  ///   - onRound: Hears of each round that has ended, on the loop.
  ///   - onNewer: Hears of each packet that the network holds and that was not known here, on the loop.
  ///   - onSaveFailure: Hears each time that the state could not be written, which is tried again; on the loop.
  /// - Throws: `SystemError` if the state cannot be read.
  public init(
    through node: MainlineNode, on loop: EventLoop, _ policy: RepublishPolicy = RepublishPolicy(),
    isSingleRound: Bool = false, stateFile: RepublishStateFile? = nil,
    wallClock: @escaping @Sendable () -> Timestamp = { .wallClock },
    onCheck: (@Sendable (PublicKey, RepublishOutcome) -> Void)? = nil,
    onRound: (@Sendable (RoundReport) -> Void)? = nil, onNewer: (@Sendable (SignedPacket) -> Void)? = nil,
    onSaveFailure: (@Sendable (SystemError) -> Void)? = nil
  ) throws(SystemError) {
    self.node = node
    self.loop = loop
    self.policy = policy
    self.stateFile = stateFile
    self.wallClock = wallClock
    self.onCheck = onCheck
    self.onRound = onRound
    self.onNewer = onNewer
    self.onSaveFailure = onSaveFailure
    remembered = try stateFile?.read() ?? RepublishState()
    let beginning = Self.now
    schedule = RepublishSchedule(policy, isSingleRound: isSingleRound, at: beginning)
    roundBeginnings = (nil, beginning)
    let now = wallClock()
    roundStart = remembered.continuesRound(at: now, interval: policy.interval) ? remembered.roundStart : now
  }

  /// The time, also of a machine that sleeps.
  static var now: Instant { Instant(nanoseconds: Int64(clamping: MonotonicClock.nowWithSleep)) }

  // MARK: - Keys

  /// Takes up a key, or what another source knows of it, or a zone that has changed.
  public func add(_ source: RepublishedKey) {
    let now = Self.now
    if entries[source.key] != nil {
      entries[source.key]!.isLeaving = false
      entries[source.key]!.merge(source)
      if entries[source.key]!.newZone != nil { schedule.hurry(source.key, at: now) }
    } else {
      var entry = RepublishedEntry()
      let old = remembered.entries[source.key] ?? RepublishState.Entry()
      entry.packet = old.packet
      entry.isVerified = old.packet != nil
      entry.zoneDigest = old.zoneDigest
      entry.checked = old.checked
      entry.merge(source)
      entries[source.key] = entry
      let time = wallClock()
      let isNew = entry.newZone != nil
      let isInRound =
        !isNew && schedule.isSingleRound && remembered.isRoundOpen && roundStart == remembered.roundStart
        && old.checked >= roundStart && old.checked <= time && old.failures == 0
      // A single round checks everything that it has not checked itself.
      let age = isNew || schedule.isSingleRound && !isInRound ? nil : remembered.age(of: old, at: time)
      schedule.add(
        source.key, age: age, isChecked: isInRound, failures: schedule.isSingleRound ? 0 : old.failures, at: now)
    }
    if waiter != nil { pump() }
  }

  /// Keeps a key alive no longer. What is published stays on the network until the nodes forget it.
  public func remove(_ key: PublicKey) {
    guard entries[key] != nil else { return }
    guard schedule.remove(key) else {
      // Its check ends first.
      entries[key]!.isLeaving = true
      tasks[key]?.cancel()
      return
    }
    entries[key] = nil
    if waiter != nil { pump() }
  }

  /// Takes a packet if its key is kept alive, and it is newer than the one that is known.
  public func offer(_ packet: SignedPacket, isVerified: Bool = false) {
    guard entries[packet.publicKey] != nil else { return }
    entries[packet.publicKey]!.merge(RepublishedKey(packet, isVerified: isVerified))
  }

  /// Goes on by another policy. What runs goes on; keys whose turn would come later than the new interval are checked within
  /// it.
  public func change(_ new: RepublishPolicy) {
    policy = new
    schedule.change(new, at: Self.now)
    if waiter != nil { pump() }
  }

  /// How many keys are kept alive.
  public var count: Int { entries.count }

  /// How it is doing.
  public var status: RepublishStatus {
    let now = Self.now
    var status = RepublishStatus()
    status.keys = entries.count
    status.due = schedule.dueCount(at: now)
    status.running = schedule.runningCount
    status.totals = totals
    status.round = schedule.report
    status.roundAge = roundBeginnings.current.duration(to: now)
    status.lastRound = roundBeginnings.last.map { $0.duration(to: roundBeginnings.current) }
    return status
  }

  /// The newest packet of a key that is known here; nil if none is.
  public func packet(of key: PublicKey) -> SignedPacket? { entries[key]?.packet }

  /// The round so far.
  public var report: RoundReport { schedule.report }

  // MARK: - Running

  /// Keeps the keys alive until the task is cancelled, or, in a single round, until each was checked. What is known then
  /// is written to the state file.
  ///
  /// - Returns: The last round, so far as it went.
  @discardableResult
  public func run() async -> RoundReport {
    precondition(waiter == nil, "a republisher runs once")
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        waiter = continuation
        if Task.isCancelled { isStopping = true }
        pump()
      }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.stop() } }
    }
    await saveTask?.value
    await save(isRoundOpen: !schedule.isFinished)
    return schedule.finalReport()
  }

  private func stop() {
    isStopping = true
    for task in tasks.values { task.cancel() }
    pump()
  }

  /// Begins what is due, and sets the timer for what is not.
  private func pump() {
    let now = Self.now
    if let ended = schedule.endRound(at: now) {
      roundStart = wallClock()
      roundBeginnings = (roundBeginnings.current, now)
      onRound?(ended)
    }
    if !isStopping {
      while let key = schedule.next(at: now) {
        tasks[key] = Task(executorPreference: loop) { await self.work(on: key) }
      }
    }
    if let timer { loop.cancel(timer) }
    timer = nil
    guard isStopping || schedule.isFinished else { return setTimer(now) }
    guard tasks.isEmpty else { return }
    waiter?.resume()
    waiter = nil
  }

  private func setTimer(_ now: Instant) {
    let deadlines = [schedule.deadline(), schedule.roundDeadline].compactMap { $0 }
    let wait = deadlines.map { now.duration(to: $0) }.min() ?? Self.longestTimer
    timer = loop.schedule(after: min(max(.zero, wait), Self.longestTimer)) { [weak self] in
      self?.assumeIsolated { $0.timerFired() }
    }
  }

  private func timerFired() {
    timer = nil
    if !isStopping { pump() }
  }

  private func work(on key: PublicKey) async {
    let start = Self.now
    let outcome = await check(key)
    tasks[key] = nil
    if let outcome {
      totals.count(outcome, took: start.duration(to: Self.now))
      // A clock that has jumped back must not make the key look as if it had never been checked.
      entries[key]?.checked = max(wallClock(), Timestamp(microseconds: 1))
      schedule.finish(key, outcome, at: Self.now)
      onCheck?(key, outcome)
      // The zone has changed while the one before was on its way.
      if entries[key]?.newZone != nil, outcome.copies != nil { schedule.hurry(key, at: Self.now) }
      saveIfDue()
    } else {
      schedule.release(key)
    }
    if entries[key]?.isLeaving ?? false {
      schedule.remove(key)
      entries[key] = nil
    }
    pump()
  }

  // MARK: - State

  private func saveIfDue() {
    guard stateFile != nil, saveTask == nil, lastSave.duration(to: Self.now) >= policy.saveInterval else { return }
    saveTask = Task(executorPreference: loop) {
      await self.saveMidRound()
    }
  }

  private func saveMidRound() async {
    await save(isRoundOpen: true)
    saveTask = nil
  }

  private func save(isRoundOpen: Bool) async {
    guard let stateFile else { return }
    lastSave = Self.now
    let state = state(isRoundOpen: isRoundOpen)
    // The disk may be slow; the loop must not wait for it.
    let result = await Task.detached(operation: { Result { () throws(SystemError) in try stateFile.write(state) } })
      .value
    if case .failure(let error) = result { onSaveFailure?(error) }
  }

  private func state(isRoundOpen: Bool) -> RepublishState {
    var state = RepublishState()
    state.roundStart = roundStart
    state.isRoundOpen = isRoundOpen
    state.entries.reserveCapacity(entries.count)
    for (key, entry) in entries {
      var saved = RepublishState.Entry()
      saved.checked = entry.checked
      saved.failures = schedule.failures(of: key)
      saved.zoneDigest = entry.zoneDigest
      if !entry.isFromSource { saved.packet = entry.packet }
      state.entries[key] = saved
    }
    return state
  }
}
