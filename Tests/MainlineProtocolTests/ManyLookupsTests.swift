import Addresses
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite("Many lookups at once") struct ManyLookupsTests {
  private func begin(_ count: Int, _ network: SmallNetwork) -> SmallNetwork.Host {
    let client = network.hosts[0]
    client.events = []
    var random = RandomSource(seed: 5)
    for _ in 0..<count {
      guard let target = NodeID(random.bytes(20)) else { continue }
      _ = client.node.start(.findNode(target), at: network.now)
    }
    return client
  }

  private func finished(_ host: SmallNetwork.Host) -> Int {
    host.events.reduce(0) { count, event in
      if case .finished = event { return count + 1 }
      return count
    }
  }

  @Test("no more answers are due than fit into the socket's buffer, and the next lookups go on as answers come")
  func window() {
    let network = SmallNetwork(nodes: 12)
    let client = begin(300, network)
    #expect(client.node.requests.count == client.node.requests.lookupLimit)
    #expect(!client.node.stalled.isEmpty && client.node.waitsForRoom)
    // The clock stands still: only answers let them go on.
    network.settle()
    #expect(finished(client) == 300)
    #expect(client.node.requests.count == 0 && client.node.stalled.isEmpty)
  }

  @Test("nodes that are silent hold a place only until their answers are overdue")
  func silence() {
    let network = SmallNetwork(nodes: 12)
    network.silent = Set(network.hosts[6...].map(\.endpoint))
    let client = begin(300, network)
    network.settle()
    network.advance(by: .seconds(30))
    #expect(finished(client) == 300)
    #expect(client.node.requests.count == 0 && client.node.stalled.isEmpty)
  }
}
