import Cryptography
import EventLoops
import Glibc
import Logging
import Pkarr
import TLS

/// What a relay shows to clients that want encrypted connections.
struct RelayTLS: Sendable {
  /// Certificates and keys in use.
  let context: TLSServerContext

  /// Reads certificates and keys; makes them where development asks for it, in `authorityDirectory`.
  init(
    _ settings: RelayConfiguration.TLSSettings, authorityDirectory: String, _ log: ServiceLog
  ) throws(RelayStartError) {
    var configuration = TLSServerConfiguration(applicationProtocols: ["h2", "http/1.1"])
    if let path = settings.rawKey { configuration.rawKey = try Self.secretKey(path, log) }
    do throws(TLSError) {
      if let certificate = settings.certificate, let key = settings.key {
        configuration.certificates = [(certificate, key)]
      } else if settings.development {
        let authority = try DevelopmentAuthority(folder: authorityDirectory)
        configuration.certificates = [
          try authority.certificate(for: ["localhost", "127.0.0.1", "::1"], server: "relay")
        ]
        log.current.notice("tls.development", ["authority": .string(authority.certificateFile)])
      }
      context = try TLSServerContext(configuration)
    } catch {
      throw .tls(error)
    }
  }

  /// Reads the files again; what went wrong. Connections keep what they have.
  func reload() -> [String] {
    do throws(TLSError) {
      try context.reload()
      return []
    } catch {
      return ["\(error)"]
    }
  }

  private static func secretKey(_ path: String, _ log: ServiceLog) throws(RelayStartError) -> Ed25519.SecretKey {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try FileReader.read(path, limit: 4096)
    } catch {
      throw .keyFile(path: path, why: "\(error)")
    }
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & 0o077 != 0 {
      log.current.warning("key_file.readable", ["path": .string(path), "advice": "chmod 600"])
    }
    do throws(SecretKeyError) {
      guard let text = String(validating: bytes, as: UTF8.self) else { throw .notHexadecimal }
      return try Keypair(secretKeyText: text).secretKey
    } catch {
      throw .keyFile(path: path, why: "\(error)")
    }
  }
}
