import Addresses
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite("Why an answer is what it is")
final class TraceTests {
  private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 8)

  deinit { room.deallocate() }

  /// The steps of a question as `source: text`.
  private func steps(_ harness: ResolverHarness, _ name: String, _ type: RecordType = .a) throws -> [String] {
    let query = try ResolverHarness.query(name, type)
    let (_, trace) = harness.resolver.trace(
      query.span.bytes, from: ResolverHarness.client, now: harness.now, wallClock: harness.wallClock, into: room)
    harness.drive()
    return trace.steps.map { "\($0.source.rawValue): \($0.text)" }
  }

  private func has(_ steps: [String], _ texts: String...) -> Bool {
    texts.allSatisfy { text in steps.contains { $0.contains(text) } }
  }

  @Test("each step of a chain through both worlds is told: rules, searches, packets, name servers, the answer")
  func chain() throws {
    let harness = ResolverHarness()
    let key = try harness.publish("www 300 CNAME www.example.").publicKey.z32
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("www.example", .a, "192.0.2.1")]) }
    let first = try steps(harness, "www.\(key).key")
    #expect(
      has(
        first, "rules: www.\(key).key A: a name of the key \(key), below the suffix key",
        "network: a search for the key begins (miss)", "network: a packet of 1 records, signed Sun, 15 Jun 2025",
        "from the DHT", "packet: an alias of www.example", "servers: www.example A is asked of the name servers",
        "servers: NOERROR, 1 records", "rules: answer: NOERROR"), "\(first)")
    harness.advance(seconds: 7)
    let second = try steps(harness, "www.\(key).key")
    #expect(has(second, "cache: an answer made of packets, 7 s old, good for 293 s more", "answer: NOERROR, at once"))
    #expect(!has(second, "search"), "\(second)")
  }

  @Test("failures say who was asked and what they said, and old data that they are old")
  func failures() throws {
    let harness = ResolverHarness { $0.cache.staleAnswerWaitMilliseconds = 0 }
    let absent = try steps(harness, Keypair().publicKey.z32)
    #expect(has(absent, "nobody has a packet; 20 nodes and 2 relays asked", "answer: NXDOMAIN, EDE 0"), "\(absent)")
    let keypair = Keypair()
    try harness.publish("@ 60 A 10.0.0.1", by: keypair)
    let filtered = try steps(harness, keypair.publicKey.z32)
    #expect(has(filtered, "1 private addresses removed", "answer: NOERROR, EDE 17"), "\(filtered)")
    harness.packets[keypair.publicKey] = .failure(.unreachable(nodesAsked: 9, relaysAsked: 0))
    harness.advance(seconds: 100)
    let stale = try steps(harness, keypair.publicKey.z32)
    #expect(
      has(stale, "confirmed 100 s ago, old", "a search for the key begins (refresh)", "EDE 3 age 100 s"), "\(stale)")
    let servers = try steps(harness, "www.example")
    #expect(has(servers, "of no use: SERVFAIL, the other servers were silent", "answer: SERVFAIL"), "\(servers)")
    let local = try steps(harness, "nothing.key")
    #expect(has(local, "never forwarded: below key there is no such key", "answer: NXDOMAIN"), "\(local)")
  }

  @Test("who is traced while the same question is under way sees what is left of it, and the end of its time")
  func joined() throws {
    let harness = ResolverHarness()
    harness.lookupsStaySilent = true
    let key = Keypair().publicKey.z32
    _ = harness.answer(try ResolverHarness.query(key))
    let query = try ResolverHarness.query(key)
    let (_, trace) = harness.resolver.trace(
      query.span.bytes, from: ResolverHarness.client, now: harness.now, wallClock: harness.wallClock, into: room)
    harness.advance(seconds: 4)
    let texts = trace.steps.map(\.text)
    #expect(has(texts, "joined", "the client's time is over"), "\(texts)")
    #expect(trace.steps.last?.after == .seconds(4))
  }

  @Test("a trace is bounded, and questions without one are not slowed by it")
  func bound() throws {
    let trace = ResolutionTrace(startingAt: .distantPast)
    for number in 0..<2000 { trace.add(.rules, "\(number)", at: .distantPast) }
    #expect(trace.steps.count == ResolutionTrace.capacity)
    let harness = ResolverHarness()
    _ = try harness.ask("localhost")
    #expect(harness.resolver.nextTrace == nil)
  }
}
