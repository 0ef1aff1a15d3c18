import Foundation
import Pkarr
import TestSupport
import Testing

/// A private DHT, and `pubky` commands that use it, in processes of their own.
struct WebStand {
  let folder: URL
  let bootstrap: String
  private let testnet: ChildProcess

  /// Runs a body, and ends whatever ran.
  static func run(_ body: (WebStand) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "web-stand-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let testnet = try ChildProcess(ChildProcess.pubky, ["testnet", "--nodes", "6"], in: folder)
    try await body(WebStand(folder: folder, bootstrap: try await testnet.firstLine(), testnet: testnet))
    testnet.terminate()
    _ = try await testnet.outcome()
  }

  func file(_ name: String) -> String { folder.appending(path: name).path }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    let file = folder.appending(path: name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
    return file.path
  }

  /// A new key in a file.
  func key(_ name: String) throws -> (file: String, key: String) {
    let keypair = Keypair()
    let file = try write(name, keypair.secretKeyText)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    return (file, keypair.publicKey.z32)
  }

  func pubky(_ arguments: String...) async throws -> ChildProcess.Outcome {
    try await ChildProcess(ChildProcess.pubky, arguments, in: folder).outcome()
  }

  /// Fetches an address, asking the network anew.
  func get(_ arguments: String...) async throws -> ChildProcess.Outcome {
    try await ChildProcess(
      ChildProcess.pubky, ["get", "--fresh", "--bootstrap", bootstrap] + arguments, in: folder
    ).outcome()
  }

  /// Publishes records of a key.
  func publish(_ zone: String, _ keyFile: String) async throws {
    let file = try write("zone-\(UUID().uuidString)", zone)
    let outcome = try await pubky("publish", file, "--key", keyFile, "--bootstrap", bootstrap)
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  /// Starts a program of others.
  func start(_ name: String, _ arguments: [String]) throws -> ChildProcess {
    try ChildProcess(try #require(ChildProcess.find(name)), arguments, in: folder)
  }

  /// A certificate for a name, signed by itself.
  func certificate(for name: String) async throws -> (certificate: String, key: String) {
    let (certificate, key) = (file("\(name).pem"), file("\(name)-key.pem"))
    let outcome = try await start(
      "openssl",
      [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
        "/CN=\(name)", "-addext", "subjectAltName=DNS:\(name)", "-keyout", key, "-out", certificate,
      ]
    ).outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    return (certificate, key)
  }

  /// nginx with an ordinary certificate, which answers every host with its name.
  func nginx(_ port: Int, _ certificate: (certificate: String, key: String)) throws -> ChildProcess {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map { "\($0)_temp_path \(folder.path)/nginx-\($0);" }.joined(separator: "\n  ")
    let configuration = try write(
      "nginx.conf",
      """
      daemon off;
      worker_processes 1;
      pid \(folder.path)/nginx.pid;
      error_log stderr;
      events { worker_connections 64; }
      http {
        access_log off;
        \(temporary)
        server {
          listen 127.0.0.1:\(port) ssl;
          ssl_certificate \(certificate.certificate);
          ssl_certificate_key \(certificate.key);
          ssl_protocols TLSv1.3;
          location / { return 200 "nginx for $host"; }
        }
      }
      """)
    return try start("nginx", ["-c", configuration, "-p", folder.path])
  }
}
