/// How a cache is doing.
public struct CacheStatistics: Hashable, Sendable {
  /// Reads that found a packet, since the cache was opened.
  public var hits = 0
  /// Reads that found none.
  public var misses = 0
  /// Packets that are cached.
  public var count = 0
  /// Packets that can be cached.
  public var capacity = 0
  /// Bytes of memory that the cache holds itself: packets, and writes that wait. Pages of a mapped file are not in it.
  public var bytesInMemory = 0
  /// Bytes that its file takes on disk; 0 without one.
  public var bytesOnDisk = 0
  /// Packets that made room for others.
  public var evictions = 0
  /// Packets that are to be written.
  public var waitingWrites = 0
  /// How long the first of these has been waiting.
  public var oldestWaitingWrite: Duration?
  /// Packets that could not be written, and those that were dropped because too many were waiting.
  public var writeErrors = 0
  /// Packets that were found damaged, and removed.
  public var damagedPackets = 0

  /// Nothing has happened yet.
  public init() {}

  /// Hits among all reads, 0 … 1; nil without any.
  public var hitRate: Double? {
    let reads = hits + misses
    return reads == 0 ? nil : Double(hits) / Double(reads)
  }
}
