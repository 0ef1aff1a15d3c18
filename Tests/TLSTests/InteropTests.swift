import CGnuTLS
import Cryptography
import Foundation
import TestSupport
import Testing

@testable import TLS

/// Foreign programs on loopback: gnutls-cli, gnutls-serv, openssl, curl.
@Suite("TLS with other programs")
struct InteropTests {
  let folder: TestFolder
  let authority: TestAuthority
  let key = Ed25519.SecretKey()

  init() throws {
    folder = try TestFolder()
    authority = try TestAuthority(folder)
  }

  private static let rawKeyPriority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK"

  /// Runs a client against a server of ours, and gives what each of them says.
  private func run(
    _ context: TLSServerContext, _ program: String, input: String = "hello\nquit\n", closesInput: Bool = false,
    _ arguments: @Sendable @escaping (UInt16) -> [String]
  ) async throws -> (status: Int32, output: String, served: [Outcome]) {
    let server = try LoopbackServer(context)
    let (end, served) = await onThread {
      let end = try? ForeignProgram(program, arguments(server.port)).finish(input, closesInput: closesInput)
      // The client may be gone before the server has noticed.
      return (end, server.finish())
    }
    let (status, output) = try #require(end, "\(program) does not start")
    return (status, output, served)
  }

  private func openssl(
    _ context: TLSServerContext, _ host: String, _ more: [String] = []
  ) async throws -> (status: Int32, output: String, served: [Outcome]) {
    let file = authority.file
    return try await run(context, "openssl") {
      ["s_client", "-connect", "127.0.0.1:\($0)", "-servername", host, "-verify_hostname", host, "-CAfile", file]
        + ["-verify_return_error", "-ign_eof"] + more
    }
  }

  @Test("gnutls-cli gets the raw key from a server that has certificates as well, and the session is resumed")
  func gnutlsRawKey() async throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(
        certificates: [authority.issue(["server.example"])], rawKey: key, applicationProtocols: ["h2"]))
    for extra in [[], ["--resume"]] {
      let result = try await run(context, "gnutls-cli", closesInput: true) {
        ["127.0.0.1", "-p", "\($0)", "--insecure", "--alpn", "h2", "--sni-hostname", "node.example"]
          + ["--priority", Self.rawKeyPriority] + extra
      }
      #expect(result.status == 0, "\(result.output)")
      #expect(result.output.contains("Raw Public Key") && result.output.contains("HELLO"), "\(result.output)")
      #expect(result.output.contains("This is a resumed session") == !extra.isEmpty, "\(result.output)")
      let served = try #require(result.served.last)
      #expect(served.error == nil && served.text.hasPrefix("hello"))
      #expect(served.applicationProtocol == "h2" && served.serverName == "node.example")
    }
  }

  @Test("gnutls-cli and our server renew their keys while bytes flow")
  func gnutlsKeyUpdate() async throws {
    let context = try TLSServerContext(TLSServerConfiguration(rawKey: key))
    let result = try await run(
      context, "gnutls-cli", input: "one\n^rekey^\ntwo\n^rekey1^\nthree\n^rekey^\nquit\n"
    ) {
      ["127.0.0.1", "-p", "\($0)", "--insecure", "--inline-commands", "--priority", Self.rawKeyPriority]
    }
    for word in ["ONE", "TWO", "THREE", "QUIT"] { #expect(result.output.contains(word), "\(result.output)") }
    #expect(result.served.last?.error == nil)
  }

  @Test("gnutls-cli cannot use a raw key over TLS 1.2, and a certificate only if the server allows that version")
  func gnutlsOldVersion() async throws {
    var configuration = TLSServerConfiguration(certificates: [try authority.issue(["server.example"])], rawKey: key)
    let file = authority.file
    for (minimum, type, isServed) in [
      (TLSVersion.tls13, "X509", false), (.tls12, "X509", true), (.tls12, "RAWPK", false),
    ] {
      configuration.minimumVersion = minimum
      let result = try await run(TLSServerContext(configuration), "gnutls-cli", closesInput: true) {
        ["127.0.0.1", "-p", "\($0)", "--x509cafile", file, "--sni-hostname", "server.example"]
          + ["--verify-hostname", "server.example"]
          + ["--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-CTYPE-SRV-ALL:+CTYPE-SRV-\(type)"]
      }
      #expect((result.status == 0) == isServed, "\(result.output)")
      #expect((result.served.last?.error == nil) == isServed)
      if isServed { #expect(result.served.last?.negotiated.contains("TLS1.2") == true) }
    }
  }

  @Test("openssl verifies ECDSA and Ed25519 certificates of our server", arguments: [false, true])
  func opensslCertificates(ed25519: Bool) async throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(
        certificates: [authority.issue(["server.example"], ed25519: ed25519)], rawKey: key,
        applicationProtocols: ["http/1.1"]))
    let result = try await openssl(context, "server.example", ["-alpn", "h2,http/1.1"])
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.contains("Verify return code: 0 (ok)") && result.output.contains("HELLO"))
    #expect(result.output.contains(ed25519 ? "ed25519" : "id-ecPublicKey") || result.output.contains("TLSv1.3"))
    let served = try #require(result.served.last)
    #expect(served.error == nil && served.applicationProtocol == "http/1.1" && served.serverName == "server.example")
    #expect(served.negotiated.contains(ed25519 ? "EdDSA-Ed25519" : "ECDSA"))
  }

  @Test("of two certificates for one name a client gets the one that it can check")
  func keyKinds() async throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(certificates: [
        authority.issue(["server.example"], file: "ed", ed25519: true),
        authority.issue(["server.example"], file: "ec"), authority.issue(["other.example"], file: "other"),
      ]))
    for (algorithm, expected) in [("ed25519", "EdDSA-Ed25519"), ("ecdsa_secp256r1_sha256", "ECDSA")] {
      let list = algorithm == "ed25519" ? "ed25519:ecdsa_secp256r1_sha256" : algorithm
      let result = try await openssl(context, "server.example", ["-sigalgs", list])
      #expect(result.status == 0, "\(result.output)")
      #expect(result.served.last?.negotiated.contains(expected) == true, "\(String(describing: result.served.last))")
    }
  }

  @Test("openssl resumes a session, unless tickets are off or the server has been reloaded")
  func opensslResumption() async throws {
    let files = try authority.issue(["server.example"])
    let session = folder.file("session.pem")
    var configuration = TLSServerConfiguration(certificates: [files])
    let context = try TLSServerContext(configuration)
    _ = try await openssl(context, "server.example", ["-sess_out", session])
    #expect(try await openssl(context, "server.example", ["-sess_in", session]).output.contains("Reused, TLSv1.3"))
    try context.reload()
    #expect(try await openssl(context, "server.example", ["-sess_in", session]).output.contains("New, TLSv1.3"))
    configuration.sessionTickets = false
    let result = try await openssl(TLSServerContext(configuration), "server.example", ["-msg"])
    #expect(result.output.contains("HELLO") && !result.output.contains("NewSessionTicket"))
    #expect(try await openssl(context, "server.example", ["-msg"]).output.contains("NewSessionTicket"))
  }

  @Test("openssl that speaks TLS 1.2 is told the version, and is not allowed to renegotiate")
  func opensslOldVersion() async throws {
    var configuration = TLSServerConfiguration(certificates: [try authority.issue(["server.example"])])
    let refused = try await openssl(TLSServerContext(configuration), "server.example", ["-tls1_2"])
    #expect(refused.status != 0 && refused.output.contains("protocol version"), "\(refused.output)")
    configuration.minimumVersion = .tls12
    let accepted = try await openssl(TLSServerContext(configuration), "server.example", ["-tls1_2"])
    #expect(accepted.status == 0 && accepted.output.contains("HELLO"), "\(accepted.output)")
    let file = authority.file
    let renegotiated = try await run(TLSServerContext(configuration), "openssl", input: "R\n", closesInput: true) {
      ["s_client", "-connect", "127.0.0.1:\($0)", "-CAfile", file, "-tls1_2"]
    }
    #expect(renegotiated.output.contains("no renegotiation"), "\(renegotiated.output)")
  }

  @Test("curl and openssl accept the development authority, for names and addresses")
  func developmentAuthority() async throws {
    let authority = try DevelopmentAuthority(folder: folder.file("development"))
    let files = try authority.certificate(for: ["localhost", "127.0.0.1", "*.dev.example"])
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files], rawKey: key))
    let trusted = authority.certificateFile
    for (host, isAccepted) in [("localhost", true), ("127.0.0.1", true), ("a.dev.example", true), ("example", false)] {
      let result = try await run(context, "curl", input: "") {
        ["-sS", "--max-time", "50", "--noproxy", "*", "--cacert", trusted, "--connect-to", "::127.0.0.1:\($0)"]
          + ["https://\(host):\($0)/"]
      }
      #expect((result.status == 0) == isAccepted, "\(host): \(result.output)")
      #expect(result.output.contains("hello") == isAccepted)
    }
    let result = try await run(context, "openssl") {
      ["s_client", "-connect", "127.0.0.1:\($0)", "-verify_ip", "127.0.0.1", "-CAfile", trusted, "-x509_strict"]
        + ["-purpose", "sslserver", "-verify_return_error", "-ign_eof"]
    }
    #expect(result.status == 0 && result.output.contains("Verify return code: 0 (ok)"), "\(result.output)")
  }

  /// Runs a server of others and a client of ours.
  private func connect(
    _ program: String, _ arguments: [String], port: UInt16, _ context: TLSClientContext, _ identity: TLSPeerIdentity,
    request: String = "abc\n", until isEnough: @Sendable @escaping (String) -> Bool = { $0.contains("\n") }
  ) async throws -> Outcome {
    let server = try ForeignProgram(program, arguments)
    let outcome = await onThread {
      LoopbackClient.exchange(port: port, context, identity, request: request, until: isEnough)
    }
    let output = server.stop()
    if outcome.error?.reason == .socket(EBADF) { Issue.record("\(program) did not start: \(output)") }
    return outcome
  }

  private func pem(_ label: String, _ der: [UInt8]) -> [UInt8] {
    Array("-----BEGIN \(label)-----\n\(Data(der).base64EncodedString())\n-----END \(label)-----\n".utf8)
  }

  @Test("our client proves the raw key of gnutls-serv, and refuses another")
  func gnutlsServer() async throws {
    let keyFile = try folder.write("raw-key.pem", pem("PRIVATE KEY", RawKeyEncoding.pkcs8(key)))
    let publicFile = try folder.write(
      "raw.pem", pem("PUBLIC KEY", RawKeyEncoding.subjectPublicKeyInfo(key.publicKey)))
    let client = try TLSClientContext(TLSClientConfiguration(trust: .rawKeysOnly, applicationProtocols: ["h2"]))
    for (expected, isRight) in [(key.publicKey, true), (Ed25519.SecretKey().publicKey, false)] {
      let port = UInt16(try FreePort.take())
      let arguments = [
        "--echo", "-p", "\(port)", "--rawpkkeyfile", keyFile, "--rawpkfile", publicFile, "--alpn", "h2", "--priority",
        Self.rawKeyPriority,
      ]
      let outcome = try await connect("gnutls-serv", arguments, port: port, client, .rawKey(expected))
      if isRight {
        #expect(outcome.error == nil && outcome.text == "abc\n", "\(outcome)")
        #expect(outcome.applicationProtocol == "h2" && outcome.negotiated.contains("Raw Public Key"))
      } else {
        #expect(outcome.error?.reason == .untrustedPeer && outcome.text.isEmpty)
      }
    }
  }

  @Test("our client checks the certificate of openssl's server", arguments: [false, true])
  func opensslServer(ed25519: Bool) async throws {
    let files = try authority.issue(["server.example", "127.0.0.1"], ed25519: ed25519)
    let client = try authority.client(protocols: ["h2", "http/1.1"])
    for (host, isRight) in [("server.example", true), ("127.0.0.1", true), ("other.example", false)] {
      let port = UInt16(try FreePort.take())
      let arguments = [
        "s_server", "-accept", "127.0.0.1:\(port)", "-cert", files.certificateFile, "-key", files.keyFile, "-rev",
        "-alpn", "http/1.1",
      ]
      let outcome = try await connect("openssl", arguments, port: port, client, .hostName(host))
      if isRight {
        #expect(outcome.error == nil && outcome.text == "cba\n", "\(outcome)")
        #expect(outcome.applicationProtocol == "http/1.1" && outcome.negotiated.contains("TLS1.3"))
      } else {
        #expect(outcome.error?.reason == .untrustedPeer && outcome.text.isEmpty)
      }
    }
  }

  /// A certificate that openssl has made for `server.example`, signed by itself.
  private func opensslCertificate(_ key: [String], usage: String) async throws -> (
    certificateFile: String, keyFile: String
  ) {
    let (certificate, keyFile) = (folder.file("openssl.pem"), folder.file("openssl-key.pem"))
    let made = await onThread {
      (try? ForeignProgram(
        "openssl",
        ["req", "-x509", "-nodes", "-keyout", keyFile, "-out", certificate, "-days", "2", "-subj", "/CN=x"]
          + ["-addext", "subjectAltName=DNS:server.example", "-addext", "extendedKeyUsage=\(usage)"]
          + ["-addext", "keyUsage=digitalSignature,keyCertSign", "-newkey"] + key))?.finish()
    }
    #expect(made?.status == 0, "\(String(describing: made))")
    return (certificate, keyFile)
  }

  @Test("a certificate that is not for servers is refused by our client")
  func purpose() async throws {
    let files = try await opensslCertificate(["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], usage: "clientAuth")
    let client = try TLSClientContext(TLSClientConfiguration(trust: .file(path: files.certificateFile)))
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files]))
    let connection = try Connection(client, .hostName("server.example"), context)
    connection.run()
    #expect(connection.client.error?.reason == .untrustedPeer)
    #expect(connection.client.error?.description.contains("not for a server") == true)
  }

  @Test(
    "RSA and P-384 certificates work as well",
    arguments: [["rsa:2048"], ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]])
  func otherKeys(key: [String]) async throws {
    let files = try await opensslCertificate(key, usage: "serverAuth")
    let client = try TLSClientContext(TLSClientConfiguration(trust: .file(path: files.certificateFile)))
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files]))
    let connection = try Connection(client, .hostName("server.example"), context).connect()
    #expect(connection.client.isConnected && connection.server.isConnected)
    #expect(connection.client.error == nil)
  }

  @Test("a client whose first guess at a group is wrong is asked again, and still gets the certificate for its name")
  func helloRetry() async throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(certificates: [
        authority.issue(["other.example"], file: "other"), authority.issue(["server.example"]),
      ]))
    let result = try await openssl(context, "server.example", ["-groups", "X448:X25519", "-msg"])
    #expect(result.status == 0 && result.output.contains("HELLO"), "\(result.output)")
    #expect(result.output.components(separatedBy: ", ClientHello").count == 3, "\(result.output)")
    #expect(result.served.last?.negotiated.contains("X25519") == true)
    let refused = try await openssl(context, "server.example", ["-groups", "ffdhe2048"])
    #expect(refused.status != 0 && refused.served.last?.error != nil)
  }
}
