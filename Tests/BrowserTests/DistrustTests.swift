import EventLoops
import Foundation
import HTTP
import Pkarr
import Testing

@testable import PkarrRelay

@Suite(
  "The web app and relays that lie", .serialized, .timeLimit(.minutes(20)),
  .enabled(if: ChromeDriver.isInstalled, "needs chromium and chromedriver"))
struct DistrustTests {
  private let keypair = Keypair()

  private func packet(_ text: String, at microseconds: UInt64 = 1_700_000_000_000_000) throws -> SignedPacket {
    try SignedPacket(signedBy: keypair, timestamp: Timestamp(microseconds: microseconds)) { TXT("_note", text) }
  }

  private func withBrowser(
    _ answer: @escaping LyingRelay.Answer, _ body: (LyingRelay, Browser) async throws -> Void
  ) async throws {
    try await LyingRelay.run(answer) { relay in
      try await ChromeDriver.run { driver in
        let browser = try await driver.browser()
        try await browser.open(relay.url)
        try await browser.wait("document.querySelector('#my-key button')")
        try await body(relay, browser)
      }
    }
  }

  @Test("an answer that was changed, is another key's, or is too long is refused, and nothing of it is shown")
  func tampered() async throws {
    let good = try packet("the truth").relayPayload
    let other = try SignedPacket(signedBy: Keypair()) { TXT("_note", "another's") }.relayPayload
    let unreadable = try unreadablePayload()
    try await withBrowser({ _ in LyingRelay.packet(good) }) { relay, browser in
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("Verified in your browser", in: "#result .notice.good")
      #expect(try await browser.records() == ["_note TXT the truth 5 min"])

      for index in [0, 64, 71, good.count - 1] {
        var bad = good
        bad[index] ^= 1
        relay.change { [bad] _ in LyingRelay.packet(bad) }
        try await browser.lookUp(keypair.publicKey.z32)
        try await browser.waitFor("It is not signed by this key, or was changed", in: "#result .notice.bad")
        #expect(try await browser.records() == [])
      }
      try await browser.look("9-refused")
      for (payload, words) in [
        (other, "It is not signed by this key"), (Array(good.prefix(71)), "It is too short for a packet"),
        ([], "too short"),
        (good + [UInt8](repeating: 0, count: 1073 - good.count), "longer than the 1072 bytes"),
        (unreadable, "its records cannot be read"),
      ] {
        relay.change { _ in LyingRelay.packet(payload) }
        try await browser.lookUp(keypair.publicKey.z32)
        try await browser.waitFor(words, in: "#result .notice.bad")
        #expect(try await browser.records() == [])
      }
      // An answer without an end is left as soon as it is too long.
      relay.change { _ in
        HTTPResponse(
          .ok, body: .stream { writer in while true { try await writer.write(String(repeating: "x", count: 4096)) } })
      }
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("longer than the 1072 bytes", in: "#result .notice.bad")
      #expect(try await browser.complaints() == [])
    }
  }

  /// Signed by the key, but no DNS message.
  private func unreadablePayload() throws -> [UInt8] {
    let message = [UInt8](repeating: 0xff, count: 20)
    let timestamp = Timestamp(microseconds: 5)
    let signable = SignedPacket.signableBytes(timestamp: timestamp, message: message.span.bytes)
    return keypair.signature(for: signable.span.bytes).bytes + timestamp.bytes + message
  }

  @Test("what is stale says so, with its age and where it came from")
  func stale() async throws {
    let payload = try packet("old").relayPayload
    let cacheOnly: LyingRelay.Answer = { request in
      request.target.query == "policy=CacheOnly" ? LyingRelay.packet(payload, seen: 7500) : HTTPResponse(.notFound)
    }
    try await withBrowser(cacheOnly) { relay, browser in
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("Verified in your browser, but stale", in: "#result .notice.warn")
      try await browser.waitFor("The cache of this relay", in: "#result dd")
      try await browser.waitFor("2 h 5 min ago", in: "#result dd")
      try await browser.waitFor("2 h", in: "#result dl > div:nth-child(4) dd")
      try await browser.look("10-stale")
      // Later the DHT has it.
      relay.change { request in
        request.target.query == "policy=CacheOnly" ? LyingRelay.packet(payload, seen: 7500) : LyingRelay.packet(payload)
      }
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("Verified in your browser", in: "#result .notice.good")
      try await browser.waitFor("The DHT, asked by this relay", in: "#result dd")
      // Who does not say when it was seen does not get it called fresh.
      relay.change { _ in LyingRelay.packet(payload, seen: nil) }
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("The relay does not tell", in: "#result dd")
      try await browser.waitFor("but stale", in: "#result .notice.warn")
    }
  }

  @Test("an older version does not replace a newer one, and a forged event is refused")
  func rollback() async throws {
    let (new, old) = (try packet("new", at: 1_700_000_000_000_001), try packet("old"))
    var forged = new.bytes
    forged[forged.count - 1] ^= 1
    let events = [forged, old.bytes].map { "event: packet\ndata: {\"bytes\":\"\(hex($0))\"}\n\n" }.joined()
    try await withBrowser({ request in
      if request.target.path.hasSuffix("/events") {
        return HTTPResponse(
          .ok, fields: [.contentType: "text/event-stream"],
          body: .stream { writer in
            try await writer.write("event: packet\ndata: not JSON\n\n" + events)
            try await Task.sleep(for: .seconds(600))
          })
      }
      return LyingRelay.packet(new.relayPayload)
    }) { relay, browser in
      try await browser.lookUp(keypair.publicKey.z32)
      try await browser.waitFor("Refused a newer version", in: "#result .note")
      #expect(try await browser.records() == ["_note TXT new 5 min"])
      relay.change { _ in LyingRelay.packet(old.relayPayload) }
      try await browser.press("Ask the whole network")
      try await browser.waitFor("older version", in: "#result .note")
      #expect(try await browser.records() == ["_note TXT new 5 min"])
    }
  }

  private func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  @Test("what goes wrong is said in words: no key, nothing found, no packet, refusals, a relay that is gone")
  func failures() async throws {
    try await withBrowser({ _ in HTTPResponse(.notFound) }) { relay, browser in
      for (text, words) in [
        ("no key!", "52 lower-case letters"), ("", "52 characters"), ("<b>", "52 lower-case letters"),
        ("c1bkg8tfsyy8wcedtmw4fwhdmm7bbzhgg3z58tf43m5ow8w9mbus", "No key has these characters"),
      ] {
        try await browser.lookUp(text)
        try await browser.waitFor(words, in: "#query-fault")
        #expect(try await browser.isTrue("document.querySelector('#query').ariaInvalid"))
      }
      try await browser.look("11-no-key")
      let key = keypair.publicKey.z32
      try await browser.lookUp("https://www.\(key)/path")
      try await browser.waitFor("Nothing found", in: "#result .notice.warn")
      #expect(try await browser.text("location.search") == "?pk=\(key)")
      try await browser.look("12-nothing")
      relay.change { _ in HTTPResponse(.notFound, fields: ["pkarr-invalid-signed-packet-seq": "7"]) }
      try await browser.lookUp(key)
      try await browser.waitFor("is not a PKARR packet", in: "#result .notice.warn")
      for (status, words) in [(503, "got no answer from the DHT"), (500, "could not reach"), (418, "status 418")] {
        relay.change { _ in HTTPResponse(HTTPStatus(status)) }
        try await browser.lookUp(key)
        try await browser.waitFor(words, in: "#result .notice.bad")
      }
      // Told to wait, it waits and asks again.
      let payload = try packet("patience").relayPayload
      relay.change { [relay] _ in
        relay.change { _ in LyingRelay.packet(payload) }
        return HTTPResponse(.tooManyRequests, fields: [.retryAfter: "1"])
      }
      try await browser.lookUp(key)
      try await browser.waitFor("Verified in your browser", in: "#result .notice.good")
      // Back leads to what was there before.
      try await browser.run("history.back()")
      try await browser.wait("location.search === '' && !document.querySelector('#result').children.length")
    }
  }

  @Test("a version that the relay only claims does not make anybody sign the last one there is")
  func claimedVersion() async throws {
    let puts = LockedValue(0)
    try await withBrowser({ request in
      if request.method == .put { puts.withLock { $0 += 1 } }
      return request.method == .put
        ? HTTPResponse(.noContent)
        : HTTPResponse(.notFound, fields: ["pkarr-invalid-signed-packet-seq": "\(Int64.max - 1)"])
    }) { relay, browser in
      try await browser.press("Create a key")
      try await browser.addRecord("@", "TXT", "mine")
      try await browser.press("Publish")
      try await browser.waitFor("a version from the future that it cannot prove", in: "#my-key .notice.bad")
      #expect(puts.withLock { $0 } == 0)
      // One that may well be there is exceeded.
      relay.change { request in
        if request.method == .put { puts.withLock { $0 += 1 } }
        return request.method == .put
          ? HTTPResponse(.noContent) : HTTPResponse(.notFound, fields: ["pkarr-invalid-signed-packet-seq": "7"])
      }
      try await browser.publish()
      #expect(puts.withLock { $0 } == 1)
    }
  }

  @Test("the page is one answer of at most 60 kB that loads nothing, and its policy lets no other script run")
  func onePage() async throws {
    #expect(WebApp.page.body.count <= 60_000, "\(WebApp.page.body.count) bytes")
    try await withBrowser({ _ in HTTPResponse(.notFound) }) { relay, browser in
      #expect(try await browser.text("performance.getEntriesByType('resource').length") == "0")
      #expect(try await browser.complaints() == [])
      for attempt in [
        "document.body.innerHTML = '<p>markup</p>'",
        "document.body.append(Object.assign(document.createElement('script'), { text: 'window.ran = true' }))",
        "document.body.append(Object.assign(document.createElement('style'), { textContent: 'p { color: red }' }))",
        "document.body.append(Object.assign(document.createElement('img'), { src: '/x' }))",
        "setTimeout('window.ran = true')",
      ] {
        try await browser.run(
          """
          window.violations ??= (addEventListener('securitypolicyviolation', () => { window.count++; }), window.count = 0, 1);
          const before = window.count;
          try { \(attempt); } catch (fault) { if (fault instanceof TypeError || fault instanceof EvalError) window.count++; }
          """)
      }
      try await browser.wait("window.count >= 5")
      #expect(try await browser.isTrue("window.ran === undefined"))
      #expect(try await browser.isTrue("!document.body.textContent.includes('markup')"))
      let elsewhere = relay.url.replacing("127.0.0.1", with: "localhost")
      let outcome =
        try await browser.run(
          "return fetch(arguments[0]).then(() => 'sent', () => 'blocked')", [elsewhere]) as? String
      #expect(outcome == "blocked")
    }
  }

  @Test("where the browser lacks Ed25519, or keeps it from an unencrypted page, the page says so and what to do")
  func noCryptography() async throws {
    try await LyingRelay.run { _ in
      HTTPResponse(.notFound)
    } _: { relay in
      try await ChromeDriver.run { driver in
        let browser = try await driver.browser()
        try await browser.open(relay.url.replacing("127.0.0.1", with: "relay.test"))
        try await browser.waitFor("The connection is not encrypted", in: "#problem")
        #expect(try await browser.isTrue("document.querySelector('#tools').hidden"))
        try await browser.look("13-unencrypted")
        try await browser.tool(
          "Page.addScriptToEvaluateOnNewDocument",
          [
            "source":
              "SubtleCrypto.prototype.importKey = async () => { throw new DOMException('', 'NotSupportedError'); }"
          ])
        try await browser.open(relay.url)
        try await browser.waitFor("This browser cannot check signatures", in: "#problem")
        try await browser.waitFor("Chrome or Edge 137", in: "#problem")
        #expect(try await browser.isTrue("!document.querySelector('#tools').checkVisibility()"))
        try await browser.look("14-no-ed25519")
      }
    }
  }
}
