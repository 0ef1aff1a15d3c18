import EventLoops
import MainlineProtocol
import Pkarr
import PkarrStore

/// Answers to popular keys, ready to be sent: in front of the cache.
///
/// What is here is never older than what the cache was offered: an update replaces it, and an answer that was made from
/// something read before an update is not kept. Every use counts for the cache's order of use as well, though not always at
/// once: only when so many other packets were used since that the cache could otherwise give up this one first.
final class ReadyAnswers: Sendable {
  /// The form of the cache's contents that an answer was made from: it is not kept if there was an update in between.
  struct Version: Sendable {
    fileprivate let slot: Int
    fileprivate let value: UInt32
  }

  private struct Entry: Sendable {
    var answer: RenderedPacket
    /// The number of the last use that the cache was told of.
    var toldUse: UInt64
  }

  private struct State {
    var entries: RecencyMap<PublicKey, Entry>
    /// Numbers of updates; keys share them, since only the rare read that crosses an update pays for it.
    var versions = [UInt32](repeating: 0, count: 256)
    /// How often the cache's order of use has changed.
    var uses: UInt64 = 0
  }

  private let capacity: Int
  private let policy: CachePolicy
  /// So many uses of other packets may the cache not know of one: less than bring it to the end of its row.
  private let untoldUses: UInt64
  private let state: LockedValue<State>

  /// Room for `capacity` answers, 0 for none, in front of a cache of `cacheCapacity` packets.
  init(capacity: Int, cacheCapacity: Int, policy: CachePolicy) {
    // What the cache has no room for must not live on here.
    self.capacity = min(capacity, cacheCapacity)
    self.policy = policy
    untoldUses = cacheCapacity < 64 ? 0 : UInt64(cacheCapacity / 8)
    state = LockedValue(State(entries: RecencyMap(capacity: self.capacity)))
  }

  /// How many answers are ready.
  var count: Int { state.withLock { $0.entries.count } }

  /// The answer for a key, if one is ready and fresh. If `mustTell`, the cache is to be told that the packet was used;
  /// if it has given it up, so must this: see ``forget(_:)``.
  func answer(for key: PublicKey, at now: Timestamp) -> (answer: RenderedPacket, mustTell: Bool)? {
    if capacity == 0 { return nil }
    let untoldUses = untoldUses
    return state.withLock { state in
      let uses = state.uses
      let found = state.entries.touchIfPresent(key) { entry -> (answer: RenderedPacket, mustTell: Bool)? in
        guard entry.answer.isFresh(at: now) else { return nil }
        let mustTell = uses - entry.toldUse > untoldUses
        if mustTell { entry.toldUse = uses + 1 }
        return (entry.answer, mustTell)
      }
      guard let found, let found else { return nil }
      if found.mustTell { state.uses = uses + 1 }
      return found
    }
  }

  /// The cache has given up the packet of a key: so must this.
  func forget(_ key: PublicKey) { state.withLock { $0.entries.remove(key) } }

  /// To be called before a packet is read from the cache.
  func version(of key: PublicKey) -> Version {
    let slot = Self.slot(key)
    return state.withLock { state in
      state.uses += 1
      return Version(slot: slot, value: state.versions[slot])
    }
  }

  /// Keeps an answer that was made from what was read from the cache at `version`.
  func keep(_ answer: RenderedPacket, for key: PublicKey, at version: Version) {
    if capacity == 0 { return }
    state.withLock { state in
      guard state.versions[version.slot] == version.value else { return }
      let entry = Entry(answer: answer, toldUse: state.uses)
      state.entries.set(key, to: entry)
    }
  }

  /// The cache has taken a packet.
  func update(_ packet: SignedPacket) {
    if capacity == 0 { return }
    let key = packet.publicKey
    let slot = Self.slot(key)
    let isReady = state.withLock { state in
      state.versions[slot] &+= 1
      state.uses += 1
      return state.entries.peek(key) != nil
    }
    guard isReady else { return }
    // Made outside of the lock; of two updates that cross here the newer wins.
    let answer = RenderedPacket(packet, policy: policy)
    state.withLock { state in
      guard let old = state.entries.peek(key), old.answer.isReplaced(by: answer) else { return }
      let entry = Entry(answer: answer, toldUse: state.uses)
      state.entries.set(key, to: entry)
    }
  }

  /// Who wants keys to share a number finds them, and gains nothing by it.
  private static func slot(_ key: PublicKey) -> Int { key.verificationKey.withUnsafeBytes { Int($0[0]) } }
}
