import TestSupport
import Testing

@testable import PkarrRelay

@Suite("Quotas")
struct RequestQuotaTests {
  struct File: Decodable {
    struct Quotas: Decodable {
      struct Valid: Decodable {
        var text: String
        var rate: UInt32
        var unit: String
        var intervalNsPerRequest: UInt64
        var defaultBurst: UInt32
      }
      struct Invalid: Decodable {
        var text: String
        var reason: String?
      }
      var valid: [Valid]
      var invalid: [Invalid]
      var parsesButUnusable: [Invalid]
    }
    var quotaStrings: Quotas
  }

  private static func load() throws -> File.Quotas {
    try Vectors.load("pkarr/relay.json", as: File.self, keys: .convertFromSnakeCase).quotaStrings
  }

  @Test("quota texts are read, and written the same way")
  func valid() throws {
    let cases = try Self.load().valid
    #expect(cases.count == 6)
    for row in cases {
      let quota = try #require(RequestQuota(row.text))
      #expect(quota.count == row.rate && "\(quota.unit)" == row.unit && quota.description == row.text)
      #expect(quota.interval == row.intervalNsPerRequest)
      #expect(try RequestLimit(quota).burst == row.defaultBurst)
    }
  }

  @Test("what is no quota is refused")
  func invalid() throws {
    let cases = try Self.load().invalid
    #expect(cases.count == 12)
    for row in cases { #expect(RequestQuota(row.text) == nil, "\(row.reason ?? "")") }
    for text in [
      "5r/s ", "5r/", "/s", "5R/s", "+5r/s", "٣r/s", "5r/s/s", "5.0r/s", String(repeating: "0", count: 30) + "5r/s",
    ] {
      #expect(RequestQuota(text) == nil)
    }
  }

  @Test("a quota that no clock can tell apart parses but cannot be used")
  func tooHigh() throws {
    let cases = try Self.load().parsesButUnusable
    #expect(cases.count == 1)
    for row in cases {
      let quota = try #require(RequestQuota(row.text))
      #expect(throws: RequestLimitError.tooHigh(quota)) { try RequestLimit(quota) }
      #expect(RequestLimitError.tooHigh(quota).description.contains("too high"))
    }
  }

  @Test("a burst may be given, but not 0")
  func burst() throws {
    let quota = try #require(RequestQuota("60r/s"))
    #expect(try RequestLimit(quota, burst: 1).burst == 1)
    #expect(throws: RequestLimitError.noBurst) { try RequestLimit(quota, burst: 0) }
    #expect(RequestLimit.standard == (try RequestLimit(RequestQuota(2, per: .second), burst: 2)))
  }
}
