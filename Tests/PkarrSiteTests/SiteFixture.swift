import Addresses
import Foundation
import HTTP
import Mainline
import Pkarr
import PkarrClient
import Testing

@testable import PkarrSite

/// A folder with a site in it, which goes with this object.
final class SiteFixture {
  let folder: URL
  /// The site's own folder; what is beside it must not be seen.
  let site: URL
  let keypair = Keypair()

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "pubky-site-\(UUID().uuidString)")
    site = folder.appending(path: "public")
    try FileManager.default.createDirectory(at: site, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  /// Writes a file of the site, with the folders above it.
  @discardableResult
  func write(_ path: String, _ text: String) throws -> URL { try write(path, Data(text.utf8)) }

  @discardableResult
  func write(_ path: String, _ data: Data) throws -> URL {
    let file = site.appending(path: path)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file
  }

  func link(_ path: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: site.appending(path: path).path, withDestinationPath: target)
  }

  /// What answers requests, without a network.
  func files(maximumOpenFiles: Int = 512, followsLinks: Bool = true) throws -> StaticFiles {
    StaticFiles(
      folder: try SiteFolder(site.path, maximumOpenFiles: maximumOpenFiles, followsLinks: followsLinks))
  }

  /// A site that listens on loopback.
  func server(_ configure: (inout SiteServer.Configuration) -> Void = { _ in }) async throws -> SiteServer {
    var configuration = SiteServer.Configuration(folder: site.path, keypair: keypair)
    configure(&configuration)
    let server = try SiteServer(configuration)
    try await server.start()
    return server
  }
}

extension HTTPResponse {
  /// The body if it was read at once.
  var text: String? {
    switch body {
    case .empty: ""
    case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
    case .stream: nil
    }
  }
}

/// Runs a body with a network of nodes on loopback and a client of it, and stops both afterwards.
func withNetwork<T>(_ body: (PkarrClient, Testnet) async throws -> T) async throws -> T {
  let testnet = try await Testnet(nodes: 6)
  let client = try await PkarrClient(testnet.clientConfiguration)
  do {
    let value = try await body(client, testnet)
    await client.shutdown()
    await testnet.stop()
    return value
  } catch {
    await client.shutdown()
    await testnet.stop()
    throw error
  }
}

extension Testnet {
  var clientConfiguration: PkarrClientConfiguration {
    var configuration = PkarrClientConfiguration.noDefaultNetwork
    configuration.requestTimeout = .seconds(10)
    configuration.dht = .isolated(bootstrap: bootstrap)
    configuration.dht?.node.mode = .client
    configuration.dht?.node.requestTimeout = .seconds(10)
    configuration.reportPolicy = .testnet
    return configuration
  }
}
