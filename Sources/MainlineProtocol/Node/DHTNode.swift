import Addresses
import Cryptography

/// A node of the BitTorrent Mainline DHT as a value: bytes and the time go in, bytes and deadlines come out.
///
/// It speaks BEP 5 (nodes and peers), BEP 32 (IPv6), BEP 42 (ids bound to addresses), BEP 43 (read-only nodes), BEP 44
/// (immutable and mutable items) and BEP 51 (sampling), as client and server. It never touches a socket, a clock or a
/// random source of its own, so the same calls give the same node: a test decides what arrives and what time it is.
///
/// Whoever drives it does this, in any order and on one thread:
///
/// 1. ``receive(_:from:at:)`` for each datagram (or ``receive(_:from:at:moreFollow:)`` for those of a batch), ``tick(at:)``
///    when ``nextDeadline`` has come, ``start(_:at:)`` and ``cancel(_:at:)`` for a user's queries;
/// 2. after each of these (or after a batch of them) send what is in ``outbox`` and empty it, and act on
///    ``takeEvents()``.
///
/// The parts: a `RoutingTable` for each address family, what others stored here (`ItemStore`, `PeerStore`), the
/// `TokenIssuer`, the requests in flight, and one `Lookup` or `PutOperation` for each running query.
public struct DHTNode: ~Copyable {
  /// Datagrams to send: the driver takes them after every call.
  public var outbox = DatagramQueue()
  /// Counters since the node was made.
  public internal(set) var statistics = NodeStatistics()

  let configuration: NodeConfiguration
  let startedAt: Instant
  var random: RandomSource
  /// IPv4, IPv6 or both, each a DHT of its own.
  var families: [FamilyState]
  /// Our sockets, and where others see us: never asked, never named, never answered.
  var ownEndpoints: [Endpoint]
  var events: [NodeEvent] = []
  var timers = TimerQueue<TimerAction>()
  var singleTimers = SingleTimers()

  // What others keep here.
  var items: ItemStore
  var peers: PeerStore
  var waitingPuts = WaitingPuts()
  let tokens: TokenIssuer
  var limiter: RateLimiter

  // What we ask.
  var requests: RequestTable
  var pacer: OutgoingPacer
  /// Lookups that have more to send than the pacer lets pass at once.
  var stalled: Set<Int> = []
  /// True if some of those wait because too many requests are under way.
  var waitsForRoom = false
  var lookups: [Int: LookupState] = [:]
  var lookupsByKey: [LookupKey: Int] = [:]
  var puts: [Int: PutOperation] = [:]
  var queries: [QueryID: ActiveQuery] = [:]
  /// Queries that wait for a first node to ask.
  var deferred: [QueryID] = []
  var responders = ResponderCache()
  var sizeEstimate = NetworkSizeEstimate()
  var nextIdentifier = 0

  // Bootstrap and mode.
  var bootstrapEndpoints: [Endpoint] = []
  var savedContacts: [NodeContact]
  var bootstrapAttempts = 0
  /// The bootstrap hosts are being resolved, or have to be tried.
  var isAwaitingBootstrap = false
  var serverMode: ServerMode
  var lastUnconfirmedPing = Instant.distantPast
  var lastTick: Instant

  /// A node that knows nobody yet, or what it knew when ``saved(at:)`` was called.
  ///
  /// The first ``tick(at:)`` starts it.
  public init(
    configuration: NodeConfiguration, restoring saved: SavedNodes? = nil, random: RandomSource, at now: Instant
  ) {
    var random = random
    let isPublic = configuration.network == .public
    self.configuration = configuration
    startedAt = now
    lastTick = now
    families = configuration.families.map { family in
      FamilyState(family: family, configuration: configuration, saved: saved, random: &random)
    }
    ownEndpoints = configuration.localEndpoints + families.compactMap(\.votes.publicEndpoint)
    items = ItemStore(
      limits: configuration.storage, ownID: families.first?.table.localID ?? .zero, limitsSources: isPublic)
    peers = PeerStore(limits: configuration.storage, limitsSources: isPublic)
    tokens = TokenIssuer(random: &random, at: now)
    limiter = RateLimiter(configuration.rates, isOn: isPublic)
    requests = RequestTable(network: configuration.network)
    pacer = OutgoingPacer(configuration.rates, isOn: isPublic)
    savedContacts = saved?.nodes ?? []
    serverMode = ServerMode(configuration.mode, at: now)
    self.random = random
    timers.schedule(.bootstrap, at: now)
    timers.schedule(.maintenance, at: now.advanced(by: Self.maintenanceInterval))
  }
}

// MARK: - Driving the node

extension DHTNode {
  /// When ``tick(at:)`` wants to be called next.
  public var nextDeadline: Instant { timers.next ?? .never }

  /// Does what is due.
  public mutating func tick(at now: Instant) {
    noticeSuspension(at: now)
    while let action = timers.popDue(at: now) { perform(action, at: now) }
    dropStaleTimers()
  }

  /// The events since the last call, in order.
  public mutating func takeEvents() -> [NodeEvent] {
    if events.isEmpty { return [] }
    defer { events = [] }
    return events
  }

  /// Lets the node send so many queries a second beyond `RateLimits.outgoingQueries`; the limits for each address stay.
  public mutating func allowQueries(extraPerSecond extra: Double) { pacer.allow(extraPerSecond: extra) }

  /// Whether the node answers queries.
  public var isServer: Bool { serverMode.isServer }

  /// The node's id in one family, if it has that family.
  public func id(_ family: IPAddress.Family) -> NodeID? { families.first { $0.family == family }?.table.localID }

  private mutating func perform(_ action: TimerAction, at now: Instant) {
    switch action {
    case .overdue(let transaction): requestOverdue(transaction, at: now)
    case .expired(let transaction): requestExpired(transaction, at: now)
    case .lookupLimit(let lookup): if lookups[lookup] != nil { finishLookup(lookup, at: now) }
    case .deferredQueries: startDeferred(isLastChance: true, at: now)
    case .bootstrap: bootstrap(at: now)
    case .pingAgain(let contact): ping(contact, at: now)
    case .maintenance: maintain(at: now)
    case .single(let kind): if singleTimers.take(kind, at: now) { perform(kind, at: now) }
    }
  }

  private mutating func perform(_ kind: SingleTimers.Kind, at now: Instant) {
    switch kind {
    case .pacer: resumeStalled(at: now)
    case .unconfirmed: pingUnconfirmed(at: now)
    case .reachability: testReachability(at: now)
    }
  }

  /// Requests that were answered leave their timers behind; they must not wake the node for nothing.
  mutating func dropStaleTimers() {
    while let action = timers.first {
      switch action {
      case .overdue(let transaction), .expired(let transaction):
        if requests[transaction] != nil { return }
      case .lookupLimit(let lookup):
        if lookups[lookup] != nil { return }
      default: return
      }
      timers.removeFirst()
    }
  }

  mutating func identifier() -> Int {
    nextIdentifier += 1
    return nextIdentifier
  }
}

/// What a timer stands for.
enum TimerAction: Sendable {
  case overdue(transaction: UInt32)
  case expired(transaction: UInt32)
  case lookupLimit(Int)
  case deferredQueries
  case bootstrap
  /// Apart from the others, which are small and many.
  indirect case pingAgain(NodeContact)
  case maintenance
  case single(SingleTimers.Kind)
}
