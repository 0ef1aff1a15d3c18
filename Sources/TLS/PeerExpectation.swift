import CGnuTLS
import Cryptography
import Glibc

/// Why a peer was refused, and the alert that tells it so.
struct PeerRefusal {
  let error: TLSError
  let alert: gnutls_alert_description_t

  init(_ alert: gnutls_alert_description_t, _ text: String) {
    self.alert = alert
    error = TLSError(.untrustedPeer, code: GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR, text)
  }
}

/// What a client checks in the handshake.
enum PeerExpectation {
  case certificate(ServerName)
  /// Insecure.
  case anyCertificate
  case rawKeys([Ed25519.PublicKey])

  init(_ identity: TLSPeerIdentity, trust: TLSClientConfiguration.Trust) throws(TLSError) {
    switch identity {
    case .hostName(let host):
      let name = try ServerName(host)
      switch trust {
      case .system, .file: self = .certificate(name)
      case .insecureAnyCertificate: self = .anyCertificate
      case .rawKeysOnly:
        throw TLSError(.configuration, "\(name.text) cannot be checked: this client trusts no certificate authority")
      }
    case .rawKey(let key): self = .rawKeys([key])
    case .rawKeys(let keys):
      guard !keys.isEmpty else { throw TLSError(.configuration, "no key is expected, so none can be accepted") }
      self = .rawKeys(keys)
    }
  }

  /// Checks what the peer has shown; nil if it is as expected.
  func refusal(of session: gnutls_session_t) -> PeerRefusal? {
    switch self {
    case .certificate(let name): Self.refusal(of: session, as: name)
    case .anyCertificate: nil
    case .rawKeys(let keys): Self.refusal(of: session, amongst: keys)
    }
  }

  /// The raw key that the peer has shown; nil if it has shown something else.
  static func rawKey(of session: gnutls_session_t) -> Ed25519.PublicKey? {
    guard gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) == GNUTLS_CRT_RAWPK else { return nil }
    var count: UInt32 = 0
    guard let list = gnutls_certificate_get_peers(session, &count), count == 1 else { return nil }
    return RawKeyEncoding.publicKey(
      subjectPublicKeyInfo: UnsafeRawBufferPointer(start: list[0].data, count: Int(list[0].size)))
  }

  private static func refusal(of session: gnutls_session_t, amongst keys: [Ed25519.PublicKey]) -> PeerRefusal? {
    guard let key = rawKey(of: session) else {
      return PeerRefusal(GNUTLS_A_UNSUPPORTED_CERTIFICATE, "the server does not show a raw Ed25519 key")
    }
    if keys.contains(key) { return nil }
    return PeerRefusal(GNUTLS_A_BAD_CERTIFICATE, "the server has another key than the expected one")
  }

  private static func refusal(of session: gnutls_session_t, as name: ServerName) -> PeerRefusal? {
    guard gnutls_certificate_type_get2(session, GNUTLS_CTYPE_SERVER) == GNUTLS_CRT_X509 else {
      return PeerRefusal(GNUTLS_A_UNSUPPORTED_CERTIFICATE, "\(name.text) shows no X.509 certificate")
    }
    var status: UInt32 = 0
    let code = verify(session, name, &status)
    if code < 0 {
      return PeerRefusal(
        GNUTLS_A_BAD_CERTIFICATE, "the certificate of \(name.text) cannot be checked: \(TLSError.text(of: code))")
    }
    return status == 0 ? nil : refusal(of: session, as: name, status: status)
  }

  /// Chain, time, purpose and name in one.
  private static func verify(_ session: gnutls_session_t, _ name: ServerName, _ status: inout UInt32) -> Int32 {
    var subject = name.address ?? Array(name.text.utf8) + [0]
    var purpose = Array(GNUTLS_KP_TLS_WWW_SERVER.utf8) + [0]
    let kind = name.address == nil ? GNUTLS_DT_DNS_HOSTNAME : GNUTLS_DT_IP_ADDRESS
    return subject.withUnsafeMutableBufferPointer { subject in
      purpose.withUnsafeMutableBufferPointer { purpose in
        // For text GnuTLS wants no length.
        let size = kind == GNUTLS_DT_IP_ADDRESS ? UInt32(subject.count) : 0
        var data = [
          gnutls_typed_vdata_st(type: kind, data: subject.baseAddress, size: size),
          gnutls_typed_vdata_st(type: GNUTLS_DT_KEY_PURPOSE_OID, data: purpose.baseAddress, size: 0),
        ]
        return gnutls_certificate_verify_peers(session, &data, UInt32(data.count), &status)
      }
    }
  }

  private static func refusal(of session: gnutls_session_t, as name: ServerName, status: UInt32) -> PeerRefusal {
    func has(_ flag: gnutls_certificate_status_t) -> Bool { status & flag.rawValue != 0 }
    let host = name.text
    let certificate = ownCertificate(of: session)
    var alert = GNUTLS_A_BAD_CERTIFICATE
    var faults: [String] = []
    if has(GNUTLS_CERT_UNEXPECTED_OWNER) {
      let names = certificate?.names.prefix(4).joined(separator: ", ") ?? ""
      faults.append("it is for \(names.isEmpty ? "another host" : names)")
    }
    if has(GNUTLS_CERT_SIGNER_NOT_FOUND) {
      alert = GNUTLS_A_UNKNOWN_CA
      faults.append("no authority that is trusted here has issued it")
    }
    if has(GNUTLS_CERT_EXPIRED) {
      alert = GNUTLS_A_CERTIFICATE_EXPIRED
      faults.append("it or its issuer's expired\(day(certificate?.notAfter, isPast: true))")
    }
    if has(GNUTLS_CERT_NOT_ACTIVATED) {
      alert = GNUTLS_A_CERTIFICATE_EXPIRED
      faults.append("it or its issuer's is not valid yet\(day(certificate?.notBefore, isPast: false))")
    }
    if has(GNUTLS_CERT_REVOKED) {
      alert = GNUTLS_A_CERTIFICATE_REVOKED
      faults.append("it has been revoked")
    }
    if has(GNUTLS_CERT_PURPOSE_MISMATCH) { faults.append("it is not for a server") }
    if has(GNUTLS_CERT_SIGNER_NOT_CA) { faults.append("its issuer is not an authority") }
    if has(GNUTLS_CERT_INSECURE_ALGORITHM) { faults.append("it is signed with a weak algorithm") }
    if has(GNUTLS_CERT_SIGNATURE_FAILURE) { faults.append("its signature is wrong") }
    if faults.isEmpty { faults.append(description(of: status)) }
    return PeerRefusal(alert, "the certificate of \(host) is not accepted: \(faults.joined(separator: "; "))")
  }

  private static func ownCertificate(of session: gnutls_session_t) -> X509Certificate? {
    var count: UInt32 = 0
    guard let list = gnutls_certificate_get_peers(session, &count), count > 0 else { return nil }
    return try? X509Certificate(der: list[0])
  }

  /// ` on 2027-03-01` if that explains the fault.
  private static func day(_ seconds: time_t?, isPast: Bool) -> String {
    guard var seconds, seconds > 0, (seconds < time(nil)) == isPast else { return "" }
    var parts = tm()
    guard gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return " (\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)))"
  }

  private static func description(of status: UInt32) -> String {
    var datum = gnutls_datum_t()
    guard gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &datum, 0) >= 0 else {
      return "status \(status)"
    }
    return String(decoding: taking(datum), as: UTF8.self)
  }
}
