import Cryptography
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

/// The example zone of RFC 4592 §2.2.1, below a key.
@Suite struct WildcardTests {
  private static let zone = """
    @                 3600 NS  ns.example.com.
    @                 3600 SOA ns.example.com. mail.example.com. 1 3600 600 86400 300
    *                 3600 TXT "this is a wildcard"
    *                 3600 MX  10 host1
    sub.*             3600 TXT "this is not a wildcard"
    host1             3600 A   192.0.2.1
    _ssh._tcp.host1   3600 SRV 0 1 22 host1
    _ssh._tcp.host2   3600 SRV 0 1 22 host2
    subdel            3600 NS  ns.example.com.
    subdel            3600 NS  ns.example.net.
    """

  private func find(_ name: String, _ type: RecordType) throws -> KeyZone.Finding {
    let keypair = Keypair()
    let packet = try ResolverHarness.packet(keypair, Self.zone, at: Timestamp(microseconds: 1))
    let apex = keypair.publicKey.domainName
    return KeyZone(packet, apex: apex).find(try DomainName(name).appending(apex), type)
  }

  private func texts(_ finding: KeyZone.Finding) -> [String] {
    guard case .records(let records) = finding else { return ["\(finding)"] }
    return records.map {
      "\($0.name.labels.map { String(decoding: $0, as: UTF8.self) }.dropLast().joined(separator: ".")) \($0.type)"
    }
  }

  @Test("names that a wildcard covers get its records as their own (RFC 4592 §2.2.1)")
  func covered() throws {
    #expect(texts(try find("host3", .mx)) == ["host3 MX"])
    #expect(texts(try find("foo.bar", .txt)) == ["foo.bar TXT"])
    #expect(try find("host3", .a) == .noData)
    #expect(texts(try find("*", .mx)) == ["* MX"])
    #expect(texts(try find("ghost.*", .mx)) != ["ghost.* MX"])
  }

  @Test("names that exist, and those below them, are not covered (RFC 4592 §2.2.1)")
  func notCovered() throws {
    #expect(try find("host1", .mx) == .noData)
    #expect(try find("sub.*", .mx) == .noData)
    #expect(try find("_telnet._tcp.host1", .srv) == .noSuchName)
    #expect(try find("ghost.*", .mx) == .noSuchName)
    // _tcp.host1 exists because of what is below it (RFC 8020).
    #expect(try find("_tcp.host1", .a) == .noData)
    #expect(try find("host2", .a) == .noData)
    guard case .delegation(let cut, let servers) = try find("host.subdel", .a) else {
      Issue.record("no delegation")
      return
    }
    #expect(cut.description.hasPrefix("subdel.") && servers.map(\.description) == ["ns.example.com", "ns.example.net"])
  }

  @Test("the closest delegation wins, data below a cut are glue only, and DS stays above it")
  func delegations() throws {
    let keypair = Keypair()
    let packet = try ResolverHarness.packet(
      keypair,
      """
      a 60 NS ns.a
      b.a 60 NS ns.b.a
      ns.a 60 A 192.0.2.1
      x.a 60 A 192.0.2.2
      a 60 TYPE43 \\# 6 000108010203
      """, at: Timestamp(microseconds: 1))
    let apex = keypair.publicKey.domainName
    let zone = KeyZone(packet, apex: apex)
    func cut(_ name: String, _ type: RecordType = .a) throws -> String? {
      guard case .delegation(let cut, _) = zone.find(try DomainName(name).appending(apex), type) else { return nil }
      return cut.removingSuffix(apex)?.description
    }
    // The cut nearest to the apex is the one that its owner cannot see behind.
    for name in ["a", "x.a", "ns.a", "y.b.a"] { #expect(try cut(name) == "a", "\(name)") }
    #expect(try cut("a", .ns) == "a")
    #expect(try cut("a", .ds) == nil)
    #expect(zone.addresses(of: try DomainName("NS.a").appending(apex)) == [.init(192, 0, 2, 1)])
  }

  @Test("DNAME makes an alias of everything below it (RFC 6672)")
  func dname() throws {
    let keypair = Keypair()
    let target = try DomainName("example.com").wire.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let packet = try ResolverHarness.packet(keypair, "old 60 TYPE39 \\# 13 \(target)", at: Timestamp(microseconds: 1))
    let apex = keypair.publicKey.domainName
    let zone = KeyZone(packet, apex: apex)
    guard case .redirection(let record, let alias, let end) = zone.find(try DomainName("a.b.old").appending(apex), .a)
    else {
      Issue.record("no redirection")
      return
    }
    #expect(record.type == .dname && alias.type == .cname && alias.ttl == 60)
    #expect(end.description == "a.b.example.com")
    #expect(zone.find(try DomainName("old").appending(apex), .a) == .noData)
    let label = String(repeating: "x", count: 63)
    let long = try DomainName("\(label).\(label).\(String(repeating: "y", count: 57)).old").appending(apex)
    guard case .redirection = zone.find(long, .a) else {
      Issue.record("it fits: the target is shorter than the key")
      return
    }
  }
}
