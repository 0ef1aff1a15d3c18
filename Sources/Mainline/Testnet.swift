import Addresses
import Cryptography
import EventLoops
import MainlineProtocol

/// A DHT of its own on this machine: nodes on the loopback interface that share one event loop.
///
/// ```swift
/// let testnet = try await Testnet(nodes: 10)
/// let client = try await MainlineNode(.isolated(bootstrap: testnet.bootstrap))
/// …
/// await testnet.stop()
/// ```
///
/// Nothing is sent to anywhere else. The nodes end when the testnet is stopped or released.
public final class Testnet: Sendable {
  /// The nodes.
  public let nodes: [MainlineNode]
  /// Where others find the network.
  public let bootstrap: [HostName]
  /// The loop that all nodes live on.
  public let eventLoop: EventLoop

  private static let convergenceLimit = Duration.seconds(5)
  /// Contacts given to a node of a seeded network.
  private static let seedLimit = 500

  /// Starts a network of `count` nodes on one address.
  ///
  /// - `firstPort`: the port of the first node; the others take the ports after it, and all must be free. Nil: any.
  /// - `isSeeded`: fills every routing table with the other nodes right away. Otherwise the nodes find each other from
  ///   the first one; then this waits until each knows the others, 20 at most, or 5 s have passed.
  /// - `packetFilter`: decides about each datagram that reaches a node.
  /// - `configure`: changes how the nodes behave, each named by its number.
  public init(
    nodes count: Int, address: IPAddress = .loopbackV4, firstPort: UInt16? = nil, isSeeded: Bool = true,
    packetFilter: PacketFilter? = nil, configure: ((Int, inout NodeConfiguration) -> Void)? = nil
  ) async throws(SystemError) {
    precondition(count > 0, "a network has a node")
    eventLoop = try EventLoop(name: "testnet", priority: ThreadPriority(.gathering))
    try eventLoop.start()
    var nodes: [MainlineNode] = []
    do throws(SystemError) {
      for index in 0..<count {
        var configuration = MainlineConfiguration.isolated()
        configuration.eventLoop = eventLoop
        configuration.bindAddresses = [address]
        configuration.packetFilter = packetFilter
        if let firstPort { configuration.port = UInt16(clamping: Int(firstPort) + index) }
        if !isSeeded, let first = nodes.first { configuration.bootstrap = first.localEndpoints.map(HostName.init) }
        configure?(index, &configuration.node)
        nodes.append(try await MainlineNode(configuration))
      }
    } catch {
      await eventLoop.shutdown()
      throw error
    }
    self.nodes = nodes
    bootstrap = (isSeeded ? nodes : Array(nodes.prefix(1))).flatMap(\.localEndpoints).map(HostName.init)
    if isSeeded { await Self.seed(nodes) } else { await Self.converge(nodes) }
  }

  deinit { eventLoop.requestStop() }

  /// Stops all nodes and waits until their sockets are closed.
  public func stop() async { await eventLoop.shutdown() }

  private static func seed(_ nodes: [MainlineNode]) async {
    var contacts: [NodeContact] = []
    for node in nodes {
      guard let info = await node.info() else { continue }
      for (family, endpoint) in zip(info.families, node.localEndpoints) {
        contacts.append(NodeContact(id: family.id, endpoint: endpoint))
      }
    }
    for node in nodes {
      let own = node.localEndpoints
      let others = contacts.filter { !own.contains($0.endpoint) }
      await node.seed(others.count <= seedLimit ? others : Array(others.shuffled().prefix(seedLimit)))
    }
  }

  /// Speeds up what would happen by itself in some minutes: that nodes who asked the first one get known to it, and
  /// through it to each other.
  private static func converge(_ nodes: [MainlineNode]) async {
    let goal = min(nodes.count - 1, 20)
    let deadline = ContinuousClock.now + convergenceLimit
    await withTaskGroup(of: Void.self) { group in
      for node in nodes.dropFirst() {
        for endpoint in node.localEndpoints { group.addTask { _ = try? await nodes[0].ping(endpoint) } }
      }
    }
    await withTaskGroup(of: Void.self) { group in
      for node in nodes {
        group.addTask {
          guard let info = await node.info() else { return }
          for family in info.families { _ = try? await node.findNode(family.id) }
          var random = RandomSource.system
          while ContinuousClock.now < deadline, await !node.hasGoodNodes(goal, within: .zero) {
            _ = try? await node.findNode(.random(using: &random))
          }
        }
      }
    }
  }
}
