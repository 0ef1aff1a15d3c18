import Foundation

@testable import TLS

/// A folder that is removed with the object.
final class TestFolder: Sendable {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appending(path: "tls-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }
}

/// An authority of the tests, which signs whatever it is asked to.
final class TestAuthority {
  let folder: TestFolder
  let certificate: X509Certificate
  let key: X509PrivateKey
  /// What clients trust.
  let file: String

  static let day: time_t = 86400

  init(_ folder: TestFolder, name: String = "authority") throws {
    self.folder = folder
    let now = time(nil)
    key = try X509PrivateKey.ecdsaP256()
    certificate = try CertificateContent(
      commonName: "Test \(name)", notBefore: now - 400 * Self.day, notAfter: now + 400 * Self.day, isAuthority: true
    ).signed(for: key)
    file = try folder.write("\(name).pem", certificate.pem())
  }

  /// Writes a server's certificate, valid from and until some days from now.
  func issue(
    _ names: [String], file: String = "server", days: ClosedRange<Int> = -1...30, ed25519: Bool = false
  ) throws -> (certificateFile: String, keyFile: String) {
    let now = time(nil)
    let leafKey = try ed25519 ? X509PrivateKey.ed25519() : X509PrivateKey.ecdsaP256()
    let content = try CertificateContent(
      commonName: "Test server", notBefore: now + days.lowerBound * Self.day,
      notAfter: now + days.upperBound * Self.day,
      names: names.map { try $0.hasPrefix("*.") ? .wildcard($0) : ServerName($0) })
    let leaf = try content.signed(for: leafKey, by: (certificate, key))
    return (
      try folder.write("\(file).pem", leaf.pem() + certificate.pem()),
      try folder.write("\(file)-key.pem", leafKey.pem())
    )
  }

  /// A client that trusts this authority.
  func client(
    protocols: [String] = [], minimumVersion: TLSVersion = .tls13
  ) throws -> TLSClientContext {
    var configuration = TLSClientConfiguration(trust: .file(path: file), applicationProtocols: protocols)
    configuration.minimumVersion = minimumVersion
    return try TLSClientContext(configuration)
  }
}
