import Addresses
import Bencode
import Cryptography
import TestSupport
import Testing
import WireFormat

@testable import MainlineProtocol

@Suite struct KRPCMessageTests {
  struct File: Decodable {
    struct Message: Decodable {
      let name: String
      let hex: HexBytes
    }
    let documents: [Message]
    let own: [Message]
    let capturedQueries: [Message]
  }

  let id = NodeID((0..<20).map { UInt8($0) })!
  let transaction: UInt32 = 0x9c01_0203

  func written(_ query: OutgoingQuery, isReadOnly: Bool = false, wantsBoth: Bool = false) -> [UInt8] {
    let envelope = OutgoingQuery.Envelope(
      id: id, isReadOnly: isReadOnly, version: [0x53, 0x57, 0, 1], wantsBothFamilies: wantsBoth)
    return [UInt8](upTo: 1452) { query.write(to: &$0, transaction: transaction, envelope: envelope) }!
  }

  @Test("our queries are the published bytes")
  func ownQueries() throws {
    let own = try Vectors.load("mainline/krpc.json", as: File.self, keys: .convertFromSnakeCase).own
    #expect(own.count == 30)
    let target = try #require(NodeID("d4aad3849457fc3e68297b85611e97d6de36982c"))
    let token: [UInt8] = [0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6, 0x07, 0x08]
    let immutable = try ImmutableItem(bytes: Array("Hello World!".utf8))
    var expected: [String: [UInt8]] = [
      "ping": written(.ping),
      "ping, read-only": written(.ping, isReadOnly: true),
      "find_node": written(.findNode(target)),
      "find_node asking for both families": written(.findNode(target), wantsBoth: true),
      "get_peers": written(.getPeers(target)),
      "announce_peer with port": written(.announcePeer(target, port: 6881, token: token)),
      "announce_peer with implied port": written(.announcePeer(target, port: nil, token: token)),
      "get": written(.get(target, seq: nil)),
      "get newer than": written(.get(target, seq: 1_700_000_000_000_001)),
      "put immutable": written(.putImmutable(immutable, token: token)),
    ]
    for name in ["put mutable", "put mutable with cas", "put mutable with salt"] {
      let bytes = try #require(own.first { $0.name == name }).hex.bytes
      let item = try item(of: bytes)
      expected[name] = written(.putMutable(item, cas: name.hasSuffix("cas") ? 5 : nil, token: token))
    }
    #expect(expected.count == 13)
    for (name, bytes) in expected {
      let row = try #require(own.first { $0.name == name })
      #expect(bytes == row.hex.bytes, "\(name)")
    }
  }

  /// The signed item that a published put carries.
  private func item(of put: [UInt8]) throws -> MutableItem {
    let parsed = KRPCParser.parse(put.span.bytes)
    let body = try #require(parsed).body
    let salt = [UInt8](put.span.bytes.extracting(body.salt))
    let key = try Ed25519.PublicKey(put.span.bytes.extracting(body.key))
    let signature = Ed25519.Signature([UInt8](put.span.bytes.extracting(body.signature)))
    return try MutableItem(
      key: key, seq: try #require(body.seq), salt: salt, value: [UInt8](put.span.bytes.extracting(body.value)),
      signature: try #require(signature))
  }

  @Test("every published and captured message is understood, whatever program it comes from")
  func understood() throws {
    let file = try Vectors.load("mainline/krpc.json", as: File.self, keys: .convertFromSnakeCase)
    let messages = file.documents + file.own + file.capturedQueries
    #expect(messages.count == 69)
    for row in messages {
      #expect(KRPCParser.parse(row.hex.bytes.span.bytes) != nil, "\(row.name)")
    }
  }

  @Test("no truncation and no changed byte of a message does harm")
  func mutations() throws {
    let rows = try Vectors.load("mainline/krpc.json", as: File.self, keys: .convertFromSnakeCase).own
    var parsed = 0
    for row in rows {
      let bytes = row.hex.bytes
      for end in bytes.indices {
        #expect(KRPCParser.parse(bytes.span.bytes.extracting(0..<end)) == nil)
      }
      for index in bytes.indices {
        for value in [0, 0x2d, 0x30, 0x39, 0x3a, 0x64, 0x65, 0x69, 0x6c, 0xff] as [UInt8] {
          var mutated = bytes
          mutated[index] = value
          if KRPCParser.parse(mutated.span.bytes) != nil { parsed += 1 }
        }
      }
    }
    #expect(parsed > 1000)
  }

  // MARK: Compact forms

  struct CompactFile: Decodable {
    struct Peer: Decodable {
      let ip: String
      let port: UInt16
      let hex: HexBytes
    }
    struct Nodes: Decodable {
      struct Node: Decodable {
        let idHex: String
        let ip: String
        let port: UInt16
      }
      let family: Int
      let nodes: [Node]
      let hex: HexBytes
    }
    struct Invalid: Decodable {
      let name: String
      let key: String
      let hex: HexBytes
    }
    let peers: [Peer]
    let nodes: [Nodes]
    let invalid: [Invalid]
  }

  @Test("compact peers and nodes are read and written as published")
  func compact() throws {
    let file = try Vectors.load("mainline/compact.json", as: CompactFile.self, keys: .convertFromSnakeCase)
    #expect(file.peers.count == 5 && file.nodes.count == 4)
    for row in file.peers {
      let endpoint = Endpoint(try #require(IPAddress(row.ip)), port: row.port)
      #expect(CompactNode.endpoint(row.hex.bytes.span.bytes) == endpoint)
      let written = [UInt8](upTo: 18) { $0.write(endpoint) }
      #expect(written == row.hex.bytes)
    }
    for row in file.nodes {
      let contacts = try row.nodes.map {
        NodeContact(
          id: try #require(NodeID($0.idHex)), endpoint: Endpoint(try #require(IPAddress($0.ip)), port: $0.port))
      }
      var read: [NodeContact] = []
      CompactNode.forEach(in: row.hex.bytes.span.bytes, family: row.family == 4 ? .ipv4 : .ipv6) { read.append($0) }
      #expect(read == contacts)
      let written = [UInt8](upTo: 400) { writer in
        for contact in contacts { writer.write(contact) }
      }
      #expect(written == row.hex.bytes)
    }
  }

  @Test("a broken list of nodes is passed over, and so is a node that nobody could ask")
  func invalidCompact() throws {
    let rows = try Vectors.load("mainline/compact.json", as: CompactFile.self, keys: .convertFromSnakeCase).invalid
    #expect(rows.count == 9)
    var configuration = NodeConfiguration.isolated
    configuration.localEndpoints = [Endpoint(.loopbackV4, port: 1)]
    let node = DHTNode(configuration: configuration, random: RandomSource(seed: 1), at: Instant(nanoseconds: 0))
    for row in rows where row.key != "values" {
      var usable = 0
      CompactNode.forEach(in: row.hex.bytes.span.bytes, family: row.key == "nodes" ? .ipv4 : .ipv6) { contact in
        if node.isUsable(contact.endpoint), contact.id != id { usable += 1 }
      }
      #expect(usable == 0, "\(row.name)")
    }
    #expect(CompactNode.endpoint([0, 0, 0, 0, 0].span.bytes) == nil)
  }
}
