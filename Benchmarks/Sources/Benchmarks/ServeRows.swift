import Foundation

/// `pubky serve` and `pubky get`: handshakes with a raw key and a large file against nginx with an X.509 certificate of
/// the same algorithm, in the same run; and how long a person waits for a small page.
enum ServeRows {
  private static let rounds = 7
  private static let handshakes = 400
  private static let downloads = 4
  private static let here = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent()
  /// The command as `make build` leaves it; scripts/bench has seen to it.
  static let pubky = ProcessInfo.processInfo.environment["PUBKY"] ?? "../.build/release/pubky"

  static func rows() throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "serve-benchmark-\(getpid())")
    try FileManager.default.createDirectory(at: folder.appending(path: "public"), withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    setenv("XDG_CACHE_HOME", folder.path, 1)
    let site = folder.appending(path: "public")
    try Data("<h1>a small page</h1>".utf8).write(to: site.appending(path: "index.html"))
    let block = Data((0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try Data((0..<100).map { _ in block }.joined()).write(to: site.appending(path: "large.bin"))
    let key = folder.appending(path: "site.key").path
    let name = try run(pubky, ["key", "new", "--out", key])
    let testnet = try WebProcess("testnet", pubky, ["testnet"], waitsForLine: true, endsWithInput: false)
    defer { testnet.stop() }
    let bootstrap = testnet.words[0]
    let ours = try WebProcess(
      "ours", pubky, ["serve", site.path, "--key", key, "--port", "9088", "--bootstrap", bootstrap],
      waitsForLine: true, endsWithInput: false)
    defer { ours.stop() }
    let nginx = try startNginx(folder)
    defer { nginx.stop() }
    let deadline = Date.now + 20
    while (try? run(pubky, ["get", "--fresh", name, "--bootstrap", bootstrap])) == nil {
      guard Date.now < deadline else { throw WebProcess.Failure.didNotStart("serve") }
      usleep(50_000)
    }
    return try waits(name, bootstrap)
      + [handshakeRow(ours, nginx, name, folder)] + downloadRows(ours, nginx, name, folder)
  }

  private static func certificate(_ folder: URL) -> String { folder.appending(path: "certificate.pem").path }

  private static func handshakeRow(_ ours: WebProcess, _ nginx: WebProcess, _ name: String, _ folder: URL) throws -> Row
  {
    var own: [Double] = []
    var other: [Double] = []
    for _ in 0..<rounds {
      own.append(try load(ours, "handshakes", handshakes, 9088, name).cpu * 1e6 / Double(handshakes + 1))
      other.append(
        try load(nginx, "handshakes", handshakes, 9089, certificate(folder)).cpu * 1e6 / Double(handshakes + 1))
    }
    return Row(
      name: "CPU for one full handshake, raw key and X.509 with Ed25519", measured: median(own), unit: "µs",
      peer: ("nginx", median(other)), target: .ratio(atMost: 0.85))
  }

  private static func downloadRows(
    _ ours: WebProcess, _ nginx: WebProcess, _ name: String, _ folder: URL
  ) throws -> [Row] {
    var own: [(wall: Double, cpu: Double)] = []
    var other: [(wall: Double, cpu: Double)] = []
    for _ in 0..<rounds {
      own.append(try load(ours, "download", downloads, 9088, name, "/large.bin"))
      other.append(try load(nginx, "download", downloads, 9089, certificate(folder), "/large.bin"))
    }
    let count = Double(downloads)
    return [
      // At least 0.8 of the peer's throughput.
      Row(
        name: "100 MB over TLS", measured: median(own.map { $0.wall * 1000 / count }), unit: "ms",
        peer: ("nginx", median(other.map { $0.wall * 1000 / count })), target: .ratio(atMost: 1.25)),
      Row(
        name: "CPU for 100 MB over TLS", measured: median(own.map { $0.cpu * 1000 / (count + 1) }), unit: "ms",
        peer: ("nginx", median(other.map { $0.cpu * 1000 / (count + 1) }))),
    ]
  }

  /// How long `pubky get` takes for a page, less what a run of `pubky` takes that does nothing.
  private static func waits(_ name: String, _ bootstrap: String) throws -> [Row] {
    var (start, cold, warm): ([Double], [Double], [Double]) = ([], [], [])
    for _ in 0..<41 {
      start.append(try milliseconds { try run(pubky, ["--version"]) })
      cold.append(try milliseconds { try run(pubky, ["get", "--fresh", name, "--bootstrap", bootstrap]) })
      warm.append(try milliseconds { try run(pubky, ["get", name, "--bootstrap", bootstrap]) })
    }
    let begin = median(start)
    return [
      Row(name: "process start", measured: begin, unit: "ms"),
      Row(
        name: "get of a small page beyond that, the key's packet from the DHT", measured: median(cold) - begin,
        unit: "ms", target: .atMost(30)),
      Row(
        name: "get of a small page beyond that, the packet kept", measured: median(warm) - begin, unit: "ms",
        target: .atMost(5)),
    ]
  }

  private static func milliseconds(_ body: () throws -> Void) rethrows -> Double {
    let start = ContinuousClock.now
    try body()
    return Double((ContinuousClock.now - start).components.attoseconds) / 1e15
  }

  /// Wall time of a load, and CPU time of the server meanwhile, in seconds. The server has one more request than counted.
  private static func load(
    _ server: WebProcess, _ kind: String, _ count: Int, _ port: Int, _ identity: String, _ path: String = "/"
  ) throws -> (wall: Double, cpu: Double) {
    let before = server.cpu
    let text = try run(
      "taskset",
      ["--cpu-list", "0", here.appending(path: "WebLoad").path, kind, "\(count)", "\(port)", identity, path])
    guard let seconds = text.split(separator: " ").first.flatMap({ Double($0) }) else {
      throw WebProcess.Failure.noFigures("\(server.name): \(text)")
    }
    return (seconds, Double(server.cpu - before) / 1e9)
  }

  /// One process of nginx that serves the same files, with a certificate of the same algorithm.
  private static func startNginx(_ folder: URL) throws -> WebProcess {
    let path = folder.path
    _ = try run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "\(path)/key.pem", "-out", certificate(folder),
        "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
      ])
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(path)/\($0);" }
      .joined(separator: " ")
    let configuration = """
      daemon off; master_process off; pid \(path)/pid; error_log \(path)/error.log crit;
      events { worker_connections 1000; use epoll; }
      http { access_log off; keepalive_requests 1000000; \(scratch) root \(path)/public; types { text/html html; }
        sendfile on; tcp_nopush on;
        server { listen 127.0.0.1:9089 ssl; ssl_certificate \(certificate(folder));
          ssl_certificate_key \(path)/key.pem; ssl_protocols TLSv1.3; } }
      """
    let file = folder.appending(path: "nginx.conf")
    try configuration.write(to: file, atomically: true, encoding: .utf8)
    let nginx = try WebProcess("nginx", "/usr/sbin/nginx", ["-p", path, "-c", file.path], waitsForLine: false)
    let deadline = Date.now + 20
    while (try? run("curl", ["-sfk", "-o", "/dev/null", "https://127.0.0.1:9089/"])) == nil {
      guard Date.now < deadline else { throw WebProcess.Failure.didNotStart("nginx") }
      usleep(20_000)
    }
    return nginx
  }

  @discardableResult
  private static func run(_ program: String, _ arguments: [String]) throws -> String {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw WebProcess.Failure.didNotStart(program) }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
