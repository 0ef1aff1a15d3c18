import CLinux
import Glibc

/// How a thread stands to others that want the same core. It makes no difference while each has a core of its own.
public struct ThreadPriority: Hashable, Sendable {
  /// What happens when the thread wakes up while another one runs.
  public enum Policy: Hashable, Sendable {
    /// It may interrupt the other one: for those whom somebody waits for (`SCHED_OTHER`).
    case interrupting
    /// It waits until the other one sleeps or has used up its slice, a few milliseconds. Work gathers meanwhile and is
    /// done in larger steps (`SCHED_BATCH`, sched(7)).
    case gathering
  }

  /// What happens when the thread wakes up.
  public var policy: Policy
  /// How much less of the core it takes than others: 0 (an equal share) to 19, as nice(1) has it.
  public var niceness: Int

  /// A priority; a niceness outside of its range is cut to it.
  public init(_ policy: Policy = .interrupting, niceness: Int = 0) {
    self.policy = policy
    self.niceness = min(max(niceness, 0), 19)
  }

  /// Gives the calling thread this priority. To step back is always allowed; where a sandbox forbids even that, the thread
  /// stays as it is.
  func apply() {
    if policy == .gathering { _ = linux_thread_set_batch() }
    // Of this thread alone, on Linux.
    if niceness > 0 { _ = nice(Int32(niceness)) }
  }
}
