import EventLoops
import MainlineProtocol

/// What a running lookup brings, on its way from the node's loop to who asked.
final class LookupSink<Element: Sendable>: Sendable {
  private struct State {
    var result: QueryResult?
    var isAbandoned = false
    var onAbandon: (@Sendable () -> Void)?
    var waiters: [CheckedContinuation<QueryResult, Never>] = []
  }

  private let state = LockedValue(State())
  private let continuation: AsyncStream<Element>.Continuation
  /// Taken once, by the sequence that the user holds: when that goes, the lookup is abandoned.
  private let stream: LockedValue<AsyncStream<Element>?>

  init() {
    let (stream, continuation) = AsyncStream.makeStream(of: Element.self)
    self.stream = LockedValue(stream)
    self.continuation = continuation
    continuation.onTermination = { [weak self] reason in
      if case .cancelled = reason { self?.abandon() }
    }
  }

  func takeStream() -> AsyncStream<Element> {
    stream.withLock { stream in
      defer { stream = nil }
      guard let stream else { preconditionFailure("a lookup has one sequence") }
      return stream
    }
  }

  var isAbandoned: Bool { state.withLock { $0.isAbandoned } }

  /// Calls a closure once nobody waits for the lookup any more; at once if that is so already.
  func whenAbandoned(_ body: @escaping @Sendable () -> Void) {
    let isTooLate = state.withLock { state in
      if !state.isAbandoned { state.onAbandon = body }
      return state.isAbandoned
    }
    if isTooLate { body() }
  }

  func abandon() {
    let body = state.withLock { state in
      state.isAbandoned = true
      defer { state.onAbandon = nil }
      return state.onAbandon
    }
    body?()
  }

  func yield(_ element: Element) { continuation.yield(element) }

  func finish(_ result: QueryResult) {
    let waiters = state.withLock { state in
      if state.result == nil { state.result = result }
      state.onAbandon = nil
      defer { state.waiters = [] }
      return state.waiters
    }
    continuation.finish()
    for waiter in waiters { waiter.resume(returning: result) }
  }

  /// The lookup's end.
  func result() async -> QueryResult {
    await withCheckedContinuation { waiter in
      let result = state.withLock { state in
        if state.result == nil { state.waiters.append(waiter) }
        return state.result
      }
      if let result { waiter.resume(returning: result) }
    }
  }
}
