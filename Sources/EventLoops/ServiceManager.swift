import CLinux
import Glibc

/// The service manager that started this process, if it wants to hear how the process is doing (`sd_notify(3)`).
///
/// ```swift
/// let manager = ServiceManager.take()
/// manager?.tell(.ready)
/// await manager?.keepAlive(loops)   // until the task is cancelled
/// ```
public struct ServiceManager: Sendable {
  /// What it can be told.
  public enum State: Hashable, Sendable {
    /// The service does its work; also after it has read its settings again.
    case ready
    /// The service reads its settings again; ``ready`` follows.
    case reloading
    /// The service ends.
    case stopping
    /// The service still works: the watchdog of its unit begins to count anew.
    case alive
  }

  /// The path of its socket; `@` at the front stands for the abstract namespace.
  let path: String
  /// How long it waits for ``State/alive`` before it takes the service for dead (`WatchdogSec=`); nil: for ever.
  public let watchdog: Duration?

  /// A manager that listens on a socket (datagrams, Unix).
  public init(path: String, watchdog: Duration? = nil) {
    self.path = path
    self.watchdog = watchdog
  }

  /// The manager that the environment names; nil if there is none that wants to hear of this process.
  ///
  /// Call it once, early: it takes the variables out of the environment, so that child processes do not speak in this
  /// process's name.
  public static func take() -> ServiceManager? {
    defer { for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] { unsetenv(name) } }
    return ServiceManager { name in getenv(name).map { String(cString: $0) } }
  }

  /// The manager that variables name.
  init?(variable: (String) -> String?) {
    guard let path = variable("NOTIFY_SOCKET"), path.hasPrefix("/") || path.hasPrefix("@"), path.utf8.count > 1 else {
      return nil
    }
    let isForOther = variable("WATCHDOG_PID").map { pid_t($0) != getpid() } ?? false
    let microseconds = variable("WATCHDOG_USEC").flatMap { Int64($0) } ?? 0
    self.init(path: path, watchdog: microseconds > 0 && !isForOther ? .microseconds(microseconds) : nil)
  }

  /// Tells it something. Nobody waits for the manager: if it does not listen, nothing happens.
  public func tell(_ state: State) {
    let text =
      switch state {
      case .ready: "READY=1"
      // The manager must know which READY=1 belongs to it.
      case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(MonotonicClock.now / 1000)"
      case .stopping: "STOPPING=1"
      case .alive: "WATCHDOG=1"
      }
    var message = text
    message.withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return }
      _ = linux_unix_notify(path, base, bytes.count)
    }
  }

  /// Tells it that the service lives, twice as often as it wants to hear that, as long as each of the loops still does what
  /// it is asked. Returns when the task is cancelled; at once if there is no watchdog.
  public func keepAlive(_ loops: [EventLoop]) async {
    guard let watchdog else { return }
    repeat {
      for loop in loops { await loop.submit {} }
      if Task.isCancelled { return }
      tell(.alive)
    } while (try? await Task.sleep(for: watchdog / 2)) != nil
  }
}
