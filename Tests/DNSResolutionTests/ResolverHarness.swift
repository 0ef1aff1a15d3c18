import Addresses
import Cryptography
import DNSWire
import MainlineProtocol
import Pkarr
import Testing

@testable import DNSResolution

/// A resolver on a virtual clock, with a network that answers as the test says.
final class ResolverHarness {
  let resolver: DNSResolver
  var now = Instant(nanoseconds: 1_000_000_000_000)
  var wallClock = Timestamp(microseconds: 1_750_000_000_000_000)
  /// Packets of the network; keys that are not here are not found.
  var packets: [PublicKey: KeyLookupResult] = [:]
  var lookupsStaySilent = false
  var postponesWork = false
  var forwardsStaySilent = false
  /// What the servers elsewhere answer; nil is silence that ends in a timeout at once.
  var upstream: (ForwardQuestion, Endpoint?) -> ForwardResult = { _, _ in .failure(.timeout) }
  private(set) var lookedUp: [(id: LookupID, key: PublicKey, reason: ResolverAction.LookupReason)] = []
  private(set) var forwarded: [(id: ForwardID, question: ForwardQuestion, server: Endpoint?)] = []
  private(set) var answers: [PendingQueryID: [UInt8]] = [:]
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)

  init(_ change: (inout ResolutionPolicy) -> Void = { _ in }) {
    var policy = ResolutionPolicy()
    policy.clients.udpQueriesPerSecond = 0
    policy.clients.streamQueriesPerSecond = 0
    policy.clients.equalAnswersPerSecond = 0
    policy.clients.lookupsPerSecond = 0
    change(&policy)
    resolver = DNSResolver(policy: policy, random: RandomSource(seed: 7))
  }

  deinit { buffer.deallocate() }

  static let client = QueryOrigin(Endpoint(IPAddress(203, 0, 113, 9), port: 5353), .tcp)

  /// Publishes the records of a zone file whose origin is the key.
  @discardableResult
  func publish(_ zone: String, by keypair: Keypair = Keypair()) throws -> SignedPacket {
    let packet = try Self.packet(keypair, zone, at: wallClock)
    packets[packet.publicKey] = .packet(packet, source: .dht)
    return packet
  }

  static func packet(_ keypair: Keypair, _ zone: String, at time: Timestamp) throws -> SignedPacket {
    var builder = SignedPacketBuilder().allowingAnyName()
    builder.timestamp = time
    let origin = keypair.publicKey.domainName
    builder.append(contentsOf: try ZoneFile.parse(zone + "\n", origin: origin, keepsSOA: true).records.map(\.record))
    return try builder.sign(with: keypair)
  }

  func advance(seconds: Double) {
    now = now.advanced(by: .nanoseconds(Int64(seconds * 1e9)))
    wallClock = wallClock.adding(microseconds: UInt64(seconds * 1e6))
    resolver.tick(now: now, wallClock: wallClock)
    drive()
  }

  /// Does what the resolver wants until it wants nothing more.
  func drive() {
    while let action = resolver.nextAction() {
      switch action {
      case .answer(let id, let bytes): answers[id] = bytes
      case .lookUp(let id, let key, let reason):
        lookedUp.append((id, key, reason))
        guard !lookupsStaySilent else { continue }
        let result = packets[key] ?? .notFound(nodesAsked: 20, relaysAsked: 2)
        resolver.finish(lookup: id, with: result, now: now, wallClock: wallClock)
      case .forward(let id, let question, let server):
        forwarded.append((id, question, server))
        guard !forwardsStaySilent else { continue }
        resolver.finish(forward: id, with: upstream(question, server), now: now, wallClock: wallClock)
      }
    }
  }

  /// Hands a message in. Returns what became of it and, if there is one at once, the answer.
  func receive(_ message: [UInt8], from origin: QueryOrigin = client) -> (QueryDisposition, [UInt8]?) {
    let disposition = resolver.receive(
      message.span.bytes, from: origin, now: now, wallClock: wallClock, postponesWork: postponesWork, into: buffer)
    guard case .reply(let count) = disposition else { return (disposition, nil) }
    return (disposition, [UInt8](buffer[..<count]))
  }

  /// Takes up so many queries that were put aside, and does what the resolver wants.
  func takeUpPostponed(atMost limit: Int) {
    resolver.takeUpPostponed(atMost: limit, now: now, wallClock: wallClock)
    drive()
  }

  /// Asks and drives until there is an answer; nil if it is dropped or not answered yet.
  func answer(_ message: [UInt8], from origin: QueryOrigin = client) -> [UInt8]? {
    let (disposition, bytes) = receive(message, from: origin)
    drive()
    guard case .pending(let id) = disposition else { return bytes }
    return answers[id]
  }

  /// Asks for a name and type, and reads the answer.
  func ask(
    _ name: String, _ type: RecordType = .a, from origin: QueryOrigin = client, _ options: QueryOptions = QueryOptions()
  ) throws -> Reply {
    let query = try Self.query(name, type, options)
    let bytes = try #require(answer(query, from: origin), "no answer for \(name) \(type)")
    return try Reply(bytes)
  }

  /// What a query has besides name and type.
  struct QueryOptions {
    var id: UInt16 = 0x1234
    var flags: UInt16 = 0x0100
    var `class` = RecordClass.internet
    var hasOPT = true
    var size: UInt16 = 1232
    var version: UInt8 = 0
    var dnssec = false
    /// EDNS options, encoded.
    var options: [UInt8] = []
  }

  static func query(_ name: String, _ type: RecordType = .a, _ options: QueryOptions = QueryOptions()) throws -> [UInt8]
  {
    var message = Message(header: MessageHeader(id: options.id, flags: options.flags))
    message.questions = [Message.Question(name: try DomainName(name), type: type, class: options.class)]
    if options.hasOPT {
      let ttl = UInt32(options.version) << 16 | (options.dnssec ? 0x8000 : 0)
      message.options = ResourceRecord(
        name: .root, class: RecordClass(rawValue: options.size), ttl: ttl, data: .opaque(.opt, options.options))
    }
    return try message.encoded()
  }
}

/// An answer, read.
struct Reply {
  let bytes: [UInt8]
  let message: Message

  init(_ bytes: [UInt8]) throws {
    self.bytes = bytes
    message = try Message(parsing: bytes, rules: .tolerant)
    #expect(message.header.isResponse)
  }

  /// The response code, its extended part included.
  var code: UInt16 { UInt16(message.header.responseCode) | UInt16((message.options?.ttl ?? 0) >> 24) << 4 }
  var answers: [String] { message.answers.map(Self.text) }
  var authorities: [String] { message.authorities.map(Self.text) }
  var additionals: [String] { message.additionals.map(Self.text) }
  var isAuthoritative: Bool { message.header.isAuthoritative }

  private static func text(_ record: ResourceRecord) -> String {
    "\(record.name) \(record.type) \(record.data.presentation)"
  }

  /// EDNS options by their numbers.
  var options: [UInt16: [UInt8]] {
    guard case .opaque(_, let bytes)? = message.options?.data else { return [:] }
    var options: [UInt16: [UInt8]] = [:]
    var offset = 0
    while offset + 4 <= bytes.count {
      let code = UInt16(bytes[offset]) << 8 | UInt16(bytes[offset + 1])
      let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
      options[code] = Array(bytes[(offset + 4)..<(offset + 4 + length)])
      offset += 4 + length
    }
    return options
  }

  /// The extended error: its code and text.
  var error: (code: UInt16, text: String)? {
    options[15].map { (UInt16($0[0]) << 8 | UInt16($0[1]), String(decoding: $0.dropFirst(2), as: UTF8.self)) }
  }
}

extension ResourceRecord {
  /// A record by its full name; the data in zone file form.
  init(_ name: String, _ type: RecordType, _ data: String, ttl: UInt32 = 300) throws {
    let line = "\(try DomainName(name).absoluteDescription) \(ttl) IN \(type) \(data)\n"
    let zone = try ZoneFile.parse(line, origin: .root)
    self = try #require(zone.records.first).record
  }
}

/// A reply of another server to a question.
func response(
  to question: ForwardQuestion, _ answers: [ResourceRecord] = [], authorities: [ResourceRecord] = [],
  additionals: [ResourceRecord] = [], code: UInt8 = 0, flags: UInt16 = 0x8180
) -> ForwardResult {
  var message = Message(
    header: MessageHeader(id: 99, flags: flags), answers: answers, authorities: authorities, additionals: additionals)
  message.header.responseCode = code
  message.questions = [Message.Question(name: question.name, type: question.type)]
  message.options = ResourceRecord(name: .root, class: RecordClass(rawValue: 1232), ttl: 0, data: .opaque(.opt, []))
  return .reply((try? message.encoded()) ?? [])
}
