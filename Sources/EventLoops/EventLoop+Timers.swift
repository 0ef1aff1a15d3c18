/// What a timer does when its time has come.
enum TimerAction {
  case body(() -> Void)
  case sleeper(Sleeper)

  func fire() {
    switch self {
    case .body(let body): body()
    case .sleeper(let sleeper): sleeper.wake(.success(()))
    }
  }

  /// The loop ends before the time has come.
  func drop() {
    if case .sleeper(let sleeper) = self { sleeper.wake(.failure(EventLoopStopped())) }
  }
}

/// A task that sleeps on a loop. Touched on the loop's thread only.
final class Sleeper: @unchecked Sendable {
  var continuation: CheckedContinuation<Void, any Error>?
  var timer: TimerHandle?
  var isCancelled = false

  func wake(_ result: Result<Void, any Error>) {
    continuation?.resume(with: result)
    continuation = nil
  }
}

extension EventLoop {
  /// Calls a closure on the loop once `deadline` (nanoseconds of `MonotonicClock`) has passed. *Loop only.*
  ///
  /// The closure is dropped if the timer is cancelled or the loop stops before.
  @discardableResult
  public func schedule(at deadline: UInt64, _ body: @escaping () -> Void) -> TimerHandle {
    requireLoop()
    return timers.insert(deadline: deadline, .body(body))
  }

  /// Calls a closure on the loop once a time has passed. *Loop only.*
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerHandle {
    schedule(at: MonotonicClock.now.addingSaturating(delay.clampedNanoseconds), body)
  }

  /// Takes a timer back; false if it has fired or was cancelled before. *Loop only.*
  @discardableResult
  public func cancel(_ timer: TimerHandle) -> Bool {
    requireLoop()
    return timers.remove(timer) != nil
  }

  /// Waits until `deadline` (nanoseconds of `MonotonicClock`) has passed.
  ///
  /// Throws `CancellationError` as soon as the task is cancelled, and `EventLoopStopped` if the loop stops before.
  public func sleep(until deadline: UInt64) async throws {
    let sleeper = Sleeper()
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        perform { self.begin(sleeper, deadline, continuation) }
      }
    } onCancel: {
      perform { self.cancel(sleeper) }
    }
  }

  /// Waits for a time; throws as `sleep(until:)`.
  public func sleep(for delay: Duration) async throws {
    try await sleep(until: MonotonicClock.now.addingSaturating(delay.clampedNanoseconds))
  }

  private func begin(_ sleeper: Sleeper, _ deadline: UInt64, _ continuation: CheckedContinuation<Void, any Error>) {
    if sleeper.isCancelled { return continuation.resume(throwing: CancellationError()) }
    if isEnding { return continuation.resume(throwing: EventLoopStopped()) }
    sleeper.continuation = continuation
    sleeper.timer = timers.insert(deadline: deadline, .sleeper(sleeper))
  }

  private func cancel(_ sleeper: Sleeper) {
    sleeper.isCancelled = true
    if let timer = sleeper.timer { _ = timers.remove(timer) }
    sleeper.wake(.failure(CancellationError()))
  }
}
