import CGnuTLS
import Cryptography
import EventLoops

/// How a server shows itself and what it speaks.
public struct TLSServerConfiguration: Sendable {
  /// X.509 certificates, each a PEM file with the chain (the server's own certificate first) and one with its key.
  ///
  /// A client that names a host (SNI) gets the certificate for that name: an exact match goes before a wildcard, and the
  /// order here decides among equals. Whoever names no host or an unknown one gets the first that it can use.
  public var certificates: [(certificateFile: String, keyFile: String)] = []
  /// A raw public key (RFC 7250) for clients that ask for one, beside the certificates or instead of them.
  public var rawKey: Ed25519.SecretKey?
  /// What ALPN accepts, in the server's order of preference, such as `["h2", "http/1.1"]`; empty: no ALPN. A client that
  /// has a list without any of them is refused; one that has no list is not.
  public var applicationProtocols: [String] = []
  /// The lowest version. Raw keys need TLS 1.3 whatever this says.
  public var minimumVersion = TLSVersion.tls13
  /// Lets clients resume sessions (with a fresh key exchange). Tickets end with `reload` and with the process.
  public var sessionTickets = true

  /// A server that has nothing to show yet: set `certificates` or `rawKey`.
  public init() {}

  /// A server with X.509 certificates, a raw key, or both.
  public init(
    certificates: [(certificateFile: String, keyFile: String)] = [], rawKey: Ed25519.SecretKey? = nil,
    applicationProtocols: [String] = []
  ) {
    self.certificates = certificates
    self.rawKey = rawKey
    self.applicationProtocols = applicationProtocols
  }
}

/// What a server shows to its clients; can be read again from the files while connections go on.
///
/// Any thread may use it. Connections accepted after ``reload()`` use the new certificates; those before keep theirs.
public final class TLSServerContext: Sendable {
  /// What was asked for.
  public let configuration: TLSServerConfiguration
  private let current: LockedValue<ServerCredentials>

  /// Reads the files.
  ///
  /// - Throws: `.configuration` if there is neither a certificate nor a raw key, or a file cannot be used.
  public init(_ configuration: TLSServerConfiguration) throws(TLSError) {
    self.configuration = configuration
    current = LockedValue(try ServerCredentials(configuration))
  }

  /// Reads the files again. If that fails the old certificates stay in use.
  ///
  /// - Throws: `.configuration` if a file cannot be used.
  public func reload() throws(TLSError) {
    let new = try ServerCredentials(configuration)
    current.withLock { $0 = new }
  }

  /// What a connection that begins now uses.
  var credentials: ServerCredentials { current.withLock { $0 } }
}

/// What was read from the files at one moment. Not changed afterwards.
final class ServerCredentials: Sendable {
  /// Certificates for the same names, which differ in their kind of key only.
  private struct Group {
    let names: [String]
    let credentials: TLSCredentials
  }

  let priorities: TLSPriorities
  let applicationProtocols: ApplicationProtocols
  /// Everything: for clients that name no host, or one that nothing matches.
  let credentials: TLSCredentials
  /// Empty if there is nothing to choose from.
  private let groups: [Group]
  let hasRawKey: Bool
  let allowsTLS12: Bool
  /// GnuTLS derives the keys of tickets from it, a new one every few hours; nil if there are no tickets.
  let ticketKey: [UInt8]?

  init(_ configuration: TLSServerConfiguration) throws(TLSError) {
    guard !configuration.certificates.isEmpty || configuration.rawKey != nil else {
      throw TLSError(.configuration, "a TLS server needs a certificate or a raw key")
    }
    hasRawKey = configuration.rawKey != nil
    allowsTLS12 = configuration.minimumVersion == .tls12
    priorities = try .server(
      minimumVersion: configuration.minimumVersion, hasCertificate: !configuration.certificates.isEmpty,
      hasRawKey: hasRawKey)
    applicationProtocols = try ApplicationProtocols(configuration.applicationProtocols)

    var chains: [CertificateChain] = []
    for files in configuration.certificates {
      chains.append(try CertificateChain(certificateFile: files.certificateFile, keyFile: files.keyFile))
    }
    credentials = try Self.credentials(chains, configuration.rawKey)
    var groups: [Group] = []
    for chain in chains where !groups.contains(where: { $0.names == chain.names }) {
      let same = chains.filter { $0.names == chain.names }
      groups.append(Group(names: chain.names, credentials: try Self.credentials(same, configuration.rawKey)))
    }
    self.groups = groups.count > 1 ? groups : []
    ticketKey = configuration.sessionTickets ? try Self.makeTicketKey() : nil
  }

  private static func credentials(
    _ chains: [CertificateChain], _ rawKey: Ed25519.SecretKey?
  ) throws(TLSError) -> TLSCredentials {
    let credentials = try TLSCredentials()
    for chain in chains { try credentials.add(chain) }
    if let rawKey { try credentials.add(rawKey) }
    return credentials
  }

  private static func makeTicketKey() throws(TLSError) -> [UInt8] {
    var key = gnutls_datum_t()
    try require(gnutls_session_ticket_key_generate(&key), "key for session tickets")
    return taking(key)
  }

  /// True if the name that a client sends makes a difference.
  var selectsByName: Bool { !groups.isEmpty }

  /// What to show to a client that asks for `name`; nil if nothing is for that name in particular.
  ///
  /// GnuTLS chooses by name as well, but knows no wildcards and heeds case.
  func credentials(for name: String) -> TLSCredentials? {
    let name = name.lowercased()
    let group =
      groups.first { $0.names.contains(name) }
      ?? groups.first { $0.names.contains { ServerName.matches(pattern: $0, name: name) } }
    return group?.credentials
  }
}
