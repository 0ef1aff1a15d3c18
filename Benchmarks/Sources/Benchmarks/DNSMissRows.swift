import CPeers
import Foundation
import Mainline
import Pkarr
import PkarrClient

/// `pubky dns` where nothing is ready: keys that must be searched for on a DHT of 50 nodes in this process, one at a time and
/// five hundred at once while others ask for what is cached; and the memory of an idle server and of 20,000 cached names.
enum DNSMissRows {
  private static let pubky = ProcessInfo.processInfo.environment["PUBKY"] ?? "../.build/release/pubky"
  private static let nodes = 50
  private static let single = 300
  private static let atOnce = 500
  /// How often so many are asked for: one time lasts a quarter of a second, in which few others can ask.
  private static let bursts = 5
  private static let cachedNames = 20_000
  private static let port: UInt16 = 5341
  private static let upstreamPort = 5398

  static func rows() async throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dns-misses-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let testnet = try await Testnet(nodes: nodes)
    // The server has the other core.
    _ = pin_all_threads_to_core(0)
    defer { _ = unpin_all_threads() }
    let client = DHTClient(sharing: testnet.nodes[0])
    var keys: [String] = []
    for _ in 0..<(single + bursts * atOnce) {
      let keypair = Keypair()
      try await client.publish(try SignedPacketBuilder().a("@", "10.0.0.1", ttl: .seconds(86_400)).sign(with: keypair))
      keys.append(keypair.publicKey.z32)
    }
    let upstream = try WebProcess(
      "upstream", "/usr/sbin/unbound",
      ["-d", "-c", try DNSServerRows.upstreamSettings((0..<cachedNames).map(name), port: upstreamPort, folder)],
      waitsForLine: false)
    defer { upstream.stop() }
    let settings = try ourSettings(testnet, folder)
    var rows: [Row] = []
    try withServer(settings) { server in
      rows.append(
        Row(
          name: "memory of an idle server", measured: server.memory.resident / 1e6, unit: "MB", target: .atMost(16)))
      rows += try misses(keys)
    }
    try withServer(settings) { rows.append(try memoryOfCache($0, folder)) }
    await testnet.stop()
    return rows
  }

  /// Runs a server until both kinds of names have been resolved once, and the body.
  private static func withServer(_ settings: String, _ body: (WebProcess) throws -> Void) throws {
    let server = try WebProcess(
      "ours", pubky, ["dns", "--config", settings], waitsForLine: true, endsWithInput: false)
    defer { server.stop() }
    let socket = try QuerySocket(port)
    guard socket.ask(name(0), within: 20) != nil else { throw WebProcess.Failure.didNotStart("ours") }
    try body(server)
  }

  // MARK: - Misses

  private static func misses(_ keys: [String]) throws -> [Row] {
    let socket = try QuerySocket(port)
    var times: [Double] = []
    for key in keys.prefix(single) {
      guard let time = socket.ask(key, within: 5) else { throw WebProcess.Failure.noFigures("a key was not found") }
      times.append(time)
    }
    var (before, during, answered, last): ([Double], [Double], [Int], [Double]) = ([], [], [], [])
    var behind: [Double] = []
    for start in stride(from: single, to: keys.count, by: atOnce) {
      let alone = Asker(port, name(0))
      Thread.sleep(forTimeInterval: 1)
      before += alone.end()
      let meanwhile = Asker(port, name(0))
      let burst = try askAtOnce(Array(keys[start..<start + atOnce]))
      during += meanwhile.end()
      answered.append(burst.answered)
      last.append(burst.last)
      behind.append(burst.cachedBehind)
    }
    return [
      Row(
        name: "miss for a key, 50 nodes, p50", measured: median(times), unit: "ms", target: .atMost(3)),
      Row(name: "miss for a key, 50 nodes, p99", measured: quantile(times, 0.99), unit: "ms"),
      Row(
        name: "answered of 500 misses at once", measured: Double(answered.min() ?? 0), unit: "",
        target: .atLeast(Double(atOnce))),
      Row(name: "the last of 500 misses at once", measured: last.max() ?? 0, unit: "ms", target: .atMost(4000)),
      Row(name: "cached name asked for right behind them", measured: median(behind), unit: "ms"),
      Row(
        name: "cached name during these misses, p99", measured: quantile(during, 0.99), unit: "ms",
        peer: ("without them", quantile(before, 0.99)), target: .ratio(atMost: 1.1)),
      Row(
        name: "cached name during these misses, p50", measured: median(during), unit: "ms",
        peer: ("without them", median(before)), target: .ratio(atMost: 1.1)),
    ]
  }

  /// Asks for all keys in one go, and then for a cached name; how many were found, when the last answer came, and how long
  /// that for the cached name took, in milliseconds.
  private static func askAtOnce(_ keys: [String]) throws -> (answered: Int, last: Double, cachedBehind: Double) {
    let start = ContinuousClock.now
    // Several sockets, as from several clients: answers to one would be more than its buffer holds.
    let sockets = try (0..<10).map { _ in try QuerySocket(port) }
    let other = try QuerySocket(port)
    for (index, key) in keys.enumerated() { sockets[index % sockets.count].send(key, id: UInt16(index)) }
    let cachedBehind = other.ask(name(0), within: 5) ?? 5000
    var answered = 0
    var last = 0.0
    while answered < keys.count, start.duration(to: .now) < .seconds(10) {
      for socket in sockets {
        while let reply = socket.receive(within: 0) {
          guard reply.isGood else { continue }
          answered += 1
          last = start.duration(to: .now).milliseconds
        }
      }
      usleep(200)
    }
    return (answered, last, cachedBehind)
  }

  // MARK: - Memory

  private static func memoryOfCache(_ server: WebProcess, _ folder: URL) throws -> Row {
    let file = folder.appending(path: "names.txt")
    try (0..<cachedNames).map { "\(name($0)). A\n" }.joined().write(to: file, atomically: true, encoding: .utf8)
    var text = ""
    // A second time: what was lost is asked for again.
    for _ in 0..<2 {
      text = try WebProcess.generate(
        "dnsperf", ["-s", "127.0.0.1", "-p", "\(port)", "-d", file.path, "-n", "1", "-c", "1", "-q", "100"])
    }
    guard text.contains(/NOERROR \d+ \(100\.00%\)/) else { throw WebProcess.Failure.noFigures(text) }
    return Row(
      name: "memory with 20,000 cached names", measured: server.memory.resident / 1_048_576, unit: "MiB",
      target: .atMost(35))
  }

  // MARK: - Names and settings

  private static func name(_ number: Int) -> String { "h\(String(number + 100_000).dropFirst()).bench.example" }

  private static func ourSettings(_ testnet: Testnet, _ folder: URL) throws -> String {
    let bootstrap = testnet.bootstrap.map { "\"\($0)\"" }.joined(separator: ", ")
    return try DNSServerRows.write(
      "ours.toml",
      """
      [general]
      socket = "127.0.0.1:\(port)"
      forward = "127.0.0.1:\(upstreamPort)"
      [dns]
      query_rate_limit = 0
      response_rate_limit = 0
      [dht]
      network = "isolated"
      bootstrap = [\(bootstrap)]
      relays = []
      dht_query_rate_limit = 0

      """, folder)
  }
}

/// A UDP socket that asks a server on this machine for A records.
private final class QuerySocket {
  private let descriptor: Int32

  init(_ port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard result == 0 else { throw WebProcess.Failure.didNotStart("a socket") }
  }

  deinit { close(descriptor) }

  func send(_ name: String, id: UInt16) {
    var bytes: [UInt8] = [UInt8(id >> 8), UInt8(truncatingIfNeeded: id), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + label.utf8 }
    bytes += [0, 0, 1, 0, 1]
    _ = Glibc.send(descriptor, bytes, bytes.count, 0)
  }

  /// The next answer: its id, and whether it has a record. Nil if none comes within so many seconds.
  func receive(within seconds: Double) -> (id: UInt16, isGood: Bool)? {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { return nil }
    var buffer = [UInt8](repeating: 0, count: 2048)
    let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
    guard count >= 12 else { return nil }
    return (UInt16(buffer[0]) << 8 | UInt16(buffer[1]), buffer[3] & 15 == 0 && buffer[7] > 0)
  }

  /// How long the answer with a record took, in milliseconds, asked again each second; nil if there is none.
  func ask(_ name: String, within seconds: Int) -> Double? {
    for attempt in 0..<seconds {
      let start = ContinuousClock.now
      send(name, id: UInt16(attempt))
      while let reply = receive(within: 1) {
        guard reply.id == UInt16(attempt) else { continue }
        if reply.isGood { return start.duration(to: .now).milliseconds }
        usleep(200_000)
        break
      }
    }
    return nil
  }
}

/// Asks for one name again and again on a thread of its own, about a thousand times a second.
private final class Asker: @unchecked Sendable {
  private let lock = NSLock()
  private var isRunning = true
  private var times: [Double] = []
  private let ended = DispatchSemaphore(value: 0)

  init(_ port: UInt16, _ name: String) {
    Thread.detachNewThread { [self] in
      guard let socket = try? QuerySocket(port) else { return }
      // Its answers must not wait for the testnet, which is busy on the same core: the server is what is measured.
      var priority = sched_param(sched_priority: 1)
      pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority)
      while lock.withLock({ isRunning }) {
        let time = socket.ask(name, within: 5) ?? 5000
        lock.withLock { times.append(time) }
        usleep(700)
      }
      ended.signal()
    }
  }

  /// Ends it; how long each answer took, in milliseconds.
  func end() -> [Double] {
    lock.withLock { isRunning = false }
    ended.wait()
    return times
  }
}

extension Duration {
  fileprivate var milliseconds: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
