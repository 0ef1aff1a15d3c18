import Addresses
import Bencode
import Cryptography
import TestSupport
import Testing

@testable import MainlineProtocol

@Suite("What a put reports")
struct PutOutcomeTests {
  struct File: Decodable {
    struct Row: Decodable {
      let name: String
      let kind: String
      let sent: Int
      let ok: Int
      let errors: [String: Int]
      let ours: String
    }
    let put: [Row]
  }

  private let owner = Ed25519.SecretKey(seed: Array(repeating: 77, count: 32))!
  private let infoHash = NodeID(Array(repeating: 3, count: 20))!

  /// Nodes that answer a put as told: nil silence, 0 stored, anything else an error code.
  private func network(_ reactions: [Int?]) -> ScriptedNetwork {
    let network = ScriptedNetwork()
    network.addPeers(reactions.count) { contact in
      let reaction = reactions[Int(contact.endpoint.port) - 20_000]
      return { query in
        switch query["q"] {
        case .text("put"), .text("announce_peer"):
          switch reaction {
          case nil: nil
          case .some(0): ScriptedNetwork.response(contact.id)
          case .some(let code): ScriptedNetwork.error(Int64(code))
          }
        default: ScriptedNetwork.response(contact.id, ["token": .text("t"), "nodes": .string([])])
        }
      }
    }
    return network
  }

  private func run(_ kind: String, _ network: ScriptedNetwork) throws -> QueryRun {
    var harness = NodeHarness()
    harness.node.seed(network.contacts, at: harness.now)
    switch kind {
    case "immutable": return harness.run(.putImmutable(try ImmutableItem(bytes: [1])), with: network)
    case "announce": return harness.run(.announcePeer(infoHash, port: nil), with: network)
    default:
      return harness.run(.putMutable(try MutableItem(signedBy: owner, seq: 1, bytes: [1]), PutOptions()), with: network)
    }
  }

  private func describe(_ result: QueryResult?) -> String {
    switch result {
    case .stored(let outcome):
      "ok \(outcome.stored)" + (outcome.conflicts > 0 ? ", conflicts \(outcome.conflicts) reported" : "")
    case .failed(.noNodes): "no closest nodes"
    case .failed(.timeout): "timeout"
    case .failed(.notMostRecent): "not most recent"
    case .failed(.casFailed): "cas failed"
    case .failed(.rejected(let code, _)): "rejected \(code)"
    default: "\(String(describing: result))"
    }
  }

  @Test("the 14 compared mixtures of answers are reported as decided (D14)")
  func outcomes() throws {
    let rows = try Vectors.load("mainline/outcomes.json", as: File.self).put
    #expect(rows.count == 14)
    for row in rows {
      let refusals = row.errors.sorted { $0.key < $1.key }.flatMap { Array(repeating: Int($0.key), count: $0.value) }
      let reactions: [Int?] = Array(repeating: 0, count: row.ok) + refusals
      let silent = Array(repeating: Int?.none, count: row.sent - reactions.count)
      let run = try run(row.kind, network(reactions + silent))
      #expect(describe(run.result) == row.ours, "\(row.name)")
    }
  }

  @Test("the counts of a put add up")
  func counts() throws {
    let run = try run("mutable", network(Array(repeating: 0, count: 12) + [205, 205, 206, nil, nil, nil]))
    let outcome = try #require(run.stored)
    #expect(outcome.sent == 18 && outcome.stored == 12 && outcome.timeouts == 3)
    #expect(outcome.rejections == [205: 2, 206: 1])
    #expect(outcome.lookup?.queried == 18 && outcome.lookup?.noValues == 18)
  }

  @Test("silent nodes get one more copy of the same put, under the same transaction id")
  func retransmission() throws {
    var harness = NodeHarness()
    let network = network(Array(repeating: nil, count: 8))
    harness.node.seed(network.contacts, at: harness.now)
    _ = harness.run(.putMutable(try MutableItem(signedBy: owner, seq: 1, bytes: [1]), PutOptions()), with: network)
    let puts = Dictionary(grouping: harness.sent.filter { $0.method == "put" }, by: \.endpoint)
    #expect(puts.count == 8)
    for copies in puts.values { #expect(copies.count == 2 && copies[0].bytes == copies[1].bytes) }
  }

  @Test("a bad token is fetched anew once, and then given up")
  func badToken() throws {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    var puts = 0
    network.addPeers(8) { contact in
      var issued = 0
      return { query in
        if query["q"] == .text("put") {
          puts += 1
          let isFresh = query["a"]?["token"] == .text("2")
          return isFresh ? ScriptedNetwork.response(contact.id) : ScriptedNetwork.error(203)
        }
        issued += 1
        return ScriptedNetwork.response(contact.id, ["token": .text("\(issued)"), "nodes": .string([])])
      }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let run = harness.run(
      .putMutable(try MutableItem(signedBy: owner, seq: 1, bytes: [1]), PutOptions()), with: network)
    #expect(run.stored?.stored == 8 && run.stored?.sent == 8)
    #expect(puts == 16)
  }

  @Test("a newer item found on the way stops a put before anything is sent, unless it is forced")
  func newerFound() throws {
    let mine = try MutableItem(signedBy: owner, seq: 5, bytes: [5])
    for (found, isRefused) in [
      (try MutableItem(signedBy: owner, seq: 6, bytes: [6]), true),
      (try MutableItem(signedBy: owner, seq: 5, bytes: [9]), true),
      (mine, false), (try MutableItem(signedBy: owner, seq: 4, bytes: [4]), false),
    ] {
      for isForced in [false, true] {
        var harness = NodeHarness()
        let network = ScriptedNetwork()
        network.addPeers(10) { network.honest($0, holding: found) }
        harness.node.seed(network.contacts, at: harness.now)
        var options = PutOptions()
        options.force = isForced
        let run = harness.run(.putMutable(mine, options), with: network)
        let puts = harness.sent.count { $0.method == "put" }
        if isRefused, !isForced {
          #expect(puts == 0)
          switch run.failure {
          case .notMostRecent(let outcome): #expect(found.seq == 6 && outcome.highestSeqFound == 6)
          case .conflictRisk: #expect(found.seq == 5)
          default: Issue.record("\(String(describing: run.result))")
          }
        } else {
          #expect(puts == 10 && run.stored?.stored == 10)
        }
      }
    }
  }

  @Test("a 302 from a node that returned the very same item counts as stored")
  func alreadyThere() throws {
    let mine = try MutableItem(signedBy: owner, seq: 5, bytes: [5])
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    network.addPeers(10) { contact in
      let script = network.honest(contact, holding: mine)
      return { query in query["q"] == .text("put") ? ScriptedNetwork.error(302) : script(query) }
    }
    harness.node.seed(network.contacts, at: harness.now)
    let run = harness.run(.putMutable(mine, PutOptions()), with: network)
    #expect(run.stored?.stored == 10 && run.stored?.conflicts == 0)
  }
}
