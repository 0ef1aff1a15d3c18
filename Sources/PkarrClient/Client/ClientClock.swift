import EventLoops
import Pkarr

/// The time that a client goes by. Tests give it one that they move themselves.
public struct ClientClock: Sendable {
  /// Nanoseconds since an arbitrary moment, only moving forward.
  public var now: @Sendable () -> UInt64
  /// The time of day, for when a packet was seen.
  public var wallClock: @Sendable () -> Timestamp
  /// Waits; throws as soon as the task is cancelled.
  public var sleep: @Sendable (Duration) async throws -> Void

  /// Joins the parts.
  public init(
    now: @escaping @Sendable () -> UInt64, wallClock: @escaping @Sendable () -> Timestamp,
    sleep: @escaping @Sendable (Duration) async throws -> Void
  ) {
    self.now = now
    self.wallClock = wallClock
    self.sleep = sleep
  }

  /// The system's clocks.
  public static let system = ClientClock(
    now: { MonotonicClock.now }, wallClock: { .wallClock }, sleep: { try await Task.sleep(for: $0) })

  /// Time since an earlier reading of ``now``.
  func elapsed(since start: UInt64) -> Duration { .nanoseconds(Int64(clamping: now() &- start)) }
}
