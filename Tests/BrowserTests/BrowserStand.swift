import Foundation
import TestSupport
import Testing

/// A DNS server with a key on a private DHT, and nginx as the site of that key: what a browser needs that opens `http://KEY/`.
struct BrowserStand {
  /// Where its files are.
  let folder: URL
  /// The name of the key.
  let key: String
  /// What comes behind the name in an address: nothing if the site has port 80, else `:PORT`.
  let port: String
  /// Where DNS over HTTPS is.
  let template: String
  /// The certificate of the authority that vouches for the DNS server on this machine.
  let authority: String
  private let admin: String

  private struct Announcement: Decodable {
    var https: [String]
    var admin: String
  }

  /// Runs a body with it; whatever ran is ended afterwards.
  static func run(_ body: (BrowserStand) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "browser-stand-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let testnet = try ChildProcess(ChildProcess.pubky, ["testnet", "--nodes", "8"], in: folder)
    let bootstrap = try await testnet.firstLine()
    // Root can give the site the port that needs no mention, on an address of its own.
    let isRoot = getuid() == 0
    let host = isRoot ? "127.80.\(getpid() >> 8 & 255).\(max(1, getpid() & 254))" : "127.0.0.1"
    let port = isRoot ? 80 : try FreePort.take()
    let web = try nginx(host, port, folder)
    let key = try await publish(host, bootstrap, folder)
    let (dns, announcement) = try await serve(bootstrap, folder)
    let httpsPort = announcement.https.first?.split(separator: ":").last ?? ""
    let stand = BrowserStand(
      folder: folder, key: key, port: isRoot ? "" : ":\(port)",
      template: "https://localhost:\(httpsPort)/dns-query",
      authority: folder.appending(path: "authority/authority.pem").path, admin: announcement.admin)
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(stand))
    } catch {
      result = .failure(error)
    }
    // Whatever happened: a killed nginx would leave its worker behind, with the port.
    for process in [dns, web] {
      process.terminate()
      #expect(try await process.outcome().status == 0)
    }
    testnet.terminate()
    _ = try await testnet.outcome()
    try result.get()
  }

  private static func publish(_ host: String, _ bootstrap: String, _ folder: URL) async throws -> String {
    let secret = folder.appending(path: "site.key").path
    let made = try await ChildProcess(ChildProcess.pubky, ["key", "new", "--out", secret], in: folder).outcome()
    try #require(made.status == 0, "\(made.errors)")
    let zone = folder.appending(path: "zone")
    try Data("@ 300 A \(host)\nwww 300 CNAME @\n".utf8).write(to: zone)
    let arguments = ["publish", zone.path, "--key", secret, "--bootstrap", bootstrap]
    let published = try await ChildProcess(ChildProcess.pubky, arguments, in: folder).outcome()
    try #require(published.status == 0, "\(published.errors)")
    return made.text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  private static func serve(_ bootstrap: String, _ folder: URL) async throws -> (ChildProcess, Announcement) {
    let settings = """
      [general]
      socket = "127.0.0.1:0"
      forward = "127.0.0.1:9"
      [dht]
      network = "isolated"
      bootstrap = ["\(bootstrap)"]
      relays = []
      [tls]
      development_directory = "\(folder.path)/authority"
      [https]
      listen = "127.0.0.1:0"
      [admin]
      listen = "127.0.0.1:0"

      """
    let file = folder.appending(path: "dns.toml")
    try Data(settings.utf8).write(to: file)
    let dns = try ChildProcess(ChildProcess.pubky, ["dns", "--config", file.path, "--json"], in: folder)
    let line = try await dns.firstLine()
    return (dns, try JSONDecoder().decode(Announcement.self, from: Data(line.utf8)))
  }

  /// A site that says by which name it was opened, and writes down by whom.
  private static func nginx(_ host: String, _ port: Int, _ folder: URL) throws -> ChildProcess {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(folder.path)/nginx-\($0);" }.joined(separator: "\n  ")
    let configuration = """
      daemon off;
      worker_processes 1;
      pid \(folder.path)/nginx.pid;
      error_log stderr;
      events { worker_connections 64; }
      http {
        log_format names '$host $uri "$http_user_agent"';
        access_log \(folder.path)/visits names;
        \(temporary)
        server {
          listen \(host):\(port);
          default_type text/html;
          location = / { return 200 "<!DOCTYPE html><title>site</title><p id=name>opened as $host</p><img src=/picture>"; }
          location / { return 204; }
        }
      }
      """
    let file = folder.appending(path: "nginx.conf")
    try Data(configuration.utf8).write(to: file)
    let path = try #require(ChildProcess.find("nginx"), "nginx is missing: scripts/install-dependencies test")
    return try ChildProcess(path, ["-c", file.path, "-p", folder.path], in: folder)
  }

  /// The visits so far, `HOST PATH "AGENT"` each.
  var visits: [String] {
    let text = (try? String(contentsOf: folder.appending(path: "visits"), encoding: .utf8)) ?? ""
    return text.split(separator: "\n").map(String.init)
  }

  /// How many queries came to the DNS server over HTTPS.
  func queriesOverHTTPS() async throws -> Int {
    let curl = try #require(ChildProcess.find("curl"), "curl is missing: scripts/install-dependencies test")
    let text = try await ChildProcess(curl, ["-s", "http://\(admin)/metrics"], in: folder).outcome().text
    let match = text.firstMatch(of: /pubky_dns_queries_total\{transport="https"\} ([0-9]+)/)
    return match.flatMap { Int($0.1) } ?? 0
  }
}
