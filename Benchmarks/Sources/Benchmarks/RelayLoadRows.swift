import CPeers
import Cryptography
import Foundation
import Pkarr
import PkarrStore

/// What a relay does with packets that it has not seen, and what those cost who only stay connected.
enum RelayLoadRows {
  private static let program = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent().appending(path: "PubkyRelay").path

  /// Packets that the relay has not seen.
  static func packetRows() throws -> [Row] { try rows { folder, list in try putRows(list) + missRows(list) } }

  /// What stays in memory, and what a large cache costs.
  static func memoryRows() throws -> [Row] {
    try rows { folder, _ in try connectionRows(folder) + largeCacheRows(folder) }
  }

  private static func rows(_ measure: (URL, RequestList) throws -> [Row]) throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "relay-load-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var limit = rlimit(rlim_cur: 20_000, rlim_max: 20_000)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let list = try RequestList(folder)
    return try measure(folder, list)
  }

  // MARK: - Packets that nobody has seen

  /// Relay and DHT share one core, so that all that a packet causes is counted. Rounds of a second, each with verifications
  /// behind it: the clock of a core is not always the same.
  private static func putRows(_ list: RequestList) throws -> [Row] {
    let relay = try WebProcess("ours", program, ["--nodes", "10"], waitsForLine: true)
    defer { relay.stop() }
    let network: Set = ["mainline", "testnet"]
    var (own, verification, rates, failures): ([Double], [Double], [Double], Double) = ([], [], [], 0)
    var done = 0
    for _ in 0..<5 {
      let before = relay.cpu(withoutThreads: network)
      let load = try list.run(.put, port: relay.words[0], connections: 64, seconds: 1, from: done)
      own.append(Double(relay.cpu(withoutThreads: network) - before) / 1000 / load.requests)
      verification.append(list.verificationMicroseconds())
      rates.append(load.perSecond)
      failures += load.failures
      // What was on its way at the end of a round was sent.
      done += Int(load.requests) + 64
    }
    let single = try list.run(.put, port: relay.words[0], connections: 1, seconds: 2, from: done)
    return [
      Row(
        name: "CPU for one PUT, without the DHT", measured: median(own), unit: "µs",
        peer: ("libsodium verify", median(verification)), target: .ratio(atMost: 1.3)),
      Row(
        name: "PUT, 64 connections, with 10 nodes on one core", measured: median(rates), unit: "/s",
        target: .atLeast(1200)),
      Row(name: "of them refused", measured: failures, unit: "", target: .atMost(0)),
      Row(name: "PUT, one at a time, p50", measured: single.p50, unit: "ms", target: .atMost(5)),
    ]
  }

  /// What one relay has published is asked of another one.
  private static func missRows(_ list: RequestList) throws -> [Row] {
    let first = try WebProcess("ours", program, ["--nodes", "50"], waitsForLine: true)
    defer { first.stop() }
    let second = try WebProcess("ours", program, ["--bootstrap", first.words[3]], waitsForLine: true)
    defer { second.stop() }
    let puts = try list.run(.put, port: first.words[0], connections: 16, seconds: 4)
    let gets = try list.run(.get, port: second.words[0], connections: 1, seconds: 15, atMost: Int(puts.requests) / 2)
    return [
      Row(name: "GET miss, 50 nodes, p50", measured: gets.p50, unit: "ms", target: .atMost(3)),
      Row(name: "GET miss, 50 nodes, p99", measured: gets.p99, unit: "ms", target: .atMost(20)),
      Row(name: "of them not found", measured: gets.failures, unit: "", target: .atMost(0)),
    ]
  }

  // MARK: - Memory

  private static func connectionRows(_ folder: URL) throws -> [Row] {
    let network = try WebProcess("ours", program, ["--nodes", "10"], waitsForLine: true)
    defer { network.stop() }
    var rows = [try idleRow(folder, bootstrap: network.words[3])]
    for (name, path, limit) in [("idle connection", "", 3000.0), ("event stream", "/events", 3500.0)] {
      let cache = folder.appending(path: "cache-of-\(limit)")
      try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
      let relay = try WebProcess(
        "ours", program, ["--bootstrap", network.words[3], "--cache", cache.path], waitsForLine: true)
      defer { relay.stop() }
      let before = relay.memory.resident
      let request = "GET /\(relay.words[2])\(path) HTTP/1.1\r\nhost: localhost\r\n\r\n"
      let connections = IdleConnections(count: 5000, port: UInt16(relay.words[0]) ?? 0, request: request)
      rows.append(
        Row(
          name: "memory of one \(name), of 5000", measured: (relay.memory.resident - before) / 5000, unit: "B",
          target: .atMost(limit)))
      connections.close()
    }
    return rows
  }

  /// The command itself, once it has nothing to do.
  private static func idleRow(_ folder: URL, bootstrap: String) throws -> Row {
    let cache = folder.appending(path: "cache-of-command")
    try FileManager.default.createDirectory(at: cache, withIntermediateDirectories: true)
    let file = folder.appending(path: "relay.toml")
    let settings = """
      [http]
      port = 0
      [mainline]
      port = 0
      bootstrap = ["\(bootstrap)"]
      [cache]
      path = "\(cache.path)"
      """
    try settings.write(to: file, atomically: true, encoding: .utf8)
    let relay = try WebProcess("ours", ServeRows.pubky, ["relay", "--config", file.path], waitsForLine: true)
    defer { relay.stop() }
    sleep(5)
    return Row(
      name: "idle relay with DHT node and LMDB, resident", measured: relay.memory.resident / 1e6, unit: "MB",
      target: .atMost(16))
  }

  /// What a cache of a million packets costs those who ask for few keys, and for many, beside one of 50,000 packets. The
  /// relays take turns, so that whatever else the machine does meets both.
  private static func largeCacheRows(_ folder: URL) throws -> [Row] {
    let small = try LargeCache(folder, count: keyCount)
    defer { small.relay.stop() }
    let large = try LargeCache(folder, count: 1_000_000)
    defer { large.relay.stop() }
    func compare(_ keys: String, _ list: KeyPath<LargeCache, RequestList>) throws -> Row {
      var samples: [(small: Double, large: Double)] = []
      for _ in 0..<7 { samples.append((try small.p99(list), try large.p99(list))) }
      return Row(
        name: "p99 of GET, \(keys) keys of 1,000,000 packets cached", measured: median(samples.map(\.large)),
        unit: "ms", peer: ("of 50,000 packets", median(samples.map(\.small))), target: .ratio(atMost: 1.1))
    }
    let rows = [try compare("1,000", \.few), try compare("50,000", \.many)]
    return rows + [
      Row(
        name: "resident then, of which 512 MiB may be mapped", measured: large.relay.memory.resident / 1e6, unit: "MB")
    ]
  }

  /// A relay whose cache holds so many packets, and requests for some of them.
  private struct LargeCache {
    let relay: WebProcess
    let few: RequestList
    let many: RequestList

    init(_ folder: URL, count: Int) throws {
      let cache = folder.appending(path: "cache-of-\(count)-packets")
      let packets = cache.appending(path: "pkarr-cache")
      try FileManager.default.createDirectory(at: packets, withIntermediateDirectories: true)
      let keys = try fill(packets.path, count: count)
      few = try RequestList(keys: Array(keys.prefix(1000)), folder)
      many = try RequestList(keys: keys, folder)
      relay = try WebProcess(
        "ours", program, ["--nodes", "1", "--cache", cache.path, "--size", "\(capacity)"], waitsForLine: true)
    }

    func p99(_ list: KeyPath<LargeCache, RequestList>) throws -> Double {
      let load = try self[keyPath: list].run(.get, port: relay.words[0], connections: 16, seconds: 2)
      guard load.failures == 0 else { fatalError("the cache has lost packets") }
      return load.p99
    }
  }

  /// With room for the relay's own packets.
  private static let capacity = 1_001_000
  /// Keys that are asked for.
  private static let keyCount = 50_000

  /// Packets of 500 bytes whose signature nobody checks; the keys of some of them.
  private static func fill(_ directory: String, count: Int) throws -> [String] {
    let store = try PacketStore(directory: directory, capacity: capacity)
    var random = RandomSource(seed: 3)
    var keys: [String] = []
    let now = Timestamp.now()
    // One TXT of 300 bytes, for a day.
    let string = [149] + [UInt8](repeating: 0x61, count: 149)
    let head: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 0, 1, 0, 1, 0x51, 0x80, 1, 0x2c]
    let message = head + string + string
    var filled = 0
    while filled < count {
      // Every second one is no point of the curve.
      guard let key = try? PublicKey(random.bytes(32)) else { continue }
      filled += 1
      let form = now.bytes + key.bytes + Array(repeating: 7, count: 64) + now.bytes + message
      let packet = try SignedPacket(cachedForm: form)
      while store.statistics.waitingWrites > 3000 { usleep(1000) }
      store.offer(packet)
      if keys.count < keyCount { keys.append(packet.publicKey.z32) }
    }
    store.close()
    return keys
  }
}
