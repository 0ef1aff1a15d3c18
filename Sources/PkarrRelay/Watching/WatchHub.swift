import Addresses
import EventLoops
import Pkarr

/// Tells those who follow a key of each newer packet, and asks the DHT for one from time to time: once for all who follow
/// the key.
final class WatchHub: Sendable {
  /// Somebody who follows a key, until he leaves. Thousands may, so it is as little as possible: what changes is touched
  /// under the hub's lock only.
  final class Follower: @unchecked Sendable {
    private let hub: WatchHub
    fileprivate var id: Table.WatchID?
    /// There was a ring that nobody has heard yet. Once is as good as many times: who hears it looks for himself.
    fileprivate var hasRung = false
    /// There will never be a ring again.
    fileprivate var isSilent = false
    fileprivate var listener: UnsafeContinuation<Bool, Never>?

    fileprivate init(_ hub: WatchHub) { self.hub = hub }

    /// Waits until there may be news in ``WatchHub/newest(_:)``, at most for ``WatchHub/heartbeat``; false at the end.
    func listen() async -> Bool {
      await withTaskCancellationHandler {
        await withUnsafeContinuation { hub.listen(self, $0) }
      } onCancel: {
        hub.silence([self])
      }
    }

    /// Follows no longer.
    func leave() { hub.leave(self) }
  }

  fileprivate typealias Table = WatchTable<Follower>

  private struct State {
    var table: Table
    /// What asks the DHT, for each key.
    var refreshers: [PublicKey: Task<Void, Never>] = [:]
    /// What rings every bell now and then, while there is one.
    var ticker: Task<Void, Never>?
    var hasEnded = false
  }

  /// A connection must show a sign of life within this, or proxies cut it.
  static let heartbeat = Duration.seconds(15)

  private let interval: Duration
  private let refresh = LockedValue<(@Sendable (PublicKey) async -> Void)?>(nil)
  private let state: LockedValue<State>

  /// `interval`: between two lookups of a key.
  init(capacity: Int, capacityPerClient: Int, interval: Duration) {
    self.interval = interval
    state = LockedValue(State(table: Table(capacity: capacity, capacityPerClient: capacityPerClient)))
  }

  /// What asks the DHT for a key; must end in a call of ``news(_:)`` if there is any.
  func refresh(with body: @escaping @Sendable (PublicKey) async -> Void) { refresh.withLock { $0 = body } }

  /// How many follow a key.
  var count: Int { state.withLock { $0.table.count } }

  /// True if there is a place for one more.
  func hasRoom(for client: IPAddress?) -> Bool { state.withLock { $0.table.hasRoom(for: client) } }

  /// There is a packet.
  func news(_ packet: SignedPacket) { ring { $0.table.news(packet) } }

  /// The newest packet of a key that is followed.
  func newest(_ key: PublicKey) -> SignedPacket? { state.withLock { $0.table.newest(key) } }

  /// Rings every bell.
  func ringAll() { ring { $0.table.watchers } }

  private func ring(_ chosen: (inout State) -> [Follower]) {
    let listeners = state.withLock { state in
      chosen(&state).compactMap { follower in
        let listener = follower.listener
        follower.listener = nil
        follower.hasRung = listener == nil
        return listener
      }
    }
    for listener in listeners { listener.resume(returning: true) }
  }

  /// Begins to follow a key; nil if there is no place. Who follows must leave in the end.
  func follow(_ key: PublicKey, client: IPAddress?) -> Follower? {
    let follower = Follower(self)
    return enter(follower, key, client) ? follower : nil
  }

  private func listen(_ follower: Follower, _ listener: UnsafeContinuation<Bool, Never>) {
    let answer: Bool? = state.withLock { _ in
      if follower.isSilent { return false }
      if !follower.hasRung { follower.listener = listener }
      defer { follower.hasRung = false }
      return follower.hasRung ? true : nil
    }
    if let answer { listener.resume(returning: answer) }
  }

  private func silence(_ followers: [Follower]) {
    let listeners = state.withLock { _ in
      followers.compactMap { follower in
        follower.isSilent = true
        defer { follower.listener = nil }
        return follower.listener
      }
    }
    for listener in listeners { listener.resume(returning: false) }
  }

  /// Ends all.
  func shutdown() {
    let state = state.withLock { state in
      state.hasEnded = true
      return (state.table.watchers, Array(state.refreshers.values), state.ticker)
    }
    silence(state.0)
    for task in state.1 { task.cancel() }
    state.2?.cancel()
  }

  private func enter(_ follower: Follower, _ key: PublicKey, _ client: IPAddress?) -> Bool {
    let interval = interval
    return state.withLock { state in
      guard !state.hasEnded, let (id, isFirst) = state.table.add(follower, key: key, client: client) else {
        return false
      }
      follower.id = id
      if isFirst {
        state.refreshers[key] = Task.detached { [weak self] in
          while !Task.isCancelled {
            do { try await Task.sleep(for: interval) } catch { return }
            guard let refresh = self?.refresh.withLock({ $0 }) else { return }
            await refresh(key)
          }
        }
      }
      if state.ticker == nil {
        state.ticker = Task.detached { [weak self] in
          while !Task.isCancelled {
            do { try await Task.sleep(for: Self.heartbeat) } catch { return }
            self?.ringAll()
          }
        }
      }
      return true
    }
  }

  private func leave(_ follower: Follower) {
    let tasks = state.withLock { state -> [Task<Void, Never>] in
      guard let id = follower.id, let key = state.table.remove(id) else { return [] }
      var tasks: [Task<Void, Never>] = []
      if let refresher = state.refreshers.removeValue(forKey: key) { tasks.append(refresher) }
      if state.table.count == 0, let ticker = state.ticker {
        tasks.append(ticker)
        state.ticker = nil
      }
      return tasks
    }
    for task in tasks { task.cancel() }
  }
}
