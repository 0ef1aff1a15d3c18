import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct PostponingTests {
  /// Puts a query aside; its number.
  private func postpone(_ name: String, _ harness: ResolverHarness) throws -> PendingQueryID {
    guard case .pending(let id) = harness.receive(try ResolverHarness.query(name)).0 else {
      throw NotPostponed(name: name)
    }
    return id
  }

  private struct NotPostponed: Error {
    let name: String
  }

  /// A resolver that puts work aside; the network knows `names`, the first of which is in the resolver's cache.
  private struct Crowd {
    let harness = ResolverHarness()
    let names: [String]
    private let before: Set<PendingQueryID>

    init(names count: Int) throws {
      let harness = harness
      names = try (0..<count).map { _ in try harness.publish("@ 300 IN A 203.0.113.1").publicKey.z32 }
      _ = try harness.ask(names[0])
      before = Set(harness.answers.keys)
      harness.postponesWork = true
    }

    /// Queries that were answered after they had waited.
    var answered: Set<PendingQueryID> { Set(harness.answers.keys).subtracting(before) }
    var lookedUp: [String] { harness.lookedUp.map(\.key.z32) }
    var waiting: Int { harness.resolver.gauges.queriesInFlight }
  }

  @Test("what is cached is answered at once, what is not waits until it is taken up, the oldest first")
  func order() throws {
    let crowd = try Crowd(names: 5)
    let (harness, names) = (crowd.harness, crowd.names)
    let ids = try names[1...].map { try postpone($0, harness) }
    #expect(try harness.ask(names[0]).answers == ["\(names[0]) A 203.0.113.1"])
    harness.drive()
    #expect(crowd.lookedUp == [names[0]] && crowd.answered.isEmpty && harness.resolver.hasPostponed)
    harness.takeUpPostponed(atMost: 1)
    #expect(crowd.lookedUp == Array(names[..<2]) && crowd.answered == Set(ids[..<1]))
    harness.takeUpPostponed(atMost: 100)
    #expect(crowd.lookedUp == names && crowd.answered == Set(ids))
    #expect(!harness.resolver.hasPostponed && crowd.waiting == 0)
  }

  @Test(
    "the answer is the one that there would have been at once",
    arguments: [
      "localhost", "example.org", "1.0.0.127.in-addr.arpa", "www.KEY", "nothing.KEY",
      "y" + String(repeating: "b", count: 51),
    ])
  func sameAnswer(_ name: String) throws {
    let keypair = try Keypair(seed: Array(repeating: 3, count: 32))
    let name = name.replacing("KEY", with: keypair.publicKey.z32)
    func answer(postponed: Bool) throws -> [UInt8] {
      let harness = ResolverHarness()
      harness.upstream = { question, _ in
        response(to: question, [(try? ResourceRecord("example.org", .a, "192.0.2.1"))].compactMap(\.self))
      }
      try harness.publish("www 300 IN A 203.0.113.1", by: keypair)
      guard postponed else { return try #require(harness.answer(try ResolverHarness.query(name))) }
      harness.postponesWork = true
      let id = try postpone(name, harness)
      harness.takeUpPostponed(atMost: 1)
      return try #require(harness.answers[id])
    }
    #expect(try answer(postponed: true) == answer(postponed: false))
  }

  @Test("a query whose answer was found for another one in the meantime is answered without a search of its own")
  func foundMeanwhile() throws {
    let crowd = try Crowd(names: 2)
    let ids = try (0..<3).map { _ in try postpone(crowd.names[1], crowd.harness) }
    crowd.harness.takeUpPostponed(atMost: 1)
    crowd.harness.takeUpPostponed(atMost: 2)
    #expect(crowd.lookedUp == crowd.names && crowd.answered == Set(ids))
  }

  @Test("nothing is begun for a client that has gone")
  func cancelled() throws {
    let crowd = try Crowd(names: 2)
    crowd.harness.resolver.cancel(try postpone(crowd.names[1], crowd.harness))
    crowd.harness.takeUpPostponed(atMost: 1)
    #expect(crowd.lookedUp == [crowd.names[0]] && crowd.answered.isEmpty && crowd.waiting == 0)
    #expect(!crowd.harness.resolver.hasPostponed)
  }

  @Test("who is put aside counts as waiting: beyond the limit queries are refused, and afterwards there is room again")
  func limit() throws {
    let crowd = try Crowd(names: 4)
    let (harness, names) = (crowd.harness, crowd.names)
    harness.resolver.policy.work.maximumQueriesInFlightPerClient = 2
    _ = try postpone(names[1], harness)
    _ = try postpone(names[2], harness)
    #expect(try harness.ask(names[3]).code == ResponseCode.refused.rawValue)
    harness.takeUpPostponed(atMost: 2)
    _ = try postpone(names[3], harness)
    #expect(crowd.lookedUp == Array(names[..<3]) && crowd.waiting == 1)
  }
}
