import Pkarr

/// Puts the answers of several sources about one key together.
public struct ResolveAccumulator: Sendable {
  /// A packet and who sent it.
  public struct Candidate: Hashable, Sendable {
    /// The packet.
    public var packet: SignedPacket
    /// Where it comes from.
    public var source: PacketSource

    /// Joins the parts.
    public init(packet: SignedPacket, source: PacketSource) {
      self.packet = packet
      self.source = source
    }

    /// True if this one is newer, or the same and seen later.
    func isBetter(than other: Candidate?) -> Bool {
      guard let other else { return true }
      return packet.isMoreRecent(than: other.packet)
        || packet.isSame(as: other.packet) && packet.lastSeen > other.packet.lastSeen
    }
  }

  private let context: CacheContext?
  /// The most recent of all.
  public private(set) var newest: Candidate?
  private var newestAcceptable: Candidate?
  private var highestInvalidSeq: Int64?
  private var hasEmpty = false
  private var errors: [ResolveError: Int] = [:]

  /// Nothing recorded. `context` nil takes every packet.
  public init(context: CacheContext? = nil) { self.context = context }

  /// Takes in one answer; true if it may end the wait for others.
  public mutating func record(
    _ result: Result<SignedPacket, ResolveError>, from source: PacketSource, at now: Timestamp = .wallClock
  ) -> Bool {
    switch result {
    case .success(let packet): return record(Candidate(packet: packet, source: source), at: now)
    case .failure(let error):
      record(error)
      return false
    }
  }

  private mutating func record(_ candidate: Candidate, at now: Timestamp) -> Bool {
    if context?.isBelowFloor(candidate.packet) ?? false {
      hasEmpty = true
      return false
    }
    if candidate.isBetter(than: newest) { newest = candidate }
    guard let context else { return true }
    guard context.accepts(candidate.packet, at: now) else { return false }
    if candidate.isBetter(than: newestAcceptable) { newestAcceptable = candidate }
    return true
  }

  private mutating func record(_ error: ResolveError) {
    switch error {
    case .notFound: hasEmpty = true
    case .invalidSignedPacket(let seq):
      if context?.covers(invalidSeq: seq) ?? false {
        hasEmpty = true
      } else {
        highestInvalidSeq = max(highestInvalidSeq ?? seq, seq)
      }
    default: errors[error, default: 0] += 1
    }
  }

  /// What all of them together mean.
  ///
  /// The most recent acceptable packet, else the most recent one, unless something newer exists that is no packet; else
  /// "not found" if anybody said so, else the most frequent error.
  public var result: Result<Candidate, ResolveError> {
    let candidate = newestAcceptable ?? newest
    if let seq = highestInvalidSeq {
      guard let candidate, candidate.packet.timestamp.seq >= seq else {
        return .failure(.invalidSignedPacket(seq: seq))
      }
      return .success(candidate)
    }
    if let candidate { return .success(candidate) }
    if hasEmpty { return .failure(.notFound) }
    let error = errors.max { ($0.value, $0.key.specificity) < ($1.value, $1.key.specificity) }
    return .failure(error?.key ?? .unexpectedResponses)
  }
}
