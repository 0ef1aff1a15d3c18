import Foundation

/// What the relay costs for an answer that it has cached, against nginx that serves the same bytes, in the same run.
enum RelayRows {
  private static let here = URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    .deletingLastPathComponent()
  private static let rounds = 5
  private static let seconds = 2

  static func rows() throws -> [Row] {
    let folder = FileManager.default.temporaryDirectory.appending(path: "relay-benchmark-\(getpid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try run(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
        folder.appending(path: "key.pem").path, "-out", folder.appending(path: "certificate.pem").path, "-days", "2",
        "-subj", "/CN=localhost",
      ])
    let relay = try WebProcess(
      "ours", here.appending(path: "PubkyRelay").path,
      [
        "--certificate", folder.appending(path: "certificate.pem").path, "--key",
        folder.appending(path: "key.pem").path,
      ], waitsForLine: true)
    defer { relay.stop() }
    let (plain, encrypted, key) = (relay.words[0], relay.words[1], relay.words[2])
    let nginx = try startNginx(folder, sameAs: "http://127.0.0.1:\(plain)/\(key)", key)
    defer { nginx.stop() }
    let idle = relay.memory
    var rows = [Row(name: "relay after its first packet, resident", measured: idle.resident / 1e6, unit: "MB")]
    for connections in [64, 1000] {
      rows.append(
        try row("cached GET, \(connections) connections", limit: 1.15, relay, nginx) { server, isOurs in
          try server.wrk(
            "http://127.0.0.1:\(isOurs ? plain : "9086")/\(key)", connections: connections, seconds: seconds)
        })
    }
    for (connections, least) in [(64, 91_050.0), (256, 77_400)] {
      rows.append(
        try rateRow(connections, atLeast: least, relay, nginx) { server, isOurs in
          try server.wrk(
            "http://127.0.0.1:\(isOurs ? plain : "9086")/\(key)", connections: connections, seconds: seconds)
        })
    }
    rows.append(
      try row("cached GET over TLS 1.3, 64 connections", limit: 1.1, relay, nginx) { server, isOurs in
        try server.wrk("https://127.0.0.1:\(isOurs ? encrypted : "9087")/\(key)", connections: 64, seconds: seconds)
      })
    rows.append(
      try row("cached GET over HTTP/2 and TLS, 10 streams", limit: 1.2, relay, nginx) { server, isOurs in
        try server.h2load(
          "https://127.0.0.1:\(isOurs ? encrypted : "9087")/\(key)", connections: 64, streams: 10, count: 100_000)
      })
    return rows
  }

  /// CPU time of one request, in turns, so that both servers meet the same neighbours on this machine.
  private static func row(
    _ name: String, limit: Double, _ ours: WebProcess, _ nginx: WebProcess,
    _ load: (WebProcess, Bool) throws -> WebProcess.Load
  ) throws -> Row {
    var own: [Double] = []
    var other: [Double] = []
    for _ in 0..<rounds {
      own.append(try load(ours, true).microseconds)
      other.append(try load(nginx, false).microseconds)
    }
    return Row(
      name: "CPU for one \(name)", measured: median(own), unit: "µs", peer: ("nginx", median(other)),
      target: .ratio(atMost: limit))
  }

  /// Requests a second on one core. `least`: half as many again as pkarr-relay does on such a core.
  private static func rateRow(
    _ connections: Int, atLeast least: Double, _ ours: WebProcess, _ nginx: WebProcess,
    _ load: (WebProcess, Bool) throws -> WebProcess.Load
  ) throws -> Row {
    var own: [Double] = []
    var other: [Double] = []
    for _ in 0..<rounds {
      own.append(try load(ours, true).perSecond)
      other.append(try load(nginx, false).perSecond)
    }
    return Row(
      name: "cached GET, \(connections) connections", measured: median(own), unit: "/s",
      peer: ("nginx", median(other)), target: .atLeast(least))
  }

  /// One process of nginx that serves the relay's payload as a file.
  private static func startNginx(_ folder: URL, sameAs address: String, _ key: String) throws -> WebProcess {
    try run("curl", ["-s", "-o", folder.appending(path: key).path, address])
    let path = folder.path
    let scratch = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map { "\($0)_temp_path \(path)/\($0);" }
      .joined(separator: " ")
    let configuration = """
      daemon off; master_process off; pid \(path)/pid; error_log \(path)/error.log crit; worker_rlimit_nofile 20000;
      events { worker_connections 12000; use epoll; }
      http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; \(scratch) root \(path);
        default_type application/pkarr.org/relays#payload; open_file_cache max=100;
        server { listen 127.0.0.1:9086 backlog=4096; add_header cache-control "public, max-age=3600"; }
        server { listen 127.0.0.1:9087 ssl http2 backlog=4096; add_header cache-control "public, max-age=3600";
          http2_max_requests 100000000; ssl_certificate \(path)/certificate.pem; ssl_certificate_key \(path)/key.pem;
          ssl_protocols TLSv1.3; } }
      """
    let file = folder.appending(path: "nginx.conf")
    try configuration.write(to: file, atomically: true, encoding: .utf8)
    let nginx = try WebProcess("nginx", "/usr/sbin/nginx", ["-p", path, "-c", file.path], waitsForLine: false)
    let deadline = Date.now + 20
    while (try? run("curl", ["-sf", "-o", "/dev/null", "http://127.0.0.1:9086/\(key)"])) == nil {
      guard Date.now < deadline else { throw WebProcess.Failure.didNotStart("nginx") }
      usleep(20_000)
    }
    return nginx
  }

  private static func run(_ program: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw WebProcess.Failure.didNotStart(program) }
  }
}
