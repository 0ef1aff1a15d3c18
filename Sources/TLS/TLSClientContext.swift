import CGnuTLS
import Cryptography

/// Whom a client expects at the other end.
public enum TLSPeerIdentity: Hashable, Sendable {
  /// A server with an X.509 certificate for this DNS name (in its ASCII form) or IP address (without brackets), from an
  /// authority that the client trusts.
  case hostName(String)
  /// A server that proves this raw key (RFC 7250).
  case rawKey(Ed25519.PublicKey)
  /// A server that proves one of these raw keys.
  case rawKeys([Ed25519.PublicKey])
}

/// Whom a client trusts and what it speaks.
public struct TLSClientConfiguration: Sendable {
  /// Who may vouch for host names.
  public enum Trust: Hashable, Sendable {
    /// The authorities of the operating system.
    case system
    /// The authorities of a PEM file, and no others.
    case file(path: String)
    /// Nobody: only raw keys can be expected. Nothing has to be read.
    case rawKeysOnly
    /// Insecure, for tests: any certificate will do for any host name, so anybody can pose as any server. Raw keys are
    /// checked all the same.
    case insecureAnyCertificate
  }

  /// Who may vouch for host names.
  public var trust = Trust.system
  /// What ALPN offers, such as `["h2", "http/1.1"]`; empty: no ALPN.
  public var applicationProtocols: [String] = []
  /// The lowest version for servers with certificates. Raw keys need TLS 1.3 whatever this says.
  public var minimumVersion = TLSVersion.tls13

  /// A client that trusts the system's authorities unless told otherwise.
  public init(trust: Trust = .system, applicationProtocols: [String] = []) {
    self.trust = trust
    self.applicationProtocols = applicationProtocols
  }
}

/// Whom a client trusts, read from the files once. Any thread may use it.
public final class TLSClientContext: Sendable {
  /// What was asked for.
  public let configuration: TLSClientConfiguration
  let credentials: TLSCredentials
  let applicationProtocols: ApplicationProtocols
  let prioritiesForCertificates: TLSPriorities
  let prioritiesForRawKeys: TLSPriorities

  /// Reads the authorities. Those of the system are some hundred certificates: make one context and keep it.
  ///
  /// - Throws: `.configuration` if there are no authorities or the file cannot be used.
  public init(_ configuration: TLSClientConfiguration) throws(TLSError) {
    self.configuration = configuration
    applicationProtocols = try ApplicationProtocols(configuration.applicationProtocols)
    prioritiesForCertificates = try .clientForCertificates(minimumVersion: configuration.minimumVersion)
    prioritiesForRawKeys = try .clientForRawKeys()
    credentials = try TLSCredentials()
    switch configuration.trust {
    case .system: try credentials.trustSystem()
    case .file(let path): try credentials.trust(file: path)
    case .rawKeysOnly, .insecureAnyCertificate: break
    }
    // Called in the handshake, before the client's Finished: a refusal is an alert, and nothing of the application's
    // has been sent.
    gnutls_certificate_set_verify_function(credentials.handle) { session in
      guard let pointer = session.flatMap({ gnutls_session_get_ptr($0) }) else { return GNUTLS_E_INTERNAL_ERROR }
      return Unmanaged<TLSSession>.fromOpaque(pointer).takeUnretainedValue().verifyPeer()
    }
  }
}
