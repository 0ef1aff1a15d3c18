import EventLoops

/// Where a function writes a body of many pieces.
public struct HTTPBodyWriter: Sendable {
  let loop: EventLoop
  let sink: any BodySink

  /// Sends some bytes.
  ///
  /// Returns once there is room for more, so a slow reader slows the writer down. Throws `CancellationError` once the
  /// other side is gone or the task was cancelled.
  public func write(_ bytes: [UInt8]) async throws {
    // A writer that never has to wait must still learn that it was cancelled.
    try Task.checkCancellation()
    if loop.isOnLoop, sink.write(bytes) { return }
    try await writeAndWait(bytes, isWritten: loop.isOnLoop)
  }

  /// Sends some bytes without waiting, from the connection's loop; false if ``waitForRoom()`` must come before any more.
  ///
  /// For those who write little and wait long, in great numbers: a call that cannot wait takes no memory of its task.
  public func writeAtOnce(_ bytes: [UInt8]) -> Bool {
    precondition(loop.isOnLoop, "must be called on the connection's event loop")
    return sink.write(bytes)
  }

  /// Returns once there is room for more; throws as ``write(_:)-(_)``.
  public func waitForRoom() async throws { try await writeAndWait([], isWritten: true) }

  /// Sends some text as UTF-8; see ``write(_:)-(_)``.
  public func write(_ text: String) async throws { try await write(Array(text.utf8)) }

  private func writeAndWait(_ bytes: [UInt8], isWritten: Bool) async throws {
    let loop = loop
    let sink = sink
    let isOpen = await withTaskCancellationHandler {
      await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
        let wait: @Sendable () -> Void = {
          if !isWritten, sink.write(bytes) { return continuation.resume(returning: true) }
          sink.whenWritable { continuation.resume(returning: $0) }
        }
        if loop.isOnLoop { wait() } else { loop.execute(wait) }
      }
    } onCancel: {
      loop.execute { sink.writerCancelled() }
    }
    if !isOpen { throw CancellationError() }
  }
}

/// The sending end of one message on a connection. Used on the connection's loop only.
protocol BodySink: AnyObject, Sendable {
  /// Takes bytes; false if the writer should wait for ``whenWritable(_:)`` before it writes more, or nobody listens.
  func write(_ bytes: [UInt8]) -> Bool
  /// Calls `body` once: with true when there is room again (at once if there is), with false when nobody listens any more.
  func whenWritable(_ body: @escaping @Sendable (Bool) -> Void)
  /// The task that writes was cancelled: who waits must be told false.
  func writerCancelled()
}
