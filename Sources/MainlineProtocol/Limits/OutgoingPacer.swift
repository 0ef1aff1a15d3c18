import Addresses

/// How fast the node itself asks: nobody is asked so often that he stops listening, and no home router runs full.
///
/// libtorrent ignores an address for five minutes after 50 packets within ten seconds, so besides a token bucket for
/// each destination there is a hard count over the last ten seconds.
struct OutgoingPacer: Sendable {
  /// What to do with a packet.
  enum Admission: Equatable, Sendable {
    /// Send it: it has been counted.
    case now
    /// Ask again then: it has not been counted.
    case later(Instant)
  }

  private struct Destination: Sendable {
    var bucket = TokenBucket()
    var lately = WindowCount()

    func isIdle(at now: Instant) -> Bool {
      var lately = lately
      return bucket.isFull(at: now) && lately.count(at: now) == 0
    }
  }

  /// How many destinations are remembered.
  static let maximumDestinationCount = 20_000
  /// At most this many packets to one destination in any ten seconds.
  static let maximumPerTenSeconds = 49

  private let destinationRate: Rate
  private var totalRate: Rate
  private let queriesPerSecond: Double
  private let queryBurst: Double
  private let isOn: Bool
  private var destinations = RecencyMap<AddressBlock, Destination>(capacity: Self.maximumDestinationCount)
  private var total = TokenBucket()

  /// The limits of `rates`; `isOn` false lets everything pass.
  init(_ rates: RateLimits, isOn: Bool = true) {
    queriesPerSecond = rates.outgoingQueries
    queryBurst = rates.outgoingQueryBurst
    self.isOn = isOn
    destinationRate = Rate(perSecond: rates.outgoingPerAddress, burst: rates.outgoingBurstPerAddress)
    totalRate = Rate(perSecond: queriesPerSecond, burst: queryBurst)
  }

  /// Lets so many packets a second more pass in all, in the place of what was said before; not more to any destination.
  mutating func allow(extraPerSecond extra: Double) {
    let extra = max(0, extra)
    // The packets of a fifth of a second at once, as the defaults have it.
    totalRate = Rate(perSecond: queriesPerSecond + extra, burst: queryBurst + extra / 5)
  }

  /// Forgets destinations that nothing was sent to lately: a new entry would be the same.
  mutating func forgetIdle(at now: Instant) {
    destinations.removeOldest { $0.isIdle(at: now) }
    destinations.shrink()
  }

  /// Counts one packet to `address` if it may go now.
  mutating func admit(to address: IPAddress, at now: Instant) -> Admission {
    guard isOn else { return .now }
    guard total.holds(1, rate: totalRate, now: now) else {
      return .later(total.nextAdmission(rate: totalRate, now: now))
    }
    let rate = destinationRate
    let admission = destinations.touch(
      .host(address), initial: Destination(), forgetting: { $0.isIdle(at: now) }
    ) { destination -> Admission in
      guard destination.bucket.holds(1, rate: rate, now: now) else {
        return .later(destination.bucket.nextAdmission(rate: rate, now: now))
      }
      guard destination.lately.count(at: now) < Self.maximumPerTenSeconds else {
        return .later(destination.lately.nextDecrease(after: now))
      }
      destination.bucket.take(1, rate: rate, now: now)
      destination.lately.add(at: now)
      return .now
    }
    if admission == .now { total.take(1, rate: totalRate, now: now) }
    return admission
  }
}

/// Counts events over the last ten seconds, in eleven slots of one second: a window of any ten seconds lies within them,
/// so the count is never too low.
private struct WindowCount: Sendable {
  private static let slotCount: Int64 = 11
  private static let slotLength: Int64 = 1_000_000_000

  private var counts = InlineArray<11, UInt8>(repeating: 0)
  private var latest: Int64 = .min / 2

  private static func second(_ instant: Instant) -> Int64 {
    // Rounds down also before the clock's origin.
    let (quotient, remainder) = instant.nanoseconds.quotientAndRemainder(dividingBy: slotLength)
    return remainder < 0 ? quotient - 1 : quotient
  }

  private static func index(_ second: Int64) -> Int { Int((second % slotCount + slotCount) % slotCount) }

  private mutating func advance(to second: Int64) {
    guard second > latest else { return }
    let first = max(latest + 1, second - Self.slotCount + 1)
    for passed in first...second { counts[Self.index(passed)] = 0 }
    latest = second
  }

  mutating func count(at now: Instant) -> Int {
    advance(to: Self.second(now))
    return counts.indices.reduce(0) { $0 + Int(counts[$1]) }
  }

  mutating func add(at now: Instant) {
    advance(to: Self.second(now))
    let index = Self.index(latest)
    if counts[index] < .max { counts[index] += 1 }
  }

  /// When the oldest slot that counts something leaves the window.
  mutating func nextDecrease(after now: Instant) -> Instant {
    advance(to: Self.second(now))
    for second in (latest - Self.slotCount + 1)...latest where counts[Self.index(second)] > 0 {
      return Instant(nanoseconds: (second + Self.slotCount) * Self.slotLength)
    }
    return now
  }
}
