import Foundation
import TestSupport
import Testing

/// Names of keys in browsers that people have, which ask our server over HTTPS and know nothing of keys.
@Suite("Browsers open names of keys", .serialized, .timeLimit(.minutes(20)))
struct KeyNameTests {
  @Test(
    "Chromium opens names of keys through DNS over HTTPS: http://KEY./, http://KEY.key/ and http://www.KEY/",
    .enabled(if: ChromeDriver.isInstalled && ChildProcess.find("certutil") != nil, "needs chromium and libnss3-tools"))
  func chromium() async throws {
    try await BrowserStand.run { stand in
      // Where Chromium looks for authorities that a person trusts.
      let store = stand.folder.appending(path: ".pki/nssdb")
      try FileManager.default.createDirectory(at: store, withIntermediateDirectories: true)
      let certutil = try #require(ChildProcess.find("certutil"))
      let database = "sql:\(store.path)"
      for arguments in [
        ["-N", "-d", database, "--empty-password"],
        ["-A", "-d", database, "-t", "C,,", "-n", "development", "-i", stand.authority],
      ] {
        let outcome = try await ChildProcess(certutil, arguments, in: stand.folder).outcome()
        try #require(outcome.status == 0, "\(outcome.errors)")
      }
      try await ChromeDriver.run(home: stand.folder) { driver in
        let browser = try await driver.browser(dnsTemplate: stand.template)
        // A name of one label is no name of the DNS for its own resolver, unless it ends in a dot.
        for name in ["\(stand.key).", "www.\(stand.key)", "\(stand.key).key"] {
          try await browser.open("http://\(name)\(stand.port)/")
          // nginx leaves the dot out.
          let host = name.hasSuffix(".") ? stand.key : name
          #expect(try await browser.text("document.getElementById('name').textContent") == "opened as \(host)")
        }
        #expect(try await stand.queriesOverHTTPS() >= 3)
        await #expect(throws: ChromeDriver.Failure.self, "what does not exist is not opened") {
          try await browser.open("http://none.\(stand.key)\(stand.port)/")
        }
      }
      #expect(stand.visits.filter { $0.contains("Chrome") }.count >= 3, "\(stand.visits)")
    }
  }

  @Test(
    "Firefox opens http://KEY/, with and without suffix, through DNS over HTTPS",
    .enabled(if: ["firefox-esr", "certutil"].allSatisfy { ChildProcess.find($0) != nil }, "needs firefox-esr"))
  func firefox() async throws {
    try await BrowserStand.run { stand in
      for name in [stand.key, "www.\(stand.key)", "\(stand.key).key"] {
        let before = try await stand.queriesOverHTTPS()
        let profile = try await FirefoxProfile(in: stand.folder, template: stand.template, authority: stand.authority)
        let picture = try await profile.photograph("http://\(name)\(stand.port)/")
        #expect(picture.count > 1000, "a picture of the page")
        #expect(stand.visits.contains { $0.hasPrefix("\(name) / ") && $0.contains("Firefox") }, "\(stand.visits)")
        #expect(try await stand.queriesOverHTTPS() > before)
      }
    }
  }
}
