import Pkarr

/// Where a packet came from and how old it is.
public struct PacketProvenance: Hashable, Sendable {
  /// When the owner signed it.
  public var timestamp: Timestamp
  /// Who gave it.
  public var source: PacketSource
  /// Seconds since it was last confirmed.
  public var age: UInt64
  /// True if its time is over.
  public var isStale: Bool
}
