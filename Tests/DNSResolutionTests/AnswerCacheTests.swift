import Addresses
import Cryptography
import DNSWire
import Foundation
import MainlineProtocol
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct AnswerCacheTests {
  /// Enough to fill each cache several times; more with JUNK_NAMES=100000 in the environment.
  private static let junkNameCount = ProcessInfo.processInfo.environment["JUNK_NAMES"].flatMap { Int($0) } ?? 3000

  private func composed(_ name: DomainName, _ records: Int = 1) -> ComposedAnswer {
    var draft = AnswerDraft(name: name, type: .a)
    draft.answers = (0..<records).map {
      ResourceRecord(name: name, ttl: 60, data: .address(IPAddress(v4: UInt32($0))))
    }
    return draft.composed()
  }

  private func hash(_ name: DomainName) -> UInt64 {
    let question = name.question(.a)
    return question.withUnsafeBytes { QuestionScratch(seed: 5).hash(of: $0) }
  }

  private func find(_ cache: AnswerCache, _ name: DomainName, _ variant: AnswerVariant = []) -> Int? {
    name.question(.a).withUnsafeBytes { cache.find(hash(name), $0, variant) }
  }

  @discardableResult
  private func insert(
    _ cache: AnswerCache, _ name: DomainName, records: Int = 1, variant: AnswerVariant = [], at time: Int64 = 0
  ) -> Bool {
    let answer = composed(name, records)
    var entry = AnswerCache.Entry()
    entry.hash = hash(name)
    entry.shape = answer.shape
    entry.variant = variant
    (entry.storedAt, entry.expiresAt, entry.uselessAt) = (time, time + 100, time + 100)
    cache.countMiss(entry.hash)
    return cache.insert(entry, content: answer.content)
  }

  @Test("what is put in is found by name, type and variant, at every length, and comes back byte for byte")
  func roundTrip() throws {
    let cache = AnswerCache(maximumBytes: 8 << 20)
    var names: [DomainName] = []
    for length in 1...63 {
      for labels in 1...3 {
        let label = Array(repeating: UInt8(96 + length % 26 + 1), count: length)
        names.append(try DomainName(labels: Array(repeating: label, count: labels)))
      }
    }
    for (index, name) in names.enumerated() { insert(cache, name, records: index % 40) }
    #expect(cache.count == names.count)
    for (index, name) in names.enumerated() {
      let slot = try #require(find(cache, name))
      #expect(cache.content(slot) == composed(name, index % 40).content)
      #expect(find(cache, name, .dnssec) == nil)
    }
    insert(cache, names[0], records: 3, variant: .dnssec)
    #expect(cache.count == names.count + 1)
    insert(cache, names[0], records: 7)
    #expect(cache.count == names.count + 1)
    #expect(cache.content(try #require(find(cache, names[0]))) == composed(names[0], 7).content)
  }

  @Test("random insertions, removals and finds agree with a dictionary, and all memory comes back")
  func agreesWithDictionary() throws {
    let cache = AnswerCache(maximumBytes: 64 << 20)
    var model: [DomainName: Int] = [:]
    var random = RandomSource(seed: 11)
    for _ in 0..<3000 {
      let name = try DomainName("n\(random.next() % 500).example")
      let records = Int(random.next() % 30)
      switch random.next() % 3 {
      case 0:
        insert(cache, name, records: records)
        model[name] = records
      case 1:
        if let slot = find(cache, name) { cache.remove(slot) }
        model[name] = nil
      default:
        let slot = find(cache, name)
        #expect((slot == nil) == (model[name] == nil))
        if let slot, let records = model[name] { #expect(cache.content(slot) == composed(name, records).content) }
      }
    }
    #expect(cache.count == model.count)
    #expect(cache.removeAll { _ in true } == model.count)
    #expect(cache.count == 0 && cache.bytes == 0)
  }

  @Test("memory stays within its bound, and junk pushes out junk, not what is used")
  func flood() throws {
    let cache = AnswerCache(maximumBytes: 200_000)
    let popular = try (0..<200).map { try DomainName("popular\($0).example") }
    for name in popular { insert(cache, name) }
    for index in 0..<10_000 {
      insert(cache, try DomainName("junk\(index).example"), records: index % 4, at: 1)
      #expect(cache.bytes <= 200_000)
      // Each is used now and then, far less often than junk comes.
      if let slot = find(cache, popular[index % 200]) { cache.update(slot) { $0.hits = min($0.hits + 1, 200) } }
    }
    let left = popular.filter { find(cache, $0) != nil }
    #expect(left.count >= 190)
  }

  @Test("what is larger than the cache is not taken")
  func tooLarge() throws {
    let cache = AnswerCache(maximumBytes: 2000)
    #expect(!insert(cache, .literal("big.example"), records: 500))
    #expect(cache.count == 0)
  }

  @Test("junk names of all kinds leave a resolver's memory bounded and its popular names ready")
  func junkNames() throws {
    let harness = ResolverHarness {
      $0.cache.packetBytes = 100_000
      $0.cache.keyAnswerBytes = 200_000
      $0.cache.forwardedAnswerBytes = 200_000
      $0.cache.absentKeys = 100
    }
    let keypair = Keypair()
    let key = keypair.publicKey.z32
    try harness.publish("@ 3600 A 192.0.2.1\n*.w 3600 A 192.0.2.2", by: keypair)
    let soa = RecordData.SOA(
      primaryServer: .root, mailbox: .root, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 300)
    let record = ResourceRecord(name: .literal("example"), ttl: 300, data: .soa(soa))
    harness.upstream = { question, _ in
      question.name.description == "good.example"
        ? response(to: question, [ResourceRecord(name: question.name, ttl: 3600, data: .address(.init(192, 0, 2, 1)))])
        : response(to: question, authorities: [record], code: 3)
    }
    for _ in 0..<5 {
      _ = try harness.ask(key)
      _ = try harness.ask("good.example")
    }
    var random = RandomSource(seed: 3)
    for index in 0..<Self.junkNameCount {
      let name: String
      switch index % 16 {
      case 0..<8: name = "j\(index).example"
      case 8..<11: name = "j\(index).\(key)"
      case 11..<15: name = "j\(index).w.\(key)"
      default:
        guard let junk = try? PublicKey(random.bytes(32)) else { continue }
        name = junk.z32
      }
      _ = harness.answer(try ResolverHarness.query(name))
      if index % 100 == 0 {
        _ = try harness.ask(key)
        _ = try harness.ask("good.example")
      }
    }
    let gauges = harness.resolver.gauges
    #expect(gauges.keyAnswerBytes <= 200_000 && gauges.forwardedAnswerBytes <= 200_000 && gauges.packetBytes <= 200_000)
    #expect(gauges.absentKeys <= 100 && gauges.queriesInFlight == 0 && harness.resolver.resolutions.isEmpty)
    #expect(harness.forwarded.filter { $0.question.name.description == "good.example" }.count == 1)
    #expect(harness.lookedUp.filter { $0.key == keypair.publicKey }.count == 1)
  }

  @Test("packets are bounded in bytes, the least recently used go first")
  func packetBound() throws {
    var cache = PacketCache(absentKeys: 10)
    let pairs = (0..<50).map { _ in Keypair() }
    for pair in pairs {
      let packet = try ResolverHarness.packet(pair, "@ 300 A 192.0.2.1", at: Timestamp(microseconds: 1))
      let entry = PacketCache.Entry(packet: packet, source: .dht, confirmedAt: Instant(nanoseconds: 0), freshFor: 60)
      cache.store(entry, maximumBytes: 10_000)
      _ = cache.use(pairs[0].publicKey)
      #expect(cache.bytes <= 10_000)
    }
    #expect(cache.count > 5 && cache.peek(pairs[0].publicKey) != nil && cache.peek(pairs[1].publicKey) == nil)
    for pair in pairs { cache.remove(pair.publicKey) }
    #expect(cache.count == 0 && cache.bytes == 0)
  }
}
