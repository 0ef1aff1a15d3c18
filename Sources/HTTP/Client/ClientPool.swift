import EventLoops
import TLS

/// Connections that wait for their next request. Touched on its loop only.
final class ClientPool: @unchecked Sendable {
  /// What a connection can be used for again.
  struct Key: Hashable, Sendable {
    let scheme: HTTPURL.Scheme
    let host: String
    let port: UInt16
  }

  let configuration: HTTPClientConfiguration
  let loop: EventLoop
  private let rawKeyContext: TLSClientContext
  private var certificateContext: TLSClientContext?
  private var idle: [Key: [ClientConnection]] = [:]
  private var isClosed = false

  init(_ configuration: HTTPClientConfiguration, on loop: EventLoop) throws(TLSError) {
    self.configuration = configuration
    self.loop = loop
    if configuration.readsAuthoritiesLate {
      var settings = configuration.tls
      settings.trust = .rawKeysOnly
      rawKeyContext = try TLSClientContext(settings)
    } else {
      rawKeyContext = try TLSClientContext(configuration.tls)
      certificateContext = rawKeyContext
    }
  }

  /// What a connection with TLS uses.
  func context(for identity: HTTPRoute.Identity) throws(TLSError) -> TLSClientContext {
    if case .rawKey = identity { return rawKeyContext }
    if let certificateContext { return certificateContext }
    let context = try TLSClientContext(configuration.tls)
    certificateContext = context
    return context
  }

  /// A connection that is open as far as is known: the one that was used last.
  ///
  /// - Parameter encrypted: whether one without encryption is of no use.
  func take(_ key: Key, encrypted: Bool = false) -> ClientConnection? {
    guard let last = idle[key]?.last, !encrypted || last.route.identity != .plain,
      let connection = idle[key]?.popLast()
    else { return nil }
    if idle[key]?.isEmpty == true { idle[key] = nil }
    connection.beginUse()
    return connection
  }

  func keep(_ connection: ClientConnection) {
    guard !isClosed else { return connection.close() }
    idle[connection.key, default: []].append(connection)
    if idle[connection.key, default: []].count > configuration.idleConnectionsPerHost {
      idle[connection.key]?.removeFirst().close()
    }
  }

  func forget(_ connection: ClientConnection) {
    idle[connection.key]?.removeAll { $0 === connection }
    if idle[connection.key]?.isEmpty == true { idle[connection.key] = nil }
  }

  func closeAll() {
    isClosed = true
    let connections = idle.values.joined()
    idle = [:]
    for connection in connections { connection.close() }
  }
}
