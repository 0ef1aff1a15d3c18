import Addresses
import DNSWire
import MainlineProtocol
import Pkarr

/// One question on its way to an answer: which link of a chain of aliases it is at, what was found, what it waits for.
final class Resolution {
  /// What it waits for.
  enum Step: Equatable {
    /// Nothing: it can go on.
    case ready
    /// The packet of a key.
    case packet(PublicKey)
    /// The reply of another server.
    case reply(ForwardKey)
    /// The answer is there.
    case done
  }

  /// An answer that is ready as another server gave it.
  struct Ready {
    var answer: ComposedAnswer
    var ttl: ReplyWriter.TTLChange
    var error: ExtendedError?
  }

  /// Beyond that many steps a resolution is given up, whatever leads it on: each alias, delegation, server and search takes
  /// a few.
  static let maximumSteps = 256

  let id: UInt64
  let question: CanonicalQuestion
  /// Who is charged for the work; nobody for a refresh ahead of time.
  let origin: QueryOrigin?
  let isPrefetch: Bool
  /// The steps so far, if somebody wants to see them.
  var trace: ResolutionTrace?
  /// Clients who wait, and some whose time was up.
  var waiters: [PendingQueryID] = []
  /// How many of them wait still.
  var waitingCount = 0
  var step = Step.ready
  /// The name of the link, as the client sees it; in lower case.
  var name: DomainName { didSet { kind = nil } }
  /// To which world it belongs; nil as long as nobody wanted to know. That a key is a point of the curve takes some time to
  /// find out.
  var kind: NameKind?
  /// All names of the chain.
  var visited: Set<DomainName>
  var steps = 0
  var aliases = 0
  var delegations = 0
  /// The delegation that is being followed.
  var delegation: Delegation?
  /// True once its client has waited long enough to be served stale data.
  var acceptsStale = false
  /// Keys whose search failed just now, and how.
  var failures: [PublicKey: ExtendedError] = [:]

  /// Keys whose packets the network gave just now.
  var found: Set<PublicKey> = []

  var draft: AnswerDraft
  var ready: Ready?
  /// Whether a key had a part in the answer.
  var touchesKeys = false
  /// Whether something in the answer does not come from a verified packet.
  var holdsUnverified = false
  /// Seconds since the oldest stale data were confirmed; nil if all are fresh.
  var staleAge: UInt64?
  /// The answer may be kept until then.
  var freshUntil = Instant.never
  /// The key at the first link, to which its owner's exemptions belong.
  var firstApex: DomainName?

  init(id: UInt64, question: CanonicalQuestion, origin: QueryOrigin?, isPrefetch: Bool) {
    self.id = id
    self.question = question
    self.origin = origin
    self.isPrefetch = isPrefetch
    name = question.name
    visited = [question.name]
    draft = AnswerDraft(name: question.name, type: question.type)
  }

  /// False if the client wants nothing but what is at hand (RD=0).
  var mayAsk: Bool { !question.variant.contains(.fromMemoryOnly) }

  /// Ends with an error.
  func fail(_ code: ResponseCode, _ error: ExtendedError?) {
    draft.code = code
    draft.error = error
    step = .done
  }

  /// Ends with what the draft holds.
  func finish(_ code: ResponseCode = .noError) {
    draft.code = code
    step = .done
  }
}

/// A question to another server, as resolutions share it.
struct ForwardKey: Hashable, Sendable {
  var question: ForwardQuestion
  /// The server of a delegation; nil for those that are configured.
  var server: Endpoint?
}

/// The servers to which a part of a key's zone was delegated, and how far they were asked.
struct Delegation {
  /// The name that was delegated.
  var cut: DomainName
  /// The key whose owner delegated it.
  var link: KeyName
  /// Servers whose addresses are not known yet.
  var hosts: [DomainName]
  /// Addresses to ask.
  var addresses: [IPAddress]
  /// Servers asked so far.
  var asked = 0
  /// True if an address was not asked because of the deny list.
  var wasDenied = false
  /// The server whose addresses are being asked for.
  var pendingHost: DomainName?
  /// What the last server answered that was of no use.
  var lastFailure: ExtendedError?
}
