import Foundation
import HTTP
import Testing

/// A browser, and what a person does in it.
struct Browser {
  let driver: ChromeDriver
  let session: String
  /// Where it saves files.
  let downloads: URL

  // MARK: Doing

  func open(_ address: String) async throws { try await send("/url", ["url": address]) }

  /// Runs JavaScript in the page; promises are waited for.
  @discardableResult
  func run(_ script: String, _ arguments: [Any] = []) async throws -> Any? {
    try await send("/execute/sync", ["script": script, "args": arguments])
  }

  func text(_ script: String, _ arguments: [Any] = []) async throws -> String {
    try await run("return String(\(script))", arguments) as? String ?? ""
  }

  func isTrue(_ script: String, _ arguments: [Any] = []) async throws -> Bool {
    try await run("return Boolean(\(script))", arguments) as? Bool ?? false
  }

  /// Waits until an expression is true.
  func wait(_ script: String, _ arguments: [Any] = [], sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let deadline = ContinuousClock.now + ChromeDriver.patience
    while ContinuousClock.now < deadline {
      if try await isTrue(script, arguments) { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    let page = try await text("document.body.innerText")
    Issue.record("never true: \(script) \(arguments)\n\(page)", sourceLocation: sourceLocation)
    throw CancellationError()
  }

  /// Waits until an element that a selector names contains a text.
  func waitFor(_ text: String, in selector: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    try await wait(
      "[...document.querySelectorAll(arguments[0])].some((node) => node.textContent.includes(arguments[1]))",
      [selector, text], sourceLocation: sourceLocation)
  }

  /// Presses the button with this text, once it is there.
  func press(_ label: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    let buttons =
      "[...document.querySelectorAll('button,summary')].filter((node) => node.textContent === arguments[0] && node.checkVisibility())"
    try await wait("\(buttons).length", [label], sourceLocation: sourceLocation)
    let found = try await run("return \(buttons).at(-1)", [label])
    try await send("/element/\(try id(of: found))/click", [:])
  }

  /// Writes into a field in the place of what is there.
  func write(_ text: String, into selector: String) async throws {
    let found = try await run(
      "const node = document.querySelectorAll(arguments[0]); return node[node.length - 1]", [selector])
    let element = try id(of: found)
    try await send("/element/\(element)/clear", [:])
    if !text.isEmpty { try await send("/element/\(element)/value", ["text": text]) }
  }

  /// Presses keys where the focus is.
  func type(_ text: String) async throws {
    let active = try await driver.command(.get, "/session/\(session)/element/active")
    try await send("/element/\(try id(of: active))/value", ["text": text])
  }

  /// Chooses from the last list that a selector names.
  func choose(_ option: String, in selector: String) async throws {
    try await run(
      """
      const node = [...document.querySelectorAll(arguments[0])].at(-1);
      node.value = arguments[1];
      node.dispatchEvent(new Event('change', { bubbles: true }));
      """, [selector, option])
  }

  // MARK: Looking

  /// What a protocol command of the browser's developer tools returns.
  @discardableResult
  func tool(_ name: String, _ parameters: [String: Any] = [:]) async throws -> [String: Any] {
    try await send("/goog/cdp/execute", ["cmd": name, "params": parameters]) as? [String: Any] ?? [:]
  }

  func prefer(dark: Bool) async throws {
    let feature = ["name": "prefers-color-scheme", "value": dark ? "dark" : "light"]
    try await tool("Emulation.setEmulatedMedia", ["features": [feature]])
  }

  /// A phone of this many points across; nil for the window as it is.
  func resize(to width: Int?) async throws {
    guard let width else {
      try await tool("Emulation.clearDeviceMetricsOverride")
      return
    }
    try await tool(
      "Emulation.setDeviceMetricsOverride", ["width": width, "height": 780, "deviceScaleFactor": 1, "mobile": true])
  }

  /// Checks that the page fits in light, dark and on a phone, and leaves pictures of it in the folder that
  /// `BROWSER_SCREENSHOTS` names, if it is set.
  func look(_ name: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
    for (suffix, dark, width) in [("light", false, nil), ("dark", true, nil), ("phone", false, 360)]
      as [(String, Bool, Int?)]
    {
      try await prefer(dark: dark)
      try await resize(to: width)
      let paper = try await text("getComputedStyle(document.body).backgroundColor")
      let channels = paper.split { !$0.isNumber }.compactMap { Int($0) }
      #expect(channels.count == 3 && channels.allSatisfy { dark ? $0 < 60 : $0 > 200 }, sourceLocation: sourceLocation)
      #expect(
        try await isTrue("document.documentElement.scrollWidth <= innerWidth"), "\(name) is too wide, \(suffix)",
        sourceLocation: sourceLocation)
      try await picture("\(name)-\(suffix)")
    }
    try await prefer(dark: false)
    try await resize(to: nil)
  }

  private func picture(_ name: String) async throws {
    guard let folder = ProcessInfo.processInfo.environment["BROWSER_SCREENSHOTS"] else { return }
    let size = try await run("return [innerWidth, document.documentElement.scrollHeight]") as? [Int] ?? [800, 600]
    let clip: [String: Any] = ["x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1]
    let shot = try await tool(
      "Page.captureScreenshot", ["format": "png", "captureBeyondViewport": true, "clip": clip])
    let data = try #require(Data(base64Encoded: shot["data"] as? String ?? ""))
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try data.write(to: URL(filePath: folder).appending(path: name + ".png"))
  }

  /// What the browser complains of, answers with a status of failure left out.
  func complaints() async throws -> [String] {
    let entries = try await send("/se/log", ["type": "browser"]) as? [[String: Any]] ?? []
    return entries.compactMap { $0["message"] as? String }.filter { !$0.contains("Failed to load resource") }
  }

  // MARK: Commands

  @discardableResult
  private func send(_ path: String, _ body: [String: Any]) async throws -> Any? {
    try await driver.command(.post, "/session/\(session)\(path)", body)
  }

  private func id(of element: Any?) throws -> String {
    try #require((element as? [String: String])?.values.first, "there is no such element")
  }
}
