import Foundation
import HTTP
import Republisher
import TestSupport
import Testing

@testable import PkarrRelay

@Suite("What a relay tells of itself")
struct StatusTests {
  struct File: Decodable {
    struct Case: Decodable {
      var n: UInt64
      var text: String
    }
    struct Cases: Decodable { var cases: [Case] }
    var formatNumber: Cases
  }

  private func status(_ change: (inout RelayStatus) -> Void = { _ in }) -> RelayStatus {
    var status = RelayStatus()
    status.version = "1.2.3"
    status.uptime = .seconds(3725)
    status.node?.port = 6881
    status.node?.goodNodes = 120
    status.node?.networkSize = 9_612_345
    status.node?.networkSizeDeviation = 0.1234
    status.node?.responseRate = 0.6
    status.node?.requestsSent = 1000
    status.cache = .init(packets: 1234, capacity: 1_000_000)
    change(&status)
    return status
  }

  private func body(_ response: HTTPResponse) throws -> String {
    guard case .bytes(let bytes) = response.body else { throw CancellationError() }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test("numbers are shortened as other relays shorten them")
  func numbers() throws {
    let cases = try Vectors.load("pkarr/relay.json", as: File.self, keys: .convertFromSnakeCase).formatNumber.cases
    #expect(cases.count == 9)
    for row in cases { #expect(ShortNumber.text(row.n) == row.text) }
    #expect(ShortNumber.text(.max) == "18446744073.7B")
    #expect(ShortNumber.decimal(0, digits: 2) == "0.00" && ShortNumber.decimal(12.345, digits: 2) == "12.34")
    #expect(ShortNumber.decimal(.nan, digits: 2) == "0.00" && ShortNumber.decimal(.infinity, digits: 2) == "∞")
    #expect(ShortNumber.decimal(-1, digits: 2) == "0.00" && ShortNumber.decimal(0.05, digits: 2) == "0.05")
  }

  @Test("the page shows version, cache and DHT, and loads nothing")
  func page() throws {
    let response = StatusPage.response(status())
    #expect(response.fields[.contentType] == "text/html; charset=utf-8")
    let page = try body(response)
    #expect(page.contains("<title>Pkarr Relay</title>"))
    #expect(page.contains("https://github.com/pubky/pkarr/blob/main/design/relays.md"))
    #expect(page.components(separatedBy: "<pre>").count == 4)
    #expect(page.contains("version : 1.2.3\nup      : 1 h 2 min"))
    #expect(page.contains("size        : 1.2K\ncapacity    : 1.0M\nutilization : 0.12%"))
    #expect(
      page.contains(
        "node port         : 6881\nnode firewalled   : true\ndht size estimate : 9.6M Nodes +/-12.34%"))
    for tag in ["<script", "<img", "<link", "url(", "@import", " src="] { #expect(!page.contains(tag), "\(tag)") }
  }

  @Test("a cache that holds nothing is 0.00 % full, and nothing in the page is taken for a tag")
  func emptyPage() throws {
    let page = StatusPage.html(
      status {
        $0.cache.capacity = 0
        $0.version = "<b>&\"'"
        $0.node = nil
      })
    #expect(page.contains("utilization : 0.00%"))
    #expect(page.contains("&lt;b&gt;&amp;&quot;&#39;") && !page.contains("<b>"))
    #expect(page.contains("node : ended") && page.contains("cannot do its work"))
  }

  @Test("health names what is wrong")
  func health() throws {
    func check(_ change: (inout RelayStatus) -> Void) -> RelayHealth { RelayHealth(status(change)) }
    #expect(RelayHealth(status()).verdict == .ok && RelayHealth(status()).reasons.isEmpty)
    #expect(check { $0.node?.goodNodes = 0 }.verdict == .degraded)
    #expect(check { $0.node?.goodNodes = 7 }.reasons == ["the DHT node knows only 7 other nodes"])
    #expect(
      check {
        $0.node?.goodNodes = 7; $0.node?.networkSize = 8
      }.verdict == .ok)
    #expect(check { $0.node?.responseRate = 0.1 }.reasons == ["only 10 % of the DHT node's requests are answered"])
    #expect(
      check {
        $0.node?.responseRate = 0.1; $0.node?.requestsSent = 99
      }.verdict == .ok)
    #expect(
      check { $0.cache.oldestWaitingWrite = .seconds(90) }.reasons
        == ["a packet has waited 1 min 30 s to be written to disk"])
    #expect(check { $0.cache.failedWrites = 1 }.verdict == .degraded)
    let ended = check {
      $0.node = nil; $0.cache.failedWrites = 1
    }
    #expect(ended.verdict == .failing && ended.reasons.count == 2)
  }

  @Test("health is JSON with figures, and its status says whether the relay can work")
  func healthAnswer() throws {
    let well = RelayHealth.response(status())
    #expect(well.status == .ok && well.fields[.contentType] == "application/json")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(body(well).utf8)) as? [String: Any])
    #expect(object["status"] as? String == "ok" && object["uptime_seconds"] as? Int == 3725)
    let dht = try #require(object["dht"] as? [String: Any])
    #expect(dht["good_nodes"] as? Int == 120 && dht["response_rate"] as? Double == 0.6)
    let cache = try #require(object["cache"] as? [String: Any])
    #expect(cache["fill"] as? Double == 0.001234 && cache["oldest_waiting_write_milliseconds"] is NSNull)
    #expect(RelayHealth.response(status { $0.node?.goodNodes = 0 }).status == .ok)
    #expect(RelayHealth.response(status { $0.node = nil }).status == .serviceUnavailable)
  }

  @Test("every metric has a type and a help text, and every line can be read")
  func metrics() throws {
    let response = RelayMetrics.response(
      status { status in
        status.counts.count(status: 200)
        status.counts.count(status: 404)
        status.counts.count(.memory)
        status.counts.count(.dhtPeers)
        status.counts.failures = ["not_found": 3]
        status.counts.verified = 5
        status.counts.invalid = 2
        status.counts.lookups.add(.milliseconds(300))
        status.counts.lookups.add(.seconds(60))
        status.version = "a\"b\\c\nd"
        status.republishing = RepublishStatus()
      })
    #expect(response.fields[.contentType] == "text/plain; version=0.0.4; charset=utf-8")
    let text = try body(response)
    var helps: Set<String> = []
    var types: [String: String] = [:]
    let sample =
      /^([a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z_]+="(?:[^"\\\n]|\\["\\n])*")*\})? (NaN|[+-]Inf|[-0-9.e]+)$/
    var count = 0
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 3).map(String.init)
      if words[1] == "HELP", words[0] == "#" {
        #expect(words[3].count > 20 && helps.insert(words[2]).inserted, "\(line)")
      } else if words[0] == "#" {
        #expect(helps.contains(words[2]))
        types[words[2]] = words[3]
      } else {
        let match = try #require(try sample.wholeMatch(in: line), "\(line)")
        let name = String(match.1)
        let family = types[name] != nil ? name : name.replacing(/_(bucket|sum|count)$/, with: "")
        #expect(types[family] != nil && (types[family] == "histogram") == (family != name), "\(line)")
        #expect((types[family] == "counter") == name.hasSuffix("_total"), "\(line)")
        count += 1
      }
    }
    #expect(count > 50 && helps.count > 25)
    #expect(
      text.contains("pubky_relay_responses_total{status=\"200\"} 1\npubky_relay_responses_total{status=\"404\"} 1\n"))
    #expect(text.contains("pubky_relay_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"))
    #expect(
      text.contains(
        "pubky_relay_lookup_seconds_bucket{le=\"0.25\"} 0\npubky_relay_lookup_seconds_bucket{le=\"0.5\"} 1\n"))
    #expect(text.contains("pubky_relay_lookup_seconds_bucket{le=\"+Inf\"} 2\npubky_relay_lookup_seconds_sum 60.3\n"))
    #expect(text.contains("pubky_relay_verifications_total{result=\"valid\"} 3\n"))
    #expect(text.contains("pubky_relay_dht_up 1\n"))
    #expect(RelayMetrics.text(status { $0.node = nil }).contains("pubky_relay_dht_up 0\n"))
  }
}
