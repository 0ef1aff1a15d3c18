import Foundation
import TestSupport
import Testing

/// A fresh profile of Firefox that asks one server over HTTPS for all names, and nobody else for anything.
struct FirefoxProfile {
  private let folder: URL
  private let home: URL

  /// `template`: the server's address for DNS over HTTPS, `authority`: the file of who vouches for it.
  init(in folder: URL, template: String, authority: String) async throws {
    home = folder.appending(path: "firefox-\(UUID().uuidString)")
    self.folder = home.appending(path: "profile")
    try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    let settings: [(String, String)] = [
      // 3: DNS over HTTPS or nothing.
      ("network.trr.mode", "3"), ("network.trr.uri", "\"\(template)\""), ("network.trr.custom_uri", "\"\(template)\""),
      // The server's own name, and what it may answer: addresses of this machine, for which a proxy is never used.
      ("network.trr.bootstrapAddr", "\"127.0.0.1\""), ("network.trr.allow-rfc1918", "true"),
      ("network.trr.excluded-domains", "\"localhost\""), ("network.dns.disableIPv6", "true"),
      ("network.dns.localDomains", "\"\""), ("network.trr.confirmationNS", "\"skip\""),
      ("dom.security.https_first", "false"), ("dom.security.https_first_schemeless", "false"),
      ("network.captive-portal-service.enabled", "false"), ("network.connectivity-service.enabled", "false"),
      ("datareporting.policy.dataSubmissionEnabled", "false"), ("app.update.enabled", "false"),
      ("browser.shell.checkDefaultBrowser", "false"), ("browser.startup.homepage_override.mstone", "\"ignore\""),
      ("network.dns.echconfig.enabled", "false"),
    ]
    let text = settings.map { "user_pref(\"\($0.0)\", \($0.1));\n" }.joined()
    try Data(text.utf8).write(to: self.folder.appending(path: "user.js"))
    let certutil = try #require(ChildProcess.find("certutil"))
    for arguments in [
      ["-N", "-d", "sql:\(self.folder.path)", "--empty-password"],
      ["-A", "-d", "sql:\(self.folder.path)", "-t", "C,,", "-n", "development", "-i", authority],
    ] {
      let outcome = try await ChildProcess(certutil, arguments, in: folder).outcome()
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
  }

  /// Opens an address without a window, and returns the picture of the page (PNG).
  func photograph(_ address: String) async throws -> [UInt8] {
    let picture = home.appending(path: "page.png")
    let environment = ["HOME=\(home.path)", "MOZ_DISABLE_CONTENT_SANDBOX=1", "MOZ_HEADLESS=1"]
    let outcome = try await ChildProcess(
      "/usr/bin/env",
      environment + ["firefox-esr", "--profile", folder.path, "--no-remote", "--screenshot", picture.path, address],
      in: home
    ).outcome()
    #expect(outcome.status == 0, "\(outcome.errors)")
    return (try? [UInt8](Data(contentsOf: picture))) ?? []
  }
}
