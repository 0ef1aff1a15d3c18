import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite("Nodes of a bucket, packed")
struct NodeListTests {
  private let now = Instant(nanoseconds: 5_000_000_000_000)

  private func node(_ number: Int, isIPv6: Bool) -> RoutingNode {
    var random = RandomSource(seed: UInt64(number))
    let address =
      isIPv6
      ? IPAddress(high: 0x2001_0db8_0102_0304 + UInt64(number), low: 0x1122_3344_5566_7788)
      : IPAddress(v4: 0xcb00_7100 + UInt32(number))
    let contact = NodeContact(
      id: NodeID.random(using: &random), endpoint: Endpoint(address, port: 1000 + UInt16(number)))
    return RoutingNode(contact, isSecure: number % 2 == 0, hasResponded: number % 3 == 0, at: now)
  }

  /// Everything that the list has to keep.
  private func describe(_ node: RoutingNode) -> [String] {
    [
      "\(node.id)", "\(node.endpoint)", "\(node.isSecure)", "\(node.hasResponded)", "\(node.failureCount)",
      "\(node.lastHeard(at: now))", "\(node.lacksItems(at: now))",
    ]
  }

  @Test("what comes out is what went in, of either family and of both", arguments: [[false], [true], [false, true]])
  func roundTrip(families: [Bool]) {
    var list = NodeList()
    var expected: [RoutingNode] = []
    for number in 0..<40 {
      let node = node(number, isIPv6: families[number * families.count / 40])
      list.append(node)
      expected.append(node)
      if number % 5 == 4 {
        #expect(describe(list.remove(at: 2)) == describe(expected.remove(at: 2)))
      }
      list[number % list.count].failed(asksForItems: true)
      expected[number % expected.count].failed(asksForItems: true)
      #expect(list.map(describe) == expected.map(describe))
    }
    list.removeAll { $0.isSecure }
    expected.removeAll { $0.isSecure }
    #expect(list.map(describe) == expected.map(describe) && !expected.isEmpty)
    var visited: [[String]] = []
    list.forEachIndexed { index, node in
      #expect(index == visited.count)
      visited.append(describe(node))
    }
    #expect(visited == expected.map(describe))
  }

  @Test(
    "whom a table is asked for by address is found, and not after he has gone, wherever ports alone tell nodes apart")
  func addresses() {
    var fingerprints = AddressFingerprints()
    let blocks = (0..<50).map { AddressBlock.endpoint(Endpoint(.loopbackV4, port: 2000 + $0)) }
    for block in blocks + blocks { fingerprints.insert(block) }
    for block in blocks { fingerprints.remove(block) }
    for block in blocks { #expect(fingerprints.mayContain(block), "one of two is left") }
    for block in blocks { fingerprints.remove(block) }
    for block in blocks { #expect(!fingerprints.mayContain(block)) }
  }
}
