import Addresses
import Bencode
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite("Repair of a mutable item")
struct RepairTests {
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 78, count: 32))!
  private var lookup: Query { .getMutable(key: owner.publicKey, salt: [], newerThan: nil) }

  private func item(_ seq: Int64) throws -> MutableItem {
    try MutableItem(signedBy: owner, seq: seq, bytes: Array("version \(seq)".utf8))
  }

  @Test("a lookup says what each node holds that the item belongs to, the closest one first")
  func holders() throws {
    let (old, new) = (try item(4), try item(5))
    let network = ScriptedNetwork()
    network.addPeers(12) { contact in
      switch Int(contact.endpoint.port) % 3 {
      case 0: network.honest(contact, holding: new)
      case 1: network.honest(contact, holding: old)
      default: network.honest(contact)
      }
    }
    var harness = NodeHarness()
    harness.node.seed(network.contacts, at: harness.now)
    let counts = try #require(harness.run(lookup, with: network).mutable?.counts)
    #expect(counts.holdersOfNewest == 4)
    #expect(counts.storageNodes.count == 12)
    let byDistance = network.contacts.sorted { $0.id ^ new.target < $1.id ^ new.target }
    #expect(counts.storageNodes.map(\.contact) == byDistance)
    for node in counts.storageNodes {
      let expected: Int64? = [5, 4, nil][Int(node.contact.endpoint.port) % 3]
      #expect(node.seq == expected && node.token == Array("token".utf8))
    }
    // Who asks for something newer learns the same, though the items are not sent.
    let newer = harness.run(.getMutable(key: owner.publicKey, salt: [], newerThan: 5), with: network).mutable
    #expect(newer?.item == nil)
    #expect(newer?.counts.storageNodes.map(\.seq) == counts.storageNodes.map(\.seq))
    // Only items have holders.
    guard case .peers(let peers)? = harness.run(.getPeers(new.target), with: network).result else {
      Issue.record("no answer")
      return
    }
    #expect(peers.storageNodes.isEmpty)
  }

  @Test("a repair goes to the nodes that it names, with the tokens of the lookup, and to nobody else")
  func namedNodesOnly() throws {
    let network = ScriptedNetwork()
    network.addPeers(12) { network.honest($0) }
    var harness = NodeHarness()
    harness.node.seed(network.contacts, at: harness.now)
    let counts = try #require(harness.run(lookup, with: network).mutable?.counts)
    harness.sent = []
    let behind = Array(counts.storageNodes.prefix(3))
    let run = harness.run(.repairMutable(try item(5), at: behind), with: network)
    #expect(run.stored?.stored == 3 && run.stored?.sent == 3 && run.stored?.lookup == nil)
    #expect(run.stored?.storedLocally == false)
    #expect(harness.sent.map(\.method) == ["put", "put", "put"])
    #expect(Set(harness.sent.map(\.endpoint)) == Set(behind.map(\.contact.endpoint)))
    #expect(harness.sent.allSatisfy { $0.message["a"]?["token"] == .text("token") && $0.message["a"]?["cas"] == nil })
  }

  @Test("a token that has expired is fetched anew once")
  func expiredToken() throws {
    let network = ScriptedNetwork()
    let contacts = network.addPeers(2) { contact in
      { query in
        if query["q"] == .text("put") {
          query["a"]?["token"] == .text("fresh")
            ? ScriptedNetwork.response(contact.id) : ScriptedNetwork.error(203)
        } else {
          ScriptedNetwork.response(contact.id, ["token": .text("fresh"), "nodes": .string([])])
        }
      }
    }
    var harness = NodeHarness()
    let nodes = contacts.map { StorageNode(contact: $0, token: Array("stale".utf8), seq: nil) }
    let run = harness.run(.repairMutable(try item(5), at: nodes), with: network)
    #expect(run.stored?.stored == 2 && run.stored?.sent == 2)
  }

  @Test("nodes that hold something newer meanwhile refuse, and the repair says so")
  func refused() throws {
    let network = ScriptedNetwork()
    let contacts = network.addPeers(3) { contact in { _ in ScriptedNetwork.error(302) } }
    var harness = NodeHarness()
    let nodes = contacts.map { StorageNode(contact: $0, token: [1], seq: 3) }
    guard case .notMostRecent(let outcome) = harness.run(.repairMutable(try item(5), at: nodes), with: network).failure
    else {
      Issue.record("not refused")
      return
    }
    #expect(outcome.rejections == [302: 2] || outcome.rejections == [302: 3])
  }

  @Test("a repair of nobody fails, of too many is cut, and of a negative seq is not sent")
  func limits() throws {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    #expect(harness.run(.repairMutable(try item(5), at: []), with: network).failure == .noNodes)
    let contacts = network.addPeers(100) { contact in { _ in ScriptedNetwork.response(contact.id) } }
    let nodes = contacts.map { StorageNode(contact: $0, token: [1], seq: nil) }
    #expect(harness.run(.repairMutable(try item(-1), at: nodes), with: network).failure == .invalidItem)
    #expect(harness.sent.isEmpty)
    #expect(harness.run(.repairMutable(try item(5), at: nodes), with: network).stored?.stored == 72)
    #expect(harness.sent.count == 72)
  }

  @Test("nodes that missed an update are found by the next lookup and brought up to date")
  func converges() throws {
    let network = SmallNetwork(nodes: 20)
    _ = network.run(.putMutable(try item(1), PutOptions()), on: 3)
    let lagging = network.hosts[5..<12].map(\.endpoint)
    network.silent = Set(lagging)
    _ = network.run(.putMutable(try item(2), PutOptions()), on: 3)
    network.advance(by: .seconds(10))
    network.silent = []
    guard case .mutable(let newest?, let counts) = network.run(lookup, on: 0).result else {
      Issue.record("nothing found")
      return
    }
    #expect(newest == (try item(2)))
    let behind = counts.storageNodes.filter { ($0.seq ?? 0) < 2 }
    #expect(behind.count >= 1 && behind.allSatisfy { lagging.contains($0.contact.endpoint) })
    guard case .stored(let outcome) = network.run(.repairMutable(newest, at: behind), on: 0).result else {
      Issue.record("not stored")
      return
    }
    #expect(outcome.stored == behind.count)
    guard case .mutable(_, let after) = network.run(lookup, on: 19).result else {
      Issue.record("nothing found")
      return
    }
    #expect(after.storageNodes.allSatisfy { $0.seq == 2 })
  }
}
