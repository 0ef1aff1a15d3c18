/// How the end of a message's body is found (RFC 9112 §6.3).
enum BodyFraming: Equatable, Sendable {
  /// There is no body, and none is announced.
  case none
  /// So many bytes; at most `Int64.max`.
  case length(UInt64)
  /// Chunks that tell their sizes, and a last one.
  case chunked
  /// All that comes until the connection closes; responses only.
  case untilClose
}
