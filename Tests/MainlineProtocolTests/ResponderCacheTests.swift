import Addresses
import Testing

@testable import MainlineProtocol

@Suite("Responders of earlier lookups")
struct ResponderCacheTests {
  private func at(_ seconds: Int) -> Instant { Instant(nanoseconds: 1).advanced(by: .seconds(seconds)) }
  private func target(_ number: Int) -> NodeID { NodeID(UInt64(number), 0, 0) }
  private func responders(_ count: Int, at seconds: Int, token: [UInt8] = [1, 2, 3, 4]) -> [ResponderCache.Responder] {
    (0..<count).map {
      let endpoint = Endpoint(IPAddress(v4: 0x0b00_0001 + UInt32($0) << 8), port: 6881)
      return .init(contact: NodeContact(id: target($0), endpoint: endpoint), token: token, received: at(seconds))
    }
  }

  @Test("a put skips the lookup while eight tokens are younger than five minutes")
  func forPut() {
    var cache = ResponderCache()
    cache.store(responders(8, at: 0) + responders(4, at: -100), for: target(1), kind: .items, at: at(0))
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(199))?.count == 12)
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(200))?.count == 8)
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(299))?.count == 8)
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(300)) == nil)
    #expect(cache.respondersForPut(target(2), kind: .items, at: at(0)) == nil)
    cache.store(responders(7, at: 0), for: target(3), kind: .items, at: at(0))
    #expect(cache.respondersForPut(target(3), kind: .items, at: at(0)) == nil)
    #expect(cache.responders(for: target(3), kind: .items, at: at(0)).count == 7)
  }

  @Test("nodes without a token never serve a put (D7)")
  func withoutTokens() {
    var cache = ResponderCache()
    cache.store(responders(20, at: 0, token: []), for: target(1), kind: .items, at: at(0))
    #expect(cache.count == 0)
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(0)) == nil)
  }

  @Test("tokens of get and get_peers are kept apart")
  func kinds() {
    var cache = ResponderCache()
    cache.store(responders(20, at: 0), for: target(1), kind: .peers, at: at(0))
    #expect(cache.respondersForPut(target(1), kind: .items, at: at(0)) == nil)
    #expect(cache.respondersForPut(target(1), kind: .peers, at: at(0))?.count == 20)
    cache.remove(target(1), kind: .peers)
    #expect(cache.respondersForPut(target(1), kind: .peers, at: at(0)) == nil)
  }

  @Test("a thousand lookups with 72 responders each at most, the one that ended longest ago goes first")
  func bounds() {
    var cache = ResponderCache()
    cache.store(responders(200, at: 0), for: target(0), kind: .items, at: at(0))
    #expect(cache.responders(for: target(0), kind: .items, at: at(0)).count == 72)
    for number in 1..<1000 { cache.store(responders(1, at: 0), for: target(number), kind: .items, at: at(0)) }
    cache.store(responders(2, at: 0), for: target(0), kind: .items, at: at(0))
    cache.store(responders(1, at: 0), for: target(1000), kind: .items, at: at(0))
    #expect(cache.count == 1000)
    #expect(cache.responders(for: target(1), kind: .items, at: at(0)).isEmpty)
    #expect(cache.responders(for: target(0), kind: .items, at: at(0)).count == 2)
    cache.store(responders(1, at: 300), for: target(2000), kind: .items, at: at(300))
    #expect(cache.count == 1)
  }
}

@Suite("A dictionary that forgets")
struct RecencyMapTests {
  @Test("random use leaves what a naive model leaves")
  func model() {
    var map = RecencyMap<Int, Int>(capacity: 10)
    var model: [(key: Int, value: Int)] = []
    var state: UInt64 = 1
    func next(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    for step in 0..<20_000 {
      let key = next(25)
      let known = model.first { $0.key == key }?.value
      #expect(map.peek(key) == known)
      if next(5) == 0 {
        map.remove(key)
        model.removeAll { $0.key == key }
      } else {
        let value = map.touch(key, initial: step) { (value: inout Int) -> Int in
          value += 1
          return value
        }
        #expect(value == (known ?? step) + 1)
        model.removeAll { $0.key == key }
        if model.count == 10 { model.removeFirst() }
        model.append((key, value))
      }
      #expect(map.count == model.count)
      #expect(map.oldest?.key == model.first?.key)
    }
  }
}
