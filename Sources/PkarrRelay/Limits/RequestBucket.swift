/// What one client has used of a limit: a token bucket in sixteen bytes.
///
/// It counts in whole requests, so no burst, however large, and no quota, however small, loses precision. What it lets
/// through is what the generic cell rate algorithm (ITU-T I.371) does with `since + spent · interval` as the theoretical
/// arrival time.
struct RequestBucket: Hashable, Sendable {
  /// What became of a request.
  enum Decision: Hashable, Sendable {
    /// It may pass; so many more may follow at once.
    case allowed(remaining: UInt32)
    /// It may not; one will be let through after so many nanoseconds.
    case refused(nanoseconds: UInt64)
  }

  /// Requests that were taken and have not come back.
  private var spent: UInt32 = 0
  /// From when on the next one comes back, nanoseconds.
  private var since: UInt64 = 0

  /// Takes one request if it is there. `now` is in nanoseconds of a clock that does not go back.
  mutating func take(_ limit: RequestLimit, at now: UInt64) -> Decision {
    refill(limit, at: now)
    guard spent < limit.burst else {
      let (next, overflow) = since.addingReportingOverflow(limit.quota.interval)
      return .refused(nanoseconds: overflow ? limit.quota.interval : next - min(next, now))
    }
    if spent == 0 { since = now }
    spent += 1
    return .allowed(remaining: limit.burst - spent)
  }

  /// True once everything has come back: then there is nothing to remember.
  func isFull(_ limit: RequestLimit, at now: UInt64) -> Bool {
    now >= since && (now - since) / limit.quota.interval >= UInt64(spent)
  }

  private mutating func refill(_ limit: RequestLimit, at now: UInt64) {
    // The limit may have become a smaller one since.
    spent = min(spent, limit.burst)
    guard spent > 0, now > since else { return }
    let returned = (now - since) / limit.quota.interval
    if returned >= UInt64(spent) {
      spent = 0
    } else {
      spent -= UInt32(returned)
      since += returned * limit.quota.interval
    }
  }
}
