import Addresses
import Bencode
import Cryptography
import Testing

@testable import MainlineProtocol

@Suite struct AnswerSizeTests {
  @Test("an answer with a value of 1000 bytes, whatever it is asked for and by whom, fits one unfragmented datagram")
  func largestAnswers() throws {
    let now = Instant(nanoseconds: 0)
    var random = RandomSource(seed: 5)
    var configuration = NodeConfiguration.isolated
    configuration.families = [.ipv4, .ipv6]
    var node = DHTNode(configuration: configuration, random: random, at: now)
    node.seed(
      (0..<40).map { index in
        let address: IPAddress = index % 2 == 0 ? .loopbackV4 : .loopbackV6
        return NodeContact(id: .random(using: &random), endpoint: Endpoint(address, port: UInt16(2000 + index)))
      }, at: now)
    let owner = Ed25519.SecretKey(seed: [UInt8](repeating: 9, count: 32))!
    let item = try MutableItem(signedBy: owner, seq: .max, bytes: [UInt8](repeating: 1, count: 1000))
    store(item, at: &node, now)
    #expect(node.info(at: now).storedItems == 1)
    var answers = 0
    for transaction in [1, 4, 64] {
      for sender in [Endpoint(.loopbackV4, port: 9), Endpoint(.loopbackV6, port: 9)] {
        for want in ["", "4:wantl2:n4e", "4:wantl2:n6e", "4:wantl2:n42:n6e"] {
          node.outbox.removeAll()
          var query = Array("d1:ad2:id20:mnopqrstuvwxyz1234566:target20:".utf8)
          query += item.target.bytes + Array("\(want)e1:q3:get1:t\(transaction):".utf8)
          query += [UInt8](repeating: 0x78, count: transaction) + Array("1:y1:qe".utf8)
          node.receive(query.span.bytes, from: sender, at: now)
          #expect(node.outbox.count >= 1)
          let answer = [UInt8](node.outbox.bytes(at: 0))
          #expect(answer.count <= 1452)
          #expect(CanonicalBencode.isCanonical(answer))
          let parsed = KRPCParser.parse(answer.span.bytes)
          let message = try #require(parsed)
          #expect(message.body.value.count == 1005)
          let named = Int(message.body.nodes.count) / 26 + Int(message.body.nodes6.count) / 38
          #expect(named >= 3)
          if transaction == 4, sender.address.isIPv4, want.isEmpty { #expect(named == 8) }
          answers += 1
        }
      }
    }
    #expect(answers == 24)
  }

  private func store(_ item: MutableItem, at node: inout DHTNode, _ now: Instant) {
    let writer = Endpoint(.loopbackV4, port: 77)
    let token = node.tokens.token(for: writer.address, target: item.target, at: now)
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: token >> UInt64(56 - 8 * $0)) }
    let envelope = OutgoingQuery.Envelope(
      id: NodeID([UInt8](repeating: 4, count: 20))!, isReadOnly: true, version: [1, 2, 3, 4], wantsBothFamilies: false)
    let put = [UInt8](upTo: 1452) {
      OutgoingQuery.putMutable(item, cas: nil, token: bytes).write(to: &$0, transaction: 1, envelope: envelope)
    }
    node.receive(put!.span.bytes, from: writer, at: now)
  }
}
