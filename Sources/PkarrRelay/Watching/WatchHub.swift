import Addresses
import EventLoops
import Pkarr

/// Tells those who follow a key of each newer packet, and asks the DHT for one from time to time: once for all who follow
/// the key.
final class WatchHub: Sendable {
  /// Somebody who follows a key: a bell that rings when he is to look.
  typealias Bell = AsyncStream<Void>.Continuation
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
  func news(_ packet: SignedPacket) {
    for bell in state.withLock({ $0.table.news(packet) }) { bell.yield() }
  }

  /// The newest packet of a key that is followed.
  func newest(_ key: PublicKey) -> SignedPacket? { state.withLock { $0.table.newest(key) } }

  /// Rings every bell.
  func ringAll() { for bell in state.withLock({ $0.table.watchers }) { bell.yield() } }

  /// Follows a key while `body` runs: it is given a sequence that has an element whenever there may be news in
  /// ``newest(_:)``, and at least every ``heartbeat``. Returns at once if there is no place.
  func follow(
    _ key: PublicKey, client: IPAddress?, _ body: (AsyncStream<Void>) async throws -> Void
  ) async rethrows {
    // One ring is as good as many: who hears it looks for himself.
    let (rings, bell) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    guard let id = enter(bell, key, client) else { return }
    defer { leave(id) }
    try await body(rings)
  }

  /// Ends all.
  func shutdown() {
    let state = state.withLock { state in
      state.hasEnded = true
      return (state.table.watchers, Array(state.refreshers.values), state.ticker)
    }
    for bell in state.0 { bell.finish() }
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
