import CGnuTLS
import Cryptography
import Glibc

/// One encrypted connection over a stream socket, which it neither owns nor closes.
///
/// It never blocks and never waits, whatever the descriptor's mode. Not `Sendable`: it lives on one event loop.
///
/// With edge-triggered epoll:
///
/// - call ``handshake()`` at once and at every event until it says `.done`. From then on treat the socket as readable and
///   writable: the peer's first bytes may have arrived together with the last of the handshake;
/// - when it is readable, call ``read(into:)`` until it gives nil (or 0 at the end);
/// - after ``write(_:)`` gave nil or took less than it was given, and after ``flush()`` gave false, go on when the socket
///   is writable;
/// - before the descriptor is closed call ``sendCloseNotify()``, and ``flush()`` until it gives true if the peer is to
///   see the end, or an alert after an error, for certain.
///
/// After an error the session is over: every call throws the same error again, except `flush`.
public final class TLSSession {
  let handle: gnutls_session_t
  /// What GnuTLS only has pointers to.
  private var keptAlive: [AnyObject]
  private let server: ServerCredentials?
  private let expectation: PeerExpectation?
  let transport: TLSTransport

  private var isHandshakeDone = false
  private var isPeerChecked = false
  private var refusal: PeerRefusal?
  private var failure: TLSError?
  private var hasInputEnded = false
  private var hasSentCloseNotify = false
  private var refusedRenegotiations = 0

  /// True if the peer has said that nothing more comes (close_notify). False while input goes on, and after an end that
  /// anybody on the way could have caused.
  public private(set) var endedCleanly = false
  /// The raw key that the server has proved to this client; nil for X.509 and on a server.
  public private(set) var peerRawKey: Ed25519.PublicKey?

  /// Where the records without data (empty ones, key updates, tickets, warnings) of one call become an attack.
  private static let largestSilence = 64
  private static let largestRefusals = 3
  /// The most that one record holds (RFC 8446 §5.1).
  private static let recordSize = 16384
  /// Larger handshake messages are refused: from a client a few hundred bytes are usual, from a server a chain.
  private static let largestMessage = (fromClient: 32 << 10, fromServer: 64 << 10)

  /// A server's end. Says nothing until the client has spoken.
  ///
  /// - Throws: `.configuration` if GnuTLS cannot make a session.
  public init(accepting context: TLSServerContext, descriptor: Int32) throws(TLSError) {
    let server = context.credentials
    self.server = server
    expectation = nil
    keptAlive = [server]
    transport = TLSTransport(descriptor: descriptor)
    handle = try Self.makeHandle(GNUTLS_SERVER, allowsRawKeys: server.hasRawKey)
    try configure(server.priorities, server.credentials, server.applicationProtocols)
    gnutls_handshake_set_max_packet_length(handle, Self.largestMessage.fromClient)
    gnutls_certificate_server_set_request(handle, GNUTLS_CERT_IGNORE)
    if let key = server.ticketKey {
      try withDatum(key) { key throws(TLSError) in
        try require(gnutls_session_ticket_enable_server(handle, &key), "session tickets")
      }
    }
    if server.selectsByName {
      gnutls_handshake_set_post_client_hello_function(handle) { session in
        TLSSession.of(session)?.selectCertificate() ?? GNUTLS_E_INTERNAL_ERROR
      }
    }
    if server.hasRawKey, server.allowsTLS12 {
      let hook = GNUTLS_HANDSHAKE_SERVER_HELLO.rawValue
      gnutls_handshake_set_hook_function(handle, hook, GNUTLS_HOOK_PRE) { session, _, _, _, _ in
        let isOld = gnutls_protocol_get_version(session) != GNUTLS_TLS1_3
        let isRaw = gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) == GNUTLS_CRT_RAWPK
        return isOld && isRaw ? GNUTLS_E_UNSUPPORTED_CERTIFICATE_TYPE : 0
      }
    }
  }

  /// A client's end.
  ///
  /// - Parameters:
  ///   - identity: whom to accept; checked within the handshake.
  ///   - serverName: the host to ask for (SNI); nil: the expected host, if one is. Addresses are never sent (RFC 6066 §3).
  /// - Throws: `.configuration` for a name that is none, no keys, or a host name that this client has no way to check.
  public init(
    connecting context: TLSClientContext, to identity: TLSPeerIdentity, serverName: String? = nil, descriptor: Int32
  ) throws(TLSError) {
    let expectation = try PeerExpectation(identity, trust: context.configuration.trust)
    self.expectation = expectation
    server = nil
    keptAlive = [context]
    transport = TLSTransport(descriptor: descriptor)
    var isRaw = false
    if case .rawKeys = expectation { isRaw = true }
    handle = try Self.makeHandle(GNUTLS_CLIENT, allowsRawKeys: isRaw)
    try configure(
      isRaw ? context.prioritiesForRawKeys : context.prioritiesForCertificates, context.credentials,
      context.applicationProtocols)
    gnutls_handshake_set_max_packet_length(handle, Self.largestMessage.fromServer)
    var name = try serverName.map { name throws(TLSError) in try ServerName(name) }
    if case .hostName(let host) = identity, name == nil { name = try ServerName(host) }
    if let name, name.address == nil {
      try require(
        gnutls_server_name_set(handle, GNUTLS_NAME_DNS, name.text, name.text.utf8.count), "server name \(name.text)")
    }
  }

  deinit { gnutls_deinit(handle) }

  private static func makeHandle(_ side: gnutls_init_flags_t, allowsRawKeys: Bool) throws(TLSError) -> gnutls_session_t
  {
    var flags = side.rawValue | GNUTLS_NONBLOCK.rawValue | GNUTLS_NO_SIGNAL.rawValue
    // This client keeps no tickets, so it asks for none. A server gets its own by a key.
    if side == GNUTLS_CLIENT { flags |= GNUTLS_NO_TICKETS.rawValue }
    if allowsRawKeys { flags |= GNUTLS_ENABLE_RAWPK.rawValue }
    var session: gnutls_session_t?
    try require(gnutls_init(&session, flags), "TLS session")
    return session!
  }

  private func configure(
    _ priorities: TLSPriorities, _ credentials: TLSCredentials, _ protocols: ApplicationProtocols
  ) throws(TLSError) {
    keptAlive += [priorities, credentials]
    try require(gnutls_priority_set(handle, priorities.handle), "TLS priorities")
    try use(credentials)
    try protocols.apply(to: handle)
    gnutls_session_set_ptr(handle, Unmanaged.passUnretained(self).toOpaque())
    transport.attach(to: handle)
  }

  private func use(_ credentials: TLSCredentials) throws(TLSError) {
    try require(
      gnutls_credentials_set(handle, GNUTLS_CRD_CERTIFICATE, UnsafeMutableRawPointer(credentials.handle)),
      "TLS credentials")
  }

  private static func of(_ session: gnutls_session_t?) -> TLSSession? {
    guard let session, let pointer = gnutls_session_get_ptr(session) else { return nil }
    return Unmanaged<TLSSession>.fromOpaque(pointer).takeUnretainedValue()
  }
}

// MARK: - Handshake

extension TLSSession {
  /// How far a handshake is.
  public enum Progress: Hashable, Sendable {
    /// Complete: the peer is who it should be, and bytes can flow.
    case done
    /// Call again when the socket is readable.
    case wantsRead
    /// Call again when the socket is writable.
    case wantsWrite
  }

  /// Goes on with the handshake as far as the socket allows. Harmless once it is done.
  ///
  /// - Throws: why it failed; the peer has been sent the alert that belongs to it.
  public func handshake() throws(TLSError) -> Progress {
    if let failure { throw failure }
    var silence = 0
    while !isHandshakeDone {
      guard try flushTransport() else { return .wantsWrite }
      transport.begin(gathering: true)
      let code = gnutls_handshake(handle)
      transport.end()
      if code == GNUTLS_E_SUCCESS {
        try finishHandshake()
      } else if gnutls_error_is_fatal(code) != 0 {
        throw fail(code, doing: "TLS handshake")
      } else if code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED, transport.isStarved {
        return try flushTransport() ? .wantsRead : .wantsWrite
      }
      silence += 1
      if silence > Self.largestSilence { throw fail(GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS, doing: "TLS handshake") }
    }
    return try flushTransport() ? .done : .wantsWrite
  }

  private func finishHandshake() throws(TLSError) {
    // GnuTLS does not ask when a server is authenticated otherwise, or not at all.
    guard server != nil || isPeerChecked else { throw fail(GNUTLS_E_CERTIFICATE_ERROR, doing: "TLS handshake") }
    isHandshakeDone = true
    if case .rawKeys = expectation { peerRawKey = PeerExpectation.rawKey(of: handle) }
    // Without tickets the server has nothing to say now. A client that does not send small segments while others are
    // under way (Nagle) would wait for an acknowledgement, which the kernel holds back for up to 0.2 s.
    if server != nil, transport.isEmpty { transport.acknowledgeAtOnce() }
  }

  /// Called by GnuTLS in the handshake of a client.
  func verifyPeer() -> Int32 {
    guard let expectation else { return GNUTLS_E_INTERNAL_ERROR }
    refusal = expectation.refusal(of: handle)
    isPeerChecked = refusal == nil
    return isPeerChecked ? 0 : GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR
  }

  /// Called by GnuTLS when the client's first message has been read.
  private func selectCertificate() -> Int32 {
    guard let server, let name = serverName, let credentials = server.credentials(for: name) else { return 0 }
    keptAlive.append(credentials)
    do { try use(credentials) } catch { return error.code ?? GNUTLS_E_INTERNAL_ERROR }
    return 0
  }
}

// MARK: - Bytes

extension TLSSession {
  /// Takes decrypted bytes: at most one record's (16 kB), so call again until it gives nil.
  ///
  /// - Parameter buffer: not empty.
  /// - Returns: the number of bytes; 0 at the end (see ``endedCleanly``), nil if nothing can be read now.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> Int? {
    precondition(!buffer.isEmpty, "a buffer of no bytes cannot tell the end from nothing")
    if let failure { throw failure }
    if hasInputEnded { return 0 }
    for _ in 0..<Self.largestSilence {
      transport.begin(gathering: false)
      let count = gnutls_record_recv(handle, buffer.baseAddress, buffer.count)
      transport.end()
      if count > 0 { return count }
      let code = Int32(count)
      if code == 0 {
        endedCleanly = !transport.hasEnded
        hasInputEnded = true
        return 0
      }
      if code == GNUTLS_E_REHANDSHAKE {
        try refuseRenegotiation()
      } else if gnutls_error_is_fatal(code) != 0 {
        // An end within a record has many codes.
        guard transport.hasEnded else { throw fail(code, doing: "TLS") }
        hasInputEnded = true
        return 0
      } else if transport.isStarved {
        return nil
      }
      // Otherwise a record without data has been dealt with (GnuTLS says "again" then as well), and the next may be here.
    }
    throw fail(GNUTLS_E_TOO_MANY_EMPTY_PACKETS, doing: "TLS")
  }

  /// Encrypts bytes and sends them, in records of up to 16 kB: hand over together what belongs together.
  ///
  /// - Returns: how many bytes were taken, which are never to be offered again; nil if none were, because what was taken
  ///   earlier still waits for the socket.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) -> Int? {
    if let failure { throw failure }
    guard isHandshakeDone, !hasSentCloseNotify else {
      throw TLSError(.configuration, "TLS: bytes can be sent between the handshake and close_notify only")
    }
    var taken = 0
    while taken < bytes.count {
      guard try flushTransport() else { break }
      let count = gnutls_record_send(handle, bytes.baseAddress! + taken, min(bytes.count - taken, Self.recordSize))
      guard count > 0 else { throw fail(Int32(count), doing: "TLS") }
      taken += count
    }
    return taken > 0 || bytes.isEmpty ? taken : nil
  }

  /// True when nothing that was taken, nor an alert, still waits for the socket.
  ///
  /// - Throws: if the socket has failed.
  public func flush() throws(TLSError) -> Bool { try flushTransport() }

  /// True if bytes wait inside, so that `read` may give some although the socket is not readable.
  public var hasBufferedInput: Bool { gnutls_record_check_pending(handle) > 0 || transport.hasBufferedInput }

  /// Tells the peer that no more bytes come, as far as the socket takes it now. Reading can go on.
  public func sendCloseNotify() {
    guard isHandshakeDone, !hasSentCloseNotify, failure == nil else { return }
    hasSentCloseNotify = true
    _ = gnutls_bye(handle, GNUTLS_SHUT_WR)
  }

  private func flushTransport() throws(TLSError) -> Bool {
    do { return try transport.flush() } catch {
      if failure == nil { failure = error }
      throw error
    }
  }

  /// TLS 1.2 only: the peer wants a new handshake within the connection.
  private func refuseRenegotiation() throws(TLSError) {
    refusedRenegotiations += 1
    guard refusedRenegotiations <= Self.largestRefusals else { throw fail(GNUTLS_E_REHANDSHAKE, doing: "TLS") }
    _ = gnutls_alert_send(handle, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION)
    // A server still has the client's message in its buffer; reading takes it out and says that it is out of place.
    if server != nil, gnutls_record_check_pending(handle) > 0 {
      var byte: UInt8 = 0
      let code = gnutls_record_recv(handle, &byte, 1)
      guard code == Int(GNUTLS_E_UNEXPECTED_PACKET) else { throw fail(GNUTLS_E_REHANDSHAKE, doing: "TLS") }
    }
  }
}

// MARK: - What was agreed

extension TLSSession {
  /// The protocol that both sides agreed on (ALPN); nil if none.
  public var applicationProtocol: String? {
    var datum = gnutls_datum_t()
    guard gnutls_alpn_get_selected_protocol(handle, &datum) == 0 else { return nil }
    return String(decoding: UnsafeBufferPointer(start: datum.data, count: Int(datum.size)), as: UTF8.self)
  }

  /// The host that the client asked for (SNI), in lower case; nil if it named none, and on a client.
  public var serverName: String? {
    var bytes = [UInt8](repeating: 0, count: 256)
    var size = bytes.count
    var kind: UInt32 = 0
    guard gnutls_server_name_get(handle, &bytes, &size, &kind, 0) == 0 else { return nil }
    let name = String(decoding: bytes.prefix(size), as: UTF8.self).lowercased()
    return ServerName.isName(name) ? name : nil
  }

  /// Version, key exchange, signature and cipher, for people.
  public var negotiated: String {
    guard isHandshakeDone, let text = gnutls_session_get_desc(handle) else { return "nothing yet" }
    defer { gnutls_release(text) }
    return String(cString: text)
  }
}

// MARK: - Failure

extension TLSSession {
  /// Ends the session: remembers the error and sends the peer its alert.
  private func fail(_ code: Int32, doing operation: String) -> TLSError {
    let error: TLSError
    var alert: gnutls_alert_description_t?
    if let refusal {
      error = refusal.error
      alert = refusal.alert
    } else if let socketError = transport.failure {
      error = TLSError(socketError: socketError, gnutls: code, doing: operation)
    } else if code == GNUTLS_E_FATAL_ALERT_RECEIVED {
      let received = gnutls_alert_get(handle)
      let name = gnutls_alert_get_name(received).map { String(cString: $0) } ?? "alert \(received.rawValue)"
      error = TLSError(
        .alertReceived(UInt8(truncatingIfNeeded: received.rawValue)), code: code,
        "\(operation): the peer refuses: \(name)")
    } else if transport.hasEnded {
      error = TLSError(.closedByPeer, code: code, "\(operation): the peer closed the connection")
    } else if !isHandshakeDone, server?.allowsTLS12 == false, gnutls_protocol_get_version(handle) == GNUTLS_TLS1_2 {
      // GnuTLS only says that there is no common cipher.
      error = TLSError(.handshakeOrRecord, code: code, "\(operation): the client does not speak TLS 1.3")
      alert = GNUTLS_A_PROTOCOL_VERSION
    } else {
      error = TLSError(.handshakeOrRecord, code: code, doing: operation)
      var level: Int32 = 0
      let value = gnutls_error_to_alert(code, &level)
      alert = value < 0 ? nil : gnutls_alert_description_t(UInt32(value))
    }
    failure = error
    if let alert {
      // The reason for the alert is the error that is thrown; that the alert did not get through is none.
      _ = gnutls_alert_send(handle, GNUTLS_AL_FATAL, alert)
      _ = try? transport.flush()
    }
    return error
  }
}
