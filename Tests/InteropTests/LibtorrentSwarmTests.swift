import Cryptography
import Testing
import WireFormat

/// The driver itself: what the other suites of this module stand on.
@Suite(.enabled(if: LibtorrentSwarm.isAvailable, "needs python3-libtorrent"), .timeLimit(.minutes(10)))
struct LibtorrentSwarmTests {
  let seed = [UInt8](repeating: 0x11, count: 32)

  @Test("libtorrent's nodes on loopback find what one of them put")
  func swarm() async throws {
    let swarm = try LibtorrentSwarm(nodes: 4)
    #expect(swarm.nodes.count == 4)
    let key = Ed25519.SecretKey(seed: seed)!.publicKey
    let put = try await swarm.run("put", ["seed": Hex.encode(seed), "value": Hex.encode(Array("hello".utf8))])
    #expect(put.ok)
    #expect(put.key?.bytes == key.bytes)
    #expect(put.seq == 1)
    let get = try await swarm.run("get", ["key": Hex.encode(key.bytes), "node": 3])
    #expect(get.value?.bytes == Array("hello".utf8))
    #expect(get.signature == put.signature)
    let miss = try await swarm.run("get", ["key": Hex.encode([UInt8](repeating: 1, count: 32)), "node": 2])
    #expect(!miss.ok)
  }

  @Test("a hand-made query is answered by libtorrent, and so is a wrong command by the driver")
  func query() async throws {
    let swarm = try LibtorrentSwarm(nodes: 1)
    let pong = try await swarm.run("query", ["to": swarm.nodes[0], "method": "ping"])
    #expect(pong.reply?["r"]?["id"]?.bytes?.count == 20)
    let refused = try await swarm.run("query", ["to": "192.0.2.1:6881", "method": "ping"])
    #expect(refused.error?.contains("not a loopback address") == true)
    #expect(try await !swarm.run("nonsense").ok)
  }
}
