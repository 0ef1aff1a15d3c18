/// How much an event matters.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
  /// Each step of an algorithm.
  case trace
  /// What helps to find a fault.
  case debug
  /// What a service did.
  case info
  /// Rare and normal, worth seeing: a start, a stop, a change of mode.
  case notice
  /// Something is not as it should be; the service goes on.
  case warning
  /// Something that was asked for failed.
  case error
  /// The service cannot go on.
  case critical

  /// From `trace` to `critical`.
  public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }

  @usableFromInline var rank: Int {
    switch self {
    case .trace: 0
    case .debug: 1
    case .info: 2
    case .notice: 3
    case .warning: 4
    case .error: 5
    case .critical: 6
    }
  }

  /// The priority that syslog and journald know (RFC 5424 §6.2.1).
  var syslogPriority: Int {
    switch self {
    case .trace, .debug: 7
    case .info: 6
    case .notice: 5
    case .warning: 4
    case .error: 3
    case .critical: 2
    }
  }
}

/// How an event is written.
public enum LogFormat: String, CaseIterable, Sendable {
  /// `event key=value …`, for people.
  case text
  /// One JSON object a line, for programs.
  case json
}
