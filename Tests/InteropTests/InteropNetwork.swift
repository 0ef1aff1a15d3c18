import Addresses
import Cryptography
import EventLoops
import Mainline
import MainlineProtocol
import Testing
import WireFormat

/// Nodes of libtorrent and one of ours that know each other, on loopback.
struct InteropNetwork {
  let swarm: LibtorrentSwarm
  let node: MainlineNode

  /// Starts `count` libtorrent nodes and ours, and waits until all of them hold ours in their tables and ours all of
  /// theirs.
  init(libtorrentNodes count: Int = 8) async throws {
    swarm = try LibtorrentSwarm(nodes: count)
    var configuration = MainlineConfiguration.isolated(bootstrap: swarm.nodes.compactMap { HostName($0) })
    // A busy machine may keep a node from answering for seconds.
    configuration.node.requestTimeout = .seconds(10)
    node = try await MainlineNode(configuration)
    #expect(await node.bootstrapped())
    #expect(await node.hasGoodNodes(count, within: .seconds(10)))
    let address = try #require(node.localEndpoints.first).description
    _ = try await swarm.run("add", ["address": address])
    for index in 0..<count {
      let answer = try await swarm.run("knows", ["address": address, "node": index])
      #expect(answer.ok, "node \(index) of libtorrent does not take us into its table")
    }
  }

  /// Libtorrent puts a value under the key of `seed`.
  func put(_ value: String, seed: [UInt8], salt: String = "", node: Int = 0) async throws -> LibtorrentSwarm.Answer {
    try await swarm.run(
      "put",
      [
        "seed": Hex.encode(seed), "value": Hex.encode(Array(value.utf8)), "salt": Hex.encode(Array(salt.utf8)),
        "node": node, "timeout": Self.patience,
      ])
  }

  /// Seconds that libtorrent has for an operation: a busy machine must not pass for one that does not answer.
  private static let patience = 60

  /// What one libtorrent node finds under a key.
  func get(_ key: Ed25519.PublicKey, salt: String = "", node: Int) async throws -> LibtorrentSwarm.Answer {
    try await swarm.run(
      "get",
      [
        "key": Hex.encode(key.bytes), "salt": Hex.encode(Array(salt.utf8)), "node": node, "timeout": Self.patience,
      ])
  }

  /// A hand-made query to one libtorrent node; byte strings of the arguments in hexadecimal.
  func query(_ method: String, _ arguments: [String: any Sendable], node: Int) async throws -> LibtorrentSwarm.Answer {
    try await swarm.run("query", ["to": swarm.nodes[node], "method": method, "arguments": arguments])
  }

  /// The value of an argument that is a byte string.
  static func bytes(_ bytes: [UInt8]) -> [String: String] { ["hex": Hex.encode(bytes)] }
}

/// The secret key whose seed is one repeated byte.
func secretKey(_ byte: UInt8) -> Ed25519.SecretKey {
  Ed25519.SecretKey(seed: [UInt8](repeating: byte, count: 32))!
}

extension PutOutcome {
  /// True if everybody who was asked stored the item, and nearly all of eight nodes were asked: on a busy machine a
  /// lookup may end without the slowest.
  var isStoredByAll: Bool { stored == sent && stored >= 5 }
}

extension MainlineNode {
  /// The outcome of a put that must fail, and how it failed.
  func failure(
    ofPutting item: MutableItem, options: PutOptions = PutOptions()
  ) async -> QueryFailure? {
    do throws(QueryFailure) {
      try await putMutable(item, options: options)
      return nil
    } catch {
      return error
    }
  }
}
