import CGnuTLS

/// The protocols that ALPN (RFC 7301) offers or accepts, in order of preference.
struct ApplicationProtocols: Sendable {
  let names: [String]

  /// - Throws: `.configuration` for more than eight, or a name that is empty or longer than 31 bytes: GnuTLS's limits.
  init(_ names: [String]) throws(TLSError) {
    guard names.count <= 8 else { throw TLSError(.configuration, "more than 8 application protocols") }
    for name in names where !(1...31).contains(name.utf8.count) {
      throw TLSError(.configuration, "\"\(ServerName.printable(name))\" cannot be an application protocol")
    }
    self.names = names
  }

  /// Both sides insist on a protocol that both know, if both have a list (RFC 7301 §3.2).
  func apply(to session: gnutls_session_t) throws(TLSError) {
    if names.isEmpty { return }
    var bytes = names.flatMap { Array($0.utf8) }
    let code = bytes.withUnsafeMutableBufferPointer { bytes in
      var start = 0
      let data = names.map { name in
        defer { start += name.utf8.count }
        return gnutls_datum_t(data: bytes.baseAddress! + start, size: UInt32(name.utf8.count))
      }
      return gnutls_alpn_set_protocols(
        session, data, UInt32(data.count), GNUTLS_ALPN_MANDATORY.rawValue | GNUTLS_ALPN_SERVER_PRECEDENCE.rawValue)
    }
    try require(code, "application protocols")
  }
}
