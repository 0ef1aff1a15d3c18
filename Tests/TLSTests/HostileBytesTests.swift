import CGnuTLS
import Cryptography
import Glibc
import Testing

@testable import TLS

@Suite("TLS and hostile bytes")
struct HostileBytesTests {
  let folder: TestFolder
  let authority: TestAuthority
  let server: TLSServerContext
  let key = Ed25519.SecretKey()

  init() throws {
    folder = try TestFolder()
    authority = try TestAuthority(folder)
    var configuration = TLSServerConfiguration(
      certificates: [try authority.issue(["server.example"]), try authority.issue(["other.example"], file: "other")],
      rawKey: key, applicationProtocols: ["h2", "http/1.1"])
    configuration.minimumVersion = .tls12
    server = try TLSServerContext(configuration)
  }

  /// What a fresh server makes of bytes after which the connection ends.
  private func serve(_ bytes: [UInt8]) throws -> (error: TLSError?, answer: [UInt8]) {
    let sockets = try SocketPair()
    let end = TestEnd(try TLSSession(accepting: server, descriptor: sockets.second), sockets.second)
    return try feed(bytes, to: end, sockets)
  }

  /// What a fresh client makes of bytes after which the connection ends.
  private func answer(_ bytes: [UInt8], _ identity: TLSPeerIdentity) throws -> (error: TLSError?, answer: [UInt8]) {
    let sockets = try SocketPair()
    let session = try TLSSession(
      connecting: authority.client(protocols: ["h2"]), to: identity, serverName: nil, descriptor: sockets.second)
    let end = TestEnd(session, sockets.second)
    end.step()
    return try feed(bytes, to: end, sockets)
  }

  private func feed(_ bytes: [UInt8], to end: TestEnd, _ sockets: SocketPair) throws -> (TLSError?, [UInt8]) {
    var answer: [UInt8] = []
    var offset = 0
    var buffer = [UInt8](repeating: 0, count: 65536)
    // Enough rounds for every byte to get through; a session that reads for ever would not come back from one.
    for _ in 0..<10_000 where end.error == nil && offset <= bytes.count {
      if offset < bytes.count {
        let count = bytes[offset...].withUnsafeBytes {
          send(sockets.first, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
        }
        if count > 0 { offset += count }
      } else {
        shutdown(sockets.first, Int32(SHUT_WR))
        offset += 1
      }
      end.step()
      let count = recv(sockets.first, &buffer, buffer.count, 0)
      if count > 0 { answer += buffer[..<count] }
    }
    return (end.error, answer)
  }

  @Test("what is no ClientHello is refused with an alert in the clear")
  func garbage() throws {
    var random = RandomSource(seed: 5)
    for bytes in [
      Array("GET / HTTP/1.1\r\nHost: server.example\r\n\r\n".utf8), random.bytes(1000),
      [UInt8](repeating: 0, count: 500),
      [UInt8](repeating: 0xff, count: 500), [0x16, 3, 1, 0, 0, 0, 0], [0x15, 3, 3, 0, 2, 2, 40],
      [0x17, 3, 3, 0, 1, 0], [0x14, 3, 3, 0, 1, 1], [0x16, 3, 1, 0xff, 0xff, 1, 0, 0, 0],
      // A handshake message of 1 MB is announced.
      [0x16, 3, 1, 0, 8, 1, 0x0f, 0xff, 0xff, 3, 3, 0, 0],
    ] {
      let (error, answer) = try serve(bytes)
      #expect(error != nil, "\(bytes.prefix(20))")
      guard let error, error.reason != .closedByPeer, error.code != GNUTLS_E_FATAL_ALERT_RECEIVED else { continue }
      #expect(answer.count == 7 && answer.first == 0x15, "\(bytes.prefix(20)): \(error), \(answer.prefix(20))")
    }
  }

  @Test("a connection that ends before the handshake is done is closed by the peer")
  func silence() throws {
    let hello = try record().fromClient
    for count in [0, 1, 4, 5, 6, 50, hello.count - 1] {
      let (error, _) = try serve(Array(hello.prefix(count)))
      #expect(error?.reason == .closedByPeer, "\(count) bytes: \(String(describing: error))")
    }
  }

  /// The flights of a handshake: the client's first, the server's answer.
  private func record(
    _ identity: TLSPeerIdentity = .hostName("server.example")
  ) throws -> (fromClient: [UInt8], fromServer: [UInt8]) {
    let connection = try Connection(
      authority.client(protocols: ["h2"]), identity, server, chunk: { 100_000 })
    connection.client.step()
    connection.run { !connection.fromClient.isEmpty }
    let hello = connection.fromClient
    connection.connect()
    try #require(connection.server.isConnected && hello.count > 100)
    return (hello, connection.fromServer)
  }

  private static func mutate(_ bytes: [UInt8], _ random: inout RandomSource) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[place] = .random(in: 0...255, using: &random)
      case 2: bytes.insert(contentsOf: random.bytes(.random(in: 1...9, using: &random)), at: place)
      case 3: bytes.removeSubrange(place..<min(bytes.count, place + .random(in: 1...9, using: &random)))
      default: bytes.removeLast(min(bytes.count - 1, .random(in: 1...50, using: &random)))
      }
    }
    return bytes
  }

  @Test("a hundred mutations of a first flight are errors for a server, and never more")
  func mutatedClient() throws {
    let hello = try record().fromClient
    var random = RandomSource(seed: 7)
    for _ in 0..<100 {
      let bytes = Self.mutate(hello, &random)
      // A changed random number or an unknown extension is a good ClientHello; the connection then ends too early.
      let (error, _) = try serve(bytes)
      #expect(error != nil)
    }
  }

  @Test("a hundred mutations of a server's answer are errors for a client, and never more")
  func mutatedServer() throws {
    var random = RandomSource(seed: 8)
    for identity in [TLSPeerIdentity.hostName("server.example"), .rawKey(key.publicKey)] {
      let flight = try record(identity).fromServer
      try #require(flight.count > 300)
      for _ in 0..<50 {
        let (error, _) = try answer(Self.mutate(flight, &random), identity)
        #expect(error != nil)
      }
    }
  }

  @Test("bytes changed on the way after the handshake are refused with an alert")
  func tampering() throws {
    let connection = try Connection(
      authority.client(), .hostName("server.example"), server, chunk: { 100_000 }
    ).connect()
    try #require(connection.server.isConnected)
    #expect(try connection.client.session.write([1, 2, 3]) == 3)
    var bytes = [UInt8](repeating: 0, count: 200)
    let count = recv(connection.sockets.second, &bytes, bytes.count, 0)
    bytes[count - 1] ^= 1
    connection.inject(Array(bytes[..<count]))
    connection.run()
    #expect(connection.server.error?.code == GNUTLS_E_DECRYPTION_FAILED)
    #expect(connection.server.received.isEmpty)
    #expect(connection.client.error?.reason == .alertReceived(UInt8(GNUTLS_A_BAD_RECORD_MAC.rawValue)))
  }

  @Test("TLS 1.2: a client that wants to renegotiate is told no, and the connection goes on")
  func renegotiation() throws {
    let connection = try Connection(
      authority.client(minimumVersion: .tls12), .hostName("server.example"), server)
    connection.client.session.offerTLS12Only()
    connection.connect()
    try #require(connection.server.isConnected && connection.server.session.negotiated.contains("TLS1.2"))
    let (client, server) = (connection.client.session, connection.server.session)
    // The client sends a ClientHello within the connection, then waits for an answer to it.
    #expect(gnutls_handshake(client.handle) == GNUTLS_E_AGAIN)
    #expect(try server.readBytes() == nil)
    #expect(gnutls_handshake(client.handle) == GNUTLS_E_WARNING_ALERT_RECEIVED)
    #expect(gnutls_alert_get(client.handle) == GNUTLS_A_NO_RENEGOTIATION)
    #expect(try server.write([9, 9]) == 2)
    #expect(try client.readBytes() == [9, 9])
    #expect(try client.write([8]) == 1)
    #expect(try server.readBytes() == [8])
  }

  @Test("TLS 1.2: a server that wants to renegotiate is told no, a few times")
  func helloRequest() throws {
    let connection = try Connection(
      authority.client(minimumVersion: .tls12), .hostName("server.example"), server)
    connection.client.session.offerTLS12Only()
    connection.connect()
    try #require(connection.server.isConnected)
    let (client, server) = (connection.client.session, connection.server.session)
    #expect(gnutls_rehandshake(server.handle) == 0)
    #expect(try server.write([9, 9]) == 2)
    #expect(try client.readBytes() == [9, 9])
    // The server reads the warning, which is no data.
    #expect(try server.readBytes() == nil)
    #expect(try client.write([8]) == 1)
    #expect(try server.readBytes() == [8])
    for _ in 0..<10 { #expect(gnutls_rehandshake(server.handle) == 0) }
    #expect(throws: TLSError.self) { try client.readBytes() }
  }
}
