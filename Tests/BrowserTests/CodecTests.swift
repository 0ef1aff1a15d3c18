import Foundation
import HTTP
import TestSupport
import Testing

@testable import PkarrRelay

@Suite(
  "The codec of the web app", .timeLimit(.minutes(20)),
  .enabled(if: ChromeDriver.isInstalled, "needs chromium and chromedriver"))
struct CodecTests {
  /// How many statements each file makes; a run that makes fewer has passed by doing less.
  private static let counts = [
    "zbase32": 26, "keys": 94, "timestamps": 14, "bep44": 1, "signed_packets": 309, "rust-generated": 140, "legacy": 2,
    "dns_parse": 90, "verify": 20, "names": 44, "ttl": 17,
  ]

  /// The modules without the page, packed as the relay sends them, as an object of what they export.
  private func codec() throws -> String {
    let modules = WebApp.modules.prefix { $0.name != "relay.js" }.map(\.text)
    #expect(modules.count == 7)
    let exported = modules.flatMap { module in
      module.matches(of: /export (?:async )?(?:function|const|class) (\w+)/).map { String($0.1) }
    }
    return "(() => { \(ScriptPacker.pack(modules))\nreturn { \(exported.joined(separator: ", ")) }; })()"
  }

  @Test("the JavaScript codec passes the vectors of PKARR in Chromium")
  func vectors() async throws {
    var files: [String: String] = [:]
    for name in Self.counts.keys { files[name] = try Vectors.text("pkarr/\(name).json") }
    let checks = try String(contentsOfFile: Peers.path("codec_vectors.js"), encoding: .utf8)
    let script = """
      \(checks)
      const files = Object.fromEntries(Object.entries(arguments[0]).map(([name, text]) => [name, JSON.parse(text)]));
      return runVectors(\(try codec()), files);
      """
    try await LyingRelay.run { _ in
      HTTPResponse(.notFound)
    } _: { relay in
      try await ChromeDriver.run { driver in
        let browser = try await driver.browser()
        try await browser.open(relay.url)
        let result = try #require(try await browser.run(script, [files]) as? [String: Any])
        #expect(result["failures"] as? [String] == [])
        #expect(result["counts"] as? [String: Int] == Self.counts)
      }
    }
  }

  @Test("what people write for a record is read, or refused with words that say what is wrong")
  func presentation() async throws {
    let cases: [(type: Int, text: String, shown: String?)] = [
      (1, "203.0.113.7", "203.0.113.7"), (1, "203.0.113", nil), (1, "256.0.0.1", nil), (1, "01.2.3.4", nil),
      (1, "1.2.3.4 5.6.7.8", nil), (28, "2001:db8:0:0:0:0:0:7", "2001:db8::7"), (28, "::", "::"), (28, "1::", "1::"),
      (28, "::ffff:1.2.3.4", "::ffff:1.2.3.4"), (28, "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"), (28, "1::2::3", nil),
      (28, ":1", nil), (28, "12345::", nil), (5, "@", "@"), (5, "www", "www"), (5, "example.com", "example.com."),
      (5, "example.com.", "example.com."), (5, ".", "."), (5, "a b", nil), (5, #"a\.b.c"#, #"a\.b.c."#),
      (5, #"a\"#, nil), (5, #"a\300"#, nil), (16, "plain text; no quotes", "plain text; no quotes"),
      (16, "höhe ✓", "höhe ✓"), (16, #""two" "strings""#, #""two" "strings""#), (16, #""open"#, nil),
      (16, "a\u{202e}b", #""a\226\128\174b""#), (15, "10 mail.example.com", "10 mail.example.com."), (15, "mail", nil),
      (15, "70000 mail", nil), (33, "0 5 443 host.example.com.", "0 5 443 host.example.com."), (33, "0 5 443", nil),
      (257, #"0 issue "ca.example.net""#, #"0 issue "ca.example.net""#), (257, "0 is-sue x", nil),
      (
        65, #"1 . alpn="h2,h3" port=8443 ipv4hint=1.2.3.4,5.6.7.8"#,
        #"1 . alpn="h2,h3" port=8443 ipv4hint=1.2.3.4,5.6.7.8"#
      ),
      (65, #"1 . port=1 alpn=h3"#, #"1 . alpn="h3" port=1"#), (65, "1 . port=1 port=2", nil),
      (65, "1 . nonsense=2", nil),
      (65, "1 . mandatory=alpn", nil), (65, "1 . mandatory=port port=1", "1 . mandatory=port port=1"),
      (65, #"1 . key667="hello\210qoo""#, #"1 . key667="hello\210qoo""#), (65, "0 example.com", "0 example.com."),
      (65, "1 . ech=AAEC ipv6hint=::1", #"1 . ech="AAEC" ipv6hint=::1"#), (65, "1 . key65535=1", nil),
      (64, #"1 . alpn="a\\,b,c""#, #"1 . alpn="a\\,b,c""#), (65280, "\\# 3 abcdef", "\\# 3 abcdef"),
      (65280, "\\# 0", "\\# 0"), (65280, "abcdef", nil), (65280, "\\# 2 abcdef", nil), (1, "\\# 4 01020304", "1.2.3.4"),
      (1, "\\# 3 010203", nil), (1, "", nil), (6, "ns1 admin 1 2 3 4 5", "ns1 admin 1 2 3 4 5"),
    ]
    let script = """
      const codec = \(try codec());
      const origin = '8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo';
      return arguments[0].map(([type, text]) => {
        try {
          const data = codec.parseData(type, text, origin);
          const bytes = codec.writeMessage([{ name: [origin], type, ttl: 1, data }]);
          return codec.dataText(codec.readMessage(bytes)[0], origin);
        } catch (fault) {
          return fault instanceof codec.InputFault ? null : `threw ${fault}`;
        }
      });
      """
    try await LyingRelay.run { _ in
      HTTPResponse(.notFound)
    } _: { relay in
      try await ChromeDriver.run { driver in
        let browser = try await driver.browser()
        try await browser.open(relay.url)
        let shown = try #require(try await browser.run(script, [cases.map { [$0.type, $0.text] as [Any] }]) as? [Any])
        try #require(shown.count == cases.count)
        for (row, shown) in zip(cases, shown) { #expect(shown as? String == row.shown, "\(row.type) \(row.text)") }
      }
    }
  }
}
