import Glibc

/// Time that only moves forward: nanoseconds since some moment before the process began.
public enum MonotonicClock {
  /// Now, in nanoseconds (`CLOCK_MONOTONIC`; stands still while the machine sleeps).
  public static var now: UInt64 { read(CLOCK_MONOTONIC) }

  /// The beginning of the system's current tick, up to ten milliseconds before ``now``, for a fifth of the price
  /// (`CLOCK_MONOTONIC_COARSE`).
  public static var coarse: UInt64 { read(CLOCK_MONOTONIC_COARSE) }

  /// Now, in nanoseconds, the time that the machine slept included (`CLOCK_BOOTTIME`).
  public static var nowWithSleep: UInt64 { read(CLOCK_BOOTTIME) }

  private static func read(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
  }
}

extension Duration {
  /// Whole nanoseconds, 0 for negative durations, `UInt64.max` for those beyond 584 years.
  public var clampedNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    if seconds < 0 || attoseconds < 0 { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    if overflow { return .max }
    return product.addingSaturating(UInt64(attoseconds / 1_000_000_000))
  }
}

extension UInt64 {
  func addingSaturating(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
}
