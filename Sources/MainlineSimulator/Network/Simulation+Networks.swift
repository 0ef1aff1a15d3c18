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

  /// Endpoints of a few random nodes to bootstrap from: servers that can be reached, as far as a few draws find such.
  public func bootstrapEndpoints(_ count: Int = 3) -> [Endpoint] {
    guard !presentNodes.isEmpty else { return [] }
    return (0..<count).map { _ in
      var node = presentNodes[Int(random.next() % UInt64(presentNodes.count))]
      for _ in 0..<20 where node.isBehindNAT || !node.isServer {
        node = presentNodes[Int(random.next() % UInt64(presentNodes.count))]
      }
      return node.endpoint
    }
  }

  /// A random node that is present; nil if none is suitable.
  public func randomNode(where isSuitable: (SimulatedNode) -> Bool = { _ in true }) -> SimulatedNode? {
    guard !presentNodes.isEmpty else { return nil }
    // Mostly the first draws find one; only if not, all are looked at.
    for _ in 0..<16 {
      let node = presentNodes[Int(random.next() % UInt64(presentNodes.count))]
      if isSuitable(node) { return node }
    }
    return random.pick(presentNodes.filter(isSuitable))
  }
}
