/// Work that blocks, such as that on files, away from threads that others share.
public enum OwnThread {
  /// Runs something on a thread of its own and waits for what it returns, without blocking the caller's thread.
  public static func run<Value: Sendable>(
    _ name: String, _ body: @escaping @Sendable () -> Value
  ) async -> Value {
    await withUnsafeContinuation { continuation in
      let work: @Sendable () -> Void = { continuation.resume(returning: body()) }
      do throws(SystemError) {
        _ = try NativeThread.start(name: name, isDetached: true, work)
      } catch {
        // No thread to be had: then somebody has to wait.
        work()
      }
    }
  }
}
