import Addresses
import Bencode
import Cryptography
import TestSupport
import Testing

@testable import MainlineProtocol

@Suite("What the node understands of captured answers")
struct CapturedAnswerTests {
  struct File: Decodable {
    struct Exchange: Decodable {
      struct Response: Decodable {
        let hex: HexBytes
      }
      let name: String
      let requestHex: HexBytes
      let response: Response?
    }
    let capturedExchanges: [Exchange]
  }

  /// The owner of all captured mutable items.
  private let owner = Ed25519.SecretKey(seed: Array(repeating: 0xaa, count: 32))!

  @Test("every answer captured from libtorrent and pubky/mainline is understood for what it is")
  func answers() throws {
    let exchanges = try Vectors.load("mainline/krpc.json", as: File.self, keys: .convertFromSnakeCase).capturedExchanges
    var understood: [String: Int] = [:]
    for exchange in exchanges {
      guard let response = exchange.response else { continue }
      let request = try BencodeValue(exchange.requestHex.bytes)
      let answer = try BencodeValue(response.hex.bytes)
      let kind = try understand(exchange.name, request, answer)
      understood[kind, default: 0] += 1
    }
    #expect(understood.values.reduce(0, +) == 101)
    #expect(
      understood == [
        "ping": 3, "nodes": 5, "nothing": 6, "item": 13, "seq only": 5, "immutable": 3, "no peers": 6, "peers": 3,
        "stored": 25, "refused": 28, "error": 4,
      ], "\(understood)")
  }

  /// Gives `answer` to a node that asked the same question; says what it made of it.
  private func understand(_ name: String, _ request: BencodeValue, _ answer: BencodeValue) throws -> String {
    var harness = NodeHarness()
    let network = ScriptedNetwork()
    let id = (answer["r"]?["id"]?.bytes).flatMap { NodeID($0) } ?? NodeID(Array(repeating: 1, count: 20))!
    let contact = NodeContact(id: id, endpoint: Endpoint("127.0.0.1:20000")!)
    let method = String(decoding: request["q"]?.bytes ?? [], as: UTF8.self)
    network.add(contact) { query in
      let isLookupForToken = ["put", "announce_peer"].contains(method) && query["q"] != .text(method)
      return isLookupForToken ? ScriptedNetwork.response(id, ["token": .text("t")]) : answer
    }
    harness.node.seed([contact], at: harness.now)
    let place = (request["a"]?["target"] ?? request["a"]?["info_hash"])?.bytes.flatMap { NodeID($0) } ?? .zero
    let results = answer["r"]
    let code = answer["y"] == .text("e") ? answer["e"]?.list?.first?.number.map(Int.init) : nil
    switch method {
    case "ping":
      guard case .ping(let outcome) = harness.run(.ping(contact.endpoint), with: network).result else { break }
      #expect(outcome.id == id && outcome.version == answer["v"]?.bytes)
      #expect(outcome.observedEndpoint?.address == .loopbackV4)
      return "ping"
    case "get" where results?["v"] != nil && results?["k"] == nil || name.contains("imm"):
      guard case .immutable(let item, let counts) = harness.run(.getImmutable(place), with: network).result else {
        break
      }
      #expect(item?.bytes == results?["v"]?.bytes)
      #expect(counts.values == (item == nil ? 0 : 1) && counts.invalidResponses == 0)
      if item == nil { #expect(counts.noValues == 1) }
      return item == nil ? "nothing" : "immutable"
    case "get":
      let run = harness.run(.getMutable(key: owner.publicKey, salt: [], newerThan: nil), with: network)
      guard let (item, counts) = run.mutable else { break }
      if code != nil {
        #expect(counts.errors == 1)
        return "error"
      }
      #expect(place == MutableItem.target(of: owner.publicKey))
      if results?["v"] == nil {
        #expect(item == nil && counts.noMoreRecent + counts.noValues == 1)
        #expect(counts.highestReportedSeq == results?["seq"]?.number)
        return results?["seq"] == nil ? "nothing" : "seq only"
      }
      #expect(item?.seq == results?["seq"]?.number && item?.value == results?["v"]?.encoded)
      #expect(counts.values == 1 && counts.holdersOfNewest == 1)
      return "item"
    case "get_peers":
      let run = harness.run(.getPeers(place), with: network)
      guard case .peers(let counts) = run.result else { break }
      #expect(run.peers.count == results?["values"]?.list?.count ?? 0)
      #expect(counts.values == run.peers.count && counts.usable == 1)
      return run.peers.isEmpty ? "no peers" : "peers"
    case "put", "announce_peer":
      let query: Query =
        switch method {
        case "announce_peer": .announcePeer(place, port: nil)
        case _ where request["a"]?["k"] == nil:
          .putImmutable(try ImmutableItem(value: request["a"]?["v"]?.encoded ?? []))
        default: .putMutable(try MutableItem(signedBy: owner, seq: 1, bytes: [1]), PutOptions())
        }
      let run = harness.run(query, with: network)
      guard let code else {
        #expect(run.stored?.stored == 1 && run.stored?.rejections == [:], "\(name)")
        return "stored"
      }
      switch run.failure {
      case .notMostRecent(let outcome): #expect(code == 302 && outcome.rejections == [302: 1])
      case .casFailed(let outcome): #expect(code == 301 && outcome.rejections == [301: 1])
      case .rejected(let reported, let outcome): #expect(code == reported && outcome.rejections == [code: 1])
      default: Issue.record("\(name): \(String(describing: run.result))")
      }
      return "refused"
    default:
      guard case .nodes(let outcome) = harness.run(.findNode(place), with: network).result else { break }
      #expect(outcome.counts.errors == (code == nil ? 0 : 1), "\(name)")
      let named = (results?["nodes"]?.bytes?.count ?? 0) / 26
      if code == nil { #expect(outcome.nodes.count >= min(named, 1), "\(name)") }
      return code == nil ? "nodes" : "error"
    }
    Issue.record("\(name): not understood")
    return "nothing understood"
  }
}
