import CLinux
import Glibc

/// A signal that asks a program to do something.
public enum Signal: String, Hashable, Sendable, CaseIterable {
  /// Ctrl-C (`SIGINT`).
  case interrupt
  /// The polite request to end (`SIGTERM`).
  case terminate
  /// The terminal has gone, or: read your configuration again (`SIGHUP`).
  case hangUp

  /// The system's number.
  public var number: Int32 {
    switch self {
    case .interrupt: SIGINT
    case .terminate: SIGTERM
    case .hangUp: SIGHUP
    }
  }
}

/// Turns signals into an asynchronous sequence, in place of their default action, until it is cancelled or released.
///
///     for await signal in try SignalSource([.interrupt, .terminate]) { … }
///
/// A signal that comes before anybody asks is kept. One source at a time can have a signal.
public final class SignalSource: AsyncSequence, Sendable {
  /// A signal.
  public typealias Element = Signal

  private let stream: AsyncStream<Signal>
  private let capture: SignalCapture
  private let loop: EventLoop
  private let ownsLoop: Bool

  /// Captures signals. Without a loop the source has a thread of its own.
  ///
  /// Throws `EBUSY` if another source has one of the signals.
  public init(_ signals: [Signal], on loop: EventLoop? = nil) throws(SystemError) {
    let (stream, continuation) = AsyncStream.makeStream(of: Signal.self, bufferingPolicy: .bufferingOldest(64))
    let capture = try SignalCapture(signals, continuation)
    let ownLoop: EventLoop
    if let loop {
      ownLoop = loop
    } else {
      ownLoop = try EventLoop(name: "signals")
      try ownLoop.start()
    }
    self.stream = stream
    self.capture = capture
    self.loop = ownLoop
    ownsLoop = loop == nil
    ownLoop.execute { capture.begin(on: ownLoop) }
  }

  deinit { cancel() }

  /// Gives the signals their former action back and ends the sequence.
  public func cancel() {
    let capture = capture
    capture.release()
    loop.execute { capture.end() }
    if ownsLoop { loop.requestStop() }
  }

  /// Adds a signal as if the system had sent it, for what has the same meaning.
  public func post(_ signal: Signal) { capture.post(signal) }

  /// Begins to wait for signals. One task at a time may do so.
  public func makeAsyncIterator() -> AsyncStream<Signal>.Iterator { stream.makeAsyncIterator() }
}

/// The pipe that a signal handler writes to.
private final class SignalCapture: DescriptorHandler, @unchecked Sendable {
  private let signals: [Signal]
  private let continuation: AsyncStream<Signal>.Continuation
  private var reading: Int32 = -1
  private var writing: Int32 = -1
  private var loop: EventLoop?
  private var watch: Watch?

  init(_ signals: [Signal], _ continuation: AsyncStream<Signal>.Continuation) throws(SystemError) {
    self.signals = Array(Set(signals))
    self.continuation = continuation
    let code = linux_pipe(&reading, &writing)
    guard code == 0 else { throw SystemError(code: -code, operation: "pipe") }
    for (index, signal) in self.signals.enumerated() {
      let code = linux_signal_capture(signal.number, writing)
      if code == 0 { continue }
      for captured in self.signals[..<index] { linux_signal_release(captured.number) }
      throw SystemError(code: -code, operation: "capture signal \(signal.rawValue)")
    }
  }

  // The pipe is closed here and not in `release`: a signal handler may be about to write to it on another thread.
  deinit {
    if reading >= 0 { close(reading) }
    if writing >= 0 { close(writing) }
  }

  func release() {
    for signal in signals { linux_signal_release(signal.number) }
  }

  func post(_ signal: Signal) { continuation.yield(signal) }

  func begin(on loop: EventLoop) {
    do throws(SystemError) {
      watch = try loop.watch(reading, for: .reading, handler: self)
      self.loop = loop
    } catch {
      continuation.finish()
    }
  }

  func end() {
    if let watch { loop?.unwatch(watch) }
    eventLoopStopped()
  }

  func descriptorReady(_ readiness: Readiness) {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(reading, &bytes, bytes.count)
    for number in bytes.prefix(max(0, count)) {
      if let signal = signals.first(where: { $0.number == Int32(number) }) { continuation.yield(signal) }
    }
  }

  func eventLoopStopped() {
    watch = nil
    loop = nil
    continuation.finish()
  }
}
