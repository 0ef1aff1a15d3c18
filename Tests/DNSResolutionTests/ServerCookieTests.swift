import Addresses
import Pkarr
import Testing
import WireFormat

@testable import DNSResolution

/// The test vectors of RFC 9018, Appendix A.
@Suite struct ServerCookieTests {
  private func secret(_ hex: String) throws -> CookieSecret {
    let bytes = try #require(Hex.decode(hex))
    return try #require(CookieSecret(bytes))
  }

  private func make(_ cookies: ServerCookie, _ client: String, _ address: String, _ time: UInt64) throws -> String {
    let bytes = try #require(Hex.decode(client))
    let part = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    let made = cookies.make(
      clientCookie: part, client: try #require(IPAddress(address)), at: Timestamp(microseconds: time * 1_000_000))
    let fields = withUnsafeBytes(of: made.fields.bigEndian) { Array($0) }
    return Hex.encode(bytes + fields + withUnsafeBytes(of: made.hash) { Array($0) })
  }

  private func check(
    _ cookies: ServerCookie, _ cookie: String, _ address: String, _ time: UInt64
  ) throws -> ServerCookie.Verdict {
    let bytes = try #require(Hex.decode(cookie))
    let part = bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
    let client = try #require(IPAddress(address))
    return bytes.withUnsafeBytes {
      cookies.check(
        UnsafeRawBufferPointer(rebasing: $0[8...]), clientCookie: part, client: client,
        at: Timestamp(microseconds: time * 1_000_000))
    }
  }

  @Test("cookies are those of RFC 9018: a new one, a renewed one, with reserved bytes, over IPv6 and after a rollover")
  func vectors() throws {
    let cookies = ServerCookie(secret: try secret("e5e973e5a6b2a43f48e7dc849e37bfcf"), previous: nil)
    // A.1: a client that knows no server cookie.
    let first = "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
    #expect(try make(cookies, "2464c4abcf10c957", "198.51.100.100", 1_559_731_985) == first)
    // A.2: the same client 40 minutes later gets a new one.
    #expect(try check(cookies, first, "198.51.100.100", 1_559_734_385) == .valid(needsRenewal: true))
    #expect(
      try make(cookies, "2464c4abcf10c957", "198.51.100.100", 1_559_734_385)
        == "2464c4abcf10c957010000005cf7a871d4a564a1442aca77")
    // A.3: reserved bytes that are not zero are covered by the hash and accepted.
    let reserved = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"
    #expect(try check(cookies, reserved, "203.0.113.203", 1_559_727_985) == .valid(needsRenewal: false))
    // A.4: over IPv6, made with the secret before the rollover.
    let old = try secret("dd3bdf9344b678b185a6f5cb60fca715")
    let new = ServerCookie(secret: try secret("445536bcd2513298075a5d379663c962"), previous: old)
    let before = "22681ab97d52c298010000005cf7c57926556bd0934c72f8"
    #expect(
      try check(new, before, "2001:db8:220:1:59de:d0f4:8769:82b8", 1_559_741_961) == .valid(needsRenewal: true))
    #expect(
      try make(new, "22681ab97d52c298", "2001:db8:220:1:59de:d0f4:8769:82b8", 1_559_741_961)
        == "22681ab97d52c298010000005cf7c609a6bb79d16625507a")
  }

  @Test("a cookie is valid for an hour, and five minutes ahead of the clock; nothing of it can be changed")
  func validity() throws {
    let cookies = ServerCookie(secret: try secret("e5e973e5a6b2a43f48e7dc849e37bfcf"), previous: nil)
    let time: UInt64 = 1_559_731_985
    let cookie = "2464c4abcf10c957010000005cf79f111f8130c3eee29480"
    func at(_ offset: Int64) throws -> ServerCookie.Verdict {
      try check(cookies, cookie, "198.51.100.100", UInt64(Int64(time) + offset))
    }
    #expect(try at(0) == .valid(needsRenewal: false) && at(1800) == .valid(needsRenewal: false))
    #expect(try at(1801) == .valid(needsRenewal: true) && at(3600) == .valid(needsRenewal: true))
    #expect(try at(3601) == .invalid && at(-301) == .invalid)
    #expect(try at(-300) == .valid(needsRenewal: false))
    let digits = Array(cookie)
    for index in digits.indices {
      var changed = digits
      changed[index] = changed[index] == "0" ? "1" : "0"
      guard changed[index] != digits[index] else { continue }
      #expect(try check(cookies, String(changed), "198.51.100.100", time) == .invalid, "digit \(index)")
    }
    #expect(try check(cookies, cookie, "198.51.100.101", time) == .invalid)
  }
}
