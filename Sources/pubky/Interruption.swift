import CommandLineTool
import EventLoops
import Glibc
import Synchronization

/// Ctrl-C, SIGTERM and a terminal that is closed, while a command talks to the network.
enum Interruption {
  /// How long work may take to end after it was told to.
  private static let patience = Duration.seconds(5)

  /// Runs `work`; a signal cancels its task. A second signal, or work that does not end within 5 s, ends the process.
  ///
  /// - Parameter undone: what to tell a person who interrupts: what was not done. Nil for work that only ends this way,
  ///   such as a node: then an interruption is no failure.
  /// - Throws: what `work` throws; `CommandError` with exit code 130 if it was interrupted.
  static func during<Result: Sendable>(
    undone: String?, _ work: @escaping @Sendable () async throws -> Result
  ) async throws -> Result? {
    let signals: SignalSource
    do throws(SystemError) {
      signals = try SignalSource([.interrupt, .terminate] + (isHangUpIgnored ? [] : [.hangUp]))
    } catch {
      throw CommandError("system", "signals cannot be caught: \(error)", exitCode: .refused)
    }
    defer { signals.cancel() }
    let wasInterrupted = Mutex(false)
    let running = Task { try await work() }
    let watcher = Task {
      for await _ in signals {
        if wasInterrupted.withLock({ was in
          defer { was = true }
          return was
        }) {
          _exit(ExitCode.interrupted.rawValue)
        }
        running.cancel()
        Task {
          try? await Task.sleep(for: patience)
          _exit(ExitCode.interrupted.rawValue)
        }
      }
    }
    defer { watcher.cancel() }
    do {
      return try await running.value
    } catch {
      guard wasInterrupted.withLock({ $0 }) else { throw error }
      guard let undone else { return nil }
      throw CommandError("interrupted", "stopped", advice: undone, exitCode: .interrupted)
    }
  }

  /// True under `nohup`, which asks for just that.
  private static var isHangUpIgnored: Bool {
    var action = sigaction()
    guard sigaction(SIGHUP, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Waits for a signal: only to be used below ``during(undone:_:)``.
  static func wait() async throws {
    while true { try await Task.sleep(for: .seconds(3600)) }
  }
}
