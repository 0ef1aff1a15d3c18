import Addresses
import Cryptography

@testable import MainlineProtocol

/// A handful of nodes joined by a wire that delivers everything at once: enough to see what a node says and does.
final class SmallNetwork {
  final class Host {
    var node: DHTNode
    /// One endpoint for each family of the node.
    let endpoints: [Endpoint]
    var events: [NodeEvent] = []
    var endpoint: Endpoint { endpoints[0] }

    init(_ configuration: NodeConfiguration, endpoints: [Endpoint], seed: UInt64, at now: Instant) {
      self.endpoints = endpoints
      var configuration = configuration
      configuration.localEndpoints = endpoints
      configuration.families = endpoints.map(\.family)
      node = DHTNode(configuration: configuration, random: RandomSource(seed: seed), at: now)
    }
  }

  var now = Instant(nanoseconds: 0)
  private(set) var hosts: [Host] = []
  private var byEndpoint: [Endpoint: Host] = [:]
  /// Datagrams to these endpoints vanish.
  var silent: Set<Endpoint> = []

  init(nodes: Int = 0) {
    for index in 0..<nodes { add(seed: UInt64(index), bootstrap: index == 0 ? [] : [hosts[0].endpoint]) }
    settle()
  }

  @discardableResult
  func add(
    _ configuration: NodeConfiguration = .isolated, on addresses: [IPAddress] = [.loopbackV4], seed: UInt64,
    bootstrap: [Endpoint]
  ) -> Host {
    var configuration = configuration
    configuration.hasBootstrap = !bootstrap.isEmpty
    let endpoints = addresses.map { Endpoint($0, port: UInt16(10_000 + hosts.count)) }
    let host = Host(configuration, endpoints: endpoints, seed: seed, at: now)
    hosts.append(host)
    for endpoint in endpoints { byEndpoint[endpoint] = host }
    host.node.addBootstrap(bootstrap, at: now)
    host.node.tick(at: now)
    settle()
    return host
  }

  /// Delivers until nobody has anything to say.
  func settle() {
    var isQuiet = false
    while !isQuiet {
      isQuiet = true
      for host in hosts {
        host.events += host.node.takeEvents()
        let datagrams = (0..<host.node.outbox.count).map {
          (host.node.outbox.endpoint(at: $0), [UInt8](host.node.outbox.bytes(at: $0)))
        }
        host.node.outbox.removeAll()
        for (endpoint, bytes) in datagrams where !silent.contains(endpoint) {
          isQuiet = false
          guard let sender = host.endpoints.first(where: { $0.family == endpoint.family }) else { continue }
          byEndpoint[endpoint]?.node.receive(bytes.span.bytes, from: sender, at: now)
        }
      }
    }
    for host in hosts { host.events += host.node.takeEvents() }
  }

  /// Lets time pass, from deadline to deadline.
  func advance(by duration: Duration) {
    let end = now.advanced(by: duration)
    while let next = hosts.map({ $0.node.nextDeadline }).min(), next <= end {
      now = max(now, next)
      for host in hosts where host.node.nextDeadline <= now { host.node.tick(at: now) }
      settle()
    }
    now = end
  }

  func run(_ query: Query, on host: Int) -> (result: QueryResult?, items: [MutableItem]) {
    hosts[host].events = []
    let id = hosts[host].node.start(query, at: now)
    settle()
    var result: QueryResult?
    var items: [MutableItem] = []
    for event in hosts[host].events {
      switch event {
      case .finished(id, let ended): result = ended
      case .mutableItem(id, let item): items.append(item)
      default: break
      }
    }
    return (result, items)
  }
}
