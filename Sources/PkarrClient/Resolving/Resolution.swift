import Pkarr

/// A packet that a key resolved to, and how good an answer it is.
public struct Resolution: Sendable {
  /// The packet.
  public var packet: SignedPacket
  /// Where it comes from.
  public var source: PacketSource
  /// How long ago it was seen on the network, in seconds.
  public var age: UInt64
  /// How long it may still be kept; 0 if it has expired.
  public var expiresIn: TimeToLive
  /// True if it is a packet of the cache that has expired, or that could not be compared with the network.
  public var isStale: Bool
  /// Who holds this packet, and who still serves something older.
  public var report: FreshnessReport

  init(
    _ candidate: ResolveAccumulator.Candidate, isStale: Bool, report: FreshnessReport, policy: CachePolicy,
    at now: Timestamp
  ) {
    packet = candidate.packet
    source = candidate.source
    age = packet.elapsed(at: now)
    expiresIn = packet.expiresIn(policy, at: now)
    self.isStale = isStale
    self.report = report
  }
}

/// Why a key did not resolve, and what each of those who were asked said.
public struct ResolveFailure: Error, Sendable, CustomStringConvertible {
  /// Why.
  public var error: ResolveError
  /// What each of those who were asked said.
  public var report: FreshnessReport

  /// The error's description.
  public var description: String { error.description }
}
