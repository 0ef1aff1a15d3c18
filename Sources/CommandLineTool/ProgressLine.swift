import PlainText
import Synchronization

/// One line on a terminal that shows that long work goes on: what, and for how long. It appears after a second, so short
/// work shows nothing, and it leaves nothing behind.
public final class ProgressLine: Sendable {
  private struct State {
    var text: String
    var isDone = false
    var hasDrawn = false
  }

  private let state: Mutex<State>
  private let console: Console
  private let painter: Mutex<Task<Void, Never>?> = Mutex(nil)

  private init(_ text: String, _ console: Console) {
    state = Mutex(State(text: text))
    self.console = console
  }

  /// Runs `work` under a progress line. Without an able terminal, or for a program, nothing is drawn.
  public static func show<Result>(
    _ text: String, on console: Console, isolation: isolated (any Actor)? = #isolation,
    during work: (ProgressLine) async throws -> Result
  ) async rethrows -> Result {
    try await show(text, on: console, after: .seconds(1), isolation: isolation, during: work)
  }

  static func show<Result>(
    _ text: String, on console: Console, after delay: Duration, isolation: isolated (any Actor)? = #isolation,
    during work: (ProgressLine) async throws -> Result
  ) async rethrows -> Result {
    let line = ProgressLine(text, console)
    line.start(after: delay)
    defer { line.stop() }
    return try await work(line)
  }

  /// Says what happens now.
  public func update(_ text: String) { state.withLock { $0.text = text } }

  /// Whether anybody has seen the line.
  var hasDrawn: Bool { state.withLock { $0.hasDrawn } }

  private func start(after delay: Duration) {
    guard console.errors.canRedraw, !console.isJSON else { return }
    let begin = ContinuousClock.now
    let task = Task.detached { [self] in
      try? await Task.sleep(for: delay)
      var turn = 0
      while !Task.isCancelled {
        draw(turn, since: begin)
        turn += 1
        try? await Task.sleep(for: .milliseconds(120))
      }
    }
    painter.withLock { $0 = task }
  }

  private func draw(_ turn: Int, since begin: ContinuousClock.Instant) {
    let wheel = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"][turn % 10]
    state.withLock { state in
      guard !state.isDone else { return }
      let seconds = (ContinuousClock.now - begin).components.seconds
      let room = (console.errors.columns ?? 80) - 1
      console.redraw(String("\(wheel) \(state.text)  \(DurationText.describe(.seconds(seconds)))".prefix(room)))
      state.hasDrawn = true
    }
  }

  private func stop() {
    guard let task = painter.withLock({ $0.take() }) else { return }
    task.cancel()
    state.withLock { state in
      state.isDone = true
      if state.hasDrawn { console.redraw("") }
    }
  }
}
