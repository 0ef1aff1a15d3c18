import Foundation
import HTTP
import Pkarr
import PkarrClient
import TestSupport
import Testing

@testable import PkarrRelay

@Suite("Answers")
struct AnswerTests {
  struct File: Decodable {
    struct Condition: Decodable {
      var packetTimestamp: UInt64
      var header: String?
      var notModified: Bool
    }
    struct Conditions: Decodable { var cases: [Condition] }
    struct Row: Decodable {
      var status: Status
      var method: String?
      var header: [String: String]?
      var relayError: String?
      var storedOn: Int?
    }
    struct Rows: Decodable { var rows: [Row] }
    /// A number, or words for what is no answer at all.
    struct Status: Decodable, Equatable {
      var code: Int?
      init(from decoder: any Decoder) throws { code = try? decoder.singleValueContainer().decode(Int.self) }
    }
    var ifModifiedSince: Conditions
    var statusToClientError: Rows
  }

  private static func load() throws -> File {
    try Vectors.load("pkarr/relay.json", as: File.self, keys: .convertFromSnakeCase)
  }

  private let policy = CachePolicy()

  private func packet(_ microseconds: UInt64, seen: UInt64 = 784_111_900_000_000, ttl: TimeToLive = 600) throws
    -> SignedPacket
  {
    var packet = try SignedPacket(
      signedBy: Keypair(seed: [UInt8](repeating: 7, count: 32)), timestamp: Timestamp(microseconds: microseconds)
    ) {
      TXT("_hello", "world", ttl: ttl)
      A("www", "203.0.113.7", ttl: .hours(1))
    }
    packet.lastSeen = Timestamp(microseconds: seen)
    return packet
  }

  private func render(_ packet: SignedPacket, _ form: PacketForm = .payload) -> RenderedPacket {
    RenderedPacket(packet, as: form, policy: policy)
  }

  // MARK: Conditions

  @Test("a condition is compared with the packet's full precision")
  func ifModifiedSince() throws {
    let cases = try Self.load().ifModifiedSince.cases
    #expect(cases.count == 5)
    for row in cases {
      let rendered = render(try packet(row.packetTimestamp))
      let fields: HTTPFields = row.header.map { [.ifModifiedSince: $0] } ?? HTTPFields()
      #expect(rendered.isKnown(to: fields) == row.notModified)
      #expect(rendered.response(to: fields).status == (row.notModified ? .notModified : .ok))
    }
  }

  @Test("a packet with a fraction of a second is newer than its own Last-Modified")
  func ownDate() throws {
    let rendered = render(try packet(784_111_777_500_000))
    let date = try #require(rendered.fields[.lastModified])
    #expect(date == "Sun, 06 Nov 1994 08:49:37 GMT" && !rendered.isKnown(to: [.ifModifiedSince: date]))
    let whole = render(try packet(784_111_777_000_000))
    #expect(whole.isKnown(to: [.ifModifiedSince: "Sunday, 06-Nov-94 08:49:37 GMT"]))
    #expect(whole.isKnown(to: [.ifModifiedSince: "Sun Nov  6 08:49:37 1994"]))
  }

  @Test("an entity tag counts more than a date")
  func ifNoneMatch() throws {
    let rendered = render(try packet(784_111_777_000_000))
    let date = "Sun, 06 Nov 1994 08:49:37 GMT"
    for (value, isKnown) in [
      ("\(rendered.tag)", true), ("W/\(rendered.tag)", true), ("\"a\", \(rendered.tag)", true), ("*", true),
      (" * ", true),
      ("\"a\"", false), ("", false), (rendered.tag.text, false),
    ] {
      #expect(rendered.isKnown(to: [.ifNoneMatch: value]) == isKnown, "\(value)")
      #expect(rendered.isKnown(to: [.ifNoneMatch: value, .ifModifiedSince: date]) == isKnown, "\(value)")
    }
    #expect(rendered.isKnown(to: [.ifNoneMatch: "\"a\"", .ifNoneMatch: "\(rendered.tag)"]))
  }

  @Test("conditions that relays have never heeded are not heeded")
  func unheeded() throws {
    let rendered = render(try packet(784_111_777_000_000))
    let fields: HTTPFields = [.ifMatch: "\"a\"", .ifUnmodifiedSince: "Sun, 06 Nov 1994 08:49:36 GMT"]
    #expect(rendered.response(to: fields).status == .ok)
    var known = fields
    known.append(.ifNoneMatch, "\(rendered.tag)")
    #expect(rendered.response(to: known).status == .notModified)
  }

  @Test("tags tell versions and forms apart, and stay when a packet is seen again")
  func tags() throws {
    let first = try packet(784_111_777_000_000)
    var again = first
    again.lastSeen = first.lastSeen.adding(seconds: 60)
    #expect(render(first).tag == render(again).tag)
    let sameTime = try SignedPacket(
      signedBy: Keypair(seed: [UInt8](repeating: 7, count: 32)), timestamp: first.timestamp
    ) { TXT("_hello", "you", ttl: 600) }
    var tags: Set<HTTPEntityTag> = [render(try packet(784_111_777_000_001)).tag, render(sameTime).tag]
    for form in [PacketForm.payload, .json, .zone(isPlainText: false)] { tags.insert(render(first, form).tag) }
    #expect(tags.count == 5 && tags.allSatisfy { !$0.isWeak })
  }

  // MARK: Packets

  @Test("a packet is answered with the fields that clients of other relays know")
  func payload() throws {
    let packet = try packet(784_111_777_500_000)
    let response = render(packet).response(to: HTTPFields())
    #expect(response.status == .ok)
    guard case .bytes(let body) = response.body else { throw CancellationError() }
    #expect(body == packet.relayPayload)
    #expect(response.fields[.contentType] == "application/pkarr.org/relays#payload")
    #expect(response.fields[.cacheControl] == "public, max-age=600")
    #expect(response.fields[.lastModified] == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(response.fields["memento-datetime"] == "Sun, 06 Nov 1994 08:51:40 GMT")
    #expect(response.fields[.vary] == "origin, access-control-request-method, access-control-request-headers")
    let known = render(packet).response(to: [.ifNoneMatch: "*"])
    #expect(known.status == .notModified && known.fields == response.fields)
  }

  @Test("max-age is the whole time to live within the relay's bounds")
  func maxAge() throws {
    for (ttl, minimum, maximum, age) in [
      (600, 300, 86_400, 600), (30, 300, 86_400, 300), (600, 300, 400, 400), (600, 0, 0, 0),
    ] as [(Int, Int, Int, Int)] {
      let policy = CachePolicy(minimumTTL: .seconds(minimum), maximumTTL: .seconds(maximum))
      let rendered = RenderedPacket(try packet(1, ttl: .seconds(ttl)), policy: policy)
      #expect(rendered.fields[.cacheControl] == "public, max-age=\(age)")
    }
  }

  @Test("a packet is fresh exactly as long as it is not expired")
  func freshness() throws {
    for ttl in [0, 1, 600] as [TimeToLive] {
      let policy = CachePolicy(minimumTTL: 0, maximumTTL: ttl)
      let packet = try packet(1, seen: 5_000_000, ttl: ttl)
      let rendered = RenderedPacket(packet, policy: policy)
      for now in [0, 4_999_999, 5_000_000, 5_999_999, 6_000_000, 604_999_999, 605_000_000, .max] as [UInt64] {
        let now = Timestamp(microseconds: now)
        #expect(rendered.isFresh(at: now) != packet.isExpired(policy, at: now), "\(ttl) \(now.microseconds)")
      }
    }
  }

  @Test("a packet beyond the year 9999 is answered without a date")
  func endOfTime() throws {
    let rendered = render(try packet(.max, seen: .max))
    #expect(!rendered.fields.contains(.lastModified) && !rendered.fields.contains("memento-datetime"))
    #expect(rendered.response(to: [.ifModifiedSince: "Fri, 31 Dec 9999 23:59:59 GMT"]).status == .ok)
    #expect(rendered.isFresh(at: .wallClock))
  }

  // MARK: Forms

  @Test(
    "a form is given to who names it, and the payload to all others",
    arguments: [
      ("*/*", PacketForm.payload), ("application/json", .json), ("text/dns", .zone(isPlainText: false)),
      ("text/plain", .zone(isPlainText: true)), ("TEXT/Plain ; charset=utf-8", .zone(isPlainText: true)),
      ("application/json, text/plain, */*", .payload),
      ("text/plain;q=0.9, application/json;q=0.8", .zone(isPlainText: true)),
      ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", .payload), ("image/png", .payload),
      ("application/json;q=0", .payload), ("application/json;q=0.2, */*;q=0.9", .payload),
      ("application/json, application/octet-stream", .payload),
      ("application/json, application/octet-stream;q=0.5", .json),
      ("application/pkarr.org/relays#payload", .payload),
      ("application/json;q=0.5, application/octet-stream;q=0.4, */*", .json),
      ("application/json;q=nonsense", .payload), ("application/json;q=1.000", .json),
      ("application/json;q=2", .payload),
      ("application/json;q=0.001", .json), ("application/json;q=0.0001", .payload), ("", .payload), (",;,=", .payload),
    ])
  func forms(accept: String, form: PacketForm) {
    #expect(PacketForm(preferredBy: [.accept: accept]) == form)
  }

  @Test("without an Accept field a packet is its payload")
  func noAccept() { #expect(PacketForm(preferredBy: HTTPFields()) == .payload) }

  @Test("as JSON a packet has the fields of the command")
  func json() throws {
    let packet = try packet(784_111_777_500_000)
    let response = render(packet, .json).response(to: HTTPFields())
    #expect(response.fields[.contentType] == "application/json")
    #expect(response.fields[.vary]?.hasSuffix(", accept") == true)
    guard case .bytes(let body) = response.body else { throw CancellationError() }
    let object = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
    #expect(Set(object.keys) == ["key", "timestamp", "ttl", "records", "bytes"])
    #expect(object["key"] as? String == packet.publicKey.z32 && object["timestamp"] as? UInt64 == 784_111_777_500_000)
    #expect(object["ttl"] as? Int == 600)
    let records = try #require(object["records"] as? [[String: Any]])
    #expect(records.map { $0["name"] as? String } == ["_hello", "www"])
    #expect(records.map { $0["data"] as? String } == ["\"world\"", "203.0.113.7"])
  }

  @Test("as text a packet is a zone that gives the same records again")
  func zone() throws {
    let packet = try packet(784_111_777_500_000)
    for (form, type) in [
      (PacketForm.zone(isPlainText: false), "text/dns; charset=utf-8"),
      (.zone(isPlainText: true), "text/plain; charset=utf-8"),
    ] {
      let response = render(packet, form).response(to: HTTPFields())
      #expect(response.fields[.contentType] == type)
      guard case .bytes(let body) = response.body else { throw CancellationError() }
      let text = String(decoding: body, as: UTF8.self)
      #expect(text.hasPrefix("$ORIGIN \(packet.publicKey.z32).\n"))
      #expect(try ZoneFile.parse(text, origin: packet.publicKey.domainName).records.map(\.record) == packet.records)
    }
  }

  // MARK: Failures

  @Test("each failure has the status and fields from which clients of other relays know it")
  func failures() throws {
    let rows = try Self.load().statusToClientError.rows
    #expect(rows.count == 19)
    var seen = 0
    for (failure, clientError, isPut) in [
      (.invalidKey(.invalidEncoding), "BadRequest", false), (.invalidQuery("policy"), "BadRequest", false),
      (.invalidPacket(.invalidSignature), "BadRequest", true), (.notFound, "NotFound", false),
      (.invalidSignedPacket(seq: 42), "InvalidSignedPacketSeq(42)", false), (.notMostRecent, "NotMostRecent", true),
      (.tooLarge, "UnexpectedStatus(413)", true), (.tooManyOperations, "UnexpectedStatus(429)", false),
      (.tooManyOperations, "UnexpectedStatus(429)", true),
      // What the DHT fails to do is another status for a lookup than for a publication.
      (.noNodesQueried, "DhtUnavailable", false), (.noNodesResponded, "DhtUnavailable", false),
      (.noUsableResponses, "DhtUnavailable", false), (.publicationTimedOut, "UnexpectedStatus(500)", true),
      (.noClosestNodes, "UnexpectedStatus(500)", true),
      (.rejected(code: 203, description: "no"), "UnexpectedStatus(500)", true),
    ] as [(RelayFailure, String, Bool)] {
      let response = failure.response
      let row = rows.first { row in
        row.status.code == response.status.code && row.relayError == clientError
          && row.method.map { $0 == (isPut ? "PUT" : "GET") } ?? true
          && (row.header ?? [:]).allSatisfy { response.fields[HTTPFieldName($0.key)!] == $0.value }
          && (row.header != nil || !response.fields.contains(.invalidSignedPacketSeq))
      }
      #expect(row != nil, "\(failure.name)")
      seen += 1
    }
    #expect(seen == 15)
  }

  @Test("nothing found is an empty 404, something that is no packet tells its version")
  func notFound() throws {
    let empty = RelayFailure.notFound.response
    #expect(empty.body.length == 0 && empty.fields.isEmpty)
    let invalid = RelayFailure.invalidSignedPacket(seq: -5).response
    #expect(invalid.status == .notFound && invalid.fields["pkarr-invalid-signed-packet-seq"] == "-5")
    #expect(invalid.fields[.contentType] == "text/plain; charset=utf-8")
  }

  // MARK: Browsers

  @Test("any page may use the relay with all that it sends, and read what it needs")
  func cors() throws {
    let plain = CORS.fields(for: HTTPFields())
    #expect(plain["access-control-allow-origin"] == nil && plain["access-control-allow-credentials"] == "true")
    #expect(plain[.vary] == "origin, access-control-request-method, access-control-request-headers")
    let exposed = try #require(plain["access-control-expose-headers"]).split(separator: ",").map(String.init)
    #expect(Set(exposed).isSuperset(of: ["pkarr-invalid-signed-packet-seq", "pkarr-dht-stored-nodes"]))
    #expect(Set(exposed).isSuperset(of: ["memento-datetime", "retry-after"]))
    let echoed = CORS.fields(for: [.origin: "https://example.com", "access-control-request-method": "PUT"])
    #expect(echoed["access-control-allow-origin"] == "https://example.com")
    #expect(echoed["access-control-allow-methods"] == nil && echoed["access-control-allow-headers"] == nil)
    #expect(render(try packet(1)).fields["access-control-expose-headers"] == CORS.exposed)
  }

  @Test("a question before the request is answered with what it asks for")
  func preflight() {
    let response = CORS.preflight([
      .origin: "https://example.com", "access-control-request-method": "PUT",
      "access-control-request-headers": "x-a,x-b",
    ])
    #expect(response.status == .ok && response.body.length == 0)
    #expect(response.fields["access-control-allow-origin"] == "https://example.com")
    #expect(response.fields["access-control-allow-methods"] == "PUT")
    #expect(response.fields["access-control-allow-headers"] == "x-a,x-b")
    #expect(response.fields["access-control-expose-headers"] == nil && response.fields["access-control-max-age"] == nil)
    let bare = CORS.preflight(HTTPFields())
    #expect(bare.status == .ok && bare.fields["access-control-allow-credentials"] == "true" && bare.fields.count == 2)
  }

  // MARK: Queries

  @Test("a policy is spelled exactly, once, or not at all")
  func policies() throws {
    for (query, expected) in [
      (nil, .cacheFirst), ("", .cacheFirst), ("a=b&&c", .cacheFirst), ("policy=CacheOnly", .cacheOnly),
      ("x=%zz&policy=NetworkOnly", .networkOnly), ("p%6flicy=Cache%46irst", .cacheFirst), ("Policy=x", .cacheFirst),
    ] as [(String?, ResolvePolicy)] {
      #expect(try ResolvePolicy(query: query) == expected)
    }
    for query in [
      "policy", "policy=", "policy=cacheonly", "policy=CacheOnly%20", "policy=+CacheOnly", "policy=%zz",
      "policy=CacheOnly&policy=CacheOnly", "policy=CacheOnly&a=b&policy=x",
    ] {
      #expect { try ResolvePolicy(query: query) } throws: {
        ($0 as? RelayFailure)?.status == .badRequest
          && ($0 as? RelayFailure)?.description.hasPrefix("Failed to deserialize query string: ") == true
      }
    }
  }
}
