import Addresses
import EventLoops
import Mainline
import MainlineProtocol
import Pkarr

/// Publishes and resolves over the DHT alone.
///
/// ```swift
/// let dht = try await DHTClient()
/// let outcome = try await dht.publish(packet)
/// let lookup = dht.resolve(key)
/// if let packet = try await lookup.first() { … }  // the fastest answer
/// let completion = await lookup.completion()      // the newest one, and how the nodes answered
/// ```
public final class DHTClient: Sendable {
  /// The node that asks.
  public let node: MainlineNode
  /// From when on figures deserve a warning.
  public let reportPolicy: ReportPolicy

  private let clock: ClientClock
  private let ownsNode: Bool

  /// Starts a node of its own. With IPv6 wanted but not to be had, it does with IPv4.
  ///
  /// Throws if the system has no socket or thread for it.
  public init(
    _ configuration: MainlineConfiguration = .ephemeralClient, reportPolicy: ReportPolicy = .mainnet,
    clock: ClientClock = .system
  ) async throws(SystemError) {
    node = try await Self.start(configuration)
    ownsNode = true
    self.reportPolicy = reportPolicy
    self.clock = clock
  }

  /// Shares a node that somebody else ends.
  public init(sharing node: MainlineNode, reportPolicy: ReportPolicy = .mainnet, clock: ClientClock = .system) {
    self.node = node
    ownsNode = false
    self.reportPolicy = reportPolicy
    self.clock = clock
  }

  private static func start(_ configuration: MainlineConfiguration) async throws(SystemError) -> MainlineNode {
    do throws(SystemError) {
      return try await MainlineNode(configuration)
    } catch {
      var alternative = configuration
      alternative.bindAddresses.removeAll { !$0.isIPv4 }
      let isAlternative = (1..<configuration.bindAddresses.count).contains(alternative.bindAddresses.count)
      guard !error.isAddressInUse, isAlternative else { throw error }
      return try await MainlineNode(alternative)
    }
  }

  /// Stores a packet at the nodes closest to its key.
  ///
  /// - Parameter isVerified: True if the caller has just checked the signature, which is then not checked again. Packets of
  ///   a cache are not: nobody has looked at their signature since they were written.
  /// - Throws: `PublishError`.
  @discardableResult
  public func publish(_ packet: SignedPacket, isVerified: Bool = false) async throws(PublishError) -> PutOutcome {
    let item = try MutableItem(packet, isVerified: isVerified)
    do throws(QueryFailure) {
      return try await node.putMutable(item)
    } catch {
      throw PublishError(error)
    }
  }

  /// Puts a packet to nodes of an earlier lookup that do not hold it, and nowhere else; how many stored it.
  ///
  /// - Throws: `PublishError`.
  @discardableResult
  public func repair(_ packet: SignedPacket, at nodes: [StorageNode]) async throws(PublishError) -> Int {
    let item = try MutableItem(packet)
    do throws(QueryFailure) {
      return try await node.repairMutable(item, at: nodes).stored
    } catch {
      throw PublishError(error)
    }
  }

  /// Begins to look up the packet of a key. The lookup goes on while the returned value is alive.
  ///
  /// - Parameter newerThan: only versions above this; see ``CacheContext/dhtBound``.
  public func resolve(_ key: PublicKey, newerThan: Int64? = nil) -> DHTResolution {
    DHTResolution(node.getMutable(key: key.verificationKey, newerThan: newerThan), by: node, clock: clock)
  }

  /// How the DHT looks from here; nil after the node's end.
  public func info() async -> DHTInfo? {
    guard let info = await node.info() else { return nil }
    return DHTInfo(info, localEndpoints: node.localEndpoints)
  }

  /// Ends the node if it is the client's own.
  public func shutdown() async throws(SystemError) { if ownsNode { try await node.shutdown() } }
}

extension MainlineConfiguration {
  /// A node of the public network over both families that asks, does not answer, and takes any port.
  public static var ephemeralClient: MainlineConfiguration {
    var configuration = MainlineConfiguration.dualStack
    configuration.node.mode = .client
    configuration.port = 0
    return configuration
  }
}

/// How the DHT looks from one node.
public struct DHTInfo: Sendable {
  /// The addresses of the node's sockets.
  public var localEndpoints: [Endpoint]
  /// Where others see the node, as far as it knows.
  public var publicEndpoints: [Endpoint]
  /// True until the node is proven reachable from outside.
  public var isFirewalled: Bool
  /// Estimated number of nodes in the network.
  public var networkSize: Double
  /// Relative standard deviation of that estimate (infinite while nothing is known).
  public var networkSizeDeviation: Double
  /// Nodes in the routing table that answered lately.
  public var goodNodes: Int
  /// Share of the last 1000 requests that were answered; nil before the first.
  public var responseRate: Double?
  /// Everything else that the node knows about itself.
  public var node: NodeInfo

  init(_ info: NodeInfo, localEndpoints: [Endpoint]) {
    self.localEndpoints = localEndpoints
    publicEndpoints = info.families.compactMap(\.publicEndpoint)
    isFirewalled = info.isFirewalled
    networkSize = info.networkSize
    networkSizeDeviation = info.networkSizeDeviation
    goodNodes = info.families.reduce(0) { $0 + $1.goodNodes }
    responseRate = info.responseRate
    node = info
  }
}

// MARK: - Failures

extension PublishError {
  /// What a failed put means.
  init(_ failure: QueryFailure) {
    self =
      switch failure {
      case .noNodes: .noDHTNodesQueried
      case .timeout: .noResponses
      case .notMostRecent, .conflictRisk, .casFailed: .notMostRecent
      case .rejected(let code, _): .rejected(code: code, description: Self.meaning(ofCode: code))
      case .invalidItem: .unexpectedResponses
      // The node has ended, or it was the task that was cancelled.
      case .cancelled: Task.isCancelled ? .cancelled : .noDHTNodesQueried
      }
  }

  /// Error codes of KRPC (BEP 5, BEP 44).
  private static func meaning(ofCode code: Int) -> String {
    switch code {
    case 201: "the nodes failed"
    case 202: "the nodes are out of order"
    case 203: "the nodes did not understand the request or its token"
    case 204: "the nodes do not store items"
    case 205: "the packet is too big for the nodes"
    case 206: "the nodes do not accept the signature"
    case 207: "the nodes do not accept the salt"
    default: "the nodes gave no reason that is known"
    }
  }
}

extension ResolveError {
  /// What a failed lookup means.
  init(_ failure: QueryFailure) {
    self =
      switch failure {
      case .noNodes: .noDHTNodesQueried
      case .timeout: .noResponses
      case .cancelled: Task.isCancelled ? .cancelled : .noDHTNodesQueried
      case .notMostRecent, .conflictRisk, .casFailed, .rejected, .invalidItem: .unexpectedResponses
      }
  }
}
