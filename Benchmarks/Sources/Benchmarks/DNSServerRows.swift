import Cryptography
import EventLoops
import Foundation
import Mainline
import Pkarr
import PkarrClient

/// `pubky dns` against unbound, dnsdist and knot-resolver, each on one core, answering from its cache: CPU for one query, in
/// turns, over each transport. The load generators are dnsperf and h2load on the other core. All forward to one more unbound,
/// which knows the ordinary names and, for the peers, those of keys; ours finds keys in a DHT in this process.
enum DNSServerRows {
  private static let rounds = 4
  private static let seconds = 4
  private static let ordinaryNames = 10_000
  private static let keys = 500
  private static let namesOfKey = 10
  private static let pubky = ProcessInfo.processInfo.environment["PUBKY"] ?? "../.build/release/pubky"

  /// A server under test, and its ports for UDP and TCP, TLS and HTTPS.
  private struct Server {
    let process: WebProcess
    let port: Int
    let tls: Int
    let https: Int
  }

  static func rows() async throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "dns-benchmark-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let testnet = try await Testnet(nodes: 20)
    let names = try await publish(to: testnet)
    try writeQueries(names, folder)
    try makeCertificate(folder)
    let upstream = try WebProcess(
      "upstream", "/usr/sbin/unbound",
      ["-d", "-c", try upstreamSettings((0..<ordinaryNames).map(ordinaryName) + names, folder)], waitsForLine: false)
    defer { upstream.stop() }
    let servers = [
      Server(
        process: try WebProcess(
          "ours", pubky, ["dns", "--config", try ourSettings(testnet, folder)], waitsForLine: true, endsWithInput: false
        ),
        port: 5331, tls: 5332, https: 5333),
      Server(
        process: try WebProcess(
          "unbound", "/usr/sbin/unbound", ["-d", "-c", try unboundSettings(folder)], waitsForLine: false),
        port: 5301, tls: 5302, https: 5303),
      Server(
        process: try WebProcess(
          "dnsdist", "/usr/bin/dnsdist",
          ["--supervised", "--disable-syslog", "-C", try dnsdistSettings(folder)], waitsForLine: false),
        port: 5311, tls: 5312, https: 5313),
      Server(
        process: try WebProcess(
          "knot-resolver", "/usr/sbin/kresd", ["-n", "-q", "-c", try resolverSettings(folder), folder.path],
          waitsForLine: false),
        port: 5321, tls: 5322, https: 5323),
    ]
    defer { for server in servers { server.process.stop() } }
    for server in servers { try warm(server, folder) }
    let rows = try measure(servers, folder)
    await testnet.stop()
    return rows
  }

  // MARK: - Measuring

  private static func measure(_ servers: [Server], _ folder: URL) throws -> [Row] {
    var rows: [Row] = []
    // dnsdist 1.7 stalls when queries are pipelined on TCP, so it has one at a time there.
    let modes: [(name: String, file: String, mode: String, limits: [Double?])] = [
      ("UDP, ordinary names", "icann", "udp", [0.8, 0.8, nil]), ("UDP, names of keys", "keys", "udp", [0.8, 0.8, nil]),
      ("TCP, ordinary names", "icann", "tcp", [1, 1, 1]), ("TLS, ordinary names", "icann", "dot", [1, 1, 1]),
    ]
    for mode in modes {
      var figures = servers.map { _ in [Double]() }
      for _ in 0..<rounds {
        for (index, server) in servers.enumerated() {
          let outstanding = mode.mode == "tcp" && server.process.name == "dnsdist" ? 10 : 200
          figures[index].append(try load(server, mode.file, mode.mode, outstanding, folder))
        }
      }
      rows += compare("cached answer over \(mode.name)", figures, mode.limits)
    }
    var figures = servers.map { _ in [Double]() }
    for _ in 0..<rounds {
      for (index, server) in servers.enumerated() {
        figures[index].append(
          try server.process.h2load(
            "https://127.0.0.1:\(server.https)/dns-query?dns=\(exampleQuery)", connections: 10, streams: 20,
            count: 60_000
          ).microseconds)
      }
    }
    rows += compare("cached answer over HTTPS (HTTP/2, GET)", figures, [nil, 1.1, nil])
    rows.append(Row(name: "memory after all that", measured: servers[0].process.memory.resident / 1e6, unit: "MB"))
    return rows
  }

  private static func compare(_ name: String, _ figures: [[Double]], _ limits: [Double?]) -> [Row] {
    ["unbound", "dnsdist", "knot-resolver"].enumerated().map { index, peer in
      Row(
        name: "CPU for one \(name)", measured: median(figures[0]), unit: "µs", peer: (peer, median(figures[index + 1])),
        target: limits[index].map { .ratio(atMost: $0) } ?? .none)
    }
  }

  /// CPU time of the server for one query, in microseconds.
  private static func load(
    _ server: Server, _ file: String, _ mode: String, _ outstanding: Int, _ folder: URL
  ) throws -> Double {
    let before = server.process.cpu
    let text = try WebProcess.generate(
      "dnsperf",
      [
        "-s", "127.0.0.1", "-p", "\(mode == "dot" ? server.tls : server.port)", "-d",
        folder.appending(path: "\(file).txt").path, "-m", mode, "-c", "10", "-q", "\(outstanding)", "-t", "2", "-l",
        "\(seconds)",
      ])
    let used = Double(server.process.cpu - before)
    guard let match = text.firstMatch(of: /Queries completed: +(\d+)/), let count = Double(match.1), count > 0,
      text.contains(/NOERROR \d+ \((100|99)\./)
    else { throw WebProcess.Failure.noFigures("\(server.process.name) \(mode): \(text)") }
    return used / 1000 / count
  }

  /// Asks for each name, until the server is there and no answer is lost.
  private static func warm(_ server: Server, _ folder: URL) throws {
    let deadline = Date.now + 60
    for file in ["icann", "keys"] {
      while true {
        let text = try WebProcess.generate(
          "dnsperf",
          [
            "-s", "127.0.0.1", "-p", "\(server.port)", "-d", folder.appending(path: "\(file).txt").path, "-n", "1",
            "-c",
            "1", "-q", "50",
          ])
        if text.contains(/NOERROR \d+ \(100\.00%\)/), text.contains(/Queries lost: +0 \(/) { break }
        guard Date.now < deadline else { throw WebProcess.Failure.didNotStart("\(server.process.name): \(text)") }
        usleep(200_000)
      }
    }
  }

  // MARK: - Names and files

  private static func publish(to testnet: Testnet) async throws -> [String] {
    let client = DHTClient(sharing: testnet.nodes[0])
    var names: [String] = []
    for _ in 0..<keys {
      let keypair = Keypair()
      var builder = SignedPacketBuilder()
      for number in 0..<namesOfKey {
        builder = builder.a("s\(number)", "10.0.0.\(number)", ttl: .seconds(86_400))
        names.append("s\(number).\(keypair.publicKey.z32)")
      }
      try await client.publish(try builder.sign(with: keypair))
    }
    return names
  }

  private static func ordinaryName(_ number: Int) -> String { "h\(String(number + 100_000).dropFirst()).bench.example" }

  private static func writeQueries(_ names: [String], _ folder: URL) throws {
    let ordinary = (0..<ordinaryNames).map(ordinaryName)
    for (file, list) in [("icann", ordinary), ("keys", names)] {
      try list.shuffled().map { "\($0). A\n" }.joined().write(
        to: folder.appending(path: "\(file).txt"), atomically: true, encoding: .utf8)
    }
  }

  /// `h00000.bench.example A` as RFC 8484 wants it.
  private static let exampleQuery: String = {
    var bytes: [UInt8] = [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    for label in ordinaryName(0).split(separator: ".") { bytes += [UInt8(label.utf8.count)] + label.utf8 }
    bytes += [0, 0, 1, 0, 1]
    return Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
  }()

  private static func makeCertificate(_ folder: URL) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/openssl")
    process.arguments = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout",
      folder.appending(path: "key.pem").path, "-out", folder.appending(path: "cert.pem").path,
    ]
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
  }
}
