import Addresses
import Cryptography
import EventLoops
import MainlineProtocol

/// A node of the Mainline DHT on real sockets.
///
/// ```swift
/// let node = try await MainlineNode()
/// try await node.putMutable(item)
/// for try await item in node.getMutable(key: key) { print(item.seq) }
/// try await node.shutdown()
/// ```
///
/// The node is a handle: when the last reference goes, the node ends, its sockets close, and what still runs fails with
/// `QueryFailure.cancelled`. ``shutdown()`` does the same, waits for it, and saves the routing table before.
///
/// Every call may be cancelled through its task.
public final class MainlineNode: Sendable {
  let core: NodeCore

  /// Binds the sockets and starts the node; does not wait for the network, see ``bootstrapped()``.
  ///
  /// Throws if a port is taken (`SystemError.isAddressInUse`) or the system has no socket or thread left.
  public init(_ configuration: MainlineConfiguration = MainlineConfiguration()) async throws(SystemError) {
    let sockets = try BoundSockets(configuration)
    let ownsLoop = configuration.eventLoop == nil
    let loop: EventLoop
    if let shared = configuration.eventLoop {
      loop = shared
    } else {
      // What comes from the network comes in bursts: on a core that others use as well it is better handled together.
      loop = try EventLoop(name: "mainline", priority: ThreadPriority(.gathering, niceness: configuration.niceness))
      try loop.start()
    }
    core = NodeCore(configuration, sockets: sockets.sockets, loop: loop, ownsLoop: ownsLoop)
    do throws(SystemError) {
      try await core.open()
    } catch {
      if ownsLoop { loop.requestStop() }
      throw error
    }
  }

  deinit { core.abandon() }

  /// The addresses and ports that the node's sockets are bound to, one of each family in use.
  public var localEndpoints: [Endpoint] { core.sockets.map(\.localEndpoint) }

  /// The loop that the node lives on: what asks it often lives there as well. It ends with the node unless it was given to it.
  public var eventLoop: EventLoop { core.loop }

  /// Ends the node: fails what runs, closes the sockets, and saves the routing table if a file for it was given.
  ///
  /// Throws if the table could not be written; the node has ended all the same. A second call does nothing.
  public func shutdown() async throws(SystemError) {
    let saved = await core.close()
    if core.ownsLoop { await core.loop.shutdown() }
    if let saved { try saved.file.write(saved.nodes) }
  }

  // MARK: - State

  /// How the node is doing; nil after its end.
  public func info() async -> NodeInfo? { await core.info() }

  /// Waits until the node knows its neighbourhood: eight good nodes, or the end of a lookup for its own id.
  ///
  /// False if it found nobody.
  public func bootstrapped() async -> Bool { await core.bootstrapped() }

  /// Waits until the routing tables hold `count` good nodes in all; false if `timeLimit` passes, the node ends or the
  /// task is cancelled before.
  public func hasGoodNodes(_ count: Int, within timeLimit: Duration) async -> Bool {
    await core.waitForGoodNodes(count, within: timeLimit)
  }

  /// The endpoints of good nodes, longest known first: bootstrap hosts for the next start, or for others.
  public func bootstrapEndpoints() async -> [Endpoint] { await core.bootstrapEndpoints() }

  /// Lets the node send so many queries a second more than `RateLimits.outgoingQueries` says, in the place of what was said
  /// before: for work that has a limit of its own. The limits for each address that is asked stay.
  public func allowQueries(extraPerSecond extra: Double) async { await core.allowQueries(extraPerSecond: extra) }

  /// Puts nodes into the routing table as if they had answered. For test networks.
  public func seed(_ nodes: [NodeContact]) async { await core.seed(nodes) }

  // MARK: - Nodes

  /// Asks one node whether it is there.
  public func ping(_ endpoint: Endpoint) async throws(QueryFailure) -> PingOutcome {
    guard case .ping(let outcome) = try await core.run(.ping(endpoint)) else { throw .cancelled }
    return outcome
  }

  /// Finds the nodes closest to a target (BEP 5 `find_node`).
  public func findNode(_ target: NodeID) async throws(QueryFailure) -> NodesOutcome {
    try await nodes(.findNode(target))
  }

  /// Finds the nodes closest to a target that would store an item there, with their write tokens (BEP 44 `get`).
  public func closestNodes(to target: NodeID) async throws(QueryFailure) -> NodesOutcome {
    try await nodes(.closestNodes(target))
  }

  private func nodes(_ query: Query) async throws(QueryFailure) -> NodesOutcome {
    guard case .nodes(let outcome) = try await core.run(query) else { throw .cancelled }
    return outcome
  }

  // MARK: - Peers

  /// Looks up peers of an info-hash (BEP 5): a sequence of lists, one of each node that knows some.
  public func getPeers(_ infoHash: NodeID) -> PeerLookup {
    PeerLookup(core.lookup(.getPeers(infoHash)) { .peers($0) })
  }

  /// Announces this machine as a peer of an info-hash (BEP 5). `port` nil: the port of the node itself.
  @discardableResult
  public func announcePeer(_ infoHash: NodeID, port: UInt16? = nil) async throws(QueryFailure) -> PutOutcome {
    try await put(.announcePeer(infoHash, port: port))
  }

  // MARK: - Items

  /// Fetches an immutable item (BEP 44); nil if none of those who answered has it.
  ///
  /// Throws `QueryFailure.noNodes` if nobody answered.
  public func getImmutable(_ target: NodeID) async throws(QueryFailure) -> ImmutableItem? {
    let (item, counts) = try await getImmutableDetailed(target)
    if counts.responded == 0 { throw .noNodes }
    return item
  }

  /// Fetches an immutable item (BEP 44), and says how the nodes that were asked answered.
  public func getImmutableDetailed(
    _ target: NodeID
  ) async throws(QueryFailure) -> (item: ImmutableItem?, counts: GetOutcome) {
    guard case .immutable(let item, let counts) = try await core.run(.getImmutable(target)) else { throw .cancelled }
    return (item, counts)
  }

  /// Stores an immutable item (BEP 44).
  @discardableResult
  public func putImmutable(_ item: ImmutableItem) async throws(QueryFailure) -> PutOutcome {
    try await put(.putImmutable(item))
  }

  /// Looks up the mutable item of a key and salt (BEP 44): a sequence of items, each more recent than the one before,
  /// as the nodes answer.
  ///
  /// `newerThan` asks for items with a higher seq only. The lookup goes on while the returned value is alive and ends
  /// when it is released.
  public func getMutable(
    key: Ed25519.PublicKey, salt: [UInt8] = [], newerThan: Int64? = nil
  ) -> MutableLookup {
    MutableLookup(core.lookup(.getMutable(key: key, salt: salt, newerThan: newerThan)) { .mutable($0) })
  }

  /// The most recent mutable item of a key and salt that a complete lookup finds; nil if none of those who answered has
  /// one.
  ///
  /// Throws `QueryFailure.noNodes` if nobody answered.
  public func getMutableMostRecent(
    key: Ed25519.PublicKey, salt: [UInt8] = [], newerThan: Int64? = nil
  ) async throws(QueryFailure) -> MutableItem? {
    let query = Query.getMutable(key: key, salt: salt, newerThan: newerThan)
    guard case .mutable(let item, let counts) = try await core.run(query) else { throw .cancelled }
    if counts.responded == 0 { throw .noNodes }
    return item
  }

  /// The first mutable item of a key and salt that arrives: the fastest answer, not always the newest; nil if none of
  /// those who answered has one.
  ///
  /// The lookup then goes on to its end without the caller, so that the node gets to know more nodes. Throws
  /// `QueryFailure.noNodes` if nobody answered.
  public func getMutableFirst(
    key: Ed25519.PublicKey, salt: [UInt8] = [], newerThan: Int64? = nil
  ) async throws(QueryFailure) -> MutableItem? {
    let lookup = getMutable(key: key, salt: salt, newerThan: newerThan)
    var items = lookup.makeAsyncIterator()
    if let first = try await items.next() {
      Task { _ = try? await lookup.outcome() }
      return first
    }
    if try await lookup.outcome().counts.responded == 0 { throw .noNodes }
    return nil
  }

  /// Stores a signed item (BEP 44) at the nodes closest to its target.
  ///
  /// Throws `QueryFailure.notMostRecent` and the like if the network holds something newer. An outcome with
  /// `conflicts` above 0 says that a minority does.
  @discardableResult
  public func putMutable(
    _ item: MutableItem, options: PutOptions = PutOptions()
  ) async throws(QueryFailure) -> PutOutcome {
    try await put(.putMutable(item, options))
  }

  /// Stores a signed item (BEP 44) at nodes that a lookup found without it, and nowhere else: see
  /// `GetOutcome.storageNodes`. At most 72 nodes.
  ///
  /// Throws `QueryFailure.notMostRecent` if most of them hold something newer.
  @discardableResult
  public func repairMutable(
    _ item: MutableItem, at nodes: [StorageNode]
  ) async throws(QueryFailure) -> PutOutcome {
    try await put(.repairMutable(item, at: nodes))
  }

  private func put(_ query: Query) async throws(QueryFailure) -> PutOutcome {
    guard case .stored(let outcome) = try await core.run(query) else { throw .cancelled }
    return outcome
  }
}
