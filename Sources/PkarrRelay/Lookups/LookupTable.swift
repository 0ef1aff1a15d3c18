import Pkarr
import PkarrClient

/// Lookups under way, and who waits for which: a thousand requests for one key make one lookup.
///
/// Who takes the first packet that is not older than what he knows is answered as soon as one arrives; the lookup then goes
/// on by itself, since a newer packet may still come. Who wants the newest packet waits for the end. A lookup that nobody
/// waits for, and that has not answered anybody, is cancelled.
struct LookupTable<Waiter: Sendable>: Sendable {
  /// What is to be done for somebody who came.
  enum Admission: Sendable {
    /// Begin a lookup; he waits for it.
    case begin(LookupID, newerThan: Int64?, LookupWaiterID)
    /// He waits for a lookup that is under way.
    case joined(LookupWaiterID)
    /// A lookup that is under way has found this already.
    case answered(SignedPacket)
    /// There are too many lookups.
    case refused
  }

  private struct Lookup: Sendable {
    let key: PublicKey
    let bound: Int64?
    let start: UInt64
    var waiters: [(id: LookupWaiterID, waiter: Waiter, want: LookupWant)] = []
    var best: SignedPacket?
    /// Something was published since it began, so it may miss that.
    var isOutdated = false
    /// It has answered somebody, and goes on for the sake of the cache.
    var goesOnAlone = false
  }

  /// How many lookups may be under way.
  let capacity: Int
  /// Who wants the newest packet joins only lookups that began at most so many nanoseconds ago: an older one may have asked
  /// nodes before somebody published there.
  let newestWindow: UInt64
  private var lookups: [LookupID: Lookup] = [:]
  private var byKey: [PublicKey: [LookupID]] = [:]
  private var nextNumber: UInt64 = 0
  /// How many wait.
  private(set) var waiterCount = 0

  /// No lookups.
  init(capacity: Int = 4096, newestWindow: UInt64 = 100_000_000) {
    self.capacity = capacity
    self.newestWindow = newestWindow
  }

  /// How many lookups are under way.
  var count: Int { lookups.count }

  /// Somebody wants a packet. `now` is in nanoseconds of a clock that does not go back.
  mutating func join(_ waiter: Waiter, key: PublicKey, wants want: LookupWant, at now: UInt64) -> Admission {
    if let id = byKey[key]?.first(where: { canJoin($0, want, now) }) {
      if case .first(let floor) = want, let best = lookups[id]?.best, !floor.isBelowFloor(best) {
        lookups[id]?.goesOnAlone = true
        return .answered(best)
      }
      return .joined(add(waiter, want, to: id))
    }
    guard lookups.count < capacity else { return .refused }
    let id = LookupID(value: makeNumber())
    lookups[id] = Lookup(key: key, bound: want.bound, start: now)
    byKey[key, default: []].append(id)
    return .begin(id, newerThan: want.bound, add(waiter, want, to: id))
  }

  /// A packet has arrived, none older than those before it. Those who have waited for it wait no longer.
  mutating func receive(_ packet: SignedPacket, by id: LookupID) -> [Waiter] {
    guard var lookup = lookups.removeValue(forKey: id) else { return [] }
    if lookup.best.map({ !$0.isMoreRecent(than: packet) }) ?? true { lookup.best = packet }
    var answered: [Waiter] = []
    var rest: [(id: LookupWaiterID, waiter: Waiter, want: LookupWant)] = []
    for entry in lookup.waiters {
      if case .first(let floor) = entry.want, !floor.isBelowFloor(packet) {
        answered.append(entry.waiter)
      } else {
        rest.append(entry)
      }
    }
    lookup.waiters = rest
    lookup.goesOnAlone = lookup.goesOnAlone || !answered.isEmpty
    lookups[id] = lookup
    waiterCount -= answered.count
    return answered
  }

  /// A lookup has ended. All who wait for it wait no longer; what each of them gets.
  mutating func finish(
    _ id: LookupID, with result: Result<SignedPacket, RelayFailure>
  ) -> [(waiter: Waiter, result: Result<SignedPacket, RelayFailure>)] {
    guard let lookup = remove(id) else { return [] }
    return lookup.waiters.map { entry in
      if case .first(let floor) = entry.want { return (entry.waiter, floor.apply(result)) }
      return (entry.waiter, result)
    }
  }

  /// Somebody waits no longer. The lookup that is to be cancelled, if nobody needs it any more.
  mutating func leave(_ waiter: LookupWaiterID) -> LookupID? {
    guard let index = lookups[waiter.lookup]?.waiters.firstIndex(where: { $0.id == waiter }) else { return nil }
    lookups[waiter.lookup]?.waiters.remove(at: index)
    waiterCount -= 1
    guard let lookup = lookups[waiter.lookup], lookup.waiters.isEmpty, !lookup.goesOnAlone else { return nil }
    _ = remove(waiter.lookup)
    return waiter.lookup
  }

  /// A packet of this key was published: nobody may join a lookup that began before.
  mutating func outdate(_ key: PublicKey) {
    for id in byKey[key] ?? [] { lookups[id]?.isOutdated = true }
  }

  private func canJoin(_ id: LookupID, _ want: LookupWant, _ now: UInt64) -> Bool {
    guard let lookup = lookups[id], !lookup.isOutdated else { return false }
    switch want {
    case .newest: return lookup.bound == nil && now - min(now, lookup.start) <= newestWindow
    case .first:
      guard let bound = lookup.bound else { return true }
      return want.bound.map { $0 >= bound } ?? false
    }
  }

  private mutating func add(_ waiter: Waiter, _ want: LookupWant, to id: LookupID) -> LookupWaiterID {
    let waiterID = LookupWaiterID(value: makeNumber(), lookup: id)
    lookups[id]?.waiters.append((waiterID, waiter, want))
    waiterCount += 1
    return waiterID
  }

  private mutating func remove(_ id: LookupID) -> Lookup? {
    guard let lookup = lookups.removeValue(forKey: id) else { return nil }
    waiterCount -= lookup.waiters.count
    byKey[lookup.key]?.removeAll { $0 == id }
    if byKey[lookup.key]?.isEmpty == true { byKey[lookup.key] = nil }
    return lookup
  }

  private mutating func makeNumber() -> UInt64 {
    defer { nextNumber += 1 }
    return nextNumber
  }
}

/// Names a lookup.
struct LookupID: Hashable, Sendable {
  fileprivate let value: UInt64
}

/// Names somebody who waits for a lookup.
struct LookupWaiterID: Hashable, Sendable {
  fileprivate let value: UInt64
  fileprivate let lookup: LookupID
}

/// What is wanted of a lookup.
enum LookupWant: Sendable {
  /// The first packet that is not below the floor.
  case first(floor: CacheContext)
  /// The newest packet that there is.
  case newest

  /// Nothing at or below this is of use.
  var bound: Int64? {
    if case .first(let floor) = self { return floor.dhtBound }
    return nil
  }
}
