import Foundation
import HTTP
import TestSupport
import Testing

/// Debian's chromedriver, which starts browsers and does in them what a person would (W3C WebDriver, JSON over HTTP).
final class ChromeDriver: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// A browser may be slow on a busy machine; one that takes this long hangs.
  static let patience = Duration.seconds(300)

  private let process: ChildProcess
  private let client: HTTPClient
  private let port: String
  private let folder: URL

  /// True if this machine has what the tests need.
  static var isInstalled: Bool { ["chromium", "chromedriver"].allSatisfy { ChildProcess.find($0) != nil } }

  /// Runs a body with a driver. Driver and browsers are ended afterwards, whatever happened. `home`: whose browsers they are.
  static func run(home: URL? = nil, _ body: (ChromeDriver) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "browser-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let driver = try await ChromeDriver(folder, home: home)
    do {
      try await body(driver)
    } catch {
      await driver.end()
      throw error
    }
    await driver.end()
  }

  private init(_ folder: URL, home: URL?) async throws {
    self.folder = folder
    let line: String
    (process, line) = try await Self.start(folder, home: home)
    port = String(line.split(separator: " ").last?.prefix { $0.isNumber } ?? "")
    var configuration = HTTPClientConfiguration()
    configuration.headTimeout = Self.patience
    configuration.bodyTimeout = Self.patience
    client = try HTTPClient(configuration)
  }

  /// Starts the driver. It wants one port for both kinds of addresses, which another test may have taken for one of them.
  private static func start(
    _ folder: URL, home: URL?, attempts: Int = 5
  ) async throws -> (ChildProcess, String) {
    let path = try #require(ChildProcess.find("chromedriver"))
    let environment = home.map { ["HOME=\($0.path)"] } ?? []
    let process = try ChildProcess("/usr/bin/env", environment + [path, "--port=0"], in: folder)
    do {
      return (process, try await process.firstLine { $0.contains("successfully on port ") })
    } catch  where attempts > 1 {
      return try await start(folder, home: home, attempts: attempts - 1)
    }
  }

  /// Quits all browsers, then the driver: in a task of its own, since the test's may be cancelled.
  private func end() async {
    await Task {
      _ = try? await command(.get, "/shutdown")
      process.terminate()
      _ = try? await process.outcome()
    }.value
  }

  /// A browser with a profile of its own. It reaches this machine only; `relay.test` is a name without a certificate.
  /// `blocksStorage`: as a person can set it, it keeps nothing for any site. `dnsTemplate`: it asks this server for all names,
  /// over HTTPS, in the place of that rule.
  func browser(
    _ arguments: [String] = [], blocksStorage: Bool = false, dnsTemplate: String? = nil
  ) async throws -> Browser {
    let downloads = folder.appending(path: "downloads-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: downloads, withIntermediateDirectories: true)
    let onlyHere = "MAP relay.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
    var options: [String: Any] = [
      "binary": try #require(ChildProcess.find("chromium")),
      "args": [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--lang=en",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1100,1000",
      ] + (dnsTemplate == nil ? ["--host-resolver-rules=\(onlyHere)"] : []) + arguments,
      "prefs": [
        "download.default_directory": downloads.path, "download.prompt_for_download": false,
        "profile.default_content_setting_values.cookies": blocksStorage ? 2 : 1,
      ] as [String: Any],
    ]
    if let dnsTemplate {
      options["localState"] = ["dns_over_https.mode": "secure", "dns_over_https.templates": dnsTemplate]
    }
    let limits = Dictionary(
      uniqueKeysWithValues: ["script", "pageLoad"].map { ($0, Self.patience.components.seconds * 1000) })
    let capabilities: [String: Any] = [
      "goog:chromeOptions": options, "goog:loggingPrefs": ["browser": "ALL"], "timeouts": limits,
    ]
    let session = try await command(.post, "/session", ["capabilities": ["alwaysMatch": capabilities]])
    let id = try #require((session as? [String: Any])?["sessionId"] as? String)
    return Browser(driver: self, session: id, downloads: downloads)
  }

  /// Sends a command and returns its `value`.
  @discardableResult
  func command(_ method: HTTPMethod, _ path: String, _ body: [String: Any]? = nil) async throws -> Any? {
    let url = try #require(HTTPURL("http://127.0.0.1:\(port)\(path)"))
    let data = try body.map { [UInt8](try JSONSerialization.data(withJSONObject: $0)) }
    let request = HTTPClientRequest(
      method, url, fields: [.contentType: "application/json"], body: data.map { .bytes($0) } ?? .empty)
    let response: HTTPClientResponse
    let answer: [UInt8]
    do {
      (response, answer) = try await client.fetch(request, upTo: 32 << 20, timeout: Self.patience)
    } catch {
      throw Failure(description: "\(method) \(path) \(body ?? [:]): \(error)")
    }
    let object = try JSONSerialization.jsonObject(with: Data(answer), options: .fragmentsAllowed) as? [String: Any]
    guard response.status == .ok else {
      let problem = object?["value"] as? [String: Any]
      throw Failure(description: "\(method) \(path): \(problem?["message"] ?? response.status)")
    }
    return object?["value"]
  }
}
