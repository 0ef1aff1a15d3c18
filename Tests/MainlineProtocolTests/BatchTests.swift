import Addresses
import Bencode
import Cryptography
import Testing

@testable import MainlineProtocol

/// Puts that come together, whose signatures are checked together.
@Suite struct BatchTests {
  private let owners = (1...3).map { Ed25519.SecretKey(seed: Array(repeating: UInt8($0), count: 32))! }

  /// A put of one of three owners' items; now and then with a wrong signature, a `cas` or a value that is taken.
  private func put(_ number: Int, _ visitor: inout Visitor, _ random: inout RandomSource) -> [UInt8] {
    let owner = owners.randomElement(using: &random)!
    let item = try! MutableItem(
      signedBy: owner, seq: Int64.random(in: 0...6, using: &random), bytes: [UInt8.random(in: 0...1, using: &random)])
    var arguments = Visitor.arguments(item)
    var signature = item.signature.bytes
    if Int.random(in: 0..<4, using: &random) == 0 { signature[number % 64] ^= 1 }
    arguments["sig"] = .string(signature)
    if Int.random(in: 0..<4, using: &random) == 0 {
      arguments["cas"] = .integer(Int64.random(in: 0...6, using: &random))
    }
    return query(item, arguments, number, &visitor)
  }

  private func query(
    _ item: MutableItem, _ arguments: [String: BencodeValue?], _ number: Int, _ visitor: inout Visitor
  ) -> [UInt8] {
    let others: [String: BencodeValue?] = ["id": .string(visitor.id.bytes), "token": visitor.token(for: item.target)]
    let present = arguments.merging(others) { own, _ in own }.compactMapValues { $0 }
    return BencodeValue.fields([
      "a": .fields(present), "q": .text("put"), "t": .text("\(number)"), "y": .text("q"),
    ]).encoded
  }

  private func answers(_ datagrams: [SentDatagram]) -> [[UInt8]: String] {
    var answers: [[UInt8]: String] = [:]
    for datagram in datagrams {
      guard let transaction = datagram.message["t"]?.bytes, datagram.message["y"] != .text("q") else { continue }
      #expect(answers.updateValue(Visitor.describe(datagram.message), forKey: transaction) == nil)
    }
    return answers
  }

  @Test("puts of a batch get the answers that they get one by one, and leave the same items")
  func sameAsOneByOne() {
    var random = RandomSource(seed: 5)
    var all: [String: Int] = [:]
    for _ in 0..<60 {
      var single = Visitor()
      var batched = Visitor()
      // Both hand out the same tokens; each must have been asked for them.
      let count = Int.random(in: 1...20, using: &random)
      var copy = random
      let datagrams = (0..<count).map { put($0, &single, &random) }
      #expect((0..<count).map { put($0, &batched, &copy) } == datagrams)
      var expected: [[UInt8]: String] = [:]
      for datagram in datagrams {
        expected.merge(answers(single.harness.receive(datagram, from: single.endpoint))) { $1 }
      }
      for datagram in datagrams {
        batched.harness.node.receive(
          datagram.span.bytes, from: batched.endpoint, at: batched.harness.now, moreFollow: true)
      }
      batched.harness.node.endBatch()
      #expect(answers(batched.harness.drain()) == expected)
      for owner in owners {
        let target = MutableItem.target(of: owner.publicKey)
        let (one, other) = (
          single.harness.node.items.mutableItem(target), batched.harness.node.items.mutableItem(target)
        )
        #expect(one?.seq == other?.seq)
        #expect(one?.value == other?.value)
      }
      for answer in expected.values { all[answer, default: 0] += 1 }
    }
    // Each outcome occurred.
    for outcome in ["stored", "error 206", "error 301", "error 302"] { #expect(all[outcome] ?? 0 > 5, "\(all)") }
  }

  @Test("a put is answered at the end of its batch at the latest, and once")
  func waiting() {
    var visitor = Visitor()
    let puts = (0..<9).map { number in
      let item = visitor.item(1, salt: [UInt8(number)])
      return query(item, Visitor.arguments(item), number, &visitor)
    }
    _ = visitor.harness.drain()
    for datagram in puts {
      visitor.harness.node.receive(
        datagram.span.bytes, from: visitor.endpoint, at: visitor.harness.now, moreFollow: true)
    }
    let early = answers(visitor.harness.drain()).count
    visitor.harness.node.endBatch()
    let late = answers(visitor.harness.drain()).count
    #expect((early, late) == (8, 1))
    visitor.harness.node.endBatch()
    #expect(visitor.harness.drain().isEmpty)
  }

  @Test("a datagram that nothing follows ends the batch")
  func lastOfBatch() {
    var visitor = Visitor()
    let item = visitor.item(1)
    let datagram = query(item, Visitor.arguments(item), 7, &visitor)
    _ = visitor.harness.drain()
    visitor.harness.node.receive(datagram.span.bytes, from: visitor.endpoint, at: visitor.harness.now, moreFollow: true)
    #expect(visitor.harness.drain().isEmpty)
    visitor.harness.feed(Array("rubbish".utf8), from: visitor.endpoint)
    #expect(answers(visitor.harness.drain()) == [Array("7".utf8): "stored"])
  }
}
