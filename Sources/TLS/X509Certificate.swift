import CGnuTLS
import Glibc

/// A certificate (RFC 5280).
final class X509Certificate {
  let handle: gnutls_x509_crt_t

  /// Makes one that has no content yet.
  fileprivate init() throws(TLSError) {
    var certificate: gnutls_x509_crt_t?
    try require(gnutls_x509_crt_init(&certificate), "X.509 certificate")
    handle = certificate!
  }

  deinit { gnutls_x509_crt_deinit(handle) }

  /// Reads the first certificate of a PEM file.
  convenience init(pem: [UInt8]) throws(TLSError) {
    try self.init()
    let handle = handle
    try withDatum(pem) { datum throws(TLSError) in
      try require(gnutls_x509_crt_import(handle, &datum, GNUTLS_X509_FMT_PEM), "not a certificate in PEM form")
    }
  }

  /// Reads the DER form that a peer has sent.
  convenience init(der: gnutls_datum_t) throws(TLSError) {
    try self.init()
    var der = der
    try require(gnutls_x509_crt_import(handle, &der, GNUTLS_X509_FMT_DER), "not a certificate in DER form")
  }

  /// The PEM form.
  func pem() throws(TLSError) -> [UInt8] {
    var datum = gnutls_datum_t()
    try require(gnutls_x509_crt_export2(handle, GNUTLS_X509_FMT_PEM, &datum), "write a certificate")
    return taking(datum)
  }

  /// Seconds since 1970.
  var notBefore: time_t { gnutls_x509_crt_get_activation_time(handle) }
  /// Seconds since 1970.
  var notAfter: time_t { gnutls_x509_crt_get_expiration_time(handle) }
  /// True if it may sign others.
  var isAuthority: Bool {
    var isAuthority: UInt32 = 0
    return gnutls_x509_crt_get_basic_constraints(handle, nil, &isAuthority, nil) >= 0 && isAuthority != 0
  }

  /// SHA-1 of its public key: the same for certificate and private key.
  func keyIdentifier() throws(TLSError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 20)
    var size = bytes.count
    try require(gnutls_x509_crt_get_key_id(handle, 0, &bytes, &size), "key of a certificate")
    return Array(bytes.prefix(size))
  }

  /// The DNS names and addresses that it is for (subjectAltName), in its order; at most 1,000. What has another form
  /// is left out.
  var names: [String] {
    var names: [String] = []
    for index in 0..<1000 {
      var bytes = [UInt8](repeating: 0, count: 1024)
      var size = bytes.count
      let kind = gnutls_x509_crt_get_subject_alt_name(handle, UInt32(index), &bytes, &size, nil)
      if kind == GNUTLS_E_SHORT_MEMORY_BUFFER { continue }
      guard kind >= 0 else { break }
      let value = Array(bytes.prefix(size))
      if kind == Int32(GNUTLS_SAN_DNSNAME.rawValue) {
        let name = String(decoding: value, as: UTF8.self).lowercased()
        if ServerName.isName(name, allowsWildcard: true) { names.append(name) }
      } else if kind == Int32(GNUTLS_SAN_IPADDRESS.rawValue), let address = ServerName.text(ofAddress: value) {
        names.append(address)
      }
    }
    return names
  }

  /// True if the key of `authority` has signed it; says nothing about time.
  func isSigned(by authority: X509Certificate) -> Bool {
    var list: gnutls_x509_crt_t? = authority.handle
    var status: UInt32 = 0
    let flags = GNUTLS_VERIFY_DISABLE_TIME_CHECKS.rawValue | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS.rawValue
    return gnutls_x509_crt_verify(handle, &list, 1, flags, &status) >= 0 && status == 0
  }
}

/// What a certificate is to say.
struct CertificateContent {
  /// The subject's common name, for people.
  var commonName: String
  /// Seconds since 1970.
  var notBefore: time_t
  /// Seconds since 1970.
  var notAfter: time_t
  /// An authority signs servers; everything else is a server.
  var isAuthority = false
  /// DNS names and addresses of a server.
  var names: [ServerName] = []

  /// The certificate for `key`, signed by an authority, or by itself if there is none.
  func signed(
    for key: X509PrivateKey, by authority: (certificate: X509Certificate, key: X509PrivateKey)? = nil
  ) throws(TLSError) -> X509Certificate {
    let result = try X509Certificate()
    let handle = result.handle
    let what = "make a certificate"
    try require(gnutls_x509_crt_set_version(handle, 3), what)
    try setSerialNumber(handle)
    try require(gnutls_x509_crt_set_activation_time(handle, notBefore), what)
    try require(gnutls_x509_crt_set_expiration_time(handle, notAfter), what)
    try require(
      gnutls_x509_crt_set_dn_by_oid(handle, "2.5.4.3", 0, commonName, UInt32(commonName.utf8.count)), what)
    try require(gnutls_x509_crt_set_key(handle, key.handle), what)
    try setExtensions(handle, key: key, authorityKey: authority?.key ?? key)
    try require(
      gnutls_x509_crt_sign2(
        handle, authority?.certificate.handle ?? handle, authority?.key.handle ?? key.handle, GNUTLS_DIG_UNKNOWN, 0),
      "sign a certificate")
    return result
  }

  /// 16 random bytes, positive and not zero (RFC 5280 §4.1.2.2).
  private func setSerialNumber(_ handle: gnutls_x509_crt_t) throws(TLSError) {
    var serial = [UInt8](repeating: 0, count: 16)
    try require(gnutls_rnd(GNUTLS_RND_NONCE, &serial, serial.count), "random numbers")
    serial[0] = serial[0] & 0x7f | 0x40
    try require(gnutls_x509_crt_set_serial(handle, serial, serial.count), "make a certificate")
  }

  private func setExtensions(
    _ handle: gnutls_x509_crt_t, key: X509PrivateKey, authorityKey: X509PrivateKey
  ) throws(TLSError) {
    let what = "make a certificate"
    try require(gnutls_x509_crt_set_basic_constraints(handle, isAuthority ? 1 : 0, isAuthority ? 0 : -1), what)
    let usage = isAuthority ? GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE
    try require(gnutls_x509_crt_set_key_usage(handle, UInt32(usage)), what)
    let identifier = try key.identifier()
    try require(gnutls_x509_crt_set_subject_key_id(handle, identifier, identifier.count), what)
    let authorityIdentifier = try authorityKey.identifier()
    try require(gnutls_x509_crt_set_authority_key_id(handle, authorityIdentifier, authorityIdentifier.count), what)
    if isAuthority { return }
    try require(gnutls_x509_crt_set_key_purpose_oid(handle, GNUTLS_KP_TLS_WWW_SERVER, 0), what)
    for name in names {
      let bytes = name.address ?? Array(name.text.utf8)
      try require(
        gnutls_x509_crt_set_subject_alt_name(
          handle, name.address == nil ? GNUTLS_SAN_DNSNAME : GNUTLS_SAN_IPADDRESS, bytes, UInt32(bytes.count),
          UInt32(GNUTLS_FSAN_APPEND)), what)
    }
  }
}
