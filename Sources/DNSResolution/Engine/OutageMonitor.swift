import MainlineProtocol

/// Tells from the ends of searches whether the network is there at all.
struct OutageMonitor {
  private struct Slot {
    var number: Int64 = .min
    var answered = 0
    var failed = 0
  }

  private static let slotLength: Int64 = 10_000_000_000
  private var slots = Array(repeating: Slot(), count: 6)
  private(set) var isInOutage = false
  private var probes = TokenBucket()

  /// Counts a search that ended, over the last minute. True if outage mode began or ended.
  mutating func record(answered: Bool, at now: Instant, _ policy: ResolutionPolicy.WorkPolicy) -> Bool {
    if answered, isInOutage {
      // One answer is enough: the failures before it tell nothing about now.
      self = OutageMonitor()
      return true
    }
    let number = now.nanoseconds / Self.slotLength
    let index = Int((number % 6 + 6) % 6)
    if slots[index].number != number { slots[index] = Slot(number: number) }
    if answered { slots[index].answered += 1 } else { slots[index].failed += 1 }
    let recent = slots.filter { $0.number > number - 6 }
    let answeredCount = recent.reduce(0) { $0 + $1.answered }
    let total = recent.reduce(answeredCount) { $0 + $1.failed }
    guard !isInOutage, total >= policy.outageMinimum, answeredCount * 100 < total * Int(policy.outagePercent) else {
      return false
    }
    isInOutage = true
    return true
  }

  /// Takes one of the searches that are made during an outage.
  mutating func admitProbe(at now: Instant, _ policy: ResolutionPolicy.WorkPolicy) -> Bool {
    probes.admit(rate: Rate(perSecond: policy.outageProbesPerSecond, burst: 1), now: now)
  }
}
