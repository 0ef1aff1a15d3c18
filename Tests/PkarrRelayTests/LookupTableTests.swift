import Pkarr
import PkarrClient

import Testing

@testable import PkarrRelay

@Suite("Lookups that are shared")
struct LookupTableTests {
  private typealias Table = LookupTable<String>
  private let keypair = Keypair()

  private func packet(_ microseconds: UInt64, _ text: String = "a", by keypair: Keypair? = nil) throws -> SignedPacket {
    try SignedPacket(signedBy: keypair ?? self.keypair, timestamp: Timestamp(microseconds: microseconds)) {
      TXT("key", text, ttl: 30)
    }
  }

  private func knowing(_ microseconds: UInt64?) throws -> CacheContext {
    CacheContext(cached: try microseconds.map { try packet($0) }, policy: CachePolicy())
  }

  private func begin(_ table: inout Table, _ waiter: String, _ want: LookupWant, at now: UInt64 = 0) throws -> (
    LookupID, Int64?, LookupWaiterID
  ) {
    guard case .begin(let id, let bound, let waiter) = table.join(waiter, key: keypair.publicKey, wants: want, at: now)
    else { throw CancellationError() }
    return (id, bound, waiter)
  }

  private func join(_ table: inout Table, _ waiter: String, _ want: LookupWant, at now: UInt64 = 0) throws
    -> LookupWaiterID
  {
    guard case .joined(let waiter) = table.join(waiter, key: keypair.publicKey, wants: want, at: now) else {
      throw CancellationError()
    }
    return waiter
  }

  @Test("a thousand misses make one lookup, and its first packet answers all")
  func thousand() throws {
    var table = Table()
    let (id, bound, _) = try begin(&table, "0", .first(floor: knowing(nil)))
    for number in 1..<1000 { _ = try join(&table, "\(number)", .first(floor: knowing(nil)), at: UInt64(number) << 40) }
    #expect(bound == nil && table.count == 1 && table.waiterCount == 1000)
    #expect(table.receive(try packet(5), by: id) == (0..<1000).map(String.init))
    #expect(table.waiterCount == 0 && table.count == 1)
    #expect(table.finish(id, with: .success(try packet(6))).isEmpty && table.count == 0)
  }

  @Test("who comes after the first packet is answered with it")
  func late() throws {
    var table = Table()
    let (id, _, _) = try begin(&table, "a", .first(floor: knowing(nil)))
    _ = table.receive(try packet(5), by: id)
    _ = table.receive(try packet(4), by: id)
    guard
      case .answered(let found) = table.join("b", key: keypair.publicKey, wants: .first(floor: try knowing(nil)), at: 9)
    else {
      Issue.record("not answered")
      return
    }
    #expect(found == (try packet(5, by: keypair)).refreshed(found.lastSeen))
  }

  @Test("a packet below the floor answers nobody who has that floor")
  func floor() throws {
    var table = Table()
    let floor = try knowing(10)
    let (id, bound, _) = try begin(&table, "a", .first(floor: floor))
    #expect(bound == 9)
    #expect(table.receive(try packet(9), by: id).isEmpty)
    #expect(table.receive(try packet(10), by: id) == ["a"])
    let (other, _, _) = try begin(&table, "b", .first(floor: knowing(nil)), at: 0)
    #expect(other != id)
  }

  @Test("who wants the newest waits for the end, and does not see a floor")
  func newest() throws {
    var table = Table()
    let (id, bound, _) = try begin(&table, "n", .newest)
    _ = try join(&table, "f", .first(floor: knowing(10)))
    #expect(bound == nil)
    #expect(table.receive(try packet(9), by: id).isEmpty)
    let answers = table.finish(id, with: .success(try packet(9)))
    #expect(answers.map(\.waiter) == ["n", "f"])
    guard case .success = answers[0].result, case .failure(.notFound) = answers[1].result else {
      Issue.record("\(answers)")
      return
    }
  }

  @Test("who wants the newest joins only a lookup that has just begun and misses nothing")
  func newestJoins() throws {
    var table = Table(newestWindow: 100)
    _ = try begin(&table, "a", .newest, at: 1000)
    _ = try join(&table, "b", .newest, at: 1100)
    let (second, _, _) = try begin(&table, "c", .newest, at: 1101)
    _ = try join(&table, "d", .first(floor: knowing(nil)), at: 5000)
    #expect(table.count == 2)
    table.outdate(keypair.publicKey)
    let (third, _, _) = try begin(&table, "e", .newest, at: 1101)
    #expect(third != second)
    var bounded = Table(newestWindow: 100)
    _ = try begin(&bounded, "a", .first(floor: knowing(10)))
    _ = try begin(&bounded, "b", .newest)
  }

  @Test("a lookup with a bound serves only those who know as much")
  func bounds() throws {
    var table = Table()
    _ = try begin(&table, "a", .first(floor: knowing(10)))
    _ = try join(&table, "b", .first(floor: knowing(10)))
    _ = try join(&table, "c", .first(floor: knowing(11)))
    _ = try begin(&table, "d", .first(floor: knowing(9)))
    _ = try begin(&table, "e", .first(floor: knowing(nil)))
    #expect(table.count == 3)
  }

  @Test("a lookup that nobody waits for is cancelled, unless it has answered somebody")
  func cancelled() throws {
    var table = Table()
    let (id, _, first) = try begin(&table, "a", .first(floor: knowing(nil)))
    let second = try join(&table, "b", .newest)
    #expect(table.leave(first) == nil && table.leave(first) == nil)
    #expect(table.leave(second) == id && table.count == 0 && table.waiterCount == 0)
    #expect(table.receive(try packet(1), by: id).isEmpty && table.finish(id, with: .failure(.notFound)).isEmpty)

    let (other, _, _) = try begin(&table, "a", .first(floor: knowing(nil)))
    let patient = try join(&table, "b", .newest)
    #expect(table.receive(try packet(1), by: other) == ["a"])
    #expect(table.leave(patient) == nil && table.count == 1)
  }

  @Test("keys have lookups of their own, and no more than fit")
  func keys() throws {
    var table = Table(capacity: 2)
    _ = try begin(&table, "a", .newest)
    let other = Keypair().publicKey
    guard case .begin = table.join("b", key: other, wants: .newest, at: 0),
      case .refused = table.join("c", key: Keypair().publicKey, wants: .newest, at: 0),
      case .joined = table.join("d", key: other, wants: .newest, at: 0)
    else {
      Issue.record("not bounded")
      return
    }
  }

  // MARK: The floor

  @Test("the version 0 has no bound below it")
  func lowerBound() throws {
    #expect(try knowing(0).dhtBound == nil && knowing(1).dhtBound == 0 && knowing(nil).dhtBound == nil)
  }

  @Test("something that is no packet is told only if it is newer than the packet that is known")
  func invalidSeq() throws {
    let floor = try knowing(10)
    func response(_ seq: Int64, _ floor: CacheContext) -> (Int, Bool) {
      let result: Result<SignedPacket, RelayFailure> = .failure(.invalidSignedPacket(seq: seq))
      guard case .failure(let failure) = floor.apply(result) else { return (200, false) }
      return (failure.response.status.code, failure.response.fields.contains("pkarr-invalid-signed-packet-seq"))
    }
    #expect(response(10, floor) == (404, false) && response(11, floor) == (404, true))
    #expect(response(10, try knowing(nil)) == (404, true) && response(-1, floor) == (404, true))
  }

  @Test("of two packets of the same time the cached one hides the lesser")
  func sameTime() throws {
    let (a, b) = (try packet(10, "a"), try packet(10, "b"))
    let (newer, older) = a.isMoreRecent(than: b) ? (a, b) : (b, a)
    func result(_ cached: SignedPacket, _ found: SignedPacket) -> Result<SignedPacket, RelayFailure> {
      CacheContext(cached: cached, policy: CachePolicy()).apply(.success(found))
    }
    #expect(result(newer, older) == .failure(.notFound))
    #expect(result(older, newer) == .success(newer) && result(newer, newer) == .success(newer))
  }
}

extension SignedPacket {
  fileprivate func refreshed(_ moment: Timestamp) -> SignedPacket {
    var copy = self
    copy.refresh(at: moment)
    return copy
  }
}
