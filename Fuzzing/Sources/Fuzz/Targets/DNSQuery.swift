import Addresses
import Cryptography
import DNSResolution
import DNSWire
import MainlineProtocol
import Pkarr

extension FuzzTarget {
  /// One message of a client, over each transport, dealt with at once and put aside first: no trap, and what comes back is a
  /// message that fits.
  static let dnsQuery = FuzzTarget(name: "dns-query", maximumLength: 600) { input in
    for isPutAside in [false, true] {
      let run = ResolverRun()
      for transport in QueryOrigin.Transport.allCases {
        run.ask([UInt8](input), over: transport, isPutAside: isPutAside)
        run.ask([UInt8](input), over: transport, isPutAside: isPutAside)
      }
      run.end()
    }
  }

  /// A reply of another server to a fixed question, from those that are configured and from a delegated one.
  ///
  /// The question of the reply is put in place of the first bytes, so that the fuzzer need not guess it.
  static let dnsUpstreamReply = FuzzTarget(name: "dns-upstream-reply", maximumLength: 1500) { input in
    let run = ResolverRun()
    run.upstream = [UInt8](input)
    for name in [ResolverRun.elsewhere, ResolverRun.delegated] {
      for type in [RecordType.a, .https, .cname] {
        run.ask(ResolverRun.query(name, type), over: .udp)
        run.ask(ResolverRun.query(name, type), over: .tcp)
      }
    }
    run.end()
  }
}

/// A resolver whose network holds one key and answers with the bytes under test.
final class ResolverRun {
  private static let keypair = Keypair(Ed25519.SecretKey(seed: [UInt8](repeating: 7, count: 32))!)
  private static let packet: SignedPacket = {
    let key = keypair.publicKey.z32
    let builder = SignedPacketBuilder().a("@", "192.0.2.1", ttl: 60).txt("*", "any", ttl: 60)
      .cname("c", "example.com", ttl: 60).rdata("d", .ns(try! DomainName("ns.d.\(key)")), ttl: 60)
      .a("ns.d", "198.51.100.1", ttl: 60)
    return try! builder.allowingAnyName().sign(with: keypair)
  }()
  static let elsewhere = try! DomainName("www.example.com")
  static let delegated = try! DomainName("x.d.\(keypair.publicKey.z32)")

  /// Small caches: a resolver is made for each input.
  private static let policy: ResolutionPolicy = {
    var policy = ResolutionPolicy()
    policy.cache.keyAnswerBytes = 100_000
    policy.cache.forwardedAnswerBytes = 100_000
    return policy
  }()

  /// What other servers answer, after the header and the question.
  var upstream: [UInt8] = []
  private let resolver = DNSResolver(policy: policy, random: RandomSource(seed: 1))
  private var now = Instant(nanoseconds: 1_000_000_000)
  private let wallClock = Timestamp(microseconds: 1_700_000_000_000_000)
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)

  deinit { buffer.deallocate() }

  static func query(_ name: DomainName, _ type: RecordType) -> [UInt8] {
    let header = MessageHeader(id: 1, flags: 0x0100)
    return try! Message(header: header, questions: [Message.Question(name: name, type: type)]).encoded()
  }

  func ask(_ message: [UInt8], over transport: QueryOrigin.Transport, isPutAside: Bool = false) {
    let origin = QueryOrigin(Endpoint(IPAddress(203, 0, 113, 1), port: 9), transport)
    let size = transport == .udp ? 1232 : buffer.count
    let room = UnsafeMutableRawBufferPointer(rebasing: buffer[..<size])
    let disposition = withCopy(of: message) {
      resolver.receive(
        $0.bytes, from: origin, now: now, wallClock: wallClock, postponesWork: isPutAside, into: room)
    }
    if case .reply(let count) = disposition { check([UInt8](buffer[..<count]), of: message) }
    resolver.takeUpPostponed(atMost: 1, now: now, wallClock: wallClock)
    require(!resolver.hasPostponed, "more was put aside than one query")
    var steps = 0
    while let action = resolver.nextAction() {
      steps += 1
      require(steps < 1000, "no end of actions for one query")
      switch action {
      case .answer(_, let bytes): check(bytes, of: message)
      case .lookUp(let id, let key, _):
        let isKnown = key == Self.packet.publicKey
        resolver.finish(
          lookup: id, with: isKnown ? .packet(Self.packet, source: .dht) : .notFound(nodesAsked: 1, relaysAsked: 0),
          now: now, wallClock: wallClock)
      case .forward(let id, let question, _):
        resolver.finish(forward: id, with: .reply(reply(to: question)), now: now, wallClock: wallClock)
      }
    }
  }

  /// The bytes under test as a reply to a question.
  private func reply(to question: ForwardQuestion) -> [UInt8] {
    guard upstream.count >= 12 else { return upstream }
    var bytes = Array(upstream.prefix(12))
    bytes[2] |= 0x80
    (bytes[4], bytes[5]) = (0, 1)
    bytes += question.name.wire + [UInt8(question.type.rawValue >> 8), UInt8(question.type.rawValue & 255), 0, 1]
    return bytes + upstream.dropFirst(12)
  }

  private func check(_ answer: [UInt8], of query: [UInt8]) {
    guard let message = try? Message(parsing: answer, rules: .tolerant) else { fatalError("an answer is no message") }
    require(message.header.isResponse, "an answer is no response")
    require(message.header.id == UInt16(query[0]) << 8 | UInt16(query[1]), "an answer has another id")
  }

  /// Lets all timers run out: nothing may be left waiting.
  func end() {
    now = now.advanced(by: .seconds(120))
    resolver.tick(now: now, wallClock: wallClock)
    while resolver.nextAction() != nil {}
    require(resolver.gauges.queriesInFlight == 0, "a query waits for ever")
  }
}
