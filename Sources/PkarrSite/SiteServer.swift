import Addresses
import EventLoops
import HTTP
import Pkarr
import TLS

/// Serves the files of a folder over HTTPS, as whoever has a key: TLS with the key itself (RFC 7250), no certificate.
///
/// ```swift
/// let site = try SiteServer(SiteServer.Configuration(folder: "public", keypair: keypair))
/// try await site.start()
/// …
/// await site.shutdown()
/// ```
///
/// How others find it is the matter of ``SitePublisher``.
public final class SiteServer: Sendable {
  /// How a site is served.
  public struct Configuration: Sendable {
    /// The folder. Nothing outside of it is served, nor any name in it that begins with a dot.
    public var folder: String
    /// Whose site it is.
    public var keypair: Keypair
    /// Where to listen: at most one address of each family.
    public var addresses: [IPAddress] = [.loopbackV4]
    /// The port; 0 for any.
    public var port: UInt16 = 0
    /// Threads that serve connections.
    public var threads = 1
    /// Files that are open at the same time, half of them for one address. Beyond, requests are answered with 503.
    public var maximumOpenFiles = 512
    /// Open connections in all.
    public var maximumConnections = 4096
    /// Open connections of one address.
    public var maximumConnectionsPerAddress = 256

    /// A site on the loopback interface.
    public init(folder: String, keypair: Keypair) {
      self.folder = folder
      self.keypair = keypair
    }
  }

  /// What it was told.
  public let configuration: Configuration
  private let loops: [EventLoop]
  private let server: HTTPServer

  /// Opens the folder; does not listen yet. `onError` is told of files that could not be read.
  ///
  /// - Throws: ``SiteError``.
  public init(
    _ configuration: Configuration, onError: (@Sendable (String) -> Void)? = nil
  ) throws(SiteError) {
    self.configuration = configuration
    let files: StaticFiles
    do throws(SiteFolder.Failure) {
      files = StaticFiles(
        folder: try SiteFolder(configuration.folder, maximumOpenFiles: configuration.maximumOpenFiles))
    } catch {
      guard case .system(let code) = error else { throw .folder(configuration.folder, 0) }
      throw .folder(configuration.folder, code)
    }
    var settings = HTTPServerConfiguration()
    settings.addresses = configuration.addresses.map { .tcp(Endpoint($0, port: configuration.port)) }
    // A request for a file needs no body.
    settings.maximumBodyBytes = 64 << 10
    settings.maximumConnections = configuration.maximumConnections
    settings.maximumConnectionsPerAddress = configuration.maximumConnectionsPerAddress
    settings.maximumConcurrentStreams = 32
    do {
      settings.tls = try TLSServerContext(
        TLSServerConfiguration(rawKey: configuration.keypair.secretKey, applicationProtocols: ["h2", "http/1.1"]))
      loops = try (0..<max(1, configuration.threads)).map { index in
        let loop = try EventLoop(name: "site-\(index)")
        try loop.start()
        return loop
      }
    } catch let error as SystemError {
      throw .system(error)
    } catch {
      throw .tls("\(error)")
    }
    server = HTTPServer(
      settings, on: loops, onError: { error, request in onError?("\(request.target.path): \(error)") },
      handler: { try files.response(to: $0) })
  }

  deinit { for loop in loops { loop.requestStop() } }

  /// Where it listens; empty before ``start()``.
  public var localEndpoints: [Endpoint] { server.localEndpoints }

  /// The address that people type: `https://KEY/`.
  public var url: String { "https://\(configuration.keypair.publicKey.z32)/" }

  /// Begins to listen.
  ///
  /// - Throws: `SiteError.system` if an address cannot be had.
  public func start() async throws(SiteError) {
    do throws(SystemError) {
      try await server.start()
    } catch {
      throw .system(error)
    }
  }

  /// Stops listening, and lets requests end for as long as `grace`.
  public func shutdown(grace: Duration = .seconds(2)) async { await server.shutdown(grace: grace) }

  /// What the server has done so far.
  public func statistics() async -> HTTPServerStatistics { await server.statistics() }
}

/// Why a site cannot be served.
public enum SiteError: Error, Hashable, Sendable {
  /// The folder cannot be opened; its path, and the number of the error.
  case folder(String, Int32)
  /// The key cannot be used for TLS; why, for a person.
  case tls(String)
  /// The system has no socket or thread for it.
  case system(SystemError)
}

extension SiteError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .folder(let path, let code): "\(SystemError(code: code, operation: path))"
    case .tls(let reason): reason
    case .system(let error): "\(error)"
    }
  }
}
