import Addresses
import Bencode
import Cryptography
import TestSupport
import Testing
import WireFormat

@testable import MainlineProtocol

/// Someone who asks a server one thing after the other.
struct Visitor: ~Copyable {
  var harness: NodeHarness
  var endpoint: Endpoint
  let id = NodeID(Array(repeating: 0x41, count: 20))!
  let owner = Ed25519.SecretKey(seed: Array(repeating: 77, count: 32))!

  init(
    _ configuration: NodeConfiguration = NodeHarness.isolated, from endpoint: Endpoint = Endpoint("127.0.0.1:40000")!
  ) {
    harness = NodeHarness(configuration)
    self.endpoint = endpoint
  }

  /// Asks, and returns the one answer; nil for none.
  mutating func ask(_ method: String, _ arguments: [String: BencodeValue?], transaction: [UInt8] = Array("aa42".utf8))
    -> BencodeValue?
  {
    let present = arguments.compactMapValues { $0 }
    let query = BencodeValue.fields([
      "a": .fields(present.merging(["id": .string(id.bytes)]) { own, _ in own }), "q": .text(method),
      "t": .string(transaction), "y": .text("q"),
    ])
    let answers = harness.receive(query.encoded, from: endpoint)
    #expect(answers.count <= 1)
    if let answer = answers.first { #expect(answer.message["t"] == .string(transaction)) }
    return answers.first?.message
  }

  mutating func token(for target: NodeID, _ method: String = "get") -> BencodeValue? {
    ask(method, [method == "get" ? "target" : "info_hash": .string(target.bytes)])?["r"]?["token"]
  }

  /// The arguments of a mutable put, without token and target.
  static func arguments(_ item: MutableItem) -> [String: BencodeValue?] {
    [
      "k": .string(item.key.bytes), "seq": .integer(item.seq), "sig": .string(item.signature.bytes),
      "v": try! BencodeValue(item.value), "salt": item.salt.isEmpty ? nil : .string(item.salt),
    ]
  }

  /// Puts an item with a token for wherever it belongs; `changes` replace arguments, `without` leaves some out.
  mutating func put(
    _ item: MutableItem, _ changes: [String: BencodeValue] = [:], without: [String] = []
  ) -> String {
    var arguments = Self.arguments(item)
    arguments["target"] = .string(item.target.bytes)
    for (name, value) in changes { arguments[name] = value }
    for name in without { arguments[name] = .some(nil) }
    if changes["token"] == nil, !without.contains("token") {
      let key = arguments["k"]??.bytes ?? item.key.bytes
      let salt = arguments["salt"]??.bytes ?? []
      arguments["token"] = token(for: NodeID(SHA1.hash(key + salt)))
    }
    return Self.describe(ask("put", arguments))
  }

  mutating func get(_ target: NodeID, seq: Int64? = nil) -> BencodeValue? {
    ask("get", ["target": .string(target.bytes), "seq": seq.map { .integer($0) }])
  }

  func item(_ seq: Int64, _ bytes: [UInt8] = [1, 2, 3], salt: [UInt8] = []) -> MutableItem {
    try! MutableItem(signedBy: owner, seq: seq, bytes: bytes, salt: salt)
  }

  /// What an answer says, in the words of the vectors.
  static func describe(_ answer: BencodeValue?) -> String {
    guard let answer else { return "no answer" }
    if answer["y"] == .text("e") { return "error \(answer["e"]?.list?.first?.number ?? -1)" }
    guard let results = answer["r"] else { return "malformed" }
    if results["samples"] != nil { return "samples, num, interval, nodes" }
    if results["v"] != nil {
      return ["v", "k", "sig", "seq"].filter { results[$0] != nil }.joined(separator: ", ")
    }
    if results["seq"] != nil { return "seq only" }
    if results["token"] == nil, results["nodes"] != nil { return "as find_node" }
    return results["token"] == nil ? "stored" : "nothing stored"
  }
}

@Suite("What the server answers")
struct ServerTests {
  struct File: Decodable {
    struct Row: Decodable {
      let name: String
      let ours: String
    }
    let server: [Row]
  }

  private let rows: [File.Row]

  init() throws { rows = try Vectors.load("mainline/outcomes.json", as: File.self).server }

  @Test("each of the 32 compared situations ends as decided")
  func outcomes() throws {
    #expect(rows.count == 32)
    for row in rows {
      let outcome = try outcome(of: row.name)
      if row.name == "sample_infohashes" {
        #expect(["samples, num, interval, nodes", "as find_node"].contains(outcome))
      } else {
        #expect(outcome == row.ours, "\(row.name)")
      }
    }
  }

  private func outcome(of name: String) throws -> String {
    var visitor = Visitor()
    let item = visitor.item(5)
    let target = item.target
    switch name {
    case "put mutable, first time":
      let outcome = visitor.put(item)
      #expect(visitor.get(target)?["r"]?["v"] == .string([1, 2, 3]))
      return outcome
    case "put mutable without `target`":
      let outcome = visitor.put(item, without: ["target"])
      #expect(visitor.get(target)?["r"]?["v"] == .string([1, 2, 3]))
      return outcome
    case "put mutable with a `target` that is not SHA-1(k+salt)":
      let wrong = target.flippingBit(7)
      let tokens = [visitor.token(for: wrong), visitor.token(for: target)]
      let outcomes = tokens.map { visitor.put(item, ["target": .string(wrong.bytes), "token": $0!]) }
      #expect(outcomes[0] == outcomes[1])
      #expect(Visitor.describe(visitor.get(wrong)) == "nothing stored")
      return outcomes[0]
    case "put with `k` but without `seq` or `sig`":
      for missing in [["seq"], ["sig"], ["seq", "sig"], ["k"], ["k", "sig"], ["k", "seq"]] {
        #expect(visitor.put(item, without: missing) == "error 203", "\(missing)")
      }
      #expect(Visitor.describe(visitor.ask("ping", [:])) == "stored", "the node lives")
      return visitor.put(item, without: ["seq", "sig"])
    case "get without seq after such a put by a stranger", "get with seq 0 after such a put by a stranger":
      #expect(visitor.put(item) == "stored")
      let hidden = ImmutableItemArguments.hiding(target: target, key: item.key.bytes)
      for arguments in hidden {
        var arguments = arguments
        arguments["token"] = visitor.token(for: target)
        _ = visitor.ask("put", arguments)
      }
      return Visitor.describe(visitor.get(target, seq: name.contains("seq 0") ? 0 : nil)) + " of the mutable item"
    case "same item again":
      #expect(visitor.put(item) == "stored")
      visitor.harness.pass(.seconds(100))
      let outcome = visitor.put(item)
      let times = try #require(visitor.harness.node.items.putTimes(target))
      return outcome + (times.last == visitor.harness.now && times.first < times.last ? ", age reset" : "")
    case "same seq, other value", "lower seq":
      #expect(visitor.put(item) == "stored")
      let outcome = visitor.put(visitor.item(name == "lower seq" ? 4 : 5, [9]))
      #expect(visitor.get(target)?["r"]?["v"] == .string([1, 2, 3]))
      return outcome
    case "cas not equal to the stored seq":
      #expect(visitor.put(item) == "stored")
      return visitor.put(visitor.item(6), ["cas": .integer(4)])
    case "cas wrong and seq lower":
      #expect(visitor.put(item) == "stored")
      return visitor.put(visitor.item(4), ["cas": .integer(4)])
    case "cas present, nothing stored": return visitor.put(item, ["cas": .integer(4)])
    case "cas equal, higher seq":
      #expect(visitor.put(item) == "stored")
      let outcome = visitor.put(visitor.item(6, [6]), ["cas": .integer(5)])
      #expect(visitor.get(target)?["r"]?["seq"] == .integer(6))
      return outcome
    default: return try otherOutcome(of: name, &visitor)
    }
  }

  private func otherOutcome(of name: String, _ visitor: inout Visitor) throws -> String {
    let item = visitor.item(5)
    let target = item.target
    switch name {
    case "signature wrong":
      var signature = item.signature.bytes
      signature[0] ^= 1
      let outcome = visitor.put(item, ["sig": .string(signature)])
      #expect(Visitor.describe(visitor.get(target)) == "nothing stored")
      return outcome
    case "token wrong":
      for token in [[], [0], Array(repeating: 0, count: 8), Array(repeating: 1, count: 64)] as [[UInt8]] {
        #expect(visitor.put(item, ["token": .string(token)]) == "error 203")
      }
      #expect(visitor.put(item, ["token": .integer(5)]) == "error 203")
      return visitor.put(item, without: ["token"])
    case "value of 996 bytes": return visitor.put(visitor.item(5, Array(repeating: 1, count: 996)))
    case "value of 997 to 1000 bytes":
      let outcomes = (997...1000).map { visitor.put(visitor.item(Int64($0), Array(repeating: 1, count: $0))) }
      #expect(Set(outcomes).count == 1)
      #expect(visitor.get(target)?["r"]?["v"]?.bytes?.count == 1000)
      return outcomes[0]
    case "value of 1001 bytes": return visitor.put(item, ["v": .string(Array(repeating: 1, count: 1001))])
    case "salt of 64 bytes":
      let salted = visitor.item(5, [1, 2, 3], salt: Array(repeating: 0, count: 64))
      let outcome = visitor.put(salted)
      #expect(Visitor.describe(visitor.get(salted.target)) == "v, k, sig, seq")
      return outcome
    case "salt of 65 bytes": return visitor.put(item, ["salt": .string(Array(repeating: 0, count: 65))])
    case "`salt` present and empty, signed as without salt": return visitor.put(item, ["salt": .string([])])
    case "negative seq": return visitor.put(visitor.item(-1))
    case "value that is an integer, list or dictionary":
      var outcomes: Set<String> = []
      for (seq, text) in [(6, "i42e"), (7, "l4:spami1ee"), (8, "d1:a1:x1:bi1ee")] {
        let item = try MutableItem(signedBy: visitor.owner, seq: Int64(seq), value: Array(text.utf8))
        outcomes.insert(visitor.put(item))
        #expect(visitor.get(target)?["r"]?["v"]?.encoded == Array(text.utf8))
      }
      #expect(outcomes.count == 1)
      return outcomes.first!
    case "get without seq, item stored", "get with seq equal to the stored", "get with seq below the stored",
      "get with a negative seq":
      #expect(visitor.put(item) == "stored")
      let seq: Int64? = name.contains("equal") ? 5 : name.contains("below") ? 4 : name.contains("negative") ? -1 : nil
      return Visitor.describe(visitor.get(target, seq: seq))
    case "unknown method with a target":
      let withHash = Visitor.describe(visitor.ask("levitate", ["info_hash": .string(target.bytes)]))
      let withTarget = Visitor.describe(visitor.ask("levitate", ["target": .string(target.bytes)]))
      #expect(withHash == withTarget)
      return withTarget
    case "unknown method without a target": return Visitor.describe(visitor.ask("levitate", [:]))
    case "sample_infohashes":
      return Visitor.describe(visitor.ask("sample_infohashes", ["target": .string(target.bytes)]))
    case "target of 19 bytes":
      for method in ["find_node", "get", "sample_infohashes"] {
        #expect(
          Visitor.describe(visitor.ask(method, ["target": .string(Array(repeating: 1, count: 19))])) == "error 203")
      }
      #expect(
        Visitor.describe(visitor.ask("get_peers", ["info_hash": .string(Array(repeating: 1, count: 21))]))
          == "error 203")
      return Visitor.describe(visitor.ask("get", [:]))
    case "transaction id of 2 bytes":
      return visitor.ask("ping", [:], transaction: [1, 2]) == nil ? "no answer" : "answered"
    default:
      Issue.record("no test for the row \(name)")
      return ""
    }
  }

  /// What a stranger sends to hide a record on a node of libtorrent: a value under the hash of the key.
  private enum ImmutableItemArguments {
    static func hiding(target: NodeID, key: [UInt8]) -> [[String: BencodeValue?]] {
      [
        ["k": .string(key), "v": .text("junk"), "target": .string(target.bytes)],
        ["k": .string(key), "v": .text("junk"), "seq": .integer(9)],
        ["v": .text("junk"), "target": .string(target.bytes)],
        ["v": .string(key)],
      ]
    }
  }

  // MARK: Order of checks, tokens

  @Test("of several faults the first in the order of the specification is answered")
  func orderOfChecks() {
    var visitor = Visitor()
    let item = visitor.item(5)
    let big = BencodeValue.string(Array(repeating: 1, count: 1001))
    let longSalt = BencodeValue.string(Array(repeating: 1, count: 65))
    #expect(visitor.put(item, ["token": .text("wrong"), "v": big]) == "error 203")
    #expect(visitor.put(item, ["v": big, "salt": longSalt]) == "error 205")
    #expect(visitor.put(item, ["salt": longSalt], without: ["sig"]) == "error 207")
    #expect(visitor.put(item, ["sig": .string([])]) == "error 203")
    #expect(visitor.put(item, ["k": .string(Array(repeating: 1, count: 31))]) == "error 203")
    #expect(visitor.put(item, without: ["v"]) == "error 203")
    #expect(visitor.put(item) == "stored")
    let bad = BencodeValue.string(Array(repeating: 0, count: 64))
    #expect(visitor.put(visitor.item(4), ["sig": bad, "cas": .integer(9)]) == "error 301")
    #expect(visitor.put(visitor.item(4), ["sig": bad]) == "error 302")
    #expect(visitor.put(visitor.item(6), ["sig": bad]) == "error 206")
    #expect(visitor.put(item, ["sig": bad]) == "error 206", "the same value with another signature")
  }

  @Test("a token serves only the address and target it was given for, and ten minutes at most (D6)")
  func tokens() {
    var visitor = Visitor(from: Endpoint("127.0.0.1:40000")!)
    let item = visitor.item(5)
    let token = visitor.token(for: item.target)
    #expect(token?.bytes?.count == 8)
    #expect(visitor.token(for: item.target.flippingBit(0)) != token)
    visitor.endpoint = Endpoint("127.0.0.2:40000")!
    #expect(visitor.put(item, ["token": token!]) == "error 203")
    visitor.endpoint = Endpoint("127.0.0.1:40001")!
    #expect(visitor.put(item, ["token": token!]) == "stored", "the port does not matter")
    visitor.harness.pass(.seconds(600))
    #expect(visitor.put(item, ["token": token!]) == "error 203")
  }

  @Test("a value in another spelling than the canonical one is refused with 203")
  func notCanonical() {
    var visitor = Visitor()
    for value in ["03:abc", "i01e", "d1:bi1e1:ai2ee"] {
      let target = NodeID(SHA1.hash(Array(value.utf8)))
      let token = visitor.token(for: target)!.encoded
      let put =
        Array("d1:ad2:id20:".utf8) + visitor.id.bytes + Array("5:token".utf8) + token
        + Array("1:v\(value)e1:q3:put1:t2:aa1:y1:qe".utf8)
      #expect(
        Visitor.describe(visitor.harness.receive(put, from: visitor.endpoint).first?.message) == "error 203", "\(value)"
      )
    }
  }

  @Test("immutable items come back under their hash, with or without `target` in the put")
  func immutable() throws {
    var visitor = Visitor()
    for (bytes, named) in [(Array("abc".utf8), true), (Array("def".utf8), false)] {
      let item = try ImmutableItem(bytes: bytes)
      let target = BencodeValue.string(item.target.bytes)
      let put = visitor.ask(
        "put", ["v": .string(bytes), "token": visitor.token(for: item.target), "target": named ? target : nil])
      #expect(Visitor.describe(put) == "stored")
      #expect(Visitor.describe(visitor.get(item.target)) == "v")
      #expect(visitor.get(item.target)?["r"]?["v"] == .string(bytes))
      let wrong = visitor.ask(
        "put",
        ["v": .text("x"), "token": visitor.token(for: item.target), "target": target])
      #expect(Visitor.describe(wrong) == "error 203")
    }
  }

  @Test("an announced peer is found; the port is the source's if `implied_port` says so, and 0 is none (D23)")
  func peers() {
    var visitor = Visitor()
    let infoHash = NodeID(Array(repeating: 7, count: 20))!
    let hash = BencodeValue.string(infoHash.bytes)
    let token = visitor.token(for: infoHash, "get_peers")
    func announce(_ more: [String: BencodeValue?], _ visitor: inout Visitor) -> String {
      Visitor.describe(visitor.ask("announce_peer", ["info_hash": hash, "token": token].merging(more) { $1 }))
    }
    #expect(announce(["port": .integer(0), "implied_port": .integer(0)], &visitor) == "error 203")
    #expect(announce(["port": .integer(65536)], &visitor) == "error 203")
    #expect(announce(["port": .integer(-1)], &visitor) == "error 203")
    #expect(announce([:], &visitor) == "error 203")
    #expect(announce(["port": .integer(6881), "token": .text("wrong")], &visitor) == "error 203")
    #expect(announce(["port": .integer(6881), "implied_port": .integer(0)], &visitor) == "stored")
    #expect(announce(["port": .integer(1), "implied_port": .integer(1)], &visitor) == "stored")
    let answer = visitor.ask("get_peers", ["info_hash": hash])
    let values = Set((answer?["r"]?["values"]?.list ?? []).compactMap(\.bytes))
    #expect(values == [[127, 0, 0, 1, 0x1a, 0xe1], [127, 0, 0, 1, 0x9c, 0x40]])
    #expect(answer?["r"]?["nodes"] != nil && answer?["r"]?["token"] != nil)
    let sample = visitor.ask("sample_infohashes", ["target": hash])?["r"]
    #expect(sample?["samples"]?.bytes == infoHash.bytes && sample?["num"] == .integer(1))
  }

  @Test("every answer names the asker's endpoint, our id and no `ro`; ids of 1 to 64 bytes are echoed (D19)")
  func envelope() {
    var visitor = Visitor()
    for length in 1...64 {
      let transaction = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37) }
      let answer = visitor.ask("ping", [:], transaction: transaction)
      #expect(answer?["t"] == .string(transaction))
      #expect(answer?["ip"] == .string([127, 0, 0, 1, 0x9c, 0x40]))
      #expect(answer?["r"]?["id"]?.bytes == visitor.harness.node.id(.ipv4)?.bytes)
      #expect(answer?["ro"] == nil)
      #expect(answer?["v"]?.bytes?.count == 4)
    }
    for length in [0, 65, 100] {
      #expect(visitor.ask("ping", [:], transaction: Array(repeating: 1, count: length)) == nil)
    }
  }

  @Test("a client answers nothing, nor does anybody answer port 0, multicast or what is no query")
  func silence() {
    var configuration = NodeHarness.isolated
    configuration.mode = .client
    var client = Visitor(configuration)
    #expect(client.ask("ping", [:]) == nil)
    #expect(client.get(.zero) == nil)
    #expect(client.ask("levitate", [:]) == nil)
    for text in ["127.0.0.1:0", "224.0.0.1:1000", "0.0.0.0:1000"] {
      var visitor = Visitor(from: Endpoint(text)!)
      #expect(visitor.ask("ping", [:]) == nil, "\(text)")
      #expect(visitor.harness.drain().isEmpty)
    }
    var visitor = Visitor()
    for text in [
      "", "x", "d1:y1:re", "d1:t2:aa1:y1:re", "d1:t2:aa1:y1:ee", "d1:t2:aa1:y1:xe", "d1:eli201e1:ae1:t2:aa1:y1:ee",
    ] {
      #expect(visitor.harness.receive(Array(text.utf8), from: visitor.endpoint).isEmpty, "\(text)")
    }
  }

  @Test("the request filter decides who is served, and what it refuses is met with silence")
  func filter() {
    var configuration = NodeHarness.isolated
    configuration.requestFilter = { method, _, sender in method == .ping && sender.port == 40000 }
    var visitor = Visitor(configuration)
    #expect(visitor.ask("ping", [:]) != nil)
    #expect(visitor.get(.zero) == nil)
    visitor.endpoint.port = 40001
    #expect(visitor.ask("ping", [:]) == nil)
  }
}
