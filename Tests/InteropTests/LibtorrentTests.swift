import Addresses
import Cryptography
import EventLoops
import Mainline
import MainlineProtocol
import Testing
import WireFormat

/// Our node and libtorrent's on one loopback network: items go both ways.
@Suite(
  .serialized, .enabled(if: LibtorrentSwarm.isAvailable, "needs python3-libtorrent"), .timeLimit(.minutes(10)))
struct LibtorrentTests {
  @Test("what libtorrent puts, our node gets: mutable, salted and immutable")
  func theirsToOurs() async throws {
    let network = try await InteropNetwork()
    for salt in ["", "foobar"] {
      let secret = secretKey(1)
      let put = try await network.put("from libtorrent \(salt)", seed: secret.seed, salt: salt)
      #expect(put.ok)
      let item = try #require(
        try await network.node.getMutableMostRecent(key: secret.publicKey, salt: Array(salt.utf8)))
      #expect(item.bytes == Array("from libtorrent \(salt)".utf8))
      #expect(item.seq == 1)
      #expect(item.signature.bytes == put.signature?.bytes)
    }
    let value = Array("immutable".utf8)
    let put = try await network.swarm.run("put_immutable", ["value": Hex.encode(value)])
    #expect(put.ok)
    let target = try #require(put.target.flatMap { NodeID($0.bytes) })
    #expect(try await network.node.getImmutable(target)?.bytes == value)
  }

  @Test("what our node puts, every libtorrent node gets: mutable, salted and immutable")
  func oursToTheirs() async throws {
    let network = try await InteropNetwork()
    for salt in ["", "foobar"] {
      let item = try MutableItem(
        signedBy: secretKey(2), seq: 1_700_000_000_123_456, bytes: Array("from us".utf8), salt: Array(salt.utf8))
      let outcome = try await network.node.putMutable(item)
      #expect(outcome.isStoredByAll)
      #expect(outcome.rejections.isEmpty)
      for index in 0..<8 {
        let answer = try await network.get(item.key, salt: salt, node: index)
        #expect(answer.value?.bytes == item.bytes)
        #expect(answer.seq == item.seq)
        #expect(answer.signature?.bytes == item.signature.bytes)
      }
    }
    let item = try ImmutableItem(bytes: Array("immutable from us".utf8))
    #expect(try await network.node.putImmutable(item).isStoredByAll)
    let answer = try await network.swarm.run("get_immutable", ["target": "\(item.target)", "node": 5])
    #expect(answer.value?.bytes == item.bytes)
  }

  @Test("a newer seq takes the place of an older one, and an older one is refused with 302")
  func sequence() async throws {
    let network = try await InteropNetwork()
    func item(_ seq: Int64, _ text: String) throws -> MutableItem {
      try MutableItem(signedBy: secretKey(3), seq: seq, bytes: Array(text.utf8))
    }
    try await network.node.putMutable(try item(10, "ten"))
    try await network.node.putMutable(try item(11, "eleven"))
    #expect(try await network.get(secretKey(3).publicKey, node: 7).value?.bytes == Array("eleven".utf8))
    // The nodes that took the last item are asked again, and the put ends once most of them have refused.
    guard case .notMostRecent(let outcome)? = await network.node.failure(ofPutting: try item(5, "five")) else {
      Issue.record("an older item was put")
      return
    }
    #expect(outcome.stored == 0)
    #expect((outcome.rejections[302] ?? 0) * 2 > outcome.sent)
    // A node that must look for them sees the newer item before anything is sent.
    let other = try await MainlineNode(.isolated(bootstrap: network.swarm.nodes.compactMap { HostName($0) }))
    guard case .notMostRecent(let unsent)? = await other.failure(ofPutting: try item(5, "five")) else {
      Issue.record("an older item was put")
      return
    }
    #expect(unsent.sent == 0)
    #expect(unsent.highestSeqFound == 11)
    // libtorrent puts the seq that it found, plus one.
    let put = try await network.put("twelve", seed: secretKey(3).seed)
    #expect(put.seq == 12)
    #expect(try await network.node.getMutableMostRecent(key: secretKey(3).publicKey)?.seq == 12)
  }

  @Test("a put with another cas than the stored seq is refused with 301, with the right one it is stored")
  func compareAndSwap() async throws {
    let network = try await InteropNetwork()
    func item(_ seq: Int64) throws -> MutableItem {
      try MutableItem(signedBy: secretKey(4), seq: seq, bytes: [UInt8(truncatingIfNeeded: seq)])
    }
    try await network.node.putMutable(try item(10))
    var options = PutOptions()
    options.cas = 9
    guard case .casFailed(let outcome)? = await network.node.failure(ofPutting: try item(11), options: options) else {
      Issue.record("a put with the wrong cas was stored")
      return
    }
    #expect(outcome.stored == 0)
    #expect((outcome.rejections[301] ?? 0) * 2 > outcome.sent)
    options.cas = 10
    #expect(try await network.node.putMutable(try item(11), options: options).isStoredByAll)
  }

  @Test("996 bytes are stored everywhere; 997 are refused by libtorrent with 205, and our node says so")
  func sizes() async throws {
    let network = try await InteropNetwork()
    func item(_ count: Int) throws -> MutableItem {
      try MutableItem(signedBy: secretKey(5), seq: Int64(count), bytes: [UInt8](repeating: 7, count: count))
    }
    #expect(try await network.node.putMutable(try item(996)).isStoredByAll)
    #expect(try await network.get(secretKey(5).publicKey, node: 2).value?.bytes.count == 996)
    guard case .rejected(let code, let outcome)? = await network.node.failure(ofPutting: try item(997)) else {
      Issue.record("997 bytes were stored")
      return
    }
    #expect(code == 205)
    #expect(outcome.rejections == [205: outcome.sent])
  }

  @Test("a record that a stranger hides on libtorrent nodes with one packet is still found")
  func hiding() async throws {
    let network = try await InteropNetwork()
    let item = try MutableItem(signedBy: secretKey(6), seq: 77, bytes: Array("hidden?".utf8))
    #expect(try await network.node.putMutable(item).isStoredByAll)
    let target = InteropNetwork.bytes(item.target.bytes)
    for index in 0..<8 {
      let answer = try await network.query("get", ["target": target], node: index)
      let token = try #require(answer.reply?["r"]?["token"]?.bytes)
      // With a key but without seq and signature, libtorrent takes it for an immutable item at the key's target.
      let put = try await network.query(
        "put",
        ["token": InteropNetwork.bytes(token), "k": InteropNetwork.bytes(item.key.bytes), "v": "gotcha"], node: index)
      #expect(put.ok)
      let shadowed = try await network.query("get", ["target": target], node: index)
      #expect(shadowed.reply?["r"]?["v"]?.bytes == Array("gotcha".utf8), "the attack itself does not work")
    }
    #expect(try await network.node.getMutableMostRecent(key: item.key) == item)
  }

  @Test("peers that our node announces are known to libtorrent's nodes")
  func peers() async throws {
    let network = try await InteropNetwork()
    let infoHash = NodeID([UInt8](repeating: 0x5a, count: 20))!
    let outcome = try await network.node.announcePeer(infoHash, port: 4711)
    #expect(outcome.isStoredByAll)
    var holders = 0
    for index in 0..<8 {
      let answer = try await network.query(
        "get_peers", ["info_hash": InteropNetwork.bytes(infoHash.bytes)], node: index)
      guard case .list(let peers)? = answer.reply?["r"]?["values"] else { continue }
      #expect(peers == [.bytes([127, 0, 0, 1, 0x12, 0x67])])
      holders += 1
    }
    #expect(holders == outcome.stored)
    let lookup = network.node.getPeers(infoHash)
    var found: Set<Endpoint> = []
    for try await peers in lookup { found.formUnion(peers) }
    #expect(found == [Endpoint(.loopbackV4, port: 4711)])
  }
}

/// Networks in which ours do the work.
@Suite(
  .serialized, .enabled(if: LibtorrentSwarm.isAvailable, "needs python3-libtorrent"), .timeLimit(.minutes(10)))
struct LibtorrentAmongUsTests {
  @Test("libtorrent stores at our node, and reads from it when nobody else is left")
  func storageTarget() async throws {
    let network = try await InteropNetwork(libtorrentNodes: 2)
    let put = try await network.put("kept by both", seed: secretKey(8).seed)
    // The other libtorrent node and ours; a libtorrent node stores at itself too.
    #expect((put.stored ?? 0) >= 2)
    #expect(await network.node.info()?.storedItems == 1)
    _ = try await network.swarm.run("stop", ["node": 0])
    // libtorrent waits 15 s for the silent one before it calls an answer complete; ours is there at once.
    let answer = try await network.swarm.run(
      "get", ["key": Hex.encode(secretKey(8).publicKey.bytes), "node": 1, "first": true])
    #expect(answer.value?.bytes == Array("kept by both".utf8))
    #expect(try await network.node.getMutableMostRecent(key: secretKey(8).publicKey)?.seq == 1)
  }

  @Test("libtorrent joins a network of ours through one of our nodes, and items go both ways")
  func onlyBootstrap() async throws {
    let testnet = try await Testnet(nodes: 12)
    let first = try #require(testnet.nodes.first)
    let item = try MutableItem(signedBy: secretKey(9), seq: 5, bytes: Array("ours".utf8))
    try await first.putMutable(item)
    let entrance = try #require(first.localEndpoints.first).description
    let swarm = try LibtorrentSwarm(nodes: 1, bootstrap: [entrance])
    let answer = try await swarm.run("get", ["key": Hex.encode(item.key.bytes)])
    #expect(answer.value?.bytes == item.bytes)
    #expect(answer.signature?.bytes == item.signature.bytes)
    let put = try await swarm.run(
      "put", ["seed": Hex.encode(secretKey(10).seed), "value": Hex.encode(Array("theirs".utf8))])
    #expect((put.stored ?? 0) >= 1)
    let found = try await testnet.nodes[11].getMutableMostRecent(key: secretKey(10).publicKey)
    #expect(found?.bytes == Array("theirs".utf8))
    await testnet.stop()
  }
}
