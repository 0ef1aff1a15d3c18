import Foundation
import Testing

/// What is done on the page more than once.
extension Browser {
  func lookUp(_ text: String) async throws {
    try await write(text, into: "#query")
    try await press("Look up")
  }

  /// Adds a record to the table.
  func addRecord(_ name: String, _ type: String, _ data: String, ttl: String = "1h") async throws {
    try await press("Add a record")
    try await choose(type, in: ".editor select")
    try await write(name, into: ".editor [data-field=name]")
    try await write(data, into: ".editor [data-field=data]")
    try await write(ttl, into: ".editor [data-field=ttl]")
  }

  func publish() async throws {
    try await press("Publish")
    try await waitFor("Published", in: "#my-key .notice.good")
  }

  /// The key of this browser.
  func myKey() async throws -> String {
    try await wait("document.querySelector('#my-key .key')")
    return try await text("document.querySelector('#my-key .key').textContent")
  }

  /// The cells of the result, a line for each record.
  func records() async throws -> [String] {
    let rows = try await run(
      """
      return [...document.querySelectorAll('#result tbody tr')].map((row) =>
        [...row.children].map((cell) => cell.textContent).join(' '));
      """)
    return rows as? [String] ?? []
  }
}
