import CGnuTLS
import Cryptography
import Testing

@testable import TLS

@Suite("TLS handshake")
struct HandshakeTests {
  let folder: TestFolder
  let authority: TestAuthority
  let key = Ed25519.SecretKey()

  init() throws {
    folder = try TestFolder()
    authority = try TestAuthority(folder)
  }

  private func server(
    _ names: [String] = ["server.example"], rawKey: Ed25519.SecretKey? = nil, protocols: [String] = []
  ) throws -> TLSServerContext {
    try TLSServerContext(
      TLSServerConfiguration(
        certificates: names.isEmpty ? [] : [authority.issue(names)], rawKey: rawKey, applicationProtocols: protocols))
  }

  private static func rawKeyClient(protocols: [String] = []) throws -> TLSClientContext {
    try TLSClientContext(TLSClientConfiguration(trust: .rawKeysOnly, applicationProtocols: protocols))
  }

  @Test("a client that expects a raw key gets it, from a server that also has a certificate")
  func rawKey() throws {
    let context = try server(rawKey: key, protocols: ["h2", "http/1.1"])
    let connection = try Connection(
      Self.rawKeyClient(protocols: ["http/1.1", "h2"]), .rawKey(key.publicKey), serverName: "Node.Example", context
    ).connect()
    #expect(connection.client.isConnected && connection.server.isConnected)
    #expect(connection.client.session.peerRawKey == key.publicKey)
    #expect(connection.server.session.peerRawKey == nil)
    #expect(connection.client.session.negotiated.contains("TLS1.3"))
    #expect(connection.client.session.negotiated.contains("Ed25519"))
    #expect(connection.server.session.serverName == "node.example")
    #expect(connection.client.session.serverName == nil)
    // The server's order decides.
    #expect(connection.client.session.applicationProtocol == "h2")
    #expect(connection.server.session.applicationProtocol == "h2")
  }

  @Test("a client that expects a host gets the certificate, from a server that also has a raw key")
  func certificate() throws {
    let connection = try Connection(authority.client(), .hostName("Server.Example."), server(rawKey: key)).connect()
    #expect(connection.client.isConnected && connection.server.isConnected)
    #expect(connection.client.session.peerRawKey == nil)
    #expect(connection.client.session.negotiated.contains("ECDSA"))
    #expect(connection.server.session.serverName == "server.example")
    #expect(connection.client.session.applicationProtocol == nil)
  }

  @Test("a server with a raw key alone serves who expects one of several keys, and not who wants a certificate")
  func rawKeyOnly() throws {
    let context = try server([], rawKey: key)
    let others = [Ed25519.SecretKey().publicKey, key.publicKey]
    let connection = try Connection(Self.rawKeyClient(), .rawKeys(others), context).connect()
    #expect(connection.client.session.peerRawKey == key.publicKey)

    let other = try Connection(authority.client(), .hostName("server.example"), context)
    other.run()
    #expect(other.server.error?.reason == .handshakeOrRecord)
    guard case .alertReceived = other.client.error?.reason else {
      Issue.record("\(String(describing: other.client.error))")
      return
    }
  }

  @Test("a wrong raw key is refused with an alert before anything is sent")
  func wrongRawKey() throws {
    for identity in [TLSPeerIdentity.rawKey(Ed25519.SecretKey().publicKey), .rawKeys([Ed25519.SecretKey().publicKey])] {
      let connection = try Connection(Self.rawKeyClient(), identity, server(rawKey: key))
      connection.client.outgoing = Array("secret".utf8)
      connection.run()
      #expect(connection.client.error?.reason == .untrustedPeer)
      #expect(connection.client.error?.description.contains("another key") == true)
      #expect(connection.server.error?.reason == .alertReceived(UInt8(GNUTLS_A_BAD_CERTIFICATE.rawValue)))
      #expect(connection.server.received.isEmpty && !connection.server.isConnected)
      #expect(connection.client.session.peerRawKey == nil)
    }
  }

  @Test("a client that expects a raw key refuses a server that has a certificate only")
  func certificateInsteadOfRawKey() throws {
    let connection = try Connection(Self.rawKeyClient(), .rawKey(key.publicKey), server())
    connection.run()
    #expect(connection.client.error != nil && connection.server.error != nil)
    #expect(!connection.client.isConnected && !connection.server.isConnected)
  }

  /// A certificate that is wrong in one way, and what the client says.
  struct Fault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var names = ["server.example", "10.1.2.3"]
    var days = -1...30
    var host = "server.example"
    var isTrusted = true
    let alert: gnutls_alert_description_t
    let words: [String]
  }

  static let faults = [
    Fault(
      testDescription: "wrong name", host: "other.example", alert: GNUTLS_A_BAD_CERTIFICATE,
      words: ["other.example", "it is for server.example, 10.1.2.3"]),
    Fault(
      testDescription: "wrong address", host: "10.1.2.4", alert: GNUTLS_A_BAD_CERTIFICATE,
      words: ["10.1.2.4", "it is for"]),
    Fault(
      testDescription: "address as a DNS name", names: ["server.example"], host: "::1", alert: GNUTLS_A_BAD_CERTIFICATE,
      words: ["::1", "it is for server.example"]),
    Fault(
      testDescription: "wildcard for two labels", names: ["*.server.example"], host: "a.b.server.example",
      alert: GNUTLS_A_BAD_CERTIFICATE, words: ["it is for *.server.example"]),
    Fault(
      testDescription: "expired", days: -30 ... -1, alert: GNUTLS_A_CERTIFICATE_EXPIRED,
      words: ["server.example", "expired (20"]),
    Fault(
      testDescription: "not valid yet", days: 2...30, alert: GNUTLS_A_CERTIFICATE_EXPIRED,
      words: ["server.example", "not valid yet (20"]),
    Fault(
      testDescription: "unknown issuer", isTrusted: false, alert: GNUTLS_A_UNKNOWN_CA,
      words: ["server.example", "no authority that is trusted here"]),
  ]

  @Test("a certificate that does not fit is refused, in words and with an alert", arguments: faults)
  func wrongCertificate(_ fault: Fault) throws {
    let context = try TLSServerContext(
      TLSServerConfiguration(certificates: [authority.issue(fault.names, days: fault.days)]))
    let client = try fault.isTrusted ? authority.client() : TestAuthority(folder, name: "other").client()
    let connection = try Connection(client, .hostName(fault.host), context)
    connection.run()
    #expect(connection.client.error?.reason == .untrustedPeer)
    let text = connection.client.error?.description ?? ""
    for words in fault.words { #expect(text.contains(words), "\(text)") }
    #expect(connection.server.error?.reason == .alertReceived(UInt8(fault.alert.rawValue)))
  }

  @Test("a certificate is accepted for each of its names, wildcards and addresses; addresses are not sent as names")
  func names() throws {
    let context = try server(["server.example", "*.wild.example", "127.0.0.1", "fd00::1"])
    for host in ["server.example", "SERVER.example", "a.wild.example", "127.0.0.1", "fd00::1", "fd00:0:0::1"] {
      let connection = try Connection(authority.client(), .hostName(host), context).connect()
      #expect(connection.client.isConnected && connection.server.isConnected, "\(host)")
      let isAddress = host.first?.isNumber == true || host.contains(":")
      #expect(connection.server.session.serverName == (isAddress ? nil : host.lowercased()))
    }
    let connection = try Connection(
      authority.client(), .hostName("server.example"), serverName: "10.0.0.1", context
    ).connect()
    #expect(connection.server.isConnected && connection.server.session.serverName == nil)
  }

  @Test("the insecure setting accepts any certificate, and still checks raw keys")
  func insecure() throws {
    let client = try TLSClientContext(TLSClientConfiguration(trust: .insecureAnyCertificate))
    let context = try server(rawKey: key)
    #expect(try Connection(client, .hostName("other.example"), context).connect().client.isConnected)
    let connection = try Connection(client, .rawKey(Ed25519.SecretKey().publicKey), context)
    connection.run()
    #expect(connection.client.error?.reason == .untrustedPeer)
  }

  @Test("the authorities of the system do not vouch for those of a test; a system without any says so")
  func systemTrust() throws {
    let client: TLSClientContext
    do { client = try TLSClientContext(TLSClientConfiguration()) } catch {
      #expect(error.reason == .configuration && error.description.contains("ca-certificates"))
      return
    }
    let connection = try Connection(client, .hostName("server.example"), server())
    connection.run()
    #expect(connection.client.error?.reason == .untrustedPeer)
    #expect(connection.server.error?.reason == .alertReceived(UInt8(GNUTLS_A_UNKNOWN_CA.rawValue)))
  }

  @Test("a client that cannot check a name, has no keys or no name is refused at once")
  func impossibleIdentities() throws {
    let sockets = try SocketPair()
    let rawOnly = try Self.rawKeyClient()
    let full = try authority.client()
    for (context, identity) in [
      (rawOnly, TLSPeerIdentity.hostName("server.example")), (full, .rawKeys([])), (full, .hostName("")),
      (full, .hostName("a..b")), (full, .hostName("server.example\0.evil.example")),
      (full, .hostName("bücher.example")),
      (full, .hostName(String(repeating: "a", count: 64) + ".example")), (full, .hostName("[::1]")),
    ] {
      let error = #expect(throws: TLSError.self) {
        try TLSSession(connecting: context, to: identity, serverName: nil, descriptor: sockets.first)
      }
      #expect(error?.reason == .configuration)
    }
  }

  @Test("without a common application protocol the handshake fails; without a list on one side it does not")
  func applicationProtocols() throws {
    let context = try server(protocols: ["h2"])
    let refused = try Connection(authority.client(protocols: ["http/1.1"]), .hostName("server.example"), context)
    refused.run()
    #expect(refused.client.error?.reason == .alertReceived(UInt8(GNUTLS_A_NO_APPLICATION_PROTOCOL.rawValue)))
    #expect(refused.server.error?.code == GNUTLS_E_NO_APPLICATION_PROTOCOL)

    for (client, server) in [([], ["h2"]), (["h2"], [])] {
      let connection = try Connection(
        authority.client(protocols: client), .hostName("server.example"), self.server(protocols: server)
      ).connect()
      #expect(connection.client.isConnected && connection.server.isConnected)
      #expect(connection.client.session.applicationProtocol == nil)
    }
  }

  @Test("TLS 1.2 is refused, unless the server asks for it; raw keys need TLS 1.3 all the same")
  func oldVersion() throws {
    func connection(_ minimum: TLSVersion, _ identity: TLSPeerIdentity = .hostName("server.example")) throws
      -> Connection
    {
      var configuration = TLSServerConfiguration(certificates: [try authority.issue(["server.example"])], rawKey: key)
      configuration.minimumVersion = minimum
      let connection = try Connection(
        authority.client(minimumVersion: .tls12), identity, TLSServerContext(configuration))
      connection.client.session.offerTLS12Only(rawKey: identity != .hostName("server.example"))
      return connection
    }
    let refused = try connection(.tls13)
    refused.run()
    #expect(refused.client.error?.reason == .alertReceived(UInt8(GNUTLS_A_PROTOCOL_VERSION.rawValue)))
    #expect(refused.server.error?.description.contains("does not speak TLS 1.3") == true)

    let accepted = try connection(.tls12).connect()
    #expect(accepted.server.isConnected && accepted.server.session.negotiated.contains("TLS1.2"))

    let raw = try connection(.tls12, .rawKey(key.publicKey))
    raw.run()
    #expect(raw.client.error != nil && !raw.client.isConnected && !raw.server.isConnected)
    #expect(raw.server.error?.code == GNUTLS_E_UNSUPPORTED_CERTIFICATE_TYPE)
  }
}

extension TLSSession {
  /// Makes a client one of olden days.
  func offerTLS12Only(rawKey: Bool = false) {
    let types = rawKey ? ":-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK" : ""
    #expect(gnutls_priority_set_direct(handle, "NORMAL:-VERS-ALL:+VERS-TLS1.2\(types)", nil) == 0)
  }
}
