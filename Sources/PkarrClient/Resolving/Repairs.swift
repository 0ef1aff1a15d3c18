import EventLoops
import Pkarr

/// Repairs that run in the background, as many as there may be.
final class Repairs: Sendable {
  private struct State {
    var limiter: RepairLimiter
    var running: [Int: Task<Void, Never>] = [:]
    var next = 0
    var isEnded = false
  }

  private let state: LockedValue<State>
  private let policy: RepairPolicy
  private let clock: ClientClock

  init(_ policy: RepairPolicy, clock: ClientClock) {
    self.policy = policy
    self.clock = clock
    state = LockedValue(State(limiter: RepairLimiter(policy)))
  }

  deinit { cancel() }

  /// Begins to carry out a plan, unless that is more than there may be.
  func start(_ plan: RepairPlan, dht: DHTClient?, relays: [RelayClient]) {
    state.withLock { state in
      guard !state.isEnded, state.running.count < policy.maximumRunning,
        state.limiter.admit(plan.packet.publicKey, at: clock.now())
      else { return }
      state.next += 1
      let id = state.next
      // It holds the networks, not the client: that may go meanwhile.
      state.running[id] = Task { [weak self] in
        await plan.carryOut(dht: dht, relays: relays)
        self?.ended(id)
      }
    }
  }

  private func ended(_ id: Int) { state.withLock { $0.running[id] = nil } }

  /// Waits until all that run have ended.
  func settle() async {
    while let task = state.withLock({ $0.running.values.first }) {
      await task.value
      await Task.yield()
    }
  }

  /// Ends those that run, and lets no more begin.
  func cancel() {
    let tasks = state.withLock { state in
      state.isEnded = true
      return Array(state.running.values)
    }
    for task in tasks { task.cancel() }
  }
}

extension RepairPlan {
  /// Puts the packet to all who are behind, at the same time. Who refuses it knows better, or is out of order.
  func carryOut(dht: DHTClient?, relays clients: [RelayClient]) async {
    await withTaskGroup(of: Void.self) { group in
      if let dht, !nodes.isEmpty { group.addTask { _ = try? await dht.repair(packet, at: nodes) } }
      for index in relays { group.addTask { _ = try? await clients[index].publish(packet) } }
    }
  }
}
