/// What a resolver has done since it was made, and what it holds: the figures behind metrics.
public struct ResolverCounters: Hashable, Sendable {
  /// Messages received, by transport (index: `QueryOrigin.Transport.rawValue`).
  public internal(set) var queries = InlineCounts()
  /// Answers given, by response code (RFC 6895 §2.3), the extended ones 16 and 23 included.
  public internal(set) var responses = InlineCounts()
  /// Messages dropped because they are no queries (too short, or responses).
  public internal(set) var notQueries: UInt64 = 0
  /// Queries for names of keys.
  public internal(set) var keyQueries: UInt64 = 0
  /// Answers taken from the cache of ready key answers.
  public internal(set) var keyAnswerHits: UInt64 = 0
  /// Answers taken from the cache of other servers' answers.
  public internal(set) var forwardedAnswerHits: UInt64 = 0
  /// Queries that had to be resolved.
  public internal(set) var misses: UInt64 = 0
  /// Queries that joined another one for the same question.
  public internal(set) var joined: UInt64 = 0
  /// Names that were answered here because they are special, blocked or no usable keys.
  public internal(set) var localAnswers: UInt64 = 0
  /// Answers made of data past their time.
  public internal(set) var staleAnswers: UInt64 = 0
  /// Failures answered from memory.
  public internal(set) var cachedFailures: UInt64 = 0
  /// Queries that were not answered in time.
  public internal(set) var deadlines: UInt64 = 0
  /// Answers that were cut for UDP.
  public internal(set) var truncated: UInt64 = 0
  /// Queries dropped by a limit.
  public internal(set) var limitedDrops: UInt64 = 0
  /// Queries over a limit that got an empty answer with TC=1.
  public internal(set) var limitedSlips: UInt64 = 0
  /// Queries refused by a limit or an access list.
  public internal(set) var refusals: UInt64 = 0
  /// Queries with a valid server cookie.
  public internal(set) var validCookies: UInt64 = 0
  /// Addresses removed from key answers (rebinding protection).
  public internal(set) var filteredAddresses: UInt64 = 0
  /// Searches for packets begun, and how they ended.
  public internal(set) var lookups: UInt64 = 0
  /// Searches that found a packet.
  public internal(set) var lookupsFound: UInt64 = 0
  /// Complete searches that found none.
  public internal(set) var lookupsNotFound: UInt64 = 0
  /// Searches that could not tell.
  public internal(set) var lookupsFailed: UInt64 = 0
  /// Questions to other servers begun.
  public internal(set) var forwards: UInt64 = 0
  /// Questions to other servers without a usable reply.
  public internal(set) var forwardsFailed: UInt64 = 0
  /// Refreshes ahead of time.
  public internal(set) var prefetches: UInt64 = 0
  /// How often outage mode began.
  public internal(set) var outages: UInt64 = 0

  /// No activity.
  public init() {}
}

/// A small fixed set of counts.
public struct InlineCounts: Hashable, Sendable {
  private var counts: [UInt64]

  /// Number of counts.
  public static let size = 32

  init() { counts = Array(repeating: 0, count: Self.size) }

  /// One of the counts; 0 beyond the last.
  public internal(set) subscript(index: Int) -> UInt64 {
    get { counts.indices.contains(index) ? counts[index] : 0 }
    set { if counts.indices.contains(index) { counts[index] = newValue } }
  }
}

/// What a resolver holds at the moment.
public struct ResolverGauges: Hashable, Sendable {
  /// Queries that wait for their answer.
  public var queriesInFlight = 0
  /// Searches for packets under way.
  public var lookupsInFlight = 0
  /// Questions to other servers under way.
  public var forwardsInFlight = 0
  /// Packets held.
  public var packets = 0
  /// Bytes of the packets, with what they cost beyond their own.
  public var packetBytes = 0
  /// Keys known to have no packet, or for which the search failed.
  public var absentKeys = 0
  /// Ready answers for names of keys, and their bytes.
  public var keyAnswers = 0
  /// Bytes of the ready answers for names of keys.
  public var keyAnswerBytes = 0
  /// Answers of other servers.
  public var forwardedAnswers = 0
  /// Bytes of the answers of other servers.
  public var forwardedAnswerBytes = 0
  /// Clients that the limits remember.
  public var clients = 0
  /// True while the network seems unreachable.
  public var isInOutage = false
}
