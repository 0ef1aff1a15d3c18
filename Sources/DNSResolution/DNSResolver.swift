import Addresses
import Cryptography
import DNSWire
import MainlineProtocol
import Pkarr

/// A DNS resolver for the names of keys and all others, without sockets, clock or threads.
///
/// Queries and the time come in, answers and wishes come out; see ``ResolverAction``. After each call that is not
/// answered at once, take all of ``nextAction()``; call ``tick(now:wallClock:)`` when ``nextDeadline`` has come.
///
/// It is confined to one loop: not `Sendable`, and nothing in it locks.
public final class DNSResolver {
  /// What the operator has set. A change holds from the next query on; caches keep what they have.
  public var policy: ResolutionPolicy

  /// Makes a resolver with empty caches.
  public init(policy: ResolutionPolicy = ResolutionPolicy(), random: RandomSource = .system) {
    self.policy = policy
  }

  /// Takes one message of a client.
  ///
  /// - Parameters:
  ///   - query: the message; anything at all.
  ///   - origin: who sent it.
  ///   - now: the monotonic clock.
  ///   - wallClock: the time of day, for cookies and serial numbers.
  ///   - reply: room for the answer; nothing is written beyond its end. 512 bytes at least, 65,535 for transports other
  ///     than UDP.
  public func receive(
    _ query: RawSpan, from origin: QueryOrigin, now: Instant, wallClock: Timestamp,
    into reply: UnsafeMutableRawBufferPointer
  ) -> QueryDisposition { .drop }

  /// The next thing to do; nil once there is nothing more.
  public func nextAction() -> ResolverAction? { nil }

  /// Ends a search that ``ResolverAction/lookUp(_:_:reason:)`` asked for. Ids that are not known (any more) are ignored.
  public func finish(lookup: LookupID, with result: KeyLookupResult, now: Instant, wallClock: Timestamp) {}

  /// Takes a packet that was not asked for, or a newer one of a search that has ended.
  public func learn(_ packet: SignedPacket, from source: PacketSource, now: Instant, wallClock: Timestamp) {}

  /// Ends a question that ``ResolverAction/forward(_:_:server:)`` asked for. Ids that are not known (any more) are
  /// ignored.
  public func finish(forward: ForwardID, with result: ForwardResult, now: Instant, wallClock: Timestamp) {}

  /// Forgets a query: its client has gone.
  public func cancel(_ query: QueryID) {}

  /// Answers what has waited long enough.
  public func tick(now: Instant, wallClock: Timestamp) {}

  /// When ``tick(now:wallClock:)`` is wanted next; nil if nothing waits.
  public var nextDeadline: Instant? { nil }

  /// What was done.
  public var counters: ResolverCounters { ResolverCounters() }

  /// What is held.
  public var gauges: ResolverGauges { ResolverGauges() }

  /// Forgets all answers for a name, and with `subtree` for all names below it. Returns how many answers were forgotten.
  @discardableResult
  public func flush(_ name: DomainName, subtree: Bool = false) -> Int { 0 }

  /// Forgets the packet of a key, what is known of its absence, and all answers made of it.
  @discardableResult
  public func flush(_ key: PublicKey) -> Int { 0 }

  /// The packets held, the most recently used first, up to so many bytes: for ``restore(_:now:wallClock:)`` after a
  /// restart.
  public func snapshot(maximumBytes: Int = .max, now: Instant, wallClock: Timestamp) -> [UInt8] { [] }

  /// Takes packets from ``snapshot(maximumBytes:now:wallClock:)``. Each signature is checked; what is damaged is left
  /// out. Returns how many were taken.
  @discardableResult
  public func restore(_ snapshot: RawSpan, now: Instant, wallClock: Timestamp) -> Int { 0 }

  /// Where the packet of a key came from, for those who tell their clients.
  public func provenance(of key: PublicKey, now: Instant) -> PacketProvenance? { nil }
}

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
