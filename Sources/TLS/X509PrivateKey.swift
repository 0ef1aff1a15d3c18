import CGnuTLS

/// A private key that belongs to a certificate.
final class X509PrivateKey {
  let handle: gnutls_x509_privkey_t

  private init() throws(TLSError) {
    var key: gnutls_x509_privkey_t?
    try require(gnutls_x509_privkey_init(&key), "private key")
    handle = key!
  }

  deinit { gnutls_x509_privkey_deinit(handle) }

  /// A fresh ECDSA key on P-256, which every client knows.
  static func ecdsaP256() throws(TLSError) -> X509PrivateKey {
    try generate(GNUTLS_PK_ECDSA, bits: gnutls_bits_of_curve(GNUTLS_ECC_CURVE_SECP256R1))
  }

  /// A fresh Ed25519 key, which browsers do not know.
  static func ed25519() throws(TLSError) -> X509PrivateKey {
    try generate(GNUTLS_PK_EDDSA_ED25519, bits: gnutls_bits_of_curve(GNUTLS_ECC_CURVE_ED25519))
  }

  private static func generate(_ algorithm: gnutls_pk_algorithm_t, bits: UInt32) throws(TLSError) -> X509PrivateKey {
    let key = try X509PrivateKey()
    try require(gnutls_x509_privkey_generate(key.handle, algorithm, bits, 0), "make a private key")
    return key
  }

  /// Reads a PEM file.
  convenience init(pem: [UInt8]) throws(TLSError) {
    try self.init()
    let handle = handle
    try withDatum(pem) { datum throws(TLSError) in
      try require(
        gnutls_x509_privkey_import2(handle, &datum, GNUTLS_X509_FMT_PEM, nil, 0), "not a private key in PEM form")
    }
  }

  /// The PEM form (PKCS #8, not encrypted).
  func pem() throws(TLSError) -> [UInt8] {
    var datum = gnutls_datum_t()
    try require(
      gnutls_x509_privkey_export2_pkcs8(handle, GNUTLS_X509_FMT_PEM, nil, GNUTLS_PKCS_PLAIN.rawValue, &datum),
      "write a private key")
    return taking(datum)
  }

  /// SHA-1 of the public key (20 bytes).
  func identifier() throws(TLSError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 20)
    var size = bytes.count
    try require(gnutls_x509_privkey_get_key_id(handle, 0, &bytes, &size), "private key")
    return Array(bytes.prefix(size))
  }
}
