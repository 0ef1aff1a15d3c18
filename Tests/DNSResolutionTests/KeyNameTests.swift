import Cryptography
import DNSWire
import Pkarr
import Testing

@testable import DNSResolution

@Suite struct KeyNameTests {
  private let demo = "7fmjpcuuzf54hw18bsgi3zihzyh4awseeuq5tmojefaezjbd64cy"

  @Test("a key is found under every spelling that DNS takes for the same, with and without suffix")
  func spellings() throws {
    let harness = ResolverHarness { $0.suffixes = [.literal("key"), .literal("pk.example")] }
    let key = try harness.publish("@ 300 A 192.0.2.1\nWWW 300 A 192.0.2.2\na.b 300 A 192.0.2.3").publicKey.z32
    for suffix in ["", ".", ".key", ".KEY.", ".pk.example", ".Pk.ExamplE"] {
      let last = suffix.hasSuffix(".") ? String(suffix.dropLast()) : suffix
      for (front, address) in [("", "192.0.2.1"), ("www.", "192.0.2.2"), ("wWw.", "192.0.2.2"), ("A.b.", "192.0.2.3")] {
        for label in [key, key.uppercased()] {
          let reply = try harness.ask(front + label + suffix)
          #expect(reply.answers == ["\(front)\(label)\(last) A \(address)"])
          #expect(reply.isAuthoritative && reply.code == 0)
        }
      }
    }
    #expect(harness.forwarded.isEmpty && harness.lookedUp.count == 1)
  }

  @Test("names under a suffix and keys that are none are answered here, and never forwarded")
  func unusable() throws {
    let harness = ResolverHarness()
    let notAPoint = "osjbhp9jpbomwh3m5eyrj1py41m8sjpkzzqmzpj5madsi7sc4mto"
    let other = "sb58b4hwbxkugzhz8sipoac5189h1rxixu8pesf5zhsqyp4u3g6o"
    let spareBits = [String(demo.dropLast()) + "b", String(demo.dropLast()) + "n"]
    for name in [notAPoint, other] + spareBits {
      for full in [name, "www." + name, name.uppercased() + ".key", "x.\(name).KEY"] {
        let reply = try harness.ask(full)
        #expect(reply.code == 3 && reply.error?.code == 0, "\(full)")
        #expect(reply.authorities.count == 1 && reply.message.authorities[0].type == .soa)
        if spareBits.contains(name) { #expect(reply.error?.text.contains(demo) == true) }
        if name == notAPoint { #expect(reply.error?.text.contains("curve") == true) }
      }
    }
    for name in ["foo.key", "example.com.key", "\(demo)x.key", "\(demo.dropLast()).key", "pk:\(demo).key"] {
      #expect(try harness.ask(name).code == 3, "\(name)")
    }
    let apex = try harness.ask("key", .soa)
    #expect(apex.code == 0 && apex.message.answers.map(\.type) == [.soa])
    #expect(try harness.ask("key").code == 0)
    #expect(harness.forwarded.isEmpty && harness.lookedUp.isEmpty)
  }

  @Test("labels of any bytes below a key stop nothing, and are found byte by byte")
  func strangeLabels() throws {
    let harness = ResolverHarness()
    let key = try harness.publish(#"x\.y 300 A 192.0.2.7"#).publicKey.z32
    for label in ["*", "-a", "a-", "a_", #"\032"#, #"\255\000"#, "pk:x", #"a\.b"#] {
      for suffix in ["", ".key"] {
        let reply = try harness.ask("\(label).\(key)\(suffix)")
        #expect(reply.code == 3 && reply.message.authorities.map(\.type) == [.soa], "\(label)")
      }
    }
    #expect(try harness.ask(#"x\.y.\#(key).key"#).answers == [#"x\.y.\#(key).key A 192.0.2.7"#])
    #expect(harness.forwarded.isEmpty)
  }

  @Test("an ordinary name that holds a key further left is forwarded")
  func keyInTheMiddle() throws {
    let harness = ResolverHarness()
    harness.upstream = { question, _ in response(to: question) }
    _ = try harness.ask("\(demo).example.com")
    #expect(harness.forwarded.map(\.question.name.description) == ["\(demo).example.com"])
  }

  @Test("names for special use are answered here, unless the operator wants them forwarded")
  func specialNames() throws {
    let harness = ResolverHarness()
    #expect(try harness.ask("localhost").answers == ["localhost A 127.0.0.1"])
    #expect(try harness.ask("x.LOCALHOST", .aaaa).answers == ["x.LOCALHOST AAAA ::1"])
    #expect(try harness.ask("localhost", .mx).code == 0)
    for name in [
      "a.test", "test", "invalid", "printer.local", "x.onion", "y.alt", "nas.home.arpa", "1.0.0.10.in-addr.arpa",
      "9.31.172.in-addr.arpa", "1.168.192.in-addr.arpa", "5.64.100.in-addr.arpa", "1.1.d.f.ip6.arpa",
      "1.a.e.f.ip6.arpa",
      "x.resolver.arpa",
    ] {
      let reply = try harness.ask(name, .ptr)
      #expect(reply.code == 3 && reply.message.authorities.map(\.type) == [.soa], "\(name)")
    }
    for name in ["home.arpa", "10.in-addr.arpa", "resolver.arpa", "_dns.resolver.arpa"] {
      #expect(try harness.ask(name, .svcb).code == 0, "\(name)")
    }
    #expect(try harness.ask("10.in-addr.arpa", .soa).message.answers.map(\.type) == [.soa])
    #expect(harness.forwarded.isEmpty)
    harness.upstream = { question, _ in response(to: question) }
    harness.resolver.policy.local.forwarded = [.literal("home.arpa")]
    harness.resolver.policy.local.forwardsPrivateReverseNames = true
    _ = try harness.ask("nas.home.arpa")
    _ = try harness.ask("1.0.0.10.in-addr.arpa", .ptr)
    _ = try harness.ask("32.172.in-addr.arpa", .ptr)
    #expect(harness.forwarded.count == 3)
  }

  @Test("the encrypted ways to this server are told at _dns.resolver.arpa (RFC 9462)")
  func designatedResolvers() throws {
    var binding = ServiceBinding(priority: 1, target: try DomainName("dns.example"))
    try binding.setALPN(["h2"])
    binding.setPort(443)
    let harness = ResolverHarness {
      $0.local.designatedResolvers = [binding]
      $0.local.designatedAddresses = [.init(192, 0, 2, 53)]
    }
    let reply = try harness.ask("_dns.resolver.arpa", .svcb)
    #expect(reply.message.answers.map(\.data) == [.svcb(binding)])
    #expect(reply.additionals == ["dns.example A 192.0.2.53"])
  }

  @Test("a blocked name and all below it do not exist, with the reason")
  func blocked() throws {
    let harness = ResolverHarness()
    harness.upstream = { question, _ in response(to: question, [try! ResourceRecord("ads.example", .a, "192.0.2.1")]) }
    #expect(try harness.ask("ads.example").code == 0)
    harness.resolver.policy.local.blocked = [.literal("ads.example")]
    for name in ["ads.example", "x.ADS.example"] {
      let reply = try harness.ask(name)
      #expect(reply.code == 3 && reply.error?.code == 15)
    }
    #expect(harness.forwarded.count == 1)
  }
}
