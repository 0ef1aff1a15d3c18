import CGnuTLS

/// A version of TLS.
public enum TLSVersion: Hashable, Sendable, Comparable {
  /// RFC 5246. Only with ephemeral keys and authenticated encryption, and only with X.509.
  case tls12
  /// RFC 8446.
  case tls13
}

/// What one side offers and accepts, in GnuTLS's words.
final class TLSPriorities: @unchecked Sendable {
  let handle: gnutls_priority_t

  /// Finite-field groups and the largest curves are left out: a stranger could make a server compute with them.
  private static let common = """
    NORMAL:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:\
    -GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:-VERS-ALL:+VERS-TLS1.3
    """

  private init(_ text: String) throws(TLSError) {
    var priorities: gnutls_priority_t?
    try require(gnutls_priority_init(&priorities, text, nil), "TLS priorities")
    handle = priorities!
  }

  deinit { gnutls_priority_deinit(handle) }

  static func server(
    minimumVersion: TLSVersion, hasCertificate: Bool, hasRawKey: Bool
  ) throws(TLSError) -> TLSPriorities {
    var text = common
    if minimumVersion == .tls12, hasCertificate { text += ":+VERS-TLS1.2" }
    if hasRawKey { text += hasCertificate ? ":+CTYPE-SRV-RAWPK" : ":-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK" }
    return try TLSPriorities(text)
  }

  static func clientForCertificates(minimumVersion: TLSVersion) throws(TLSError) -> TLSPriorities {
    try TLSPriorities(common + (minimumVersion == .tls12 ? ":+VERS-TLS1.2" : ""))
  }

  /// Without `-CTYPE-SRV-ALL` X.509 would be offered first, and a server that has both would choose it.
  static func clientForRawKeys() throws(TLSError) -> TLSPriorities {
    try TLSPriorities(common + ":-CTYPE-SRV-ALL:+CTYPE-SRV-RAWPK:-SIGN-ALL:+SIGN-EDDSA-ED25519")
  }
}
