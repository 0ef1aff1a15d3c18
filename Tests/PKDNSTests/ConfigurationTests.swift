import Addresses
import Configuration
import DNSResolution
import DNSWire
import Foundation
import Testing

@testable import PKDNS

@Suite("The DNS server's configuration")
struct PKDNSConfigurationTests {
  private func failure(_ text: String) -> String? {
    do throws(ConfigurationError) {
      _ = try PKDNSConfiguration.parse(text, file: "dns.toml")
      return nil
    } catch {
      return error.description
    }
  }

  private static let key = "8pinxxgqs41n4aididenw5apqp1urfmzdztr8jt4abrkdn435ewo"

  /// What pkdns comes with, comments left out: the header of the third table is one.
  private static let pkdnsSample = """
    [general]
    socket = "0.0.0.0:53"
    forward = "8.8.8.8:53"
    dns_over_http_socket = "127.0.0.1:3000"
    verbose = false

    [dns]
    min_ttl = 60
    max_ttl = 86400
    query_rate_limit = 100
    query_rate_limit_burst = 200
    disable_any_queries = false
    icann_cache_mb = 100
    max_recursion_depth = 15

    dht_cache_mb = 100
    dht_query_rate_limit = 5
    dht_query_rate_limit_burst = 25
    top_level_domain = "key"
    """

  @Test("an empty file gives the defaults of pkdns")
  func defaults() throws {
    for text in ["", "[general]", "[dns]\n[dht]"] {
      let configuration = try PKDNSConfiguration.parse(text)
      #expect(configuration == PKDNSConfiguration())
    }
    let configuration = PKDNSConfiguration()
    #expect(configuration.general.sockets.map(\.description) == ["0.0.0.0:53"])
    #expect(configuration.general.forward.map(\.description) == ["8.8.8.8:53"])
    #expect(configuration.https.plain.isEmpty && configuration.tls == nil && configuration.admin.listen == nil)
    let policy = configuration.policy(loops: 1, own: [])
    let defaults = ResolutionPolicy()
    #expect(policy.cache.minimumKeyTTL == 60 && policy.cache.minimumForwardedTTL == 0)
    #expect(policy.cache.maximumKeyTTL == 86_400 && policy.cache.maximumForwardedTTL == 86_400)
    #expect(policy.clients.udpQueriesPerSecond == 100 && policy.clients.udpBurst == 200)
    #expect(policy.clients.lookupsPerSecond == 5 && policy.clients.lookupBurst == 25, "the burst is applied")
    #expect(
      policy.suffixes == defaults.suffixes && policy.keys == defaults.keys
        && policy.work
          == {
            var work = defaults.work
            work.maximumAliases = 14
            return work
          }()
    )
  }

  @Test("the files of pkdns work unchanged, its sample with the lost table header too")
  func pkdns() throws {
    let sample = try PKDNSConfiguration.parse(Self.pkdnsSample)
    #expect(sample.https.plain.map(\.description) == ["127.0.0.1:3000"])
    #expect(sample.dht == PKDNSConfiguration().dht)
    let changed = try PKDNSConfiguration.parse(
      Self.pkdnsSample.replacing("top_level_domain", with: "[dht]\ntop_level_domain").replacing(
        "\"key\"", with: "\"pkd\""
      )
      .replacing("= 5", with: "= 7").replacing("min_ttl = 60", with: "min_ttl = 9223372036854775807").replacing(
        "max_ttl = 86400", with: "max_ttl = 9223372036854775807"))
    #expect(changed.dht.suffixes == [try DomainName("pkd")])
    #expect(changed.dns.minimumTTL == .max && changed.dns.maximumTTL == .max, "such a number stopped pkdns")
    #expect(try PKDNSConfiguration.parse("[dht]\ntop_level_domain = \"\"").dht.suffixes.isEmpty)
    #expect(
      try PKDNSConfiguration.parse("[dht]\ntop_level_domain = [\"key\", \"my.Example.\"]").dht.suffixes
        == [try DomainName("key"), try DomainName("my.example")])
    let off = try PKDNSConfiguration.parse("[dns]\nquery_rate_limit = 0\nquery_rate_limit_burst = 0\nmax_ttl = 0")
    let policy = off.policy(loops: 1, own: [])
    #expect(policy.clients.udpQueriesPerSecond == 0 && policy.cache.maximumKeyTTL == 0)
    let rate = try PKDNSConfiguration.parse("[dns]\nquery_rate_limit = 30\nquery_rate_limit_burst = 0")
    #expect(rate.policy(loops: 1, own: []).clients.udpBurst == 30, "0 is the same as the rate")
    #expect(try PKDNSConfiguration.parse("[general]\nverbose = true").log.level == .debug)
  }

  @Test(
    "mistakes are named with their place, and the nearest key",
    arguments: [
      ("[general]\nsockt = 1", "Did you mean"), ("[dnss]\n", "Did you mean"), ("[dns]\nmin_tl = 1", "min_ttl"),
      ("[general]\nsocket = \"0.0.0.0\"", "ADDRESS:PORT"), ("[general]\nforward = \"dns.example:53\"", "name server"),
      ("[dht]\ndht_cache_mb = 0", "outside of"), ("[general]\ndns_over_http_socket = \"\"", "ADDRESS:PORT"),
      ("[tls]\nlisten = \"127.0.0.1\"", "certificate"), ("[tls]\ncertificate = \"a\"", "key"),
      ("[https]\nlisten = \"127.0.0.1\"", "certificate"), ("[https]\npath = \"dns\"", "path"),
      ("[dht]\ndht = false\nrelays = []", "neither"), ("[dns]\ncookie_secret = \"12\"", "hexadecimal"),
      ("[access]\nallow = \"192.0.2.0/33\"", "block"), ("[dns]\nudp_size = 9000", "outside of"),
      ("[dns]\nrelays = []", "no such key"), ("[general", ""), ("[dns]\nquery_rate_limit = -1", "outside of"),
      ("[https]\npath = [\"/a\", \"/a\"]", "different"), ("[https]\npath = \"/resolve\"", "path"),
      ("[https]\npath = []", "list"), ("[dns]\nnsid = \"\(String(repeating: "x", count: 65))\"", "64 bytes"),
      ("[names]\nalice = \"nokey\"", "public key"), ("[names]\n\"a.b\" = \"x\"", "one label"),
      ("[dht]\ntop_level_domain = \"\"\n[names]\nalice = \"\(PKDNSConfigurationTests.key)\"", "suffix"),
      ("[names]\nalice = \"\(PKDNSConfigurationTests.key)\"\nAlice = \"\(PKDNSConfigurationTests.key)\"", "twice"),
      ("[names]\n\(PKDNSConfigurationTests.key) = \"x\"", "key"),
    ])
  func mistakes(text: String, says: String) throws {
    let found = failure(text)
    let message = try #require(found, "\(text) is accepted")
    #expect(message.hasPrefix("dns.toml") && (says.isEmpty || message.contains(says)), "\(message)")
  }

  @Test("clients that look for encryption are told the ways whose certificate they can check (RFC 9462)")
  func designatedResolvers() throws {
    let text = """
      [tls]
      listen = "192.0.2.1"
      certificate = "a"
      key = "b"
      NAME
      [https]
      listen = ["192.0.2.1:8443"]
      """
    #expect(try DesignatedResolvers(PKDNSConfiguration.parse(text.replacing("NAME", with: ""))).bindings.isEmpty)
    let resolvers = try DesignatedResolvers(
      PKDNSConfiguration.parse(text.replacing("NAME", with: "name = \"dns.example\"")))
    #expect(resolvers.addresses == [IPAddress(192, 0, 2, 1)])
    #expect(resolvers.bindings.map(\.alpn) == [["h2", "http/1.1"], ["dot"]])
    #expect(resolvers.bindings.map(\.port) == [8443, nil])
    let path = resolvers.bindings[0].parameters.first { $0.key.rawValue == 7 }?.value
    #expect(path.map { String(decoding: $0, as: UTF8.self) } == "/dns-query{?dns}")
  }

  private static let example = URL(filePath: #filePath).appending(path: "../../../examples/dns.toml").standardized

  @Test("the example, unedited, gives the defaults; with all its keys uncommented it is accepted, and names every key")
  func exampleFile() throws {
    let text = try String(contentsOf: Self.example, encoding: .utf8)
    #expect(try PKDNSConfiguration.parse(text) == PKDNSConfiguration())
    // A comment that begins without a space is a key that may be uncommented.
    let uncommented = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      line.hasPrefix("#") && !line.hasPrefix("# ") && line != "#" ? String(line.dropFirst()) : String(line)
    }.joined(separator: "\n")
    let all = try PKDNSConfiguration.parse(uncommented, file: "examples/dns.toml")
    #expect(all.tls != nil && !all.https.encrypted.isEmpty && all.admin.listen != nil)
    for key in try Self.keysInSource() { #expect(text.contains("\(key) = "), "the example does not explain \(key)") }
  }

  /// The keys that the decoders ask for.
  private static func keysInSource() throws -> [String] {
    let file = URL(filePath: #filePath)
      .appending(path: "../../../Sources/PKDNS/Configuration/PKDNSConfiguration+Decoding.swift").standardized
    let source = try String(contentsOf: file, encoding: .utf8)
    var keys: [String] = []
    for block in source.matches(of: /enum Key: String, CodingKey \{([^}]*)\}/) {
      for line in block.output.1.split(separator: "\n") {
        for item in line.replacing("case ", with: "").split(separator: ",") {
          // The name in the file stands behind the one in the source, if it is another.
          guard let word = item.split(separator: "=").last else { continue }
          let key = word.filter { !" \"`".contains($0) }
          if !key.isEmpty { keys.append(key) }
        }
      }
    }
    #expect(keys.count > 60, "the decoders are not where this test looks")
    return keys
  }
}
