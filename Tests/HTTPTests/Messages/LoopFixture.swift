import EventLoops

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
  func value<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in execute { continuation.resume(returning: body()) } }
  }
}

/// Lets someone wait for something that happens once.
final class Signal: Sendable {
  private struct State {
    var hasHappened = false
    var waiter: CheckedContinuation<Void, Never>?
  }

  private let state = LockedValue(State())

  func happen() {
    let waiter = state.withLock { state in
      state.hasHappened = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume()
  }

  func wait() async {
    await withCheckedContinuation { continuation in
      let hasHappened = state.withLock { state in
        if !state.hasHappened { state.waiter = continuation }
        return state.hasHappened
      }
      if hasHappened { continuation.resume() }
    }
  }
}
