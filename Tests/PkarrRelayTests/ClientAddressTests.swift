import Addresses
import HTTP
import TestSupport
import Testing

@testable import PkarrRelay

@Suite("Who a request comes from")
struct ClientAddressTests {
  struct File: Decodable {
    struct Case: Decodable {
      var behindProxy: Bool
      var peer: String
      var headers: [String: String]
      var ip: String
    }
    struct Cases: Decodable { var cases: [Case] }
    var realIp: Cases
  }

  private func find(_ fields: [(String, String)], peer: String? = "192.0.2.1", behindProxy: Bool = true) throws
    -> String?
  {
    var request = HTTPFields()
    for (name, value) in fields { request.append(try #require(HTTPFieldName(name)), value) }
    return ClientAddress.find(
      in: request, peer: try peer.map { try #require(IPAddress($0)) }, behindProxy: behindProxy)?
      .description
  }

  @Test("addresses are taken from where other relays take them")
  func vectors() throws {
    let cases = try Vectors.load("pkarr/relay.json", as: File.self, keys: .convertFromSnakeCase).realIp.cases
    #expect(cases.count == 7)
    for row in cases {
      let fields = row.headers.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
      #expect(try find(fields, peer: row.peer, behindProxy: row.behindProxy) == row.ip)
    }
  }

  @Test(
    "a forwarded field is read as RFC 7239 writes it",
    arguments: [
      ("for=192.0.2.43", "192.0.2.43"),
      ("for=\"192.0.2.43:4711\"", "192.0.2.43"),
      ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
      ("for=\"[2001:db8:cafe::17]\"", "2001:db8:cafe::17"),
      ("for=\"2001:db8:cafe::17\"", "2001:db8:cafe::17"),
      ("for=unknown, for=198.51.100.17", "198.51.100.17"),
      ("for=_hidden;by=203.0.113.43;proto=http, for=\"_gazonk\", FOR = 198.51.100.17", "198.51.100.17"),
      ("by=\"a;for=6.6.6.6,b\";for=198.51.100.17", "198.51.100.17"),
      ("for=\"198.\\51.100.17\"", "198.51.100.17"),
      ("proto=\"\\\"\";for=198.51.100.17", "198.51.100.17"),
      ("for=\"", "192.0.2.1"), ("for=", "192.0.2.1"), (";;,,=;", "192.0.2.1"), ("for=\"[::1\"", "192.0.2.1"),
    ])
  func forwarded(value: String, address: String) throws {
    #expect(try find([("forwarded", value)]) == address)
    #expect(try find([("forwarded", value)], behindProxy: false) == "192.0.2.1")
  }

  @Test("a list may be spread over several fields, and hold IPv6 addresses")
  func lists() throws {
    #expect(
      try find([("x-forwarded-for", "unknown"), ("x-forwarded-for", " 2001:db8::5 , 203.0.113.9")]) == "2001:db8::5")
    #expect(try find([("x-forwarded-for", "nobody"), ("x-real-ip", "198.51.100.8")]) == "198.51.100.8")
    #expect(try find([("x-real-ip", "nobody"), ("forwarded", "for=198.51.100.9")]) == "198.51.100.9")
  }

  @Test("without any address there is no client")
  func nobody() throws {
    #expect(try find([], peer: nil) == nil)
    #expect(try find([("x-real-ip", "198.51.100.8")], peer: nil) == "198.51.100.8")
    #expect(try find([("x-real-ip", "198.51.100.8")], peer: nil, behindProxy: false) == nil)
  }
}
