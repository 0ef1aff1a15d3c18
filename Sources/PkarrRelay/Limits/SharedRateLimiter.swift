import Addresses
import EventLoops

/// A rate limiter that any thread may ask, and that can be changed or switched off while it works.
final class SharedRateLimiter: Sendable {
  private let limiter: LockedValue<ClientRateLimiter?>

  /// Nil lets everything pass.
  init(_ limiter: ClientRateLimiter?) { self.limiter = LockedValue(limiter) }

  /// Counts a request; nil if there is no limit. `now` is in nanoseconds of `MonotonicClock`.
  func admit(_ address: IPAddress, at now: UInt64 = MonotonicClock.now) -> (
    decision: ClientRateLimiter.Decision, burst: UInt32
  )? {
    limiter.withLock { limiter in
      guard limiter != nil else { return nil }
      return (limiter!.admit(address, at: now), limiter!.limit.burst)
    }
  }

  /// Counts a request; false if it must not pass.
  func allows(_ address: IPAddress, at now: UInt64 = MonotonicClock.now) -> Bool {
    if case .refused = admit(address, at: now)?.decision { return false }
    return true
  }

  /// How many addresses are remembered.
  var addressCount: Int { limiter.withLock { $0?.addressCount ?? 0 } }

  /// Goes on with other limits. Who has used up something still has, as long as addresses are counted the same way.
  func change(to new: ClientRateLimiter?) {
    limiter.withLock { current in
      if let new, current != nil, current!.ipv6PrefixLength == new.ipv6PrefixLength {
        current!.limit = new.limit
      } else {
        current = new
      }
    }
  }
}
