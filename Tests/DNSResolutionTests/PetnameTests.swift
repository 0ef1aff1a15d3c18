import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite("Names that an operator gives to keys")
struct PetnameTests {
  private let keypair = Keypair()
  private var key: String { keypair.publicKey.z32 }

  private func harness() throws -> ResolverHarness {
    let publicKey = keypair.publicKey
    let harness = ResolverHarness {
      $0.suffixes = [.literal("key"), .literal("pk.example")]
      $0.local.petnames = [.literal("alice"): publicKey]
    }
    try harness.publish("@ 300 A 192.0.2.1\nwww 300 A 192.0.2.2\nback 300 CNAME alice.key.", by: keypair)
    return harness
  }

  @Test("below each suffix they are aliases of their keys, in any case, for all names below them")
  func aliases() throws {
    let harness = try harness()
    for suffix in ["key", "pk.example"] {
      let apex = try harness.ask("alice.\(suffix)")
      #expect(apex.code == 0 && apex.isAuthoritative)
      #expect(apex.answers == ["alice.\(suffix) CNAME \(key).\(suffix).", "\(key).\(suffix) A 192.0.2.1"])
      let www = try harness.ask("WWW.Alice.\(suffix)")
      #expect(www.answers.suffix(1) == ["www.\(key).\(suffix) A 192.0.2.2"])
    }
    #expect(try harness.ask("alice.key", .cname).answers == ["alice.key CNAME \(key).key."])
    let missing = try harness.ask("none.alice.key")
    #expect(missing.code == 3 && missing.answers.count == 1 && missing.authorities.count == 1)
    #expect(harness.forwarded.isEmpty)
  }

  @Test("other names below a suffix do not exist, and the names mean nothing elsewhere")
  func strangers() throws {
    let harness = try harness()
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("alice", .a, "192.0.2.9")]) }
    #expect(try harness.ask("bob.key").code == 3)
    #expect(try harness.ask("alice.bob.key").code == 3)
    #expect(harness.forwarded.isEmpty)
    #expect(try harness.ask("alice").answers == ["alice A 192.0.2.9"])
  }

  @Test("a key cannot use them for a loop, and a change of the settings changes the answers at once")
  func changes() throws {
    let harness = try harness()
    #expect(try harness.ask("alice.key").answers.count == 2)
    #expect(try harness.ask("back.alice.key").answers.suffix(1) == ["\(key).key A 192.0.2.1"])
    let other = try harness.publish("@ 300 CNAME alice.key.").publicKey
    harness.resolver.policy.local.petnames = [.literal("alice"): other]
    let loop = try harness.ask("alice.key")
    #expect(loop.code == 2 && loop.error?.text == "a loop of aliases")
    harness.resolver.policy.local.petnames = [:]
    #expect(try harness.ask("alice.key").code == 3)
  }

  @Test("flushing a key forgets the answers under its names")
  func flush() throws {
    let harness = try harness()
    _ = try harness.ask("alice.key")
    try harness.publish("@ 300 A 192.0.2.7", by: keypair)
    harness.advance(seconds: 1)
    #expect(try harness.ask("alice.key").answers.suffix(1) == ["\(key).key A 192.0.2.1"])
    harness.resolver.flush(keypair.publicKey)
    #expect(try harness.ask("alice.key").answers.suffix(1) == ["\(key).key A 192.0.2.7"])
  }
}
