import Addresses
import Bencode
import Cryptography
import TestSupport
import Testing
import WireFormat

@testable import MainlineProtocol

@Suite("What the server makes of strange and of captured datagrams")
struct ServerDatagramTests {
  struct Strange: Decodable {
    struct Datagram: Decodable {
      let name: String
      let hex: HexBytes
      let ours: String
    }
    let datagrams: [Datagram]
  }

  struct Captured: Decodable {
    struct Message: Decodable {
      let name: String
      let hex: HexBytes
    }
    struct Exchange: Decodable {
      let name: String
      let requestHex: HexBytes
    }
    let documents: [Message]
    let own: [Message]
    let capturedQueries: [Message]
    let capturedExchanges: [Exchange]
  }

  private let sender = Endpoint("127.0.0.1:40000")!

  private func reaction(_ bytes: [UInt8]) -> String {
    var harness = NodeHarness()
    let answers = harness.receive(bytes, from: sender)
    guard let answer = answers.first else { return "none" }
    #expect(answers.count == 1)
    if answer.message["y"] == .text("r") { return "response" }
    return "error \(answer.message["e"]?.list?.first?.number ?? -1)"
  }

  @Test("each of the 62 compared datagrams is answered, refused or ignored as decided (D19, D21)")
  func strangeDatagrams() throws {
    let vectors = try Vectors.load("mainline/bencode.json", as: Strange.self)
    #expect(vectors.datagrams.count == 62)
    for vector in vectors.datagrams {
      #expect(reaction(vector.hex.bytes) == vector.ours, "\(vector.name)")
    }
  }

  @Test("no prefix and no single changed byte of any known message stops the node")
  func damage() throws {
    let vectors = try Vectors.load("mainline/krpc.json", as: Captured.self, keys: .convertFromSnakeCase)
    var harness = NodeHarness()
    var random = RandomSource(seed: 99)
    let messages = (vectors.documents + vectors.own + vectors.capturedQueries).map(\.hex.bytes)
    var count = 0
    for message in messages {
      for length in 0..<message.count where length % 7 == 0 {
        harness.feed(Array(message[..<length]), from: sender)
        count += 1
      }
      for _ in 0..<50 {
        var damaged = message
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        harness.feed(damaged, from: sender)
        count += 1
      }
      _ = harness.drain()
    }
    #expect(count > 4000)
    #expect(harness.receive(messages[0], from: sender).count == 1, "it still answers")
  }

  @Test("every query captured from other programs gets an answer")
  func capturedQueries() throws {
    let vectors = try Vectors.load("mainline/krpc.json", as: Captured.self, keys: .convertFromSnakeCase)
    #expect(vectors.capturedQueries.count == 29 && vectors.capturedExchanges.count == 105)
    let queries = vectors.capturedQueries + vectors.capturedExchanges.map { .init(name: $0.name, hex: $0.requestHex) }
    for query in queries {
      let message = try BencodeValue(query.hex.bytes)
      let method = String(decoding: message["q"]?.bytes ?? [], as: UTF8.self)
      let reaction = reaction(query.hex.bytes)
      switch method {
      case "put", "announce_peer": #expect(reaction == "error 203", "\(query.name): its token is another node's")
      case _ where query.name.contains("19 byte"): #expect(reaction == "error 203", "\(query.name)")
      case "ping", "find_node", "get", "get_peers", "sample_infohashes":
        #expect(reaction == "response", "\(query.name)")
      default: #expect(reaction == "error 204" || reaction == "response", "\(query.name)")
      }
    }
  }

  @Test("captured puts are stored once they carry a token of ours")
  func capturedPuts() throws {
    let vectors = try Vectors.load("mainline/krpc.json", as: Captured.self, keys: .convertFromSnakeCase)
    var stored = 0
    for query in vectors.capturedQueries {
      let message = try BencodeValue(query.hex.bytes)
      guard message["q"] == .text("put") || message["q"] == .text("announce_peer"), let arguments = message["a"] else {
        continue
      }
      var visitor = Visitor()
      let target: NodeID
      if let infoHash = arguments["info_hash"]?.bytes {
        target = NodeID(infoHash)!
      } else if let key = arguments["k"]?.bytes {
        target = NodeID(SHA1.hash(key + (arguments["salt"]?.bytes ?? [])))
      } else {
        target = NodeID(SHA1.hash(arguments["v"]!.encoded))
      }
      let token = visitor.token(for: target, message["q"] == .text("put") ? "get" : "get_peers")!
      let put = message.with(["a": arguments.with(["token": token])])
      let answer = visitor.harness.receive(put.encoded, from: visitor.endpoint).first?.message
      #expect(Visitor.describe(answer) == "stored", "\(query.name)")
      stored += 1
    }
    #expect(stored == 13)
  }
}
