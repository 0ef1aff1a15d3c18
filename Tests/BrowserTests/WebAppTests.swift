import Foundation
import Pkarr
import TestSupport
import Testing

@Suite(
  "The web app and a relay", .serialized, .timeLimit(.minutes(20)),
  .enabled(if: ChromeDriver.isInstalled, "needs chromium and chromedriver"))
struct WebAppTests {
  /// Runs a body with a relay in a private network, and a driver of browsers.
  private func withRelay(_ body: (RelayStand, String, ChromeDriver) async throws -> Void) async throws {
    try await RelayStand.run { stand in
      try await ChromeDriver.run { driver in try await body(stand, "http://\(stand.plain)", driver) }
    }
  }

  private func pubky(_ arguments: [String], input: String? = nil, _ stand: RelayStand) async throws -> String {
    var file: URL?
    if let input {
      file = stand.folder.appending(path: "input-\(UUID().uuidString)")
      try Data(input.utf8).write(to: file!)
    }
    let outcome = try await ChildProcess(ChildProcess.pubky, arguments, in: stand.folder, input: file).outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    return outcome.text
  }

  @Test("a key is made, its records are published, looked up in another browser, changed, and the change arrives there")
  func wholeWay() async throws {
    try await withRelay { stand, relay, driver in
      let writer = try await driver.browser()
      try await writer.open(relay)
      try await writer.wait("document.querySelector('#my-key button')")
      try await writer.look("1-start")
      try await writer.press("Create a key")
      let key = try await writer.myKey()
      #expect(PublicKey(key)?.z32 == key)
      try await writer.waitFor("No records yet", in: "#my-key")
      try await writer.look("2-new-key")
      try await writer.addRecord("@", "A", "203.0.113.7")
      try await writer.addRecord("www", "CNAME", "@")
      try await writer.addRecord("_hello", "TXT", "Hello, wörld <img src=x onerror=alert(1)>", ttl: "300")
      try await writer.addRecord("@", "HTTPS", #"1 . alpn="h2,h3" port=8443"#)
      try await writer.addRecord("old", "Other…", "")
      try await writer.write("TYPE65280", into: ".editor [data-field=type]")
      try await writer.write("\\# 3 abcdef", into: ".editor [data-field=data]")
      try await writer.publish()
      try await writer.look("3-published")
      let stored = try await writer.text("document.querySelector('#my-key .notice').textContent")
      #expect(stored.contains("Stored on 5 nodes"), "\(stored)")

      let reader = try await driver.browser()
      try await reader.open("\(relay)/?pk=\(key)")
      try await reader.waitFor("Verified in your browser", in: "#result .notice.good")
      let expected = [
        "@ A 203.0.113.7 1 h", "www CNAME @ 1 h", "_hello TXT Hello, wörld <img src=x onerror=alert(1)> 5 min",
        #"@ HTTPS 1 . alpn="h2,h3" port=8443 1 h"#, "old TYPE65280 \\# 3 abcdef 1 h",
      ]
      #expect(try await reader.records() == expected)
      #expect(try await reader.text("document.querySelectorAll('img').length") == "0")
      #expect(try await reader.text("document.querySelector('#my-key').textContent").contains("Create a key"))
      try await reader.waitFor("The cache of this relay", in: "#result dd")
      try await reader.wait("document.querySelector('.live.on')")
      try await reader.look("4-found")

      try await writer.write("203.0.113.99", into: ".editor tr:first-child [data-field=data]")
      try await writer.publish()
      try await reader.waitFor("A newer version has arrived", in: "#result .note")
      #expect(try await reader.records().first == "@ A 203.0.113.99 1 h")
      try await reader.look("5-newer")
      try await reader.press("Ask the whole network")
      try await reader.waitFor("the newest version that the network has", in: "#result .note")
      try await reader.waitFor("The whole DHT", in: "#result dd")
      #expect(try await writer.complaints() == [])
      #expect(try await reader.complaints() == [])

      // The command finds the same.
      let found = try await pubky(["resolve", key, "--relay", relay, "--no-dht", "@", "A"], stand)
      #expect(found == "@\t3600\tA\t203.0.113.99\n")
    }
  }

  @Test(
    "a key goes from the browser to the command and back, and what the one has published the other does not overwrite")
  func exchange() async throws {
    try await withRelay { stand, relay, driver in
      let browser = try await driver.browser()
      try await browser.open(relay)
      try await browser.press("Create a key")
      let key = try await browser.myKey()
      try await browser.addRecord("@", "TXT", "from the browser")
      try await browser.publish()
      try await browser.press("Secret key")
      try await browser.press("Save as a file")
      let file = browser.downloads.appending(path: "\(key.prefix(8)).key")
      let deadline = ContinuousClock.now + ChromeDriver.patience
      while !FileManager.default.fileExists(atPath: file.path), ContinuousClock.now < deadline {
        try await Task.sleep(for: .milliseconds(20))
      }
      let secret = try String(contentsOf: file, encoding: .utf8)
      #expect(secret.wholeMatch(of: /[0-9a-f]{64}/) != nil)
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
      #expect(try await pubky(["key", "export", file.path, "--format", "z32"], stand) == key + "\n")

      let through = ["-k", file.path, "--relay", relay, "--no-dht"]
      _ = try await pubky(["publish", "-"] + through, input: "@ TXT \"from the command\"\n", stand)
      try await browser.write("from the browser again", into: ".editor [data-field=data]")
      try await browser.press("Publish")
      try await browser.waitFor("there is a newer version", in: "#my-key .notice.warn")
      try await browser.look("6-conflict")
      try await browser.press("Load that version")
      try await browser.wait("document.querySelector('.editor [data-field=data]').value === 'from the command'")
      try await browser.write("the last word", into: ".editor [data-field=data]")
      try await browser.publish()

      try await browser.press("Forget this key…")
      try await browser.press("Keep it")
      #expect(try await browser.myKey() == key)
      try await browser.press("Forget this key…")
      try await browser.press("Forget it")
      try await browser.wait("localStorage.length === 0")

      for half in ["spki", "z32"] {
        for json in [[], ["--json"]] {
          let text = try await pubky(["key", "export", file.path, "--format", half] + json, stand)
          try await browser.press("Import a key")
          try await browser.write(text, into: "#secret")
          try await browser.press("Import")
          try await browser.waitFor("This is the public half of a key", in: "dialog .fault")
          try await browser.press("Cancel")
        }
      }
      for form in [["hex"], ["pkcs8"], ["hex", "--json"], ["pkcs8", "--json"]] {
        let text = try await pubky(["key", "export", file.path, "--format"] + form, stand)
        try await browser.press("Import a key")
        try await browser.write("not a key", into: "#secret")
        try await browser.press("Import")
        try await browser.waitFor("64 hexadecimal digits", in: "dialog .fault")
        try await browser.write(text, into: "#secret")
        try await browser.press("Import")
        #expect(try await browser.myKey() == key)
        try await browser.wait("document.querySelector('.editor [data-field=data]')?.value === 'the last word'")
        try await browser.press("Secret key")
        try await browser.press("Forget this key…")
        try await browser.press("Forget it")
        try await browser.wait("localStorage.length === 0")
      }
    }
  }

  @Test(
    "a draft is kept over a reload, its faults are named where they are, and a packet that is too large is not sent")
  func editing() async throws {
    try await withRelay { _, relay, driver in
      let browser = try await driver.browser()
      try await browser.open(relay)
      try await browser.press("Create a key")
      try await browser.addRecord("a b", "A", "300.1.2.3", ttl: "soon")
      try await browser.addRecord("", "MX", "mail.example.com")
      try await browser.press("Publish")
      try await browser.waitFor("Mend what is marked", in: "#my-key .notice.bad")
      #expect(try await browser.text("document.querySelectorAll('.editor [aria-invalid]').length") == "4")
      #expect(try await browser.text("document.activeElement.value") == "a b")
      try await browser.look("7-faults")
      try await browser.open(relay)
      try await browser.wait("document.querySelectorAll('.editor tbody tr').length === 2")
      #expect(try await browser.text("document.querySelector('.editor input').value") == "a b")
      try await browser.press("Discard changes")
      try await browser.waitFor("No records yet", in: "#my-key")

      try await browser.addRecord("_bio", "TXT", String(repeating: "x", count: 1000))
      try await browser.waitFor("too many. The largest is TXT _bio", in: "#my-key .fault")
      try await browser.press("Publish")
      try await browser.waitFor("Not published", in: "#my-key .notice.bad")
      try await browser.look("8-too-large")
      // 12 for the header, 60 for the name (_bio, the key, their lengths and the end), 10 for the rest, 4 strings.
      try await browser.write(String(repeating: "x", count: 1000 - 12 - 59 - 10 - 4), into: ".editor [data-field=data]")
      try await browser.waitFor("1000 of 1000 bytes", in: ".meter")
      try await browser.publish()
    }
  }

  @Test("a browser that keeps nothing says so, and the key works until the page is closed")
  func blockedStorage() async throws {
    try await withRelay { stand, relay, driver in
      let browser = try await driver.browser(blocksStorage: true)
      try await browser.open(relay)
      try await browser.waitFor("This browser keeps nothing for this page", in: "#my-key .notice.warn")
      #expect(
        try await browser.text(
          "(() => { try { return localStorage.length } catch (fault) { return fault.name } })()") == "SecurityError")
      try await browser.press("Create a key")
      let key = try await browser.myKey()
      try await browser.waitFor("A key lives only until the page is closed", in: "#my-key .card .notice.warn")
      try await browser.waitFor("It is only in this page", in: "#my-key details[open]")
      try await browser.look("9-nothing-kept")
      try await browser.addRecord("@", "TXT", "while it lasts")
      try await browser.publish()
      let found = try await pubky(["resolve", key, "--relay", relay, "--no-dht", "@", "TXT"], stand)
      #expect(found.contains("while it lasts"))
      let leaving = """
        (() => { const event = new Event('beforeunload', { cancelable: true }); dispatchEvent(event); return event.defaultPrevented })()
        """
      #expect(try await browser.isTrue(leaving))
      let secret = try await browser.text("document.querySelector('#my-key details code').textContent")
      try await browser.press("Save as a file")
      #expect(try await !browser.isTrue(leaving))

      try await browser.open(relay)
      try await browser.press("Import a key")
      try await browser.write(#"{"key":"\#(key)","format":"hex","secret":true,"text":"\#(secret)"}"#, into: "#secret")
      try await browser.press("Import")
      #expect(try await browser.myKey() == key)
      try await browser.wait("document.querySelector('.editor [data-field=data]')?.value === 'while it lasts'")
      #expect(try await browser.complaints() == [])
    }
  }

  @Test("all can be done with the keyboard alone")
  func keyboard() async throws {
    try await withRelay { _, relay, driver in
      let browser = try await driver.browser()
      try await browser.open(relay)
      try await browser.wait("document.querySelector('#my-key button')")
      /// Goes on with the tabulator until something is in focus.
      func go(to script: String) async throws {
        for _ in 0..<60 {
          if try await browser.isTrue("((node) => \(script))(document.activeElement)") { return }
          try await browser.type("\u{e004}")
        }
        Issue.record("never in focus: \(script)")
      }
      try await go(to: "node.textContent === 'Create a key'")
      #expect(try await browser.isTrue("getComputedStyle(document.activeElement).outlineStyle !== 'none'"))
      try await browser.type("\u{e007}")
      let key = try await browser.myKey()
      try await go(to: "node.textContent === 'Add a record'")
      try await browser.type("\u{e007}")
      // The new record's name is in focus; `A` is chosen already.
      try await browser.wait("document.activeElement.dataset.field === 'name'")
      try await go(to: "node.dataset.field === 'data'")
      try await browser.type("192.0.2.1")
      try await go(to: "node.textContent === 'Publish'")
      try await browser.type("\u{e007}")
      try await browser.waitFor("Published", in: "#my-key .notice.good")
      try await go(to: "node.textContent === 'Look it up'")
      try await browser.type("\u{e007}")
      try await browser.waitFor("Verified in your browser", in: "#result")
      try await browser.run("document.querySelector('#query').focus()")
      try await browser.write("pk:\(key)", into: "#query")
      try await browser.type("\u{e007}")
      try await browser.wait("document.querySelector('#query').value === arguments[0]", [key])
      // Everything that can be pressed or written into says what it is.
      let nameless = try await browser.text(
        """
        [...document.querySelectorAll('button,input,select,textarea,summary,a')].filter((node) =>
          !node.textContent.trim() && !node.ariaLabel && !node.labels?.length).length
        """)
      #expect(nameless == "0")
    }
  }
}
