import CLinux
import Glibc

/// Threads of the operating system, outside Swift's pool: for what blocks.
public enum NativeThread {
  private final class Start {
    let name: String
    let priority: ThreadPriority
    let body: () -> Void

    init(name: String, priority: ThreadPriority, body: @escaping () -> Void) {
      self.name = name
      self.priority = priority
      self.body = body
    }
  }

  /// Starts a thread with a name of at most 15 bytes; joinable (`pthread_join`) unless `isDetached`.
  ///
  /// - Throws: `SystemError` if the system has no thread to give.
  public static func start(
    name: String, isDetached: Bool, priority: ThreadPriority = ThreadPriority(), _ body: @escaping @Sendable () -> Void
  ) throws(SystemError) -> pthread_t {
    let start = Unmanaged.passRetained(Start(name: name, priority: priority, body: body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if isDetached { pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED)) }
    var thread = pthread_t()
    let code = pthread_create(
      &thread, &attributes,
      { argument in
        let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
        linux_thread_set_name(start.name)
        start.priority.apply()
        start.body()
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      start.release()
      throw SystemError(code: code, operation: "start a thread")
    }
    return thread
  }
}

/// A door that is opened once; those who wait before it block their thread.
final class Gate: @unchecked Sendable {
  private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var isOpen = false

  init() {
    pthread_mutex_init(lock, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(lock)
    condition.deallocate()
    lock.deallocate()
  }

  func open() {
    pthread_mutex_lock(lock)
    isOpen = true
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(lock)
  }

  func wait() {
    pthread_mutex_lock(lock)
    while !isOpen { pthread_cond_wait(condition, lock) }
    pthread_mutex_unlock(lock)
  }
}
