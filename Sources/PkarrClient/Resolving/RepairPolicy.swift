import EventLoops
import MainlineProtocol
import Pkarr

/// Whether and how often a client brings those up to date who were found to serve something older.
///
/// A repair puts the newest packet, signed as it is, to the relays and nodes that were behind and to nobody else. It
/// follows resolutions that have asked everybody (`NetworkOnly`, or `CacheFirst` if nobody had a good answer), and
/// nobody waits for it.
public struct RepairPolicy: Hashable, Sendable {
  /// False: nobody is repaired.
  public var isEnabled = true
  /// Time between two repairs of one key.
  public var intervalPerKey: Duration = .seconds(300)
  /// Repairs a second of all keys together, in the long run.
  public var repairsPerSecond = 2.0
  /// Repairs of all keys together at once.
  public var burst = 20
  /// Repairs that run at the same time; more are left out.
  public var maximumRunning = 8

  /// The defaults.
  public init() {}
}

/// Decides which repairs there are to be. A value: the time goes in.
struct RepairLimiter: Sendable {
  /// Keys that are remembered; the one repaired longest ago is forgotten first.
  static let maximumKeyCount = 1024

  private let policy: RepairPolicy
  private var lastRepairs: [PublicKey: UInt64] = [:]
  /// When the bucket of all keys together will be full again, in nanoseconds (ITU-T I.371, virtual scheduling).
  private var full = 0.0

  init(_ policy: RepairPolicy) { self.policy = policy }

  /// How many keys are remembered.
  var keyCount: Int { lastRepairs.count }

  /// Counts a repair of a key at `now` (nanoseconds); false: leave it out.
  mutating func admit(_ key: PublicKey, at now: UInt64) -> Bool {
    guard policy.isEnabled, policy.repairsPerSecond > 0, policy.burst > 0 else { return false }
    if let last = lastRepairs[key], now &- last < policy.intervalPerKey.clampedNanoseconds { return false }
    // Floating point cannot overflow, whatever the policy says.
    let cost = 1e9 / policy.repairsPerSecond
    let next = max(full, Double(now)) + cost
    guard next - Double(now) <= cost * Double(policy.burst) else { return false }
    full = next
    if lastRepairs.count >= Self.maximumKeyCount, lastRepairs[key] == nil { forget(at: now) }
    lastRepairs[key] = now
    return true
  }

  private mutating func forget(at now: UInt64) {
    let interval = policy.intervalPerKey.clampedNanoseconds
    lastRepairs = lastRepairs.filter { now &- $0.value < interval }
    guard lastRepairs.count >= Self.maximumKeyCount, let oldest = lastRepairs.min(by: { $0.value < $1.value }) else {
      return
    }
    lastRepairs[oldest.key] = nil
  }
}

/// Who is to get which packet.
struct RepairPlan: Sendable {
  let packet: SignedPacket
  /// Nodes of the DHT that hold something older or nothing.
  let nodes: [StorageNode]
  /// Relays that hold something older or nothing, by their place.
  let relays: [Int]

  /// Nil if nobody is known to be behind, or if it is not certain what is newest.
  init?(_ race: ResolveRace) {
    // Only a race that everybody has run to the end tells what is newest.
    guard race.policy != .cacheOnly, !race.isEarly, let newest = race.newest?.packet, newest.timestamp.isPublishable
    else { return nil }
    if case .failure(.invalidSignedPacket) = race.result { return nil }
    let nodes = race.completion?.report.counts.storageNodes ?? []
    self.nodes = nodes.filter { ($0.seq ?? .min) < newest.timestamp.seq }
    relays = race.relays.indices.filter { index in
      switch race.relays[index] {
      case .answered(let packet): newest.isMoreRecent(than: packet)
      // With `CacheFirst` it may mean "nothing newer".
      case .failed(.notFound): race.policy == .networkOnly
      case .pending, .failed: false
      }
    }
    packet = newest
    if self.nodes.isEmpty, relays.isEmpty { return nil }
  }
}
