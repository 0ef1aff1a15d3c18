import Addresses
import Cryptography
import MainlineProtocol
import Testing

@testable import EventLoops
@testable import Mainline

@Suite("Mainline node")
struct MainlineNodeTests {
  let key = Ed25519.SecretKey()

  // MARK: Ports

  @Test("a port that was asked for must be free, without a wish any free one will do")
  func ports() async throws {
    let first = try await MainlineNode(.isolated())
    var configuration = MainlineConfiguration.isolated()
    configuration.port = first.endpoint.port
    let error = await #expect(throws: SystemError.self) { try await MainlineNode(configuration) }
    #expect(error?.isAddressInUse == true)
    configuration.port = nil
    let second = try await MainlineNode(configuration)
    let third = try await MainlineNode(configuration)
    #expect(Set([first, second, third].map(\.endpoint)).count == 3)
    for node in [first, second, third] { try await node.shutdown() }
    // The ports are free again; other tests may have taken one of them meanwhile, but hardly all.
    #expect([first, second, third].contains { (try? UDPSocket(boundTo: $0.endpoint)) != nil })
  }

  @Test("the thread of a node gathers work, with the niceness that was asked for")
  func priority() async throws {
    var configuration = MainlineConfiguration.isolated()
    configuration.niceness = 10
    let node = try await MainlineNode(configuration)
    #expect(node.eventLoop.priority == ThreadPriority(.gathering, niceness: 10))
    try await node.shutdown()
  }

  @Test("a node with two families has a socket, an id and a table for each, on the same port if that is free")
  func dualStack() async throws {
    var configuration = MainlineConfiguration.isolated()
    configuration.bindAddresses = [.loopbackV4, .loopbackV6]
    let node = try await MainlineNode(configuration)
    let other = try await MainlineNode(configuration)
    #expect(node.localEndpoints.map(\.address) == [.loopbackV4, .loopbackV6])
    let info = try #require(await node.info())
    #expect(info.families.map(\.family) == [.ipv4, .ipv6])
    for endpoint in node.localEndpoints {
      let pong = try await other.ping(endpoint)
      #expect(pong.id == info.families.first { $0.family == endpoint.family }?.id)
    }
    try await node.shutdown()
    try await other.shutdown()
  }

  // MARK: Nobody there

  @Test("a node that nobody answers ends its queries with 'no nodes'")
  func nobodyAnswers() async throws {
    let hole = try BlackHole()
    var configuration = MainlineConfiguration.isolated(bootstrap: [hole.host])
    configuration.node.requestTimeout = .milliseconds(300)
    let node = try await MainlineNode(configuration)
    await #expect(throws: QueryFailure.noNodes) { try await node.getMutableMostRecent(key: key.publicKey) }
    await #expect(throws: QueryFailure.noNodes) { try await node.getImmutable(NodeID.zero) }
    await #expect(throws: QueryFailure.noNodes) { try await node.putMutable(item(key, seq: 1, "x")) }
    // Who looks closer learns how many were asked in vain.
    let (newest, counts) = try await node.getMutable(key: key.publicKey).outcome()
    #expect(newest == nil && counts.queried == 1 && counts.responded == 0)
    #expect(await !node.bootstrapped())
    try await node.shutdown()
  }

  @Test("a node without bootstrap hosts has nobody to ask, and says so at once")
  func noBootstrap() async throws {
    let node = try await MainlineNode(.isolated())
    await #expect(throws: QueryFailure.noNodes) { try await node.getMutableMostRecent(key: key.publicKey) }
    let lookup = node.getMutable(key: key.publicKey)
    await #expect(throws: QueryFailure.noNodes) { for try await _ in lookup {} }
    #expect(await node.bootstrapEndpoints().isEmpty)
    try await node.shutdown()
  }

  @Test("bootstrap hosts are found by name, and names that do not exist do no harm")
  func names() async throws {
    try await withTestnet(nodes: 3) { testnet in
      let port = testnet.nodes[0].endpoint.port
      let hosts = ["no-such-host.invalid:6881", "localhost:\(port)"].compactMap { HostName($0) }
      #expect(hosts.count == 2)
      let node = try await MainlineNode(.isolated(bootstrap: hosts))
      #expect(await node.hasGoodNodes(1, within: .seconds(60)))
      try await node.shutdown()
    }
  }

  @Test("a port where nobody listens is a node that does not answer")
  func vacantPort() async throws {
    let vacant = try BlackHole().endpoint
    let node = try await MainlineNode(.isolated())
    await #expect(throws: QueryFailure.timeout(nil)) { try await node.ping(vacant) }
    try await node.shutdown()
  }

  // MARK: Ends

  /// A node whose queries stay open, because nobody answers for a long time.
  private func waitingNode(_ hole: BlackHole) async throws -> MainlineNode {
    var configuration = MainlineConfiguration.isolated(bootstrap: [hole.host])
    configuration.node.requestTimeout = .seconds(3600)
    return try await MainlineNode(configuration)
  }

  @Test("a cancelled task ends its query")
  func cancellation() async throws {
    let hole = try BlackHole()
    let node = try await waitingNode(hole)
    let key = key.publicKey
    let tasks = (0..<20).map { number in
      Task {
        switch number % 4 {
        case 0: _ = try await node.getMutableMostRecent(key: key)
        case 1: for try await _ in node.getMutable(key: key) {}
        case 2: _ = try await node.getMutable(key: key).outcome()
        default: _ = try await node.ping(hole.endpoint)
        }
      }
    }
    // The pings wait for an hour; on a busy machine lookups may have given up before the last ping begins.
    while await node.core.pending.count < 5 { await Task.yield() }
    for task in tasks { task.cancel() }
    for (number, task) in tasks.enumerated() {
      let result = await task.result
      if number % 4 == 3 { #expect(throws: QueryFailure.cancelled) { try result.get() } }
    }
    #expect(await node.core.pending.isEmpty)
    try await node.shutdown()
  }

  @Test("a shutdown fails the queries that run")
  func shutdownWithPending() async throws {
    let hole = try BlackHole()
    let node = try await waitingNode(hole)
    let pings = (0..<10).map { _ in Task { _ = try await node.ping(hole.endpoint) } }
    let lookup = node.getPeers(NodeID.zero)
    // The pings wait for an hour; on a busy machine the lookup may have given up before the last ping begins.
    while await node.core.pending.count < 10 { await Task.yield() }
    try await node.shutdown()
    for ping in pings { await #expect(throws: (any Error).self) { try await ping.value } }
    _ = try? await lookup.outcome()
    try await node.shutdown()
    _ = try UDPSocket(boundTo: node.endpoint)
  }

  @Test("releasing the last handle ends the node and what it runs, and frees its port")
  func release() async throws {
    let hole = try BlackHole()
    var node: MainlineNode? = try await waitingNode(hole)
    let endpoint = try #require(node?.endpoint)
    let lookup = try #require(node?.getMutable(key: key.publicKey))
    node = nil
    await #expect(throws: QueryFailure.cancelled) { try await lookup.outcome() }
    while (try? UDPSocket(boundTo: endpoint)) == nil { await Task.yield() }
  }

  @Test("a node on a loop of others ends alone, and with the loop")
  func sharedLoop() async throws {
    let loop = try EventLoop()
    try loop.start()
    var configuration = MainlineConfiguration.isolated()
    configuration.eventLoop = loop
    let first = try await MainlineNode(configuration)
    let second = try await MainlineNode(configuration)
    try await first.shutdown()
    #expect(await first.info() == nil)
    #expect(await second.info() != nil)
    await loop.shutdown()
    #expect(await second.info() == nil)
    await #expect(throws: QueryFailure.cancelled) { try await second.ping(first.endpoint) }
  }

  @Test("nothing of a node that has ended stays in memory")
  func memory() async throws {
    let loop = try EventLoop()
    try loop.start()
    weak var core: NodeCore?
    weak var socket: UDPSocket?
    do {
      var configuration = MainlineConfiguration.isolated(bootstrap: [try BlackHole().host])
      configuration.eventLoop = loop
      let node = try await MainlineNode(configuration)
      core = node.core
      socket = node.core.sockets[0]
      _ = await node.info()
      let lookup = node.getMutable(key: key.publicKey)
      try await node.shutdown()
      _ = try? await lookup.outcome()
    }
    // What the loop was given before must have run, and tasks that are over must have been taken down.
    for _ in 0..<1000 where core != nil { try await loop.sleep(for: .milliseconds(1)) }
    #expect(core == nil)
    #expect(socket == nil)
    await loop.shutdown()
  }

  // MARK: Reachability

  @Test("an adaptive node learns its endpoint from others, and that it can be reached from a probe of its own")
  func adaptive() async throws {
    try await withTestnet(nodes: 12) { testnet in
      var configuration = MainlineConfiguration.isolated(bootstrap: testnet.bootstrap)
      configuration.node.mode = .adaptive
      let node = try await MainlineNode(configuration)
      #expect(await node.bootstrapped())
      while try await #require(node.info()).isFirewalled {
        _ = try await node.findNode(NodeID.zero)
        await Task.yield()
      }
      let info = try #require(await node.info())
      #expect(info.families[0].publicEndpoint == node.endpoint)
      try await node.shutdown()
    }
  }

  // MARK: Keeping the table

  @Test("a node that starts again with its saved table needs no bootstrap host and keeps its id")
  func restart() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("table")
    try await withTestnet(nodes: 10) { testnet in
      try await testnet.nodes[0].putMutable(item(key, seq: 1, "kept"))
      let first = try await testnet.client { $0.tableFile = path }
      #expect(await first.bootstrapped())
      let id = await first.info()?.families[0].id
      try await first.shutdown()

      let second = try await testnet.client {
        $0.tableFile = path
        $0.bootstrap = []
      }
      #expect(await second.info()?.families[0].id == id)
      #expect(try await second.getMutableMostRecent(key: key.publicKey)?.seq == 1)
      try await second.shutdown()
    }
  }

  @Test("a table that cannot be written is an error of the shutdown, and the node ends all the same")
  func unwritableTable() async throws {
    let directory = try TemporaryDirectory()
    var configuration = MainlineConfiguration.isolated()
    configuration.tableFile = directory.path("none/table")
    let node = try await MainlineNode(configuration)
    await #expect(throws: SystemError.self) { try await node.shutdown() }
    #expect(await node.info() == nil)
    _ = try UDPSocket(boundTo: node.endpoint)
  }

  // MARK: Hostile datagrams

  @Test("garbage does not stop a node")
  func garbage() async throws {
    try await withTestnet(nodes: 3) { testnet in
      let loop = testnet.eventLoop
      let sink = Ignorer()
      let socket = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
      let target = testnet.nodes[0].endpoint
      try await loop.value { try socket.open(on: loop, handler: sink) }
      let start = Array("d1:ad2:id20:".utf8)
      for round in 0..<2000 {
        let size = round.isMultiple(of: 50) ? 3000 : Int.random(in: 0...300)
        let noise = (0..<size).map { _ in UInt8.random(in: 0...255) }
        let bytes = round.isMultiple(of: 3) ? start + noise : noise
        try await loop.value { bytes.withUnsafeBytes { socket.send($0, to: target) } }
      }
      let pong = try await testnet.nodes[1].ping(target)
      #expect(await testnet.nodes[0].info()?.families[0].id == pong.id)
      #expect(await testnet.nodes[0].info().map { $0.statistics.undecodable > 0 } == true)
    }
  }

  @Test("a probe of reachability goes out from another port, and ends with its loop")
  func probe() async throws {
    let loop = try EventLoop()
    try loop.start()
    let listener = Ignorer()
    let socket = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
    let probe = try await loop.value {
      try socket.open(on: loop, handler: listener)
      let probe = try ReachabilityProbe(from: .loopbackV4, on: loop)
      probe.send([1, 2, 3], to: socket.localEndpoint)
      #expect(!probe.isDone)
      return UncheckedBox(probe)
    }
    while listener.seen.withLock({ $0.isEmpty }) { await Task.yield() }
    let datagrams = listener.seen.withLock { $0 }
    #expect(datagrams.map(\.bytes) == [[1, 2, 3]])
    #expect(datagrams.allSatisfy { $0.sender.port != socket.localEndpoint.port })
    loop.stop()
    #expect(probe.value.isDone)
  }
}

private struct UncheckedBox<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

/// Takes what arrives.
private final class Ignorer: UDPSocketHandler, Sendable {
  let seen = LockedValue<[(bytes: [UInt8], sender: Endpoint)]>([])

  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {
    datagrams.forEach { bytes, sender, _ in
      let copy = bytes.withUnsafeBytes { [UInt8]($0) }
      seen.withLock { $0.append((copy, sender)) }
    }
  }
  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {}
  func socketClosed(_ socket: UDPSocket) {}
}

extension EventLoop {
  /// Runs a closure on the loop and waits for what it returns.
  fileprivate func value<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      execute { continuation.resume(with: Result(catching: body)) }
    }
  }
}
