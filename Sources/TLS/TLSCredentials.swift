import CGnuTLS
import Cryptography

/// Certificates, keys and trusted authorities in GnuTLS's form. Not changed once sessions use it.
final class TLSCredentials: @unchecked Sendable {
  let handle: gnutls_certificate_credentials_t

  init() throws(TLSError) {
    var credentials: gnutls_certificate_credentials_t?
    try require(gnutls_certificate_allocate_credentials(&credentials), "TLS credentials")
    handle = credentials!
  }

  deinit { gnutls_certificate_free_credentials(handle) }

  /// Adds a certificate chain (the server's own first) and its key.
  func add(_ chain: CertificateChain) throws(TLSError) {
    try withDatum(chain.certificates) { certificates throws(TLSError) in
      try withDatum(chain.key) { key throws(TLSError) in
        try require(
          gnutls_certificate_set_x509_key_mem2(handle, &certificates, &key, GNUTLS_X509_FMT_PEM, nil, 0),
          "\(chain.certificateFile) with \(chain.keyFile)")
      }
    }
  }

  /// Adds a raw public key (RFC 7250).
  func add(_ key: Ed25519.SecretKey) throws(TLSError) {
    try withDatum(RawKeyEncoding.subjectPublicKeyInfo(key.publicKey)) { publicKey throws(TLSError) in
      try withDatum(RawKeyEncoding.pkcs8(key)) { secretKey throws(TLSError) in
        try require(
          gnutls_certificate_set_rawpk_key_mem(
            handle, &publicKey, &secretKey, GNUTLS_X509_FMT_DER, nil, 0, nil, 0, 0), "raw key")
      }
    }
  }

  /// Trusts the authorities of the system.
  func trustSystem() throws(TLSError) {
    let count = gnutls_certificate_set_x509_system_trust(handle)
    try require(count, "the system's certificate authorities")
    guard count > 0 else {
      throw TLSError(.configuration, "the system has no certificate authorities (Debian: package ca-certificates)")
    }
  }

  /// Trusts the authorities of a PEM file.
  func trust(file path: String) throws(TLSError) {
    let count = try withDatum(PEMFile.read(path)) { datum throws(TLSError) in
      let count = gnutls_certificate_set_x509_trust_mem(handle, &datum, GNUTLS_X509_FMT_PEM)
      try require(count, path)
      return count
    }
    guard count > 0 else { throw TLSError(.configuration, "\(path) holds no certificate") }
  }
}

/// The files of one certificate of a server, as they were read.
struct CertificateChain {
  let certificateFile: String
  let keyFile: String
  let certificates: [UInt8]
  let key: [UInt8]
  /// What the server's own certificate is for.
  let names: [String]

  init(certificateFile: String, keyFile: String) throws(TLSError) {
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    certificates = try PEMFile.read(certificateFile)
    key = try PEMFile.read(keyFile)
    do { names = try X509Certificate(pem: certificates).names } catch {
      throw TLSError(.configuration, code: error.code, "\(certificateFile): \(error.description)")
    }
  }
}
