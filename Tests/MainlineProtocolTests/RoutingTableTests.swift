import Addresses
import Cryptography
import TestSupport
import Testing

@testable import MainlineProtocol

@Suite struct RoutingTableTests {
  struct File: Decodable {
    struct Distance: Decodable {
      let aHex: String
      let bHex: String
      let xorHex: String
      let distance: Int
    }
    struct Table: Decodable {
      let localIdHex: String
      let idsInOrder: [String]
      let held: Int
      let perBucket: [String: Int]
    }
    struct Closest: Decodable {
      let targetHex: String
      let closest20InOrder: [String]
    }
    let distance: [Distance]
    let table: Table
    let closest: [Closest]
  }

  let start = Instant(nanoseconds: 0)

  func contact(_ id: NodeID, _ host: Int) -> NodeContact {
    NodeContact(id: id, endpoint: Endpoint(IPAddress(v4: UInt32(host)), port: 6881))
  }

  @Test("distances and bucket numbers are those of the published vectors")
  func distances() throws {
    let rows = try Vectors.load("mainline/routing.json", as: File.self, keys: .convertFromSnakeCase).distance
    #expect(rows.count == 6)
    for row in rows {
      let a = try #require(NodeID(row.aHex))
      let b = try #require(NodeID(row.bHex))
      #expect((a ^ b).description == row.xorHex)
      #expect(a.bucketDistance(to: b) == row.distance)
    }
  }

  @Test("a table filled with the published ids holds and finds the published ones")
  func table() throws {
    let file = try Vectors.load("mainline/routing.json", as: File.self, keys: .convertFromSnakeCase)
    let localID = try #require(NodeID(file.table.localIdHex))
    var table = RoutingTable(localID: localID, limitsAddresses: false)
    for (index, text) in file.table.idsInOrder.enumerated() {
      _ = table.responded(contact(try #require(NodeID(text)), index + 1), isSecure: false, at: start)
    }
    #expect(file.table.idsInOrder.count == 100)
    #expect(table.count == file.table.held)
    for (bucket, count) in file.table.perBucket { #expect(table.buckets[Int(bucket)!].nodes.count == count) }
    #expect(file.closest.count == 2)
    for row in file.closest {
      let target = try #require(NodeID(row.targetHex))
      let all = table.usableNodes().map(\.contact.id).sorted { $0 ^ target < $1 ^ target }
      #expect(all.prefix(20).map(\.description) == row.closest20InOrder)
      let matches = table.closest(to: target, excluding: nil, at: start)
      let found = (0..<matches.count).map { table.contact(matches, $0).id.description }
      #expect(found == Array(row.closest20InOrder.prefix(8)))
    }
  }

  @Test("the closest nodes are found whichever bucket the target falls into")
  func closestEverywhere() {
    var random = RandomSource(seed: 3)
    let localID = NodeID.random(using: &random)
    var table = RoutingTable(localID: localID, limitsAddresses: false)
    for index in 0..<300 {
      let near = NodeID.random(using: &random)
      let id = localID.flippingBit(index % 12).keepingPrefix(index % 12 + 1, restFrom: near)
      _ = table.responded(contact(id, index + 1), isSecure: true, at: start)
    }
    for index in 0..<200 {
      let target = index % 2 == 0 ? NodeID.random(using: &random) : localID.flippingBit(index % 160)
      let expected = table.usableNodes().map(\.contact.id).sorted { $0 ^ target < $1 ^ target }.prefix(8)
      let matches = table.closest(to: target, excluding: nil, at: start)
      #expect((0..<matches.count).map { table.contact(matches, $0).id } == Array(expected))
    }
  }

  @Test("a node that goes on answering stays good, and one that falls silent becomes questionable, then bad")
  func liveness() {
    var table = RoutingTable(localID: .zero, limitsAddresses: false)
    let node = contact(NodeID([UInt8](repeating: 200, count: 20))!, 1)
    _ = table.responded(node, isSecure: true, at: start)
    let later = start.advanced(by: .seconds(14 * 60))
    let refreshed = table.responded(node, isSecure: true, at: later)
    #expect(refreshed == .updated)
    let muchLater = start.advanced(by: .seconds(25 * 60))
    #expect(table.goodCount(at: muchLater) == 1)
    #expect(table.goodCount(at: start.advanced(by: .seconds(30 * 60))) == 0)
    #expect(table.hasUsableNodes)
    for _ in 0..<3 { _ = table.failed(node) }
    #expect(!table.hasUsableNodes)
    #expect(table.count == 1)
    _ = table.responded(node, isSecure: true, at: muchLater)
    #expect(table.hasUsableNodes)
  }

  @Test("a node that changes its id is removed, not entered a second time")
  func changedID() {
    var table = RoutingTable(localID: .zero, limitsAddresses: false)
    let endpoint = Endpoint(IPAddress(192, 0, 2, 1), port: 6881)
    let first = NodeContact(id: NodeID([UInt8](repeating: 200, count: 20))!, endpoint: endpoint)
    let second = NodeContact(id: NodeID([UInt8](repeating: 100, count: 20))!, endpoint: endpoint)
    _ = table.responded(first, isSecure: true, at: start)
    let renamed = table.responded(second, isSecure: true, at: start)
    #expect(renamed == .changedID)
    #expect(table.isEmpty)
  }

  @Test("a full bucket never gives up a good node, and gives up a silent one for a newcomer that waits")
  func fullBucket() {
    var random = RandomSource(seed: 11)
    var table = RoutingTable(localID: .zero, limitsAddresses: false)
    let far = NodeID([0x80] + [UInt8](repeating: 0, count: 19))!
    let nodes = (0..<22).map { contact(far.keepingPrefix(1, restFrom: .random(using: &random)), $0 + 1) }
    for node in nodes.prefix(20) { _ = table.responded(node, isSecure: true, at: start) }
    let waits = table.responded(nodes[20], isSecure: true, at: start) == .waiting(toPing: nil)
    #expect(waits)
    let later = start.advanced(by: .seconds(16 * 60))
    for node in nodes.prefix(20).dropFirst() { _ = table.responded(node, isSecure: true, at: later) }
    let waitsForSilent = table.responded(nodes[21], isSecure: true, at: later) == .waiting(toPing: nodes[0])
    #expect(waitsForSilent)
    let isAskedOnceMore = table.failed(nodes[0])
    #expect(isAskedOnceMore)
    #expect(table.id(at: nodes[0].endpoint) != nil)
    _ = table.failed(nodes[0])
    #expect(table.id(at: nodes[0].endpoint) == nil)
    #expect(table.id(at: nodes[21].endpoint) == nodes[21].id)
    #expect(table.count == 20)
  }

  @Test("who only asked us is pinged before he may enter, and is never named to others")
  func unconfirmed() {
    var table = RoutingTable(localID: .zero, limitsAddresses: true)
    let stranger = contact(NodeID([UInt8](repeating: 200, count: 20))!, 0x0808_0808)
    let isNew = table.queried(by: stranger, isSecure: false, at: start)
    #expect(isNew)
    let isNewAgain = table.queried(by: stranger, isSecure: false, at: start)
    #expect(!isNewAgain)
    #expect(table.unconfirmed(at: start) == stranger)
    #expect(table.closest(to: stranger.id, excluding: nil, at: start).count == 0)
    let entered = table.responded(stranger, isSecure: false, at: start)
    #expect(entered == .added)
    #expect(table.closest(to: stranger.id, excluding: nil, at: start).count == 1)
    #expect(table.unconfirmed(at: start) == nil)
  }

  @Test("on the public network one address holds one insecure node, and a /24 two nodes of a bucket")
  func addressLimits() {
    var random = RandomSource(seed: 2)
    var table = RoutingTable(localID: .zero, limitsAddresses: true)
    let address = IPAddress(8, 8, 8, 8)
    func insecure(_ address: IPAddress, _ port: UInt16) -> NodeContact {
      NodeContact(
        id: NodeID.zero.flippingBit(0).keepingPrefix(1, restFrom: .random(using: &random)),
        endpoint: Endpoint(address, port: port))
    }
    let first = table.responded(insecure(address, 1), isSecure: false, at: start)
    #expect(first == .added)
    let sameAddress = table.responded(insecure(address, 2), isSecure: false, at: start)
    #expect(sameAddress == .refused)
    let secondOfNetwork = table.responded(insecure(IPAddress(8, 8, 8, 9), 1), isSecure: false, at: start)
    #expect(secondOfNetwork == .added)
    let thirdOfNetwork = table.responded(insecure(IPAddress(8, 8, 8, 10), 1), isSecure: false, at: start)
    #expect(thirdOfNetwork == .refused)
    let otherNetwork = table.responded(insecure(IPAddress(8, 8, 9, 10), 1), isSecure: false, at: start)
    #expect(otherNetwork == .added)
  }

  @Test("after a change of our id the nodes are kept, in their new buckets")
  func rebuilt() {
    var random = RandomSource(seed: 4)
    var table = RoutingTable(localID: .random(using: &random), limitsAddresses: false)
    for index in 0..<15 { _ = table.responded(contact(.random(using: &random), index + 1), isSecure: true, at: start) }
    let newID = NodeID.random(using: &random)
    let rebuilt = table.rebuilt(around: newID, at: start)
    #expect(rebuilt.count == 15)
    for number in 1...160 {
      for node in rebuilt.buckets[number].nodes { #expect(newID.bucketDistance(to: node.contact.id) == number) }
    }
  }
}
