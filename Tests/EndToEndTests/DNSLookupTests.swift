import Foundation
import TestSupport
import Testing

@Suite("pubky dns lookup, and what dig is told", .serialized, .timeLimit(.minutes(10)))
struct DNSLookupTests {
  @Test("lookup shows the answer of a running server, and with --trace each step with its time, source and decision")
  func lookup() async throws {
    try await RunningDNS.run { server in
      let access = ["--admin", server.admin]
      let plain = try await server.pubky.run(["dns", "lookup", "ext.\(server.key)"] + access)
      #expect(plain.status == 0, "\(plain.errors)")
      #expect(plain.output == "ext.\(server.key).\t300\tCNAME\twww.example.\nwww.example.\t300\tA\t192.0.2.1\n")
      let missing = try await server.pubky.newKey("other.key").key
      let traced = try await server.pubky.run(
        ["dns", "lookup", missing, "TXT", "--trace", "--socket", server.pubky.path("admin.sock")])
      #expect(traced.status == 1 && traced.errors.contains("NXDOMAIN"), "\(traced.errors)")
      let steps = traced.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
      #expect(steps.allSatisfy { $0.count == 3 && Double($0[0]) != nil }, "\(traced.output)")
      #expect(steps.map { $0[1] }.contains("network") && traced.output.contains("nobody has a packet"))
      let again = try await server.pubky.run(["dns", "lookup", "ext.\(server.key)", "--trace"] + access)
      #expect(again.output.contains("cache\tan answer made of packets"), "\(again.output)")

      let json = try await server.pubky.run(["dns", "lookup", "www.\(server.key)", "--json"] + access)
      let object = try JSONDecoder().decode([String: JSONField].self, from: Data(json.output.utf8))
      #expect(object["steps"]?.list?.isEmpty == false && object["answer"]?["Status"] == .integer(0))
      #expect(try await server.pubky.run(["dns", "lookup", "www.example", "NOTYPE"] + access).status == 2)
      #expect(try await server.pubky.run("dns", "lookup", "www.example").status == 2)
    }
  }

  @Test("dig is told which server answers, and comes back with a cookie when it is over the limit")
  func digOptions() async throws {
    let tables = "[dns]\nnsid = \"ns1\"\nquery_rate_limit = 0.0001\nquery_rate_limit_burst = 1\n"
    try await RunningDNS.run(tables: tables) { server in
      let first = try await server.run("dig", "@127.0.0.1", "-p", server.port, "+nsid", "localhost")
      #expect(first.text.contains("NSID: 6e 73 31 (\"ns1\")"), "\(first.text)")
      // The first try is dropped, the second told to bring a cookie, the third answered.
      let second = try await server.run(
        "dig", "@127.0.0.1", "-p", server.port, "+timeout=2", "+tries=4", "localhost")
      #expect(second.text.contains("BADCOOKIE, retrying"), "\(second.text)")
      #expect(second.text.contains("status: NOERROR") && second.text.contains("127.0.0.1"), "\(second.text)")
    }
  }

  @Test("names that the settings give to keys lead there for every client, also in JSON")
  func petnames() async throws {
    try await RunningDNS.run(names: ["alice"]) { server in
      let answers = try await server.answers("dig", "-p", server.port, "www.Alice.key")
      #expect(answers == ["www.\(server.key).key.", "\(server.key).key.", "203.0.113.5"])
      let unknown = try await server.run("dig", "@127.0.0.1", "-p", server.port, "bob.key")
      #expect(unknown.text.contains("status: NXDOMAIN"))
      let json = try await server.run("curl", "-s", "http://\(server.http)/doh?name=alice.key")
      #expect(json.text.contains("\"data\":\"203.0.113.5\""), "\(json.text)")
    }
  }
}
