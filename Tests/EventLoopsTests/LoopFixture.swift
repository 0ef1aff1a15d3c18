@testable import EventLoops

/// Runs a body with a loop that has been started, and stops the loop afterwards.
func withLoop<T>(_ body: (EventLoop) async throws -> T) async throws -> T {
  let loop = try EventLoop(name: "test")
  try loop.start()
  do {
    let value = try await body(loop)
    loop.stop()
    return value
  } catch {
    loop.stop()
    throw error
  }
}

extension EventLoop {
  /// Runs a closure on the loop and waits for what it returns.
  func value<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      execute { continuation.resume(with: Result(catching: body)) }
    }
  }
}

/// Counts, and lets someone wait for a number.
final class Counter: Sendable {
  private struct State {
    var value = 0
    var waiter: (goal: Int, continuation: CheckedContinuation<Void, Never>)?
  }

  private let state = LockedValue(State())

  var value: Int { state.withLock { $0.value } }

  func add(_ number: Int = 1) {
    let reached = state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.value += number
      guard let waiter = state.waiter, state.value >= waiter.goal else { return nil }
      state.waiter = nil
      return waiter.continuation
    }
    reached?.resume()
  }

  func reaches(_ goal: Int) async {
    await withCheckedContinuation { continuation in
      let isReached = state.withLock { state in
        if state.value >= goal { return true }
        state.waiter = (goal, continuation)
        return false
      }
      if isReached { continuation.resume() }
    }
  }
}

/// An actor that lives on a loop.
actor Resident {
  nonisolated let loop: EventLoop
  private(set) var visits = 0

  init(_ loop: EventLoop) { self.loop = loop }

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  func visit() -> Bool {
    visits += 1
    return loop.isOnLoop
  }

  func visitTwice() async -> Bool {
    let first = visit()
    await Task.yield()
    let second = visit()
    return first && second
  }
}
