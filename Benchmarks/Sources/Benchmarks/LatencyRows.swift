import Cryptography
import Mainline
import MainlineProtocol

/// How long a caller waits, on a testnet of 50 nodes on loopback.
enum LatencyRows {
  static let rounds = 300

  static func rows() async throws -> [Row] {
    let testnet = try await Testnet(nodes: 50)
    let writer = try await MainlineNode(.isolated(bootstrap: testnet.bootstrap))
    let reader = try await MainlineNode(.isolated(bootstrap: testnet.bootstrap))
    for node in [writer, reader] {
      guard await node.bootstrapped() else { fatalError("a client does not join") }
    }
    let clock = ContinuousClock()
    var puts: [Double] = []
    var firsts: [Double] = []
    var gets: [Double] = []
    for round in 0..<rounds {
      var random = RandomSource(seed: UInt64(round))
      let key = Ed25519.SecretKey(seed: random.bytes(32))!
      let item = try MutableItem(signedBy: key, seq: 1, bytes: random.bytes(500))
      puts.append(try await clock.milliseconds { try await writer.putMutable(item) })
      var first: Double?
      let start = clock.now
      for try await found in reader.getMutable(key: key.publicKey) where first == nil {
        guard found == item else { fatalError("another item came back") }
        first = start.duration(to: clock.now).milliseconds
      }
      gets.append(start.duration(to: clock.now).milliseconds)
      guard let first else { fatalError("an item was not found") }
      firsts.append(first)
    }
    await testnet.stop()
    return [
      rows("first value of a get", firsts, limit: 1), rows("complete get", gets, limit: 5), rows("put", puts, limit: 8),
    ].flatMap { $0 }
  }

  private static func rows(_ name: String, _ samples: [Double], limit: Double) -> [Row] {
    [
      Row(name: "\(name), 50 nodes, p50", measured: median(samples), unit: "ms", target: .atMost(limit)),
      Row(name: "\(name), 50 nodes, p99", measured: quantile(samples, 0.99), unit: "ms", target: .atMost(20)),
    ]
  }
}

extension ContinuousClock {
  fileprivate func milliseconds(_ body: () async throws -> PutOutcome) async throws -> Double {
    let start = now
    _ = try await body()
    return start.duration(to: now).milliseconds
  }
}

extension Duration {
  fileprivate var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
