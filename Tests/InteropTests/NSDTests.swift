import Addresses
import Cryptography
import DNSResolution
import DNSWire
import Foundation
import MainlineProtocol
import Pkarr
import TestSupport
import Testing
import WireFormat

/// Generated zones, served by us from packets and by NSD from zone files: both must say the same.
///
/// Known differences, which the comparison leaves out:
/// - the order of records in a set, and how the names are compressed;
/// - the authority section of positive answers, where NSD adds the NS records of the apex;
/// - the additional section: NSD adds addresses for more types than we do;
/// - ANY, where NSD gives all sets and we give one (RFC 8482);
/// - a loop of aliases, or a DNAME that leads below itself: SERVFAIL for us, an answer for NSD;
/// - RA, which a resolver sets and an authority does not;
/// - the TTL of negative SOA records is compared, their other fields come from the zone.
@Suite struct NSDTests {
  private static let path = ChildProcess.find("nsd")
  private static let zoneCount = 1000

  /// A zone: the text of its records, and questions about it.
  private struct Sample {
    let packet: SignedPacket
    let text: String
    var questions: [(name: DomainName, type: RecordType)]
  }

  /// Makes zones of all shapes: wildcards, empty non-terminals, aliases, delegations, DNAME.
  private struct Generator {
    var random = RandomSource(seed: 4592)
    private let labels = ["a", "b", "c", "*", "_tcp", "www", "x"]

    mutating func pick<T>(_ list: [T]) -> T { list[Int(random.next() % UInt64(list.count))] }

    mutating func name(_ apex: DomainName) throws -> DomainName {
      let count = Int(random.next() % 4)
      let front = try DomainName(labels: (0..<count).map { _ in Array(pick(labels).utf8) })
      return try front.appending(apex)
    }

    mutating func data(_ apex: DomainName) throws -> RecordData {
      switch random.next() % 9 {
      case 0, 1: return .address(IPAddress(v4: 0xc000_0200 | UInt32(random.next() % 250)))
      case 2: return .address(IPAddress(high: 0x2001_0db8_0000_0000, low: random.next() % 99))
      case 3: return .txt(RecordData.TXT("t\(random.next() % 9)"))
      case 4: return .mx(RecordData.PreferredHost(preference: 10, host: try name(apex)))
      case 5: return .srv(RecordData.SRV(priority: 1, weight: 2, port: 3, target: try name(apex)))
      case 6: return .cname(try name(apex))
      case 7: return .ns(try name(apex))
      default: return random.next() % 3 == 0 ? .opaque(.dname, try name(apex).wire) : .opaque(.tlsa, [3, 1, 1, 7])
      }
    }

    /// Records that are a legal zone: a CNAME alone at its name, no DNAME with records below, no wildcard NS.
    mutating func records(_ apex: DomainName) throws -> [ResourceRecord] {
      let server = try DomainName("ns").appending(apex)
      var records = [
        ResourceRecord(
          name: apex, ttl: 300,
          data: .soa(
            .init(primaryServer: server, mailbox: server, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 60))),
        ResourceRecord(name: apex, ttl: 300, data: .ns(server)),
      ]
      for _ in 0..<(4 + random.next() % 12) {
        let record = ResourceRecord(name: try name(apex), ttl: 300, data: try data(apex))
        if isLegal(record, beside: records, apex) { records.append(record) }
      }
      return records
    }

    private func isLegal(_ record: ResourceRecord, beside records: [ResourceRecord], _ apex: DomainName) -> Bool {
      let here = records.filter { $0.name == record.name }
      if here.contains(where: { $0.type == .cname }) || record.type == .cname && !here.isEmpty { return false }
      if here.contains(where: { $0.data == record.data }) { return false }
      let isSingle = record.type == .dname || record.type == .ns
      if isSingle, record.name == apex || record.name.wire.contains(UInt8(ascii: "*")) { return false }
      if record.type == .dname, !here.isEmpty || records.contains(where: { $0.name.hasSuffix(record.name) }) {
        return false
      }
      if case .opaque(.dname, let target) = record.data, target.count < 2 { return false }
      // Nothing may stand below a DNAME, and a name at a cut is the cut's.
      return !records.contains { $0.type == .dname && record.name.hasSuffix($0.name) }
        && !here.contains { $0.type == .ns && $0.name != apex && record.type == .dname }
    }

    mutating func sample(_ index: Int, _ time: Timestamp) throws -> Sample? {
      let keypair = Keypair(Ed25519.SecretKey(seed: random.bytes(32))!)
      let apex = keypair.publicKey.domainName
      let records = try records(apex)
      var builder = SignedPacketBuilder().allowingAnyName()
      builder.timestamp = time
      builder.append(contentsOf: records)
      guard let packet = try? builder.sign(with: keypair) else { return nil }
      var questions: [(DomainName, RecordType)] = [(apex, .soa), (apex, .ns)]
      let types: [RecordType] = [.a, .aaaa, .txt, .mx, .cname, .ns, .srv, .tlsa, .ds]
      for _ in 0..<8 {
        let isKnown = random.next() % 2 == 0
        questions.append((isKnown ? pick(records).name : try name(apex), pick(types)))
      }
      return Sample(packet: packet, text: ZoneFile.text(for: records, origin: apex), questions: questions)
    }
  }

  /// What is compared of an answer.
  private struct Essence: Equatable, CustomStringConvertible {
    var code: UInt8
    var isAuthoritative: Bool
    var answers: [String]
    var authorities: [String]

    var description: String { "code \(code) AA \(isAuthoritative)\n  \(answers)\n  \(authorities)" }

    init(_ bytes: [UInt8]) throws {
      let message = try Message(parsing: bytes, rules: .tolerant)
      code = message.header.responseCode
      isAuthoritative = message.header.isAuthoritative
      answers = message.answers.map(Self.text).sorted()
      // With an answer, NSD adds the servers of the zone.
      let isReferral = answers.isEmpty && message.authorities.contains { $0.type == .ns }
      authorities = message.authorities.filter { $0.type == .soa || isReferral }.map(Self.text).sorted()
    }

    private static func text(_ record: ResourceRecord) -> String { record.description.lowercased() }
  }

  @Test(
    "a thousand generated zones are answered as by NSD", .enabled(if: path != nil),
    .timeLimit(.minutes(10)))
  func comparison() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "nsd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let time = Timestamp(microseconds: 1_700_000_000_000_000)
    var generator = Generator()
    var samples: [Sample] = []
    while samples.count < Self.zoneCount {
      if let sample = try generator.sample(samples.count, time) { samples.append(sample) }
    }
    let port = try FreePort.take()
    let server = try start(samples, in: folder, port: port)
    defer { server.terminate() }
    try await FreePort.waitForListener(port)

    var queries: [[UInt8]] = []
    for sample in samples {
      for (name, type) in sample.questions {
        var message = Message(header: MessageHeader(id: UInt16(truncatingIfNeeded: queries.count), flags: 0))
        message.questions = [Message.Question(name: name, type: type)]
        queries.append(try message.encoded())
      }
    }
    let theirs = try await ask(queries, port: port, in: folder)
    try #require(theirs.count == queries.count)
    try compare(samples, queries, theirs, time)
  }

  private func compare(_ samples: [Sample], _ queries: [[UInt8]], _ theirs: [[UInt8]], _ time: Timestamp) throws {
    let resolver = authority()
    let now = Instant(nanoseconds: 1_000_000_000)
    for sample in samples { resolver.learn(sample.packet, from: .dht, now: now, wallClock: time) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)
    defer { buffer.deallocate() }
    let origin = QueryOrigin(Endpoint(.loopbackV4, port: 1), .tcp)
    var different = 0
    var loops = 0
    for (query, answer) in zip(queries, theirs) {
      let disposition = resolver.receive(query.span.bytes, from: origin, now: now, wallClock: time, into: buffer)
      guard case .reply(let count) = disposition else {
        Issue.record("not answered at once")
        continue
      }
      let ours = try Essence([UInt8](buffer[..<count]))
      let other = try Essence(answer)
      let (shown, theirs) = (Set(ours.answers), Set(other.answers))
      if ours.code == 2, other.code == 0, shown.isSubset(of: theirs) || shown.isSuperset(of: theirs) {
        loops += 1
      } else if ours != other {
        different += 1
        let question = try Message(parsing: query, rules: .tolerant).questions[0]
        if different <= 5 { Issue.record("\(question.name) \(question.type)\nours: \(ours)\nNSD: \(other)") }
      }
    }
    #expect(different == 0, "of \(queries.count)")
    #expect(loops < queries.count / 50)
    #expect(queries.count == Self.zoneCount * 10)
  }

  /// A resolver that only tells what its packets hold.
  private func authority() -> DNSResolver {
    var policy = ResolutionPolicy()
    policy.keys.followsDelegations = false
    policy.keys.servesProofs = false
    policy.clients.streamQueriesPerSecond = 0
    return DNSResolver(policy: policy, random: RandomSource(seed: 1))
  }

  private func start(_ samples: [Sample], in folder: URL, port: Int) throws -> ChildProcess {
    var configuration = """
      server:
        ip-address: 127.0.0.1@\(port)
        username: ""
        chroot: ""
        zonesdir: "\(folder.path)"
        pidfile: "\(folder.path)/nsd.pid"
        xfrdfile: "\(folder.path)/xfrd.state"
        zonelistfile: "\(folder.path)/zone.list"
        xfrdir: "\(folder.path)"
        database: ""
        rrl-ratelimit: 0
        server-count: 1
        minimal-responses: no
      remote-control:
        control-enable: no

      """
    for sample in samples {
      let name = sample.packet.publicKey.z32
      try sample.text.write(to: folder.appending(path: name), atomically: false, encoding: .utf8)
      configuration += "zone:\n  name: \(name)\n  zonefile: \(name)\n"
    }
    let file = folder.appending(path: "nsd.conf")
    try configuration.write(to: file, atomically: false, encoding: .utf8)
    return try ChildProcess(try #require(Self.path), ["-d", "-c", file.path], in: folder)
  }

  private func ask(_ queries: [[UInt8]], port: Int, in folder: URL) async throws -> [[UInt8]] {
    let input = folder.appending(path: "queries")
    try queries.map { Hex.encode($0) + "\n" }.joined().write(to: input, atomically: false, encoding: .utf8)
    let script = Peers.path("dns_datagrams.py")
    let process = try ChildProcess("/usr/bin/python3", [script, "\(port)"], in: folder, input: input)
    let outcome = try await process.outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    return try outcome.text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
      try #require(Hex.decode($0))
    }
  }
}
