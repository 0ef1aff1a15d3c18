import Cryptography
import Foundation
import TestSupport
import Testing

@testable import TLS

@Suite("Development authority")
struct DevelopmentAuthorityTests {
  let folder: TestFolder
  let now = time(nil)

  init() throws { folder = try TestFolder() }

  private func mode(_ path: String) throws -> Int {
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    return try #require((attributes[.posixPermissions] as? NSNumber)?.intValue)
  }

  private func contents(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

  private func certificate(_ path: String) throws -> X509Certificate { try X509Certificate(pem: contents(path)) }

  @Test("a client that trusts the authority accepts its certificates for every name")
  func handshake() throws {
    let authority = try DevelopmentAuthority(folder: folder.file("deep/er/authority"))
    let files = try authority.certificate(for: ["localhost", "*.dev.example", "127.0.0.1", "::1"])
    let context = try TLSServerContext(TLSServerConfiguration(certificates: [files]))
    let client = try TLSClientContext(TLSClientConfiguration(trust: .file(path: authority.certificateFile)))
    for name in ["localhost", "a.dev.example", "127.0.0.1", "::1"] {
      #expect(try Connection(client, .hostName(name), context).connect().client.isConnected, "\(name)")
    }
    let other = try Connection(client, .hostName("127.0.0.2"), context)
    other.run()
    #expect(other.client.error?.reason == .untrustedPeer)
  }

  @Test("keys are for their owner only, and no other file is left behind")
  func files() throws {
    let path = folder.file("authority")
    let authority = try DevelopmentAuthority(folder: path)
    let files = try authority.certificate(for: ["localhost"], server: "relay")
    #expect(authority.certificateFile == "\(path)/authority.pem")
    #expect(files == ("\(path)/relay.pem", "\(path)/relay-key.pem"))
    #expect(try mode(path) == 0o700)
    #expect(try mode("\(path)/authority-key.pem") == 0o600)
    #expect(try mode(files.keyFile) == 0o600)
    #expect(try mode(files.certificateFile) == 0o644)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted() == [
        "authority-key.pem", "authority.pem", "relay-key.pem", "relay.pem",
      ])
  }

  @Test("certificates last as long as they should, and an hour is granted to slow clocks")
  func lifetimes() throws {
    let authority = try DevelopmentAuthority(folder: folder.path, now: now)
    let files = try authority.certificate(for: ["localhost"])
    let own = try certificate(authority.certificateFile)
    let leaf = try certificate(files.certificateFile)
    #expect(own.isAuthority && !leaf.isAuthority)
    #expect(own.notAfter == now + 825 * 86400 && own.notBefore == now - 3600)
    #expect(leaf.notAfter == now + 90 * 86400 && leaf.notBefore == now - 3600)
    #expect(leaf.isSigned(by: own) && own.isSigned(by: own))
  }

  @Test("what is there is used again, until its end is near or it is to hold other names")
  func reissue() throws {
    let day: time_t = 86400
    let names = ["localhost", "127.0.0.1"]
    func make(_ names: [String], after days: time_t) throws -> (authority: [UInt8], server: [UInt8], key: [UInt8]) {
      let authority = try DevelopmentAuthority(folder: folder.path, now: now + days * day)
      let files = try authority.certificate(for: names)
      return try (contents(authority.certificateFile), contents(files.certificateFile), contents(files.keyFile))
    }
    let first = try make(names, after: 0)
    #expect(try make(["127.0.0.1", "LOCALHOST.", "localhost"], after: 59) == first)
    let second = try make(names, after: 61)
    #expect(second.server != first.server && second.authority == first.authority && second.key == first.key)
    let third = try make(["localhost"], after: 61)
    #expect(third.server != second.server)
    #expect(try certificate(folder.file("server.pem")).names == ["localhost"])
    // The authority has to outlive what it signs.
    let fourth = try make(["localhost"], after: 700)
    #expect(try make(["localhost"], after: 705).authority == fourth.authority)
    let fifth = try make(["localhost"], after: 710)
    #expect(fifth.authority != first.authority || fourth.authority != first.authority)
    #expect(try X509Certificate(pem: fifth.server).isSigned(by: X509Certificate(pem: fifth.authority)))
  }

  @Test("a certificate of another authority or for another key is replaced")
  func foreignCertificate() throws {
    let authority = try DevelopmentAuthority(folder: folder.path)
    let files = try authority.certificate(for: ["localhost"])
    let before = try contents(files.certificateFile)
    let other = try TestAuthority(TestFolder())
    let foreign = try other.issue(["localhost"], file: "foreign")
    try folder.write("server.pem", contents(foreign.certificateFile))
    _ = try authority.certificate(for: ["localhost"])
    let after = try contents(files.certificateFile)
    #expect(after != before)
    #expect(try certificate(files.certificateFile).isSigned(by: certificate(authority.certificateFile)))
    try folder.write("server.pem", Array("rubbish".utf8))
    _ = try authority.certificate(for: ["localhost"])
    #expect(try certificate(files.certificateFile).isSigned(by: certificate(authority.certificateFile)))
  }

  @Test("a key that cannot be read is not replaced, since somebody may trust it")
  func damagedKey() throws {
    let authority = try DevelopmentAuthority(folder: folder.path)
    for (file, names) in [("authority.pem", "authority.pem"), ("authority-key.pem", "authority-key.pem")] {
      let good = try contents(folder.file(file))
      try folder.write(file, Array("rubbish".utf8))
      let error = #expect(throws: TLSError.self) { try DevelopmentAuthority(folder: folder.path) }
      #expect(error?.reason == .configuration && error?.description.contains(names) == true)
      #expect(throws: TLSError.self) { try authority.certificate(for: ["localhost"]) }
      #expect(try contents(folder.file(file)) == Array("rubbish".utf8))
      try folder.write(file, good)
    }
    _ = try DevelopmentAuthority(folder: folder.path).certificate(for: ["localhost"])
  }

  @Test("names that are none are refused")
  func names() throws {
    let authority = try DevelopmentAuthority(folder: folder.path)
    for names in [[], [""], ["a b"], ["*"], ["*.example"], ["a.*.example"], ["*.*.example"], ["bücher"], ["a\nb"]] {
      let error = #expect(throws: TLSError.self) { try authority.certificate(for: names) }
      #expect(error?.reason == .configuration, "\(names)")
    }
    for server in ["", "..", "a/b", "../server", "authority", "authority-key", "a.b"] {
      #expect(throws: TLSError.self) { try authority.certificate(for: ["localhost"], server: server) }
    }
    let error = #expect(throws: TLSError.self) { try DevelopmentAuthority(folder: folder.file("x\0y")) }
    _ = error
    try folder.write("file", [])
    #expect(throws: TLSError.self) { try DevelopmentAuthority(folder: folder.file("file")) }
    #expect(throws: TLSError.self) { try DevelopmentAuthority(folder: folder.file("file/below")) }
  }

  @Test("several that start at once agree on one authority")
  func atOnce() async throws {
    let path = folder.file("shared")
    let seen = await withTaskGroup(of: [UInt8]?.self) { group in
      for _ in 0..<4 {
        group.addTask {
          await onThread {
            guard let authority = try? DevelopmentAuthority(folder: path),
              let files = try? authority.certificate(for: ["localhost"]),
              (try? TLSServerContext(TLSServerConfiguration(certificates: [files]))) != nil
            else { return nil }
            return try? PEMFile.read(authority.certificateFile)
          }
        }
      }
      return await group.reduce(into: [[UInt8]?]()) { $0.append($1) }
    }
    #expect(seen.count == 4 && Set(seen).count == 1 && seen[0] != nil)
  }

  private struct KeyVectors: Decodable {
    struct Pair: Decodable {
      let seedHex: HexBytes
      let publicKeyHex: HexBytes
      let spkiDerHex: HexBytes
      let pkcs8V1DerHex: HexBytes?
    }
    let keypairs: [Pair]
  }

  @Test("raw keys have the DER forms of RFC 8410")
  func rawKeyEncoding() throws {
    let vectors: KeyVectors = try Vectors.load("pkarr/keys.json", keys: .convertFromSnakeCase)
    #expect(vectors.keypairs.count > 5)
    for pair in vectors.keypairs {
      let key = try #require(Ed25519.SecretKey(seed: pair.seedHex.bytes))
      #expect(RawKeyEncoding.subjectPublicKeyInfo(key.publicKey) == pair.spkiDerHex.bytes)
      if let expected = pair.pkcs8V1DerHex { #expect(RawKeyEncoding.pkcs8(key) == expected.bytes) }
      pair.spkiDerHex.bytes.withUnsafeBytes {
        #expect(RawKeyEncoding.publicKey(subjectPublicKeyInfo: $0) == key.publicKey)
        #expect(RawKeyEncoding.publicKey(subjectPublicKeyInfo: UnsafeRawBufferPointer(rebasing: $0.dropLast())) == nil)
      }
    }
  }
}
