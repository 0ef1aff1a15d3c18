import EventLoops
import Pkarr
import PkarrClient

/// Runs lookups in the DHT for those who wait for them; see ``LookupTable`` for who shares which.
final class LookupCoordinator: Sendable {
  /// Somebody who waits.
  private final class Waiter: Sendable {
    private let continuation: LockedValue<UnsafeContinuation<Result<SignedPacket, RelayFailure>, Never>?>

    init() { continuation = LockedValue(nil) }

    func wait(_ continuation: UnsafeContinuation<Result<SignedPacket, RelayFailure>, Never>) {
      self.continuation.withLock { $0 = continuation }
    }

    func answer(_ result: Result<SignedPacket, RelayFailure>) {
      let waiting = continuation.withLock { continuation in
        defer { continuation = nil }
        return continuation
      }
      waiting?.resume(returning: result)
    }
  }

  private typealias Table = LookupTable<Waiter>

  /// What a waiter is in the table, for the case that it is cancelled. Touched under the coordinator's lock only.
  private final class Place: @unchecked Sendable {
    var id: LookupWaiterID?
    var isCancelled = false
  }

  private struct State {
    var table = Table()
    var tasks: [LookupID: Task<Void, Never>] = [:]
    var hasEnded = false
  }

  private let network: any RelayNetwork
  private let onPacket: @Sendable (SignedPacket) -> Void
  private let onEnd: @Sendable (Duration) -> Void
  private let state = LockedValue(State())

  /// `onPacket` is told each packet that a lookup finds, before anybody is answered with it; `onEnd` how long a lookup took.
  init(
    _ network: any RelayNetwork, onPacket: @escaping @Sendable (SignedPacket) -> Void,
    onEnd: @escaping @Sendable (Duration) -> Void
  ) {
    self.network = network
    self.onPacket = onPacket
    self.onEnd = onEnd
  }

  /// How many lookups are under way, and how many wait for them.
  var load: (lookups: Int, waiters: Int) { state.withLock { ($0.table.count, $0.table.waiterCount) } }

  /// A packet of this key was published: lookups that began before may miss it.
  func outdate(_ key: PublicKey) { state.withLock { $0.table.outdate(key) } }

  /// What a lookup of the key brings; `isShared` if it was under way already.
  func packet(
    of key: PublicKey, wants want: LookupWant
  ) async throws(RelayFailure) -> (packet: SignedPacket, isShared: Bool) {
    let place = Place()
    let waiter = Waiter()
    let isShared = LockedValue(false)
    let result = await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        waiter.wait(continuation)
        let joined = join(waiter, place, key, want)
        isShared.withLock { $0 = joined }
      }
    } onCancel: {
      let task = state.withLock { state -> Task<Void, Never>? in
        place.isCancelled = true
        guard let id = place.id, let lookup = state.table.leave(id) else { return nil }
        return state.tasks.removeValue(forKey: lookup)
      }
      task?.cancel()
      waiter.answer(.failure(.cancelled))
    }
    return (try result.get(), isShared.withLock { $0 })
  }

  /// Ends all lookups; who waits is told so, and who comes later as well.
  func shutdown() {
    let tasks = state.withLock { state in
      state.hasEnded = true
      return Array(state.tasks.values)
    }
    for task in tasks { task.cancel() }
  }

  /// True if it was no new lookup.
  private func join(_ waiter: Waiter, _ place: Place, _ key: PublicKey, _ want: LookupWant) -> Bool {
    var answer: Result<SignedPacket, RelayFailure>?
    let isShared = state.withLock { state in
      if place.isCancelled || state.hasEnded {
        answer = .failure(.cancelled)
        return false
      }
      switch state.table.join(waiter, key: key, wants: want, at: MonotonicClock.now) {
      case .joined(let id):
        place.id = id
        return true
      case .answered(let packet):
        answer = .success(packet)
        return true
      case .refused:
        answer = .failure(.busy)
        return false
      case .begin(let lookup, let bound, let id):
        place.id = id
        state.tasks[lookup] = Task.detached { await self.run(lookup, key, newerThan: bound) }
        return false
      }
    }
    if let answer { waiter.answer(answer) }
    return isShared
  }

  private func run(_ id: LookupID, _ key: PublicKey, newerThan bound: Int64?) async {
    let start = MonotonicClock.now
    let result = await network.lookUp(key, newerThan: bound) { packet in
      self.onPacket(packet)
      for waiter in self.state.withLock({ $0.table.receive(packet, by: id) }) { waiter.answer(.success(packet)) }
    }
    if case .success(let packet) = result { onPacket(packet) }
    let answers = state.withLock { state in
      state.tasks[id] = nil
      return state.table.finish(id, with: result)
    }
    onEnd(.nanoseconds(Int64(clamping: MonotonicClock.now - start)))
    for (waiter, result) in answers { waiter.answer(result) }
  }
}
