import Addresses
import EventLoops
import HTTP
import PlainText
import TLS

/// The HTTP servers of a relay: for everybody, with and without encryption, and for those who run it.
struct RelayServers: Sendable {
  /// Where everybody reaches the relay: without encryption first.
  let localEndpoints: [Endpoint]
  /// Where those who run it do, if that is another place.
  let adminEndpoint: Endpoint?
  private let servers: [HTTPServer]

  /// Starts them all, or none.
  static func start(
    _ configuration: RelayConfiguration, _ options: RelayServer.Options, core: RelayCore, tls: RelayTLS?,
    loops: [EventLoop]
  ) async throws(SystemError) -> RelayServers {
    let http = configuration.http
    let onError: @Sendable (any Error, HTTPRequest) -> Void = { error, _ in
      core.log.current.error("http.handler_failed", ["error": .string("\(error)")])
    }
    let front = core.handler.frontDispatcher(servesAdmin: configuration.admin.listen == nil)
    var settings: [HTTPServerConfiguration] = []
    var main = limits(http)
    if options.inheritedSockets.isEmpty {
      main.addresses = http.host.map { .tcp(Endpoint($0, port: http.port)) }
      if let path = http.unixSocket { main.addresses.append(.unix(path: path)) }
    } else {
      main.addresses = options.inheritedSockets.map { .descriptor($0) }
    }
    if http.tls?.port == nil { main.tls = tls?.context }
    settings.append(main)
    if let port = http.tls?.port {
      var encrypted = limits(http)
      encrypted.addresses = http.host.map { .tcp(Endpoint($0, port: port)) }
      encrypted.tls = tls?.context
      settings.append(encrypted)
    }
    var servers: [HTTPServer] = []
    do throws(SystemError) {
      for configuration in settings {
        let server = HTTPServer(configuration, on: loops, onError: onError, dispatcher: front)
        try await server.start()
        servers.append(server)
      }
      let endpoints = servers.flatMap(\.localEndpoints)
      var adminEndpoint: Endpoint?
      if let endpoint = configuration.admin.listen {
        let server = HTTPServer(
          HTTPServerConfiguration(endpoint), on: Array(loops.prefix(1)), onError: onError,
          handler: core.handler.adminHandler)
        try await server.start()
        adminEndpoint = server.localEndpoints.first
        servers.append(server)
      }
      core.status.servers.set(servers)
      return RelayServers(localEndpoints: endpoints, adminEndpoint: adminEndpoint, servers: servers)
    } catch {
      for server in servers { await server.shutdown(grace: .zero) }
      throw error
    }
  }

  /// Connections of one address if nothing else is said.
  private static let connectionsPerAddress = 256

  private static func limits(_ http: RelayConfiguration.HTTPSettings) -> HTTPServerConfiguration {
    var configuration = HTTPServerConfiguration()
    configuration.maximumConnections = http.connections
    let perAddress = http.connectionsPerAddress ?? connectionsPerAddress
    configuration.maximumConnectionsPerAddress = perAddress == 0 ? nil : perAddress
    configuration.maximumBodyBytes = UInt64(max(4096, RelayHandler.batchBodyLimit(http.batch)))
    configuration.timeouts.head = http.headerTimeout
    configuration.timeouts.body = http.bodyTimeout
    configuration.timeouts.idle = http.idleTimeout
    configuration.timeouts.write = http.writeTimeout
    return configuration
  }

  /// Lets requests that are under way end, for at most `grace`.
  func shutdown(grace: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      for server in servers { group.addTask { await server.shutdown(grace: grace) } }
    }
  }
}
