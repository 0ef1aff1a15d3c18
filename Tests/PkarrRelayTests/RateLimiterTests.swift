import Addresses
import Testing

@testable import PkarrRelay

private let second: UInt64 = 1_000_000_000

@Suite("The limit of requests")
struct RateLimiterTests {
  private let client = IPAddress(192, 0, 2, 1)

  private func limit(_ text: String, burst: UInt32? = nil) throws -> RequestLimit {
    try RequestLimit(#require(RequestQuota(text)), burst: burst)
  }

  @Test("a new client has the whole burst, then one request for each interval")
  func burstThenRate() throws {
    var limiter = ClientRateLimiter(try limit("100r/m", burst: 3))
    let start: UInt64 = 5 * second
    for remaining in [2, 1, 0] as [UInt32] {
      #expect(limiter.admit(client, at: start) == .allowed(remaining: remaining))
    }
    #expect(limiter.admit(client, at: start) == .refused(retryAfter: 1))
    // One comes back after 600 ms, not a hundred after a minute.
    #expect(limiter.admit(client, at: start + 599_999_999) == .refused(retryAfter: 1))
    #expect(limiter.admit(client, at: start + 600_000_000) == .allowed(remaining: 0))
    #expect(limiter.admit(client, at: start + 600_000_000) == .refused(retryAfter: 1))
    #expect(limiter.admit(client, at: start + 60 * second) == .allowed(remaining: 2))
  }

  @Test("the wait is told in whole seconds, rounded up, at least one")
  func retryAfter() throws {
    for (quota, later, wait) in [
      ("2r/s", 0, 1), ("1r/h", 0, 3600), ("1r/h", 1, 3600), ("1r/h", second, 3599), ("1r/h", 3599 * second + 1, 1),
      ("1r/d", 0, 86_400), ("7r/m", 0, 9),
    ] as [(String, UInt64, UInt64)] {
      var limiter = ClientRateLimiter(try limit(quota, burst: 1))
      #expect(limiter.admit(client, at: 1) == .allowed(remaining: 0))
      #expect(limiter.admit(client, at: 1 + later) == .refused(retryAfter: wait), "\(quota) \(later)")
    }
  }

  @Test("what is let through is what the generic cell rate algorithm lets through")
  func genericCellRate() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200 {
      let limit = try RequestLimit(
        RequestQuota(.random(in: 1...50, using: &random), per: .second), burst: .random(in: 1...20, using: &random))
      let interval = limit.quota.interval
      var bucket = RequestBucket()
      var arrival: UInt64 = 0  // the theoretical arrival time
      var now: UInt64 = 0
      for _ in 0..<500 {
        now += .random(in: 0...interval * 2, using: &random)
        let next = max(arrival, now) + interval
        let isAllowed = next <= now + interval * UInt64(limit.burst)
        if isAllowed { arrival = next }
        switch bucket.take(limit, at: now) {
        case .allowed(let remaining):
          try #require(isAllowed)
          #expect(UInt64(remaining) == (now + interval * UInt64(limit.burst) - arrival) / interval)
        case .refused(let wait):
          try #require(!isAllowed)
          #expect(now + wait == next - interval * UInt64(limit.burst))
        }
      }
    }
  }

  @Test("the largest bursts and longest times neither trap nor lose count")
  func extremes() throws {
    var limiter = ClientRateLimiter(try limit("1r/d", burst: .max))
    #expect(limiter.admit(client, at: 0) == .allowed(remaining: .max - 1))
    #expect(limiter.admit(client, at: .max) == .allowed(remaining: .max - 1))
    #expect(limiter.admit(client, at: 0) == .allowed(remaining: .max - 2))
    var small = ClientRateLimiter(try limit("1r/d", burst: 1))
    #expect(small.admit(client, at: .max - 1) == .allowed(remaining: 0))
    #expect(small.admit(client, at: .max) == .refused(retryAfter: 86_400))
  }

  @Test("clients do not use up each other's quota")
  func separate() throws {
    var limiter = ClientRateLimiter(try limit("1r/h"))
    #expect(limiter.admit(client, at: 0) == .allowed(remaining: 0))
    #expect(limiter.admit(IPAddress(192, 0, 2, 2), at: 0) == .allowed(remaining: 0))
    #expect(limiter.admit(client, at: 0) == .refused(retryAfter: 3600))
    // An IPv4-mapped address is the same client.
    #expect(limiter.admit(try #require(IPAddress("::ffff:192.0.2.1")), at: 0) == .refused(retryAfter: 3600))
  }

  @Test("IPv6 addresses count one by one, or by network if so configured")
  func networks() throws {
    let (a, b) = (try #require(IPAddress("2001:db8::1")), try #require(IPAddress("2001:db8::2")))
    var single = ClientRateLimiter(try limit("1r/h"))
    #expect(single.admit(a, at: 0) == .allowed(remaining: 0) && single.admit(b, at: 0) == .allowed(remaining: 0))
    var network = ClientRateLimiter(try limit("1r/h"), ipv6PrefixLength: 64)
    #expect(network.admit(a, at: 0) == .allowed(remaining: 0) && network.admit(b, at: 0) == .refused(retryAfter: 3600))
    #expect(network.admit(try #require(IPAddress("2001:db8:0:1::1")), at: 0) == .allowed(remaining: 0))
    // IPv4 addresses are never lumped together.
    #expect(network.admit(client, at: 0) == .allowed(remaining: 0))
    #expect(network.admit(IPAddress(192, 0, 2, 9), at: 0) == .allowed(remaining: 0))
  }

  @Test("however many addresses come, only so many are remembered, and idle ones are forgotten")
  func bounded() throws {
    var limiter = ClientRateLimiter(try limit("1r/s"), capacity: 100)
    for number in 0..<10_000 as Range<UInt32> { _ = limiter.admit(IPAddress(v4: number), at: 0) }
    #expect(limiter.addressCount == 100)
    for number in 0..<60 as Range<UInt32> { _ = limiter.admit(IPAddress(v4: 1 << 24 + number), at: 2 * second) }
    #expect(limiter.addressCount == 60)
  }

  @Test("a limit can be changed, switched off and on while it works")
  func changes() throws {
    let shared = SharedRateLimiter(ClientRateLimiter(try limit("1r/h", burst: 2)))
    #expect(shared.allows(client, at: 0) && shared.allows(client, at: 0) && !shared.allows(client, at: 0))
    shared.change(to: ClientRateLimiter(try limit("1r/h", burst: 3)))
    #expect(shared.admit(client, at: 0)?.decision == .allowed(remaining: 0))
    #expect(shared.admit(client, at: 0)?.burst == 3)
    shared.change(to: ClientRateLimiter(try limit("1r/h", burst: 1)))
    #expect(shared.admit(client, at: 1)?.decision == .refused(retryAfter: 3600))
    shared.change(to: nil)
    #expect(shared.admit(client, at: 0) == nil && shared.allows(client, at: 0) && shared.addressCount == 0)
    shared.change(to: ClientRateLimiter(try limit("1r/h")))
    #expect(shared.allows(client, at: 0))
  }
}
