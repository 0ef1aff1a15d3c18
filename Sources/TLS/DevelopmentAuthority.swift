import Glibc

/// A certificate authority in a folder, for development: makes certificates for servers on this machine and near it.
///
/// The folder is made if it is not there and keeps
///
/// - `authority.pem`: the certificate that clients have to trust (`curl --cacert`), valid for 825 days;
/// - `authority-key.pem`: its key (ECDSA P-256), readable by its owner only. Who has it can pretend to be any server
///   towards those who trust the authority;
/// - for each server a certificate, valid for 90 days, and its key.
///
/// Files are replaced atomically, and one process at a time works in the folder. Keys stay; certificates are made anew
/// when they come near their end or are to hold other names.
public struct DevelopmentAuthority: Sendable {
  /// The file that clients have to trust.
  public let certificateFile: String
  private let folder: String
  private let now: time_t

  private static let day: time_t = 86400
  private static let authorityLifetime = 825 * day
  private static let serverLifetime = 90 * day
  /// A certificate that ends sooner is made anew.
  private static let margin = 30 * day
  /// Clocks may be an hour apart.
  private static let clockSkew: time_t = 3600

  /// Opens the authority in `folder`, or makes one.
  ///
  /// - Throws: `.configuration` if the folder cannot be used or holds something else under these names.
  public init(folder: String) throws(TLSError) { try self.init(folder: folder, now: time(nil)) }

  /// `now` in seconds since 1970.
  init(folder: String, now: time_t) throws(TLSError) {
    self.folder = folder
    self.now = now
    certificateFile = "\(folder)/authority.pem"
    try PEMFile.makeFolder(folder)
    _ = try locked { () throws(TLSError) in try authority() }
  }

  /// The files of a server's certificate and key, made if they are not there or do not fit any more.
  ///
  /// - Parameters:
  ///   - names: what clients call the server: DNS names (`*.` in front stands for one label) and IP addresses.
  ///   - server: the first part of the names of the files; letters, digits, `-` and `_`.
  /// - Throws: `.configuration` for a name that is none, or if the files cannot be used.
  public func certificate(
    for names: [String], server: String = "server"
  ) throws(TLSError) -> (certificateFile: String, keyFile: String) {
    guard ServerName.isName(server), !server.contains("."), server != "authority", server != "authority-key" else {
      throw TLSError(.configuration, "\"\(ServerName.printable(server))\" cannot be the name of a file")
    }
    guard !names.isEmpty else { throw TLSError(.configuration, "a certificate needs at least one name") }
    var wanted: [ServerName] = []
    for name in names {
      let name = try name.hasPrefix("*.") ? ServerName.wildcard(name) : ServerName(name)
      if !wanted.contains(name) { wanted.append(name) }
    }
    let files = (certificateFile: "\(folder)/\(server).pem", keyFile: "\(folder)/\(server)-key.pem")
    try locked { () throws(TLSError) in
      let authority = try authority()
      let key = try key(in: files.keyFile)
      if let pem = try PEMFile.readIfPresent(files.certificateFile), let present = try? X509Certificate(pem: pem),
        fits(present, key), present.isSigned(by: authority.certificate),
        Set(present.names) == Set(wanted.map(\.text))
      {
        return
      }
      let content = CertificateContent(
        commonName: "Development server", notBefore: now - Self.clockSkew, notAfter: now + Self.serverLifetime,
        names: wanted)
      try PEMFile.write(try content.signed(for: key, by: authority).pem(), to: files.certificateFile, mode: 0o644)
    }
    return files
  }

  /// The authority's certificate and key, made if they are not there or the certificate ends too soon.
  private func authority() throws(TLSError) -> (certificate: X509Certificate, key: X509PrivateKey) {
    let key = try key(in: "\(folder)/authority-key.pem")
    if let pem = try PEMFile.readIfPresent(certificateFile) {
      guard let present = try? X509Certificate(pem: pem) else {
        throw TLSError(.configuration, "\(certificateFile) is not a certificate; remove it to have a new one")
      }
      // It must outlive every certificate that it signs now.
      if present.isAuthority, fits(present, key, margin: Self.margin + Self.serverLifetime) { return (present, key) }
    }
    let content = CertificateContent(
      commonName: "Development authority", notBefore: now - Self.clockSkew, notAfter: now + Self.authorityLifetime,
      isAuthority: true)
    let certificate = try content.signed(for: key)
    try PEMFile.write(try certificate.pem(), to: certificateFile, mode: 0o644)
    return (certificate, key)
  }

  /// True if a certificate is for the key and does not end soon.
  private func fits(_ certificate: X509Certificate, _ key: X509PrivateKey, margin: time_t = margin) -> Bool {
    guard let own = try? certificate.keyIdentifier(), let other = try? key.identifier(), own == other else {
      return false
    }
    return certificate.notBefore <= now && certificate.notAfter >= now + margin
  }

  private func key(in path: String) throws(TLSError) -> X509PrivateKey {
    if let pem = try PEMFile.readIfPresent(path) {
      do { return try X509PrivateKey(pem: pem) } catch {
        throw TLSError(.configuration, code: error.code, "\(path) is not a private key; remove it to have a new one")
      }
    }
    let key = try X509PrivateKey.ecdsaP256()
    try PEMFile.write(try key.pem(), to: path, mode: 0o600)
    return key
  }

  /// Two processes that start at the same time must not each make an authority.
  private func locked<R>(_ body: () throws(TLSError) -> R) throws(TLSError) -> R {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw PEMFile.failure(errno, folder) }
    defer { close(descriptor) }
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { throw PEMFile.failure(errno, folder) }
    }
    return try body()
  }
}
