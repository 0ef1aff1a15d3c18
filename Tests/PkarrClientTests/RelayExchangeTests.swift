import HTTP
import Pkarr
import TestSupport
import Testing

@testable import PkarrClient

@Suite("Requests to relays and their responses")
struct RelayExchangeTests {
  private let key = Samples.keypair.publicKey
  private let relay: RelayURL = "https://relay.example/base/?token=secret"

  /// A row of `relay.json`: what a client makes of a response, or of its absence.
  struct Row: Decodable {
    enum Status: Decodable {
      case code(Int), words(String)

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let code = try? container.decode(Int.self) {
          self = .code(code)
        } else {
          self = .words(try container.decode(String.self))
        }
      }
    }
    enum Bound: Decodable {
      case exactly(UInt64), any

      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let bound = try? container.decode(UInt64.self) { self = .exactly(bound) } else { self = .any }
      }
    }

    let status: Status
    let method: String?
    let header: [String: String]?
    let requestBound: Bound?
    let relayError: String?
    let publishError: String?
    let resolveError: String?
    let storedOn: Int?

    var response: Result<RelayResponse, RelayTransportError> {
      get throws {
        switch status {
        case .words("timeout"): return .failure(.timedOut)
        case .words("connection failure"): return .failure(.failed("connection refused"))
        case .words(let words): throw AggregationTests.UnknownError(name: words)
        case .code(let code):
          var fields = HTTPFields()
          for (name, value) in header ?? [:] { fields.append(try #require(HTTPFieldName(name)), value) }
          return .success(RelayResponse(status: code, fields: fields))
        }
      }
    }

    var bound: Timestamp? {
      switch requestBound {
      case nil: nil
      case .any: Timestamp(microseconds: 1_700_000_000_000_000)
      case .exactly(let bound): Timestamp(microseconds: bound)
      }
    }
  }

  struct Section: Decodable { let rows: [Row] }
  struct File: Decodable { let statusToClientError: Section }

  @Test("each status and failure means what it means to the reference")
  func statuses() async throws {
    let rows = try Vectors.load("pkarr/relay.json", as: File.self, keys: .convertFromSnakeCase).statusToClientError.rows
    #expect(rows.count == 19)
    let packet = try Samples.packet(50)
    for row in rows {
      let response = try row.response
      let client = RelayClient(relay, transport: ScriptedTransport { _ in response })
      if row.method != "PUT" {
        let error = await #expect(throws: RelayError.self) {
          try await client.resolve(key, policy: .cacheFirst, newerThan: row.bound)
        }
        #expect(error?.described == row.relayError, "\(row)")
        if let expected = row.resolveError { #expect(error?.resolveError.described == expected, "\(row)") }
      }
      if row.method != "GET" {
        do throws(RelayError) {
          let stored = try await client.publish(packet)
          #expect(stored == row.storedOn, "\(row)")
        } catch {
          #expect(error.described == row.relayError, "\(row)")
          if let expected = row.publishError { #expect(error.publishError.name == expected, "\(row)") }
        }
      }
    }
  }

  @Test("a lookup names key and policy behind the relay's own path and parameters")
  func lookupRequest() {
    let lookup = RelayLookup(key: key, policy: .cacheFirst)
    let request = lookup.request(to: relay, timeout: .seconds(2))
    #expect(request.method == .get && request.body.isEmpty && request.timeout == .seconds(2))
    #expect(request.url == "https://relay.example/base/\(key.z32)?token=secret&policy=CacheFirst")
    #expect(request.fields.isEmpty)
    #expect(request.maximumBodyLength == 1104)
    let plain = lookup.request(to: "http://127.0.0.1:15411/", timeout: .seconds(2))
    #expect(plain.url == "http://127.0.0.1:15411/\(key.z32)?policy=CacheFirst")
  }

  @Test("who wants the newest gets past caches; who knows one already says since when")
  func conditionalRequest() {
    let newest = RelayLookup(key: key, policy: .networkOnly).request(to: relay, timeout: .seconds(1))
    #expect(newest.fields == [.cacheControl: "no-cache, no-store, must-revalidate"])
    var lookup = RelayLookup(key: key, policy: .cacheFirst, newerThan: Timestamp(microseconds: 784_111_777_500_000))
    #expect(
      lookup.request(to: relay, timeout: .seconds(1)).fields == [.ifModifiedSince: "Sun, 06 Nov 1994 08:49:37 GMT"])
    #expect(
      lookup.request(to: relay, isRepetition: true, timeout: .seconds(1)).fields
        == [
          .ifModifiedSince: "Sun, 06 Nov 1994 08:49:37 GMT", .cacheControl: "no-cache, no-store, must-revalidate",
        ])
    // There is no HTTP date for it.
    lookup.newerThan = Timestamp(microseconds: .max)
    #expect(lookup.request(to: relay, timeout: .seconds(1)).fields.isEmpty)
  }

  @Test("a publication carries the relay payload and no parameter but the relay's own")
  func publicationRequest() throws {
    let packet = try Samples.packet(9)
    let request = RelayPublication(packet: packet).request(to: relay, timeout: .seconds(2))
    #expect(request.method == .put && request.body == packet.relayPayload)
    #expect(request.url == "https://relay.example/base/\(key.z32)?token=secret")
    #expect(request.fields.isEmpty)
  }

  @Test("a body is read up to the largest that could be a packet, as announced and as sent")
  func bodyLimits() throws {
    let now = Timestamp.wallClock
    let lookup = RelayLookup(key: key, policy: .cacheFirst)
    let packet = try Samples.packet(9)
    func read(_ response: RelayResponse) -> Result<SignedPacket, RelayError> {
      Result { () throws(RelayError) in try lookup.packet(in: response, at: now) }
    }
    #expect(try read(RelayResponse(status: 200, body: packet.relayPayload)).get().isSame(as: packet))
    #expect(
      read(RelayResponse(status: 200, fields: [.contentLength: "1105"], body: packet.relayPayload))
        == .failure(.bodyTooLarge))
    #expect(read(RelayResponse(status: 200, body: Array(repeating: 0, count: 1105))) == .failure(.bodyTooLarge))
    #expect(
      read(RelayResponse(status: 200, body: Array(repeating: 0, count: 1104)))
        == .failure(.invalidSignedPacket(.tooLarge(1136))))
    #expect(read(RelayResponse(status: 200, body: [1])) == .failure(.invalidSignedPacket(.tooShort(33))))
    var damaged = packet.relayPayload
    damaged[70] ^= 1
    #expect(read(RelayResponse(status: 200, body: damaged)) == .failure(.invalidSignedPacket(.invalidSignature)))
    #expect(read(RelayResponse(status: 302)) == .failure(.unexpectedStatus(302)))
  }

  @Test("the packet was seen when the relay says, unless that is no date or in the future")
  func memento() throws {
    let now = Timestamp(microseconds: 784_111_800_000_000)
    let lookup = RelayLookup(key: key, policy: .cacheFirst)
    let body = try Samples.packet(9).relayPayload
    func lastSeen(_ date: String?) throws -> Timestamp {
      var fields = HTTPFields()
      if let date { fields.append("memento-datetime", date) }
      return try lookup.packet(in: RelayResponse(status: 200, fields: fields, body: body), at: now).lastSeen
    }
    #expect(try lastSeen("Sun, 06 Nov 1994 08:49:37 GMT").microseconds == 784_111_777_000_000)
    #expect(try lastSeen("Sun, 06 Nov 1994 08:50:01 GMT") == now)
    #expect(try lastSeen("yesterday") == now)
    #expect(try lastSeen(nil) == now)
  }

  @Test("a packet that is not later than the one known is none")
  func bound() throws {
    let body = try Samples.packet(10).relayPayload
    for (bound, isFound) in [(9, true), (10, false), (11, false)] as [(UInt64, Bool)] {
      let lookup = RelayLookup(key: key, policy: .cacheFirst, newerThan: Timestamp(microseconds: bound))
      let response = RelayResponse(status: 200, body: body)
      #expect(((try? lookup.packet(in: response, at: .wallClock)) != nil) == isFound)
    }
    // A negative version is never known already.
    let lookup = RelayLookup(key: key, policy: .cacheFirst, newerThan: Timestamp(microseconds: 100))
    let invalid = RelayResponse(status: 404, fields: ["pkarr-invalid-signed-packet-seq": "-5"])
    #expect(throws: RelayError.invalidSignedPacketSeq(-5)) { try lookup.packet(in: invalid, at: .wallClock) }
  }
}

extension RelayError {
  /// As the vectors spell it: the name, with the value in parentheses.
  var described: String {
    switch self {
    case .invalidSignedPacketSeq(let seq): "\(name)(\(seq))"
    case .unexpectedStatus(let status): "\(name)(\(status))"
    default: name
    }
  }
}

extension ResolveError {
  /// As the vectors spell it: the name, with the value in parentheses.
  var described: String {
    if case .invalidSignedPacket(let seq) = self { "\(name)(\(seq))" } else { name }
  }
}
