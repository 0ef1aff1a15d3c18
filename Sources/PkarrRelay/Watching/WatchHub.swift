import Addresses
import EventLoops
import Pkarr

/// Tells those who follow a key of each newer packet, and asks the DHT for one from time to time: once for all who follow
/// the key.
final class WatchHub: Sendable {
  /// What somebody who follows a key listens to. Thousands may, so it is as little as possible: touched under the hub's
  /// lock only.
  fileprivate final class Bell: @unchecked Sendable {
    /// It rang, and nobody has heard it yet. Once is as good as many times: who hears it looks for himself.
    var hasRung = false
    /// It will never ring again.
    var isSilent = false
    var listener: UnsafeContinuation<Bool, Never>?
  }

  private typealias Table = WatchTable<Bell>

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

  private func ring(_ chosen: (inout State) -> [Bell]) {
    let listeners = state.withLock { state in
      chosen(&state).compactMap { bell in
        let listener = bell.listener
        bell.listener = nil
        bell.hasRung = listener == nil
        return listener
      }
    }
    for listener in listeners { listener.resume(returning: true) }
  }

  /// Somebody who follows a key.
  struct Follower: Sendable {
    fileprivate let hub: WatchHub
    fileprivate let bell: Bell

    /// Waits until there may be news in ``WatchHub/newest(_:)``, at most for ``WatchHub/heartbeat``; false at the end.
    func listen() async -> Bool { await hub.listen(to: bell) }
  }

  /// Follows a key while `body` runs. Returns at once if there is no place.
  func follow(_ key: PublicKey, client: IPAddress?, _ body: (Follower) async throws -> Void) async rethrows {
    let bell = Bell()
    guard let id = enter(bell, key, client) else { return }
    defer { leave(id) }
    try await body(Follower(hub: self, bell: bell))
  }

  private func listen(to bell: Bell) async -> Bool {
    await withTaskCancellationHandler {
      await withUnsafeContinuation { continuation in
        let answer: Bool? = state.withLock { _ in
          if bell.isSilent { return false }
          if !bell.hasRung { bell.listener = continuation }
          defer { bell.hasRung = false }
          return bell.hasRung ? true : nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      silence([bell])
    }
  }

  private func silence(_ bells: [Bell]) {
    let listeners = state.withLock { _ in
      bells.compactMap { bell in
        bell.isSilent = true
        defer { bell.listener = nil }
        return bell.listener
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

  private func enter(_ bell: Bell, _ key: PublicKey, _ client: IPAddress?) -> Table.WatchID? {
    let interval = interval
    return state.withLock { state in
      guard !state.hasEnded, let (id, isFirst) = state.table.add(bell, key: key, client: client) else { return nil }
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
      return id
    }
  }

  private func leave(_ id: Table.WatchID) {
    let tasks = state.withLock { state -> [Task<Void, Never>] in
      guard let key = state.table.remove(id) else { return [] }
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
