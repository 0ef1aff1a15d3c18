/// Limits of a message's head, or of its trailer section.
public struct HTTPHeadLimits: Sendable {
  /// Bytes of the whole head: first line, fields and the empty line. At most 2^30.
  public var maximumBytes = 16 << 10
  /// Number of field lines.
  public var maximumFields = 100
  /// Bytes of a request's target.
  public var maximumTargetBytes = 8 << 10

  /// The usual limits: 16 KiB, 100 fields, 8 KiB of target.
  public init() {}
}
