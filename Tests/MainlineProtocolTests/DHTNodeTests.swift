import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite struct DHTNodeTests {
  let owner = Ed25519.SecretKey(seed: [UInt8](repeating: 7, count: 32))!

  @Test("what one node stores another one finds")
  func putAndGet() throws {
    let network = SmallNetwork(nodes: 30)
    let item = try MutableItem(signedBy: owner, seq: 5, bytes: Array("hello".utf8))
    guard case .stored(let outcome) = network.run(.putMutable(item, PutOptions()), on: 3).result else {
      Issue.record("not stored")
      return
    }
    #expect(outcome.stored >= 20)
    #expect(outcome.sent == outcome.stored)
    for host in [0, 9, 29] {
      let found = network.run(.getMutable(key: owner.publicKey, salt: [], newerThan: nil), on: host)
      guard case .mutable(let newest?, let counts) = found.result else {
        Issue.record("not found by \(host)")
        continue
      }
      #expect(newest == item)
      #expect(found.items == [item])
      #expect(counts.values >= 15)
      #expect(counts.holdersOfNewest == counts.values)
      #expect(counts.timedOut == 0)
    }
  }

  @Test("a newer item takes the place of an older one, and an older one is refused before it is sent")
  func newer() throws {
    let network = SmallNetwork(nodes: 24)
    let first = try MutableItem(signedBy: owner, seq: 1, bytes: [1])
    let second = try MutableItem(signedBy: owner, seq: 2, bytes: [2])
    _ = network.run(.putMutable(first, PutOptions()), on: 1)
    _ = network.run(.putMutable(second, PutOptions()), on: 2)
    guard case .failed(.notMostRecent(let outcome)) = network.run(.putMutable(first, PutOptions()), on: 5).result else {
      Issue.record("the older item was not refused")
      return
    }
    #expect(outcome.sent == 0)
    #expect(outcome.highestSeqFound == 2)
    guard
      case .mutable(let newest, _) = network.run(
        .getMutable(key: owner.publicKey, salt: [], newerThan: nil), on: 7
      ).result
    else {
      Issue.record("nothing found")
      return
    }
    #expect(newest == second)
  }

  @Test("a silent candidate delays a lookup by the soft timeout, not by the request timeout")
  func silence() throws {
    let network = SmallNetwork(nodes: 30)
    network.silent = [network.hosts[4].endpoint]
    let item = try MutableItem(signedBy: owner, seq: 1, bytes: [1])
    let start = network.now
    let id = network.hosts[8].node.start(.putMutable(item, PutOptions()), at: start)
    network.settle()
    network.advance(by: .milliseconds(301))
    let put = network.hosts[8].events.contains { if case .finished(id, .stored) = $0 { true } else { false } }
    #expect(put)
  }

  @Test("a put reaches twenty nodes although each node names only eight")
  func widening() throws {
    let network = SmallNetwork(nodes: 24)
    let client = network.add(seed: 99, bootstrap: [network.hosts[0].endpoint])
    for index in 0..<8 {
      let owner = Ed25519.SecretKey(seed: [UInt8](repeating: UInt8(index), count: 32))!
      let item = try MutableItem(signedBy: owner, seq: 1, bytes: [1])
      guard case .stored(let outcome) = network.run(.putMutable(item, PutOptions()), on: 24).result else {
        Issue.record("not stored")
        return
      }
      #expect(outcome.stored >= 20, "\(outcome.stored)")
    }
    let isBootstrapped = client.node.isBootstrapped(at: network.now)
    #expect(isBootstrapped)
  }

  @Test("immutable items and peers are stored and found")
  func immutableAndPeers() throws {
    let network = SmallNetwork(nodes: 25)
    let item = try ImmutableItem(bytes: Array("for ever".utf8))
    guard case .stored = network.run(.putImmutable(item), on: 2).result else {
      Issue.record("not stored")
      return
    }
    guard case .immutable(let found, _) = network.run(.getImmutable(item.target), on: 11).result else {
      Issue.record("not found")
      return
    }
    #expect(found == item)
    let infoHash = NodeID([UInt8](repeating: 3, count: 20))!
    guard case .stored = network.run(.announcePeer(infoHash, port: 4242), on: 6).result else {
      Issue.record("not announced")
      return
    }
    _ = network.run(.getPeers(infoHash), on: 13)
    let peers = network.hosts[13].events.flatMap { if case .peers(_, let peers) = $0 { peers } else { [Endpoint]() } }
    #expect(Set(peers) == [Endpoint(.loopbackV4, port: 4242)])
  }
}
