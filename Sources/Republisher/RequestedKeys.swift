import MainlineProtocol
import Pkarr

/// Which of the keys that others ask for are asked for often enough, and lately enough, to be kept alive: a value without
/// I/O, which gets the time as an argument.
///
/// A bounded number of keys is remembered; a new one on top pushes out the one that was asked for longest ago. So whoever
/// asks for many keys can push out those of others, but never make it grow.
public struct RequestedKeys: Sendable {
  /// When a key is wanted.
  public struct Limits: Hashable, Sendable {
    /// Keys that are remembered.
    public var capacity: Int
    /// Who has not been asked for during this time is forgotten.
    public var window: Duration
    /// A key is wanted once it was asked for so often, within one window and the one before.
    public var requests: Int

    /// Joins the limits.
    public init(capacity: Int, window: Duration, requests: Int) {
      self.capacity = capacity
      self.window = window
      self.requests = requests
    }
  }

  /// Requests for one key.
  private struct Requests {
    /// Which window it was asked for in last, and how often in it and in the one before.
    var window: Int64
    var count: UInt32 = 0
    var countBefore: UInt32 = 0
    var last: Instant
  }

  /// What it goes by.
  public private(set) var limits: Limits
  private var requests: RecencyMap<PublicKey, Requests>
  /// Keys that ``takeChanges(at:)`` has told of as wanted.
  private var told: Set<PublicKey> = []
  private var came: Set<PublicKey> = []
  private var went: Set<PublicKey> = []

  /// Nobody was asked for.
  public init(_ limits: Limits) {
    self.limits = limits
    requests = RecencyMap(capacity: limits.capacity)
  }

  /// How many keys are remembered, wanted or not.
  public var count: Int { requests.count }

  /// True for a key that ``takeChanges(at:)`` has told of as wanted.
  public func isTold(_ key: PublicKey) -> Bool { told.contains(key) }

  /// Somebody has asked for a key.
  public mutating func note(_ key: PublicKey, at now: Instant) {
    if requests.count >= requests.capacity, requests.peek(key) == nil, let oldest = requests.oldest?.key {
      forget(oldest)
    }
    let window = now.nanoseconds / max(1, limits.window.nanoseconds)
    let needed = limits.requests
    let isWanted = requests.touch(key, initial: Requests(window: window, last: now)) { entry in
      if entry.window != window {
        entry.countBefore = window - entry.window == 1 ? entry.count : 0
        entry.count = 0
        entry.window = window
      }
      if entry.count < .max { entry.count += 1 }
      entry.last = max(entry.last, now)
      return Int(entry.count) + Int(entry.countBefore) >= needed
    }
    guard isWanted, !told.contains(key) else { return }
    // It went and has come again before anybody was told.
    if went.remove(key) != nil { told.insert(key) } else { came.insert(key) }
  }

  /// The keys that are wanted, and those that no longer are, since the last call.
  public mutating func takeChanges(at now: Instant) -> (came: [PublicKey], went: [PublicKey]) {
    while let (key, entry) = requests.oldest, entry.last.duration(to: now) > limits.window { forget(key) }
    defer {
      told.formUnion(came)
      came = []
      went = []
    }
    return (Array(came), Array(went))
  }

  /// Goes on with other limits; what is beyond them is forgotten.
  public mutating func change(_ new: Limits) {
    guard new != limits else { return }
    let old = self
    limits = new
    requests = RecencyMap(capacity: new.capacity)
    let excess = old.requests.count - requests.capacity
    var number = 0
    old.requests.forEach { key, entry in
      number += 1
      if number > excess { requests.set(key, to: entry) } else { forget(key) }
      return true
    }
  }

  private mutating func forget(_ key: PublicKey) {
    requests.remove(key)
    came.remove(key)
    if told.remove(key) != nil { went.insert(key) }
  }
}
