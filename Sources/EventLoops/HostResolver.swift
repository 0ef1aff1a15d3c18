import Addresses
import CLinux
import Glibc

/// Finds the addresses of hosts with the system's resolver, which blocks: each question has a thread of its own.
public enum HostResolver {
  /// Why a name was not resolved.
  public enum Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// The resolver's answer: no such host, no address, no name server that can be reached.
    case notFound(String)
    /// No answer in time.
    case timedOut
    /// Too many questions without an answer already, or no thread to be had.
    case busy

    /// One line for people.
    public var description: String {
      switch self {
      case .notFound(let reason): reason
      case .timedOut: "no answer from the name server in time"
      case .busy: "too many names are being looked up"
      }
    }
  }

  /// Threads that wait for an answer at the same time. The C library may block for a minute, whatever our own limit.
  static let maximumThreads = 32
  private static let threads = LockedValue(0)

  /// All addresses of a host, IPv4 and IPv6, in the system's order, with the host's port. An address resolves to itself.
  ///
  /// Throws `Failure` or, when the task is cancelled, `CancellationError`.
  public static func resolve(_ name: HostName, timeLimit: Duration = .seconds(5)) async throws -> [Endpoint] {
    if let endpoint = name.endpoint { return [endpoint] }
    return try await race(timeLimit: timeLimit) { look(up: name) }
  }

  /// Runs something that blocks on a thread of its own, and waits for it no longer than `timeLimit`.
  static func race<Value: Sendable>(
    timeLimit: Duration, _ body: @escaping @Sendable () -> Result<Value, Failure>
  ) async throws -> Value {
    let answer = FirstAnswer<Value>()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        answer.wait(continuation)
        let mayStart = threads.withLock { threads in
          if threads >= maximumThreads { return false }
          threads += 1
          return true
        }
        guard mayStart else { return answer.give(.failure(Failure.busy)) }
        do throws(SystemError) {
          _ = try NativeThread.start(name: "resolver", isDetached: true) {
            answer.give(body().mapError { $0 })
            threads.withLock { $0 -= 1 }
          }
        } catch {
          threads.withLock { $0 -= 1 }
          return answer.give(.failure(Failure.busy))
        }
        answer.attach(
          Task {
            // Cancelled as soon as there is an answer.
            if (try? await Task.sleep(for: timeLimit)) != nil { answer.give(.failure(Failure.timedOut)) }
          })
      }
    } onCancel: {
      answer.give(.failure(CancellationError()))
    }
  }

  private static func look(up name: HostName) -> Result<[Endpoint], Failure> {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(name.host, String(name.port), &hints, &list)
    guard code == 0 else {
      return .failure(.notFound("\(name.host): \(String(cString: gai_strerror(code)))"))
    }
    defer { freeaddrinfo(list) }
    var endpoints: [Endpoint] = []
    var next = list
    while let entry = next {
      next = entry.pointee.ai_next
      guard let address = entry.pointee.ai_addr else { continue }
      var storage = sockaddr_storage()
      withUnsafeMutableBytes(of: &storage) { storage in
        let length = min(Int(entry.pointee.ai_addrlen), storage.count)
        storage.copyMemory(from: UnsafeRawBufferPointer(start: address, count: length))
      }
      let endpoint = Endpoint(linux_sockaddr_load(&storage))
      if endpoint.port != 0, !endpoints.contains(endpoint) { endpoints.append(endpoint) }
    }
    return endpoints.isEmpty ? .failure(.notFound("\(name.host): no address")) : .success(endpoints)
  }
}

/// Resumes who waits with the first answer of several.
private final class FirstAnswer<Value: Sendable>: Sendable {
  private struct State {
    var continuation: CheckedContinuation<Value, any Error>?
    var early: Result<Value, any Error>?
    var timer: Task<Void, Never>?
    var isDone = false
  }

  private let state = LockedValue(State())

  func wait(_ continuation: CheckedContinuation<Value, any Error>) {
    let early = state.withLock { state in
      if state.early == nil { state.continuation = continuation }
      return state.early
    }
    if let early { continuation.resume(with: early) }
  }

  func attach(_ timer: Task<Void, Never>) {
    let isLate = state.withLock { state in
      if !state.isDone { state.timer = timer }
      return state.isDone
    }
    if isLate { timer.cancel() }
  }

  func give(_ answer: Result<Value, any Error>) {
    let (continuation, timer) = state.withLock { state in
      if state.isDone { return (nil as CheckedContinuation<Value, any Error>?, nil as Task<Void, Never>?) }
      state.isDone = true
      if state.continuation == nil { state.early = answer }
      defer {
        state.continuation = nil
        state.timer = nil
      }
      return (state.continuation, state.timer)
    }
    timer?.cancel()
    continuation?.resume(with: answer)
  }
}
