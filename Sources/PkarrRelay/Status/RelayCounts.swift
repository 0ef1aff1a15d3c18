import PlainText
/// What a relay has counted since it was started.
struct RelayCounts: Hashable, Sendable {
  /// Where an answered packet came from.
  enum Source: String, CaseIterable, Sendable {
    /// An answer that lay ready in memory.
    case memory
    /// The cache.
    case cache
    /// The DHT.
    case dht
  }

  /// What holds clients back.
  enum Limit: String, CaseIterable, Sendable {
    /// Requests of one address.
    case requests
    /// DHT operations of one address.
    case dhtOperations = "dht_operations"
    /// Queries of a peer of the DHT.
    case dhtPeers = "dht_peers"
  }

  /// Answers by status.
  private(set) var answers: [Int: UInt64] = [:]
  /// Packets answered, by where they came from.
  private(set) var packets = [UInt64](repeating: 0, count: Source.allCases.count)
  /// What was refused, by limit.
  private(set) var refused = [UInt64](repeating: 0, count: Limit.allCases.count)
  /// Requests for a packet that shared somebody else's lookup.
  var coalesced: UInt64 = 0
  /// Packets that were published.
  var published: UInt64 = 0
  /// Why requests for or with a packet failed, by the failure's name.
  var failures: [String: UInt64] = [:]
  /// Signatures that were checked.
  var verified: UInt64 = 0
  /// Signatures that did not fit.
  var invalid: UInt64 = 0
  /// How long lookups in the DHT took.
  var lookups = DurationHistogram()
  /// How long publications took.
  var publications = DurationHistogram()

  /// Nothing counted.
  init() {}

  /// Counts an answer.
  mutating func count(status: Int) { answers[status, default: 0] &+= 1 }

  /// Counts a packet that was answered.
  mutating func count(_ source: Source) { packets[source.position] &+= 1 }

  /// Counts something refused.
  mutating func count(_ limit: Limit) { refused[limit.position] &+= 1 }

  /// Packets that came from `source`.
  func packets(from source: Source) -> UInt64 { packets[source.position] }

  /// What `limit` refused.
  func refused(by limit: Limit) -> UInt64 { refused[limit.position] }
}

extension RelayCounts.Source {
  fileprivate var position: Int {
    switch self {
    case .memory: 0
    case .cache: 1
    case .dht: 2
    }
  }
}

extension RelayCounts.Limit {
  fileprivate var position: Int {
    switch self {
    case .requests: 0
    case .dhtOperations: 1
    case .dhtPeers: 2
    }
  }
}
