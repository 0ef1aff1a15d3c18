extension EventLoop {
  /// Runs a closure on the loop and waits for what it returns; at once, without a suspension, if this is its thread.
  public func submit<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    if isOnLoop { return body() }
    return await withUnsafeContinuation { continuation in execute { continuation.resume(returning: body()) } }
  }
}
