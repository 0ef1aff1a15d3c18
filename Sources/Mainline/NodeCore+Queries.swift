import Addresses
import EventLoops
import MainlineProtocol

/// Someone who waits for what a query brings.
enum PendingQuery {
  case result(CheckedContinuation<QueryResult, Never>)
  case peers(LookupSink<[Endpoint]>)
  case mutable(LookupSink<MutableItem>)

  func yield(_ item: MutableItem) {
    if case .mutable(let sink) = self { sink.yield(item) }
  }

  func yield(_ peers: [Endpoint]) {
    if case .peers(let sink) = self { sink.yield(peers) }
  }

  func finish(_ result: QueryResult) {
    switch self {
    case .result(let continuation): continuation.resume(returning: result)
    case .peers(let sink): sink.finish(result)
    case .mutable(let sink): sink.finish(result)
    }
  }
}

/// Names a query before it has started. Touched on the loop's thread only.
final class QueryTicket: @unchecked Sendable {
  var id: QueryID?
  var isCancelled = false
}

extension NodeCore {
  /// Runs a query to its end. Throws what the query failed with, `cancelled` if the task was cancelled or the node ends.
  func run(_ query: Query) async throws(QueryFailure) -> QueryResult {
    let ticket = QueryTicket()
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { (continuation: CheckedContinuation<QueryResult, Never>) in
        guard isOpen, !ticket.isCancelled, !Task.isCancelled else {
          return continuation.resume(returning: QueryResult.failed(.cancelled))
        }
        // Started and noted in one go: the query may end before anything else is heard of it.
        let id = node.start(query, at: .current)
        ticket.id = id
        pending[id] = .result(continuation)
        settle()
      }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.cancel(ticket) } }
    }
    if case .failed(let failure) = result { throw failure }
    return result
  }

  private func cancel(_ ticket: QueryTicket) {
    ticket.isCancelled = true
    if let id = ticket.id { cancel(id) }
  }

  /// Forgets a query; who waits for it learns that it was cancelled.
  func cancel(_ id: QueryID) {
    guard let query = pending.removeValue(forKey: id) else { return }
    node.cancel(id, at: .current)
    query.finish(.failed(.cancelled))
    settle()
  }

  /// Starts a query that brings several things. It is cancelled when the returned sink's sequence is released.
  nonisolated func lookup<Element: Sendable>(
    _ query: Query, _ wrap: @escaping @Sendable (LookupSink<Element>) -> PendingQuery
  ) -> LookupSink<Element> {
    let sink = LookupSink<Element>()
    loop.execute { self.assumeIsolated { $0.start(query, sink, wrap) } }
    return sink
  }

  private func start<Element: Sendable>(
    _ query: Query, _ sink: LookupSink<Element>, _ wrap: (LookupSink<Element>) -> PendingQuery
  ) {
    guard isOpen, !sink.isAbandoned else { return sink.finish(.failed(.cancelled)) }
    let id = node.start(query, at: .current)
    pending[id] = wrap(sink)
    sink.whenAbandoned { [weak self] in
      guard let core = self else { return }
      core.loop.execute { core.assumeIsolated { $0.cancel(id) } }
    }
    settle()
  }

  // MARK: - State

  func info() -> NodeInfo? { isOpen ? node.info(at: .current) : nil }

  func bootstrapEndpoints() -> [Endpoint] { isOpen ? node.saved(at: .current).nodes.map(\.endpoint) : [] }

  func allowQueries(extraPerSecond extra: Double) {
    guard isOpen else { return }
    node.allowQueries(extraPerSecond: extra)
    settle()
  }

  func seed(_ nodes: [NodeContact]) {
    guard isOpen else { return }
    node.seed(nodes, at: .current)
    settle()
  }

  private var goodNodes: Int { node.info(at: .current).families.reduce(0) { $0 + $1.goodNodes } }

  /// Looks up the node's own id until eight good nodes are known or the lookup ends.
  func bootstrapped() async -> Bool {
    guard isOpen else { return false }
    let lookups = Task { await self.lookUpOwnIDs() }
    let enough = Task {
      if await self.waitForGoodNodes(8, within: .seconds(60)) { lookups.cancel() }
    }
    await withTaskCancellationHandler {
      await lookups.value
    } onCancel: {
      lookups.cancel()
    }
    enough.cancel()
    return isOpen && goodNodes > 0
  }

  private func lookUpOwnIDs() async {
    guard isOpen else { return }
    let ids = node.info(at: .current).families.map(\.id)
    await withTaskGroup(of: Void.self) { group in
      for id in ids { group.addTask { _ = try? await self.run(.findNode(id)) } }
    }
  }

  // MARK: - Waiting for nodes

  struct GoodNodeWaiter {
    var goal: Int
    var continuation: CheckedContinuation<Bool, Never>
    var timer: TimerHandle
  }

  func waitForGoodNodes(_ goal: Int, within timeLimit: Duration) async -> Bool {
    let id = nextWaiter
    nextWaiter += 1
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        guard isOpen, goodNodes < goal, !Task.isCancelled else {
          return continuation.resume(returning: isOpen && goodNodes >= goal)
        }
        let timer = loop.schedule(after: timeLimit) { [weak self] in
          self?.assumeIsolated { $0.finishWaiter(id, false) }
        }
        goodNodeWaiters[id] = GoodNodeWaiter(goal: goal, continuation: continuation, timer: timer)
      }
    } onCancel: {
      loop.execute { self.assumeIsolated { $0.finishWaiter(id, false) } }
    }
  }

  func checkGoodNodeWaiters() {
    let count = goodNodes
    for (id, waiter) in goodNodeWaiters where waiter.goal <= count { finishWaiter(id, true) }
  }

  func finishWaiter(_ id: UInt64, _ result: Bool) {
    guard let waiter = goodNodeWaiters.removeValue(forKey: id) else { return }
    loop.cancel(waiter.timer)
    waiter.continuation.resume(returning: result)
  }
}
