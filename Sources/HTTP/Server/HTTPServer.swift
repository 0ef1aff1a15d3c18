import Addresses
import EventLoops

/// A server for HTTP/1.1 and HTTP/2 on one or several event loops.
///
/// ```swift
/// let server = HTTPServer(HTTPServerConfiguration(endpoint), on: [loop]) { request in .text("hello") }
/// try await server.start()
/// …
/// await server.shutdown(grace: .seconds(5))
/// ```
///
/// With several loops each has listeners of its own on the same port, and the kernel spreads the connections
/// (`SO_REUSEPORT`). Unix sockets and descriptors that others opened belong to the first loop.
public final class HTTPServer: Sendable {
  private let configuration: HTTPServerConfiguration
  private let shards: [ServerShard]
  private let endpoints = LockedValue<[Endpoint]>([])

  /// A server that does not listen yet.
  ///
  /// The loops must be running, and stay their owner's. `onError` is told what a handler threw when it became a 500.
  public convenience init(
    _ configuration: HTTPServerConfiguration, on loops: [EventLoop],
    onError: (@Sendable (any Error, HTTPRequest) -> Void)? = nil, handler: @escaping HTTPHandler
  ) {
    self.init(configuration, on: loops, onError: onError) { _ in .handler(handler) }
  }

  /// A server that does not listen yet, and answers some requests without a task.
  ///
  /// The loops must be running, and stay their owner's. `onError` is told what a handler threw when it became a 500.
  public init(
    _ configuration: HTTPServerConfiguration, on loops: [EventLoop],
    onError: (@Sendable (any Error, HTTPRequest) -> Void)? = nil, dispatcher: @escaping HTTPDispatcher
  ) {
    precondition(!loops.isEmpty, "a server needs a loop")
    self.configuration = configuration
    shards = loops.map { ServerShard(configuration, on: $0, onError: onError, dispatcher: dispatcher) }
  }

  deinit {
    for shard in shards { shard.loop.execute { shard.abort() } }
  }

  /// The TCP endpoints that the server listens on, in the order of the configuration.
  public var localEndpoints: [Endpoint] { endpoints.withLock { $0 } }

  /// Begins to listen. Throws if an address cannot be had; then the server listens nowhere.
  public func start() async throws(SystemError) {
    var listeners: [[StreamListener]] = shards.map { _ in [] }
    var bound: [Endpoint] = []
    for address in configuration.addresses {
      switch address {
      case .tcp(let endpoint):
        // Listeners that share a port would share it with another server of the same user as well: ask first.
        if shards.count > 1, endpoint.port != 0 { _ = try StreamListener(boundTo: endpoint) }
        let first = try StreamListener(boundTo: endpoint, reusesPort: shards.count > 1)
        let actual = first.localEndpoint ?? endpoint
        bound.append(actual)
        listeners[0].append(first)
        for index in shards.indices.dropFirst() {
          listeners[index].append(try StreamListener(boundTo: actual, reusesPort: true))
        }
      case .unix(let path): listeners[0].append(try StreamListener(path: path))
      case .descriptor(let descriptor): listeners[0].append(try StreamListener(adopting: descriptor))
      }
    }
    for (shard, listeners) in zip(shards, listeners) {
      let failure: SystemError? = await shard.loop.submit {
        do throws(SystemError) {
          try shard.open(listeners)
          return nil
        } catch {
          return error
        }
      }
      if let failure {
        for shard in shards { await shard.loop.submit { shard.abort() } }
        throw failure
      }
    }
    endpoints.withLock { $0 = bound }
  }

  /// Stops listening, lets the requests that are under way end, and closes all connections; those that are not done
  /// after `grace` are cut off, and their handlers cancelled.
  public func shutdown(grace: Duration = .seconds(5)) async {
    await withTaskGroup(of: Void.self) { group in
      for shard in shards { group.addTask { await shard.drain(grace) } }
    }
  }

  /// What the server has done so far, all loops together.
  public func statistics() async -> HTTPServerStatistics {
    var sum = HTTPServerStatistics()
    for shard in shards { sum = sum + (await shard.loop.submit { shard.currentStatistics }) }
    return sum
  }
}
