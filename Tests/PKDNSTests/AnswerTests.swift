import Addresses
import DNSResolution
import DNSWire
import HTTP
import PlainText
import Testing

@testable import PKDNS

@Suite("Answers over HTTP, without a network")
struct AnswerTests {
  private func message(
    code: UInt8 = 0, answers: [ResourceRecord] = [], authorities: [ResourceRecord] = [], isCut: Bool = false,
    type: UInt16 = 1
  ) throws -> [UInt8] {
    var header = MessageHeader(id: 0, flags: 0x8180)
    header.responseCode = code
    header.isTruncated = isCut
    let name = try DomainName("www.example")
    var bytes = try Message(
      header: header, questions: [.init(name: name, type: .a)], answers: answers, authorities: authorities
    ).encoded()
    let end = 12 + name.wire.count
    bytes[end] = UInt8(type >> 8)
    bytes[end + 1] = UInt8(type & 255)
    return bytes
  }

  private func record(_ ttl: UInt32) throws -> ResourceRecord {
    ResourceRecord(name: try DomainName("www.example"), ttl: ttl, data: .a(.init(0x0102_0304)))
  }

  private func soa(ttl: UInt32, minimum: UInt32) throws -> ResourceRecord {
    let name = try DomainName("example")
    return ResourceRecord(
      name: name, ttl: ttl,
      data: .soa(
        .init(primaryServer: name, mailbox: name, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: minimum)))
  }

  @Test("how long an answer may be kept: the least TTL, or for negative answers what the SOA says (RFC 8484 §5.1)")
  func freshness() throws {
    #expect(AnswerFreshness.seconds(try message(answers: [record(300), record(60)])) == 60)
    #expect(AnswerFreshness.seconds(try message(answers: [record(0)])) == 0)
    #expect(AnswerFreshness.seconds(try message(authorities: [soa(ttl: 900, minimum: 120)])) == 120)
    #expect(AnswerFreshness.seconds(try message(code: 3, authorities: [soa(ttl: 30, minimum: 120)])) == 30)
    #expect(
      AnswerFreshness.seconds(try message(code: 3, answers: [record(5)], authorities: [soa(ttl: 30, minimum: 9)])) == 5)
    // A type that no parser knows does not matter.
    #expect(AnswerFreshness.seconds(try message(answers: [record(7)], type: 52)) == 7)
    let withoutQuestion = try Message(
      header: MessageHeader(id: 0, flags: 0x8180), questions: [], answers: [record(9)]
    ).encoded()
    for bytes in [
      withoutQuestion, try message(), try message(code: 3),
      try message(code: 2, authorities: [soa(ttl: 9, minimum: 9)]),
      try message(code: 5, answers: [record(9)]), try message(answers: [record(9)], isCut: true), [], [1, 2, 3],
      [UInt8](repeating: 255, count: 64),
    ] {
      #expect(AnswerFreshness.seconds(bytes) == nil)
    }
  }

  @Test("an answer as JSON")
  func json() throws {
    let object = try #require(AnswerJSON.object(try message(answers: [record(60)], type: 64), provenance: nil))
    #expect(
      object.description
        == #"{"Status":0,"TC":false,"RD":true,"RA":true,"AD":false,"CD":false,"#
        + #""Question":[{"name":"www.example","type":64}],"#
        + #""Answer":[{"name":"www.example","type":1,"TTL":60,"data":"1.2.3.4"}]}"#)
    #expect(AnswerJSON.object([1, 2, 3], provenance: nil) == nil)
  }

  @Test("the client behind proxies is the last address that is no trusted proxy")
  func forwarded() throws {
    let trusted = [AddressPrefix("192.0.2.0/24")!]
    let proxy = IPAddress(192, 0, 2, 1)
    func client(_ field: String?, peer: IPAddress = proxy) -> String {
      ForwardedClient.address(
        field.map { ["x-forwarded-for": $0] } ?? HTTPFields(), peer: peer, trusted: trusted
      ).description
    }
    #expect(client(nil) == "192.0.2.1")
    #expect(client("203.0.113.9") == "203.0.113.9")
    #expect(client("1.1.1.1, 203.0.113.9") == "203.0.113.9")
    #expect(client("1.1.1.1, 203.0.113.9, 192.0.2.7") == "203.0.113.9")
    #expect(client("203.0.113.9, nonsense") == "192.0.2.1")
    #expect(client("2001:db8::1") == "2001:db8::1")
    #expect(client("203.0.113.9", peer: IPAddress(198, 51, 100, 1)) == "198.51.100.1", "anybody can write the field")
  }

  @Test("the first question of a message is read whatever its type is, and of anything else nothing")
  func firstQuestion() throws {
    func first(_ message: [UInt8]) -> FirstQuestion? { FirstQuestion(message.span.bytes) }
    let question = try #require(first(try message(type: 65_280)))
    let name = try DomainName("www.example")
    #expect(question.name == name && question.type.rawValue == 65_280)
    let whole = try message()
    for count in 0..<29 { #expect(first(Array(whole.prefix(count))) == nil, "\(count) bytes") }
    var pointer = whole
    pointer[12] = 0xc0
    #expect(first(pointer) == nil)
  }

  @Test("the profile for Apple's systems names the address, and is the same every time")
  func appleProfile() {
    let profile = AppleProfile.text(authority: "dns.example:8443", path: "/dns-query")
    #expect(profile.contains("<string>https://dns.example:8443/dns-query</string>"))
    #expect(profile == AppleProfile.text(authority: "dns.example:8443", path: "/dns-query"))
    let identifiers = profile.matches(
      of: /<string>([0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12})</)
    #expect(Set(identifiers.map { String($0.1) }).count == 2)
    #expect(!AppleProfile.text(authority: "<&>", path: "/").contains("<&>"))
  }

  @Test("a query that the server asks itself has an OPT record")
  func wireQuery() throws {
    var query = WireQuery(try DomainName("www.example"), .aaaa)
    query.wantsSignatures = true
    query.checkingDisabled = true
    let message = try Message(parsing: query.bytes)
    #expect(message.questions.map(\.type) == [.aaaa] && message.options?.ttl == 0x8000)
    #expect(message.header.recursionDesired && message.header.checkingDisabled && message.header.id == 0)
  }
}
