import Foundation
import Testing

@Suite("What the documents show")
struct ReadmeTests {
  private static let root = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
  }

  /// The command lines of `pubky` on a page: in its code blocks, typed or printed, and in its text.
  private func commands(_ page: String) throws -> [[String]] {
    var found: [[String]] = []
    var isCode = false
    for line in try text(page).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("```") { isCode.toggle() }
      if !isCode {
        found += line.matches(of: /`pubky ([a-z][^`|]*)`/).map { $0.1.split(separator: " ").map(String.init) }
      }
      guard isCode, let match = line.firstMatch(of: /^(?:\$ | +)?(?:\S*\/)?pubky ([^|>&#]+)/) else { continue }
      found.append(match.1.split(separator: " ").map(String.init))
    }
    return found
  }

  @Test(
    "each command in the documents exists with its options",
    arguments: [("README.md", 18), ("docs/relay.md", 3), ("docs/command.md", 4), ("docs/republish.md", 4)])
  func commandsExist(page: String, least: Int) async throws {
    try await PubkyCommand.inFolder { pubky in
      let all = try commands(page)
      #expect(all.count >= least)
      for words in Set(all) {
        let outcome = try await pubky.run(words + ["--help"])
        #expect(outcome.status == 0, "pubky \(words.joined(separator: " ")): \(outcome.errors)")
        #expect(outcome.output.contains("Usage: pubky \(words[0])"))
      }
    }
  }

  @Test("each target of make in the documents exists", arguments: ["README.md", "CONTRIBUTING.md"])
  func targetsExist(page: String) throws {
    let makefile = try text("Makefile")
    let targets = Set(makefile.matches(of: /(?m)^([a-z-]+):/).map { String($0.1) })
    let named = Set(try text(page).matches(of: /(?m)(?:`|^\$ |^)(?:sudo )?make ([a-z-]+)/).map { String($0.1) })
    #expect(named.isSuperset(of: ["test"]) && named.isSubset(of: targets), "\(named.subtracting(targets))")
  }

  @Test(
    "each file that the documents link to is there", arguments: ["README.md", "CONTRIBUTING.md", "docs/command.md"])
  func linksLead(page: String) throws {
    let links = try text(page).matches(of: /\]\(([^)#:]+)(?:#[^)]*)?\)/).map { String($0.1) }
    #expect(!links.isEmpty)
    let folder = Self.root.appending(path: page).deletingLastPathComponent()
    for link in links {
      #expect(FileManager.default.fileExists(atPath: folder.appending(path: link).path), "\(page): \(link)")
    }
  }
}
