import Addresses

/// Queries of ours that wait for an answer, by transaction id.
struct RequestTable: Sendable {
  struct Request: Sendable {
    let endpoint: Endpoint
    /// Who was asked, as far as its id was known.
    let contact: NodeContact?
    let owner: Owner
    let sentAt: Instant
    /// A `get`: a node that answers everything else but never this has no storage (Transmission).
    let asksForItems: Bool
    /// Its answer should have come by now; it no longer counts against those that may be under way.
    var isOverdue = false
  }

  /// For whom a query was sent.
  enum Owner: Sendable {
    case lookup(Int, candidate: Int)
    /// A `find_node` to a candidate of a lookup, for nodes around the closest ones.
    case widening(Int, candidate: Int)
    /// A put to one of its targets.
    case put(Int, target: Int)
    /// A `get` to one target of a put, for a token.
    case putToken(Int, target: Int)
    case ping(QueryID)
    /// The table wants to know whether the node is still there.
    case table
  }

  /// Requests at the same time.
  static let maximumCount = 4096
  /// Requests whose answers may come any moment; with so many, lookups wait.
  ///
  /// All these answers must fit into the socket's buffer: Linux gives it 416 kB, and counts up to 2304 bytes for one answer. On
  /// a network of one's own they can come all at once; on the public one they are spread over time, and the pacer lets no more
  /// out than are answered meanwhile.
  let lookupLimit: Int

  init(network: NodeConfiguration.Network) { lookupLimit = network == .public ? 512 : 160 }

  private var requests: [UInt32: Request] = [:]
  private var overdueCount = 0
  private var perEndpoint: [Endpoint: Int] = [:]
  private var perHost: [AddressBlock: Int] = [:]
  /// How long answers take.
  var roundTrips = RoundTripEstimator()
  /// A sliding record of the last 1000 requests: bit set = answered.
  private var lately = AnswerRecord()

  var count: Int { requests.count }
  var isFull: Bool { requests.count >= Self.maximumCount }
  /// True if lookups must wait.
  var isFullForLookups: Bool { requests.count - overdueCount >= lookupLimit }
  /// Room enough to let those go on who waited for it.
  var hasRoom: Bool { requests.count - overdueCount <= lookupLimit / 2 }
  var answeredShare: Double? { lately.share }

  subscript(transaction: UInt32) -> Request? { requests[transaction] }

  /// Whether one more request to this endpoint and this address stays within the limits.
  func admits(_ endpoint: Endpoint, perEndpoint endpointLimit: Int, perHost hostLimit: Int) -> Bool {
    perEndpoint[endpoint, default: 0] < endpointLimit
      && perHost[.host(endpoint.address), default: 0] < hostLimit
  }

  mutating func insert(_ request: Request, transaction: UInt32) {
    requests[transaction] = request
    perEndpoint[request.endpoint, default: 0] += 1
    perHost[.host(request.endpoint.address), default: 0] += 1
  }

  mutating func remove(_ transaction: UInt32) -> Request? {
    guard let request = requests.removeValue(forKey: transaction) else { return nil }
    if request.isOverdue { overdueCount -= 1 }
    if requests.isEmpty {
      forgetAll()
    } else {
      Self.decrement(&perEndpoint, request.endpoint)
      Self.decrement(&perHost, .host(request.endpoint.address))
    }
    return request
  }

  /// The request that is overdue from now on; nil if it was answered.
  mutating func takeOverdue(_ transaction: UInt32) -> Request? {
    guard let request = requests[transaction] else { return nil }
    if !request.isOverdue {
      requests[transaction]?.isOverdue = true
      overdueCount += 1
    }
    return request
  }

  private static func decrement<Key>(_ counts: inout [Key: Int], _ key: Key) {
    guard let count = counts[key] else { return }
    counts[key] = count > 1 ? count - 1 : nil
  }

  /// Transactions to an endpoint.
  func transactions(to endpoint: Endpoint) -> [UInt32] {
    requests.filter { $0.value.endpoint == endpoint }.map(\.key).sorted()
  }

  mutating func record(answered: Bool) { lately.add(answered) }

  /// Gives back the memory: a node that rests waits for nobody.
  private mutating func forgetAll() {
    requests = [:]
    perEndpoint = [:]
    perHost = [:]
  }

  private struct AnswerRecord: Sendable {
    private static let length = 1000
    private var words = InlineArray<16, UInt64>(repeating: 0)
    private var count = 0
    private var position = 0
    private var answered = 0

    var share: Double? { count == 0 ? nil : Double(answered) / Double(count) }

    mutating func add(_ bit: Bool) {
      let mask = UInt64(1) << UInt64(position & 63)
      if words[position >> 6] & mask != 0 { answered -= 1 }
      if bit { words[position >> 6] |= mask } else { words[position >> 6] &= ~mask }
      if bit { answered += 1 }
      position = (position + 1) % Self.length
      count = min(count + 1, Self.length)
    }
  }
}
