import Addresses
import Cryptography
import MainlineProtocol
import Testing

/// What fuzzing found, one test each.
@Suite(.timeLimit(.minutes(10))) struct FuzzFindsTests {
  /// Found by the target `node`: each of them set a timer whenever any timer rang, so they doubled every 50 ms.
  @Test("lookups and puts that wait for their turn to send wake the node some times a second, not ever more often")
  func pacing() throws {
    var now = Instant(nanoseconds: 1_000_000_000)
    var configuration = NodeConfiguration()
    configuration.mode = .client
    configuration.rates.outgoingQueries = 1
    configuration.rates.outgoingQueryBurst = 1
    var node = DHTNode(configuration: configuration, random: RandomSource(seed: 1), at: now)
    let contacts = (1...20).map { number in
      NodeContact(
        id: NodeID([UInt8](repeating: UInt8(number), count: 20))!,
        endpoint: Endpoint(IPAddress(198, UInt8(number), 0, 1), port: 6881))
    }
    node.seed(contacts, at: now)
    let queries = (1...6).map { Query.findNode(NodeID([UInt8](repeating: UInt8($0), count: 20))!) }
    for query in queries { _ = node.start(query, at: now) }
    let item = try ImmutableItem(bytes: [1])
    _ = node.start(.putImmutable(item), at: now)
    let end = now.advanced(by: .seconds(9))
    var wakes = 0
    while node.nextDeadline <= end, wakes < 10_000 {
      now = max(now, node.nextDeadline)
      node.tick(at: now)
      node.outbox.removeAll()
      wakes += 1
    }
    #expect((9...2000).contains(wakes))
  }
}
