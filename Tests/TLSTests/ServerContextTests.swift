import CGnuTLS
import Cryptography
import Foundation
import Testing

@testable import TLS

@Suite("TLS server identity")
struct ServerContextTests {
  let folder: TestFolder
  let authority: TestAuthority

  init() throws {
    folder = try TestFolder()
    authority = try TestAuthority(folder)
  }

  /// The names of the certificate that a client is shown.
  private func shown(_ context: TLSServerContext, _ serverName: String?) throws -> [String] {
    let client = try TLSClientContext(TLSClientConfiguration(trust: .insecureAnyCertificate))
    let connection = try Connection(client, .hostName("10.0.0.1"), serverName: serverName, context).connect()
    try #require(connection.client.isConnected)
    return try connection.client.session.peerCertificateNames()
  }

  @Test("the name that a client asks for chooses the certificate: exact before wildcard, the first otherwise")
  func selection() throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(
        certificates: [
          authority.issue(["first.example"], file: "first"),
          authority.issue(["*.wild.example"], file: "wild"),
          authority.issue(["a.wild.example", "second.example"], file: "second", ed25519: true),
        ], rawKey: Ed25519.SecretKey()))
    #expect(try shown(context, "first.example") == ["first.example"])
    #expect(try shown(context, "second.example") == ["a.wild.example", "second.example"])
    #expect(try shown(context, "SECOND.Example") == ["a.wild.example", "second.example"])
    #expect(try shown(context, "b.wild.example") == ["*.wild.example"])
    #expect(try shown(context, "a.wild.example") == ["a.wild.example", "second.example"])
    #expect(try shown(context, "a.b.wild.example") == ["first.example"])
    #expect(try shown(context, "unknown.example") == ["first.example"])
    #expect(try shown(context, nil) == ["first.example"])
  }

  @Test("after reload new connections see the new certificate, and those before go on")
  func reload() throws {
    let files = try authority.issue(["old.example"])
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files]))
    let old = try Connection(authority.client(), .hostName("old.example"), context).connect()
    let half = try Connection(authority.client(), .hostName("old.example"), context)
    half.client.step()

    _ = try authority.issue(["new.example"])
    #expect(try shown(context, nil) == ["old.example"])
    try context.reload()
    #expect(try shown(context, nil) == ["new.example"])
    #expect(try Connection(authority.client(), .hostName("new.example"), context).connect().client.isConnected)

    half.connect()
    #expect(half.client.isConnected && half.server.isConnected)
    old.client.outgoing = Array("still here".utf8)
    old.run()
    #expect(old.server.received == Array("still here".utf8))
    #expect(old.client.error == nil && old.server.error == nil)
  }

  @Test("a reload that fails leaves the old certificate in use, and says which file is wrong")
  func failedReload() throws {
    let files = try authority.issue(["old.example"])
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files]))
    try FileManager.default.removeItem(atPath: files.keyFile)
    let error = #expect(throws: TLSError.self) { try context.reload() }
    #expect(error?.reason == .configuration)
    #expect(error?.description.contains(files.keyFile) == true)
    #expect(try shown(context, nil) == ["old.example"])
  }

  @Test("what cannot be used is refused at the start, by its name")
  func unusable() throws {
    let good = try authority.issue(["server.example"], file: "good")
    let other = try authority.issue(["server.example"], file: "other")
    let text = try folder.write("text.pem", Array("not a certificate".utf8))
    let large = try folder.write("large.pem", [UInt8](repeating: 0x2d, count: 5 << 20))
    for (files, words) in [
      ((good.certificateFile, other.keyFile), "other-key.pem"), ((text, good.keyFile), "text.pem"),
      ((good.certificateFile, text), "text.pem"), ((folder.file("none.pem"), good.keyFile), "No such file"),
      ((folder.path, good.keyFile), "is not a file"), ((large, good.keyFile), "larger than"),
      ((good.keyFile, good.certificateFile), "good-key.pem"),
    ] {
      let error = #expect(throws: TLSError.self) {
        try TLSServerContext(
          TLSServerConfiguration(certificates: [(certificateFile: files.0, keyFile: files.1)]))
      }
      #expect(error?.reason == .configuration)
      #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }
    for configuration in [
      TLSServerConfiguration(),
      TLSServerConfiguration(certificates: [good], applicationProtocols: [""]),
      TLSServerConfiguration(certificates: [good], applicationProtocols: [String(repeating: "x", count: 32)]),
      TLSServerConfiguration(certificates: [good], applicationProtocols: (1...9).map(String.init)),
    ] {
      #expect(throws: TLSError.self) { try TLSServerContext(configuration) }
    }
    for trust in [TLSClientConfiguration.Trust.file(path: text), .file(path: folder.file("none.pem"))] {
      let error = #expect(throws: TLSError.self) { try TLSClientContext(TLSClientConfiguration(trust: trust)) }
      #expect(error?.reason == .configuration)
    }
  }

  @Test("two threads can shake hands with the same contexts while a third reloads them")
  func threads() async throws {
    let key = Ed25519.SecretKey()
    let context = try TLSServerContext(
      TLSServerConfiguration(certificates: [authority.issue(["server.example"])], rawKey: key))
    let client = try authority.client()
    let done = await withTaskGroup(of: Int.self) { group in
      for identity in [TLSPeerIdentity.hostName("server.example"), .rawKey(key.publicKey)] {
        group.addTask {
          await onThread {
            (0..<20).count { _ in
              guard let connection = try? Connection(client, identity, context).connect() else { return false }
              connection.client.outgoing = [1, 2, 3]
              connection.run()
              return connection.server.received == [1, 2, 3]
            }
          }
        }
      }
      group.addTask { await onThread { (0..<20).count { _ in (try? context.reload()) != nil } } }
      return await group.reduce(0, +)
    }
    #expect(done == 60)
  }
}

extension TLSSession {
  /// What the server's certificate is for.
  func peerCertificateNames() throws -> [String] {
    var count: UInt32 = 0
    let list = try #require(gnutls_certificate_get_peers(handle, &count))
    return try X509Certificate(der: list[0]).names
  }
}

/// Runs what blocks or computes on a thread of its own, so that other tests can go on.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () -> Result) async -> Result {
  await withCheckedContinuation { continuation in
    Thread.detachNewThread { continuation.resume(returning: body()) }
  }
}
