import Cryptography

/// Follows HTTPS or SVCB records from a name of a key to where its service is, from key to key if need be.
///
/// A value without I/O: it says which packet it needs, is given it, and says the next endpoint.
///
/// ```swift
/// var search = EndpointSearch(for: "https://foo.KEY/", kind: .https)
/// while true {
///   switch search.next() {
///   case .resolve(let key): search.supply(packet(of: key))
///   case .endpoint(let endpoint): use(endpoint)
///   case .end: return search.failures
///   }
/// }
/// ```
///
/// Records are tried by priority, the lowest number first. One whose target ends in a key leads to that key's packet, whose
/// endpoints come before everything else that waits (depth first); one that leads nowhere is passed over. At most
/// `maximumPackets` packets are asked for in all, so that neither a loop nor a hostile packet makes a search long.
public struct EndpointSearch: Sendable {
  /// What is to be done next.
  public enum Step: Sendable {
    /// The packet of this key is needed: give it to ``supply(_:)``, or say ``supply(failure:)``.
    case resolve(PublicKey)
    /// A place where the service may be.
    case endpoint(ServiceEndpoint)
    /// There are no more.
    case end
  }

  /// The name that was asked for in full, as `foo.KEY`; nil if there is no key in the query.
  public let name: String?
  /// Which records are read.
  public let kind: EndpointKind
  /// Most packets that are asked for.
  public let maximumPackets: Int
  /// Number of packets asked for so far.
  public private(set) var packetCount = 0
  /// Why some of the ways led nowhere, in the order in which they were tried; the first 16.
  public private(set) var failures: [EndpointFailure] = []

  /// Packets that other PKARR implementations read at most.
  public static let defaultMaximumPackets = 7
  private static let maximumFailures = 16

  /// A record that waits, and the names on the way to it.
  private struct Waiting {
    let endpoint: ServiceEndpoint
    let path: [String]
  }

  /// A packet that is needed, and for which name; `path` ends with that name.
  private struct Question {
    let key: PublicKey
    let name: String
    let path: [String]
  }

  private var question: Question?
  /// The next one is the last.
  private var waiting: [Waiting] = []

  /// Begins with a host name, a URL or the text of a key; whatever holds no key has no endpoints.
  public init(
    for query: some StringProtocol, kind: EndpointKind, maximumPackets: Int = EndpointSearch.defaultMaximumPackets
  ) {
    self.kind = kind
    self.maximumPackets = maximumPackets
    guard let key = try? PublicKey(parsing: query) else {
      name = nil
      return
    }
    let name = key.name(inQuery: query)
    self.name = name
    ask(Question(key: key, name: name, path: [name]))
  }

  /// What is to be done next. The same again until a packet that is needed was supplied.
  public mutating func next() -> Step {
    if let question { return .resolve(question.key) }
    while let item = waiting.popLast() {
      guard let key = item.endpoint.targetKey else { return .endpoint(item.endpoint) }
      let name = key.name(inQuery: item.endpoint.target)
      guard !item.path.contains(name) else {
        note(.loop(name))
        continue
      }
      ask(Question(key: key, name: name, path: item.path + [name]))
      if let question { return .resolve(question.key) }
    }
    return .end
  }

  /// Takes the packet that ``next()`` asked for.
  public mutating func supply(_ packet: SignedPacket) {
    var generator = RandomSource.system
    supply(packet, using: &generator)
  }

  /// Takes the packet that ``next()`` asked for. `generator` decides about the order of records of equal priority.
  public mutating func supply(_ packet: SignedPacket, using generator: inout some RandomNumberGenerator) {
    guard let question, packet.publicKey == question.key else { return }
    self.question = nil
    let endpoints = packet.endpoints(named: question.name, kind: kind, using: &generator)
    if endpoints.isEmpty { note(.noRecord(question.name)) }
    waiting += endpoints.reversed().map { Waiting(endpoint: $0, path: question.path) }
  }

  /// Says that the packet that ``next()`` asked for is not to be had, and why, for a person.
  public mutating func supply(failure reason: String) {
    guard let question else { return }
    self.question = nil
    note(.unresolved(question.key, reason))
  }

  private mutating func ask(_ question: Question) {
    guard packetCount < maximumPackets else {
      note(.tooManyPackets(maximumPackets))
      waiting = []
      return
    }
    packetCount += 1
    self.question = question
  }

  /// Adds a reason that the search does not see itself: an endpoint that was found and cannot be used.
  public mutating func note(_ failure: EndpointFailure) {
    if failures.count < Self.maximumFailures, !failures.contains(failure) { failures.append(failure) }
  }
}

/// Why a way to an endpoint led nowhere.
public enum EndpointFailure: Error, Hashable, Sendable {
  /// The packet of a key was not found; the reason.
  case unresolved(PublicKey, String)
  /// The packet has no HTTPS (or SVCB) record of this name.
  case noRecord(String)
  /// A record leads back to a name that led to it.
  case loop(String)
  /// The search ended because it had asked for this many packets.
  case tooManyPackets(Int)
  /// The endpoint cannot be used; its target and why.
  case unusable(String, String)
}

extension EndpointFailure: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .unresolved(let key, let reason): "\(key): \(reason)"
    case .noRecord(let name): "\(name) has no record that says where its service is"
    case .loop(let name): "the records lead in a loop: \(name) comes a second time"
    case .tooManyPackets(let count): "the records lead through more than \(count) packets; no more are read"
    case .unusable(let target, let reason): "\(target): \(reason)"
    }
  }
}

extension PublicKey {
  /// The full name in a query that ``init(parsing:)`` read this key from: the host of a URL, its last label the canonical
  /// text of the key.
  func name(inQuery query: some StringProtocol) -> String {
    var host = Array(query.utf8)[...]
    if let scheme = host.firstIndex(of: UInt8(ascii: ":")), host[..<scheme].allSatisfy(Self.isSchemeByte) {
      // `KEY:PORT` has no scheme; nor has a name with dots in it.
      if host[(scheme + 1)...].starts(with: "//".utf8) {
        host = host[(scheme + 3)...]
      } else if host[..<scheme].count < Self.textLength {
        host = host[(scheme + 1)...]
      }
    }
    if let end = host.firstIndex(where: { "/?#".utf8.contains($0) }) { host = host[..<end] }
    if let user = host.lastIndex(of: UInt8(ascii: "@")) { host = host[(user + 1)...] }
    if let port = host.firstIndex(of: UInt8(ascii: ":")) { host = host[..<port] }
    let labels = host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: true)
    return fullName(
      of: String(decoding: Array(labels.dropLast().joined(separator: [UInt8(ascii: ".")])), as: UTF8.self))
  }

  private static func isSchemeByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
  }
}
