/// What clients of TCP and TLS may have (RFC 7766 §6.2, RFC 9210 §4).
public struct StreamLimits: Hashable, Sendable {
  /// Open connections of one loop; beyond, the one that has idled longest is closed, and a new one if none idles.
  public var connections = 4096
  /// Open connections of one client address; 0: as many as it likes.
  public var connectionsPerAddress = 64
  /// Queries of one connection that wait for answers; beyond, no more are read until one is answered.
  public var queriesPerConnection = 256
  /// How long a connection may idle.
  public var idle: Duration = .seconds(10)
  /// From the connection to the end of the TLS handshake.
  public var handshake: Duration = .seconds(10)
  /// For the client to take any byte of what waits for it.
  public var write: Duration = .seconds(10)

  /// The defaults.
  public init() {}
}

/// What was counted of TCP and TLS connections since the start.
struct StreamCounts: Hashable, Sendable {
  var accepted: UInt64 = 0
  var refused: UInt64 = 0
  var timedOut: UInt64 = 0
  var failedHandshakes: UInt64 = 0
  var open = 0

  static func + (first: Self, second: Self) -> Self {
    var sum = first
    sum.accepted += second.accepted
    sum.refused += second.refused
    sum.timedOut += second.timedOut
    sum.failedHandshakes += second.failedHandshakes
    sum.open += second.open
    return sum
  }
}
