import Foundation
import Testing

@Suite("The package's parts")
struct PackagingTests {
  /// The modules that a module of Package.swift needs, at any depth.
  private func needs(_ name: String, in modules: [String: [String]]) -> Set<String> {
    var found: Set<String> = []
    var open = [name]
    while let next = open.popLast() {
      for below in modules[next] ?? [] where found.insert(below).inserted { open.append(below) }
    }
    return found
  }

  @Test("keys and packets, the DHT, relays and the web are libraries of their own, and each brings only what it needs")
  func libraries() throws {
    let file = URL(fileURLWithPath: #filePath).appending(path: "../../../Package.swift").standardized
    let text = try String(contentsOf: file, encoding: .utf8)
    var modules: [String: [String]] = [:]
    for match in text.matches(of: /module\(\s*"(\w+)"(?:,\s*\[([^\]]*)\])?/) {
      modules[String(match.1)] = (match.2 ?? "").matches(of: /"(\w+)"/).map { String($0.1) }
    }
    let products = try #require(text.firstMatch(of: /let libraries = \[([^\]]*)\]/)).1
    for name in [
      "Cryptography", "DNSWire", "Pkarr", "Mainline", "PkarrStore", "TLS", "HTTP", "PkarrClient", "PkarrSite",
    ] {
      #expect(modules[name] != nil && products.contains("\"\(name)\""), "\(name)")
    }
    let network: Set = ["EventLoops", "TLS", "HTTP", "Mainline", "PkarrStore", "PkarrClient"]
    #expect(needs("Pkarr", in: modules).isDisjoint(with: network))
    #expect(needs("MainlineProtocol", in: modules).isDisjoint(with: network))
    #expect(needs("Mainline", in: modules).isDisjoint(with: ["TLS", "HTTP", "Pkarr", "PkarrStore"]))
    #expect(needs("HTTP", in: modules).isDisjoint(with: ["Mainline", "Pkarr", "PkarrStore"]))
    #expect(needs("PkarrSite", in: modules).isSuperset(of: ["HTTP", "TLS", "PkarrClient"]))
    #expect(!needs("PkarrSite", in: modules).contains("PkarrRelay"))
  }
}
