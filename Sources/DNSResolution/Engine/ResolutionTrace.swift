import MainlineProtocol

/// The way of one question to its answer, step by step, for who wants to know why the answer is what it is.
///
/// See ``DNSResolver/trace(_:from:now:wallClock:into:)``. Confined to the loop of its resolver.
public final class ResolutionTrace {
  /// Where a step got what it knows.
  public enum Source: String, Hashable, Sendable {
    /// The query and the rules about names and clients.
    case rules
    /// What is held in memory.
    case cache
    /// The networks of keys: DHT and relays.
    case network
    /// A packet.
    case packet
    /// Name servers.
    case servers
    /// Time that has passed.
    case clock
  }

  /// One step.
  public struct Step: Hashable, Sendable {
    /// How long after the question.
    public var after: Duration
    /// What it rests on.
    public var source: Source
    /// What was found or decided, in a few words.
    public var text: String
  }

  /// Most steps that are kept.
  public static let capacity = 500

  private let start: Instant
  /// The steps so far.
  public private(set) var steps: [Step] = []

  init(startingAt start: Instant) { self.start = start }

  func add(_ source: Source, _ text: String, at now: Instant) {
    guard steps.count < Self.capacity else { return }
    steps.append(Step(after: start.duration(to: now), source: source, text: text))
  }
}

extension Resolution {
  /// Notes a step, if somebody wants to see them.
  @inline(__always)
  func note(_ source: ResolutionTrace.Source, at now: Instant, _ text: @autoclosure () -> String) {
    if let trace { trace.add(source, text(), at: now) }
  }
}
