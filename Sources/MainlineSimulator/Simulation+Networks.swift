import Addresses
import Cryptography
import MainlineProtocol

extension NodeConfiguration {
  /// A server on the public network that knows its own address, as `node` of a simulated network.
  static func server(at endpoint: Endpoint) -> NodeConfiguration {
    var configuration = NodeConfiguration()
    configuration.mode = .server
    configuration.publicEndpoints = [endpoint]
    return configuration
  }
}

extension Simulation {
  /// Adds a server with public rules: an id bound to its address, limits for each address, rate limits.
  @discardableResult
  public func addServer(bootstrap: [Endpoint]) -> SimulatedNode {
    let endpoint = unusedEndpoint()
    return addNode(.server(at: endpoint), bootstrap: bootstrap, at: endpoint)
  }

  /// Adds a node that only asks.
  @discardableResult
  public func addClient(bootstrap: [Endpoint]) -> SimulatedNode {
    var configuration = NodeConfiguration()
    configuration.mode = .client
    return addNode(configuration, bootstrap: bootstrap)
  }

  /// Adds servers one after another, each of which bootstraps from some that are there, and lets them settle.
  ///
  /// - Parameters:
  ///   - count: how many to add.
  ///   - spacing: time between two.
  ///   - settling: time after the last.
  public func grow(
    by count: Int, spacing: Duration = .milliseconds(50), settling: Duration = .seconds(30)
  ) {
    for _ in 0..<count {
      addServer(bootstrap: bootstrapEndpoints())
      run(for: spacing)
    }
    run(for: settling)
  }

  /// Endpoints of a few random nodes, to bootstrap from.
  public func bootstrapEndpoints(_ count: Int = 3) -> [Endpoint] {
    let present = presentNodes
    guard !present.isEmpty else { return [] }
    return (0..<count).map { _ in present[Int(random.next() % UInt64(present.count))].endpoint }
  }

  /// A random node that is present.
  public func randomNode(where isSuitable: (SimulatedNode) -> Bool = { _ in true }) -> SimulatedNode? {
    let present = presentNodes.filter(isSuitable)
    return present.isEmpty ? nil : present[Int(random.next() % UInt64(present.count))]
  }
}
