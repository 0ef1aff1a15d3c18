import HTTP
import Pkarr
import PkarrClient
import Testing

@testable import PkarrRelay

/// Random texts made of pieces that mean something to the parsers, so that they get far.
private struct HostileText {
  var random = SystemRandomNumberGenerator()

  mutating func next(_ pieces: [String]) -> String {
    var text = ""
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      if Int.random(in: 0..<6, using: &random) == 0 {
        text.unicodeScalars.append(Unicode.Scalar(UInt32.random(in: 0..<0x300, using: &random)) ?? "?")
      } else {
        text += pieces.randomElement(using: &random)!
      }
    }
    return text
  }
}

@Suite("Hostile input")
struct HostileInputTests {
  @Test("no header field makes a relay stumble over who is asking")
  func addresses() {
    var hostile = HostileText()
    let pieces = [
      "for=", "\"", "\\", ";", ",", "=", "[", "]", ":", "1.2.3.4", "::1", " ", "\t", "by=", "unknown", "\u{301}",
    ]
    for _ in 0..<20_000 {
      let fields: HTTPFields = [
        "forwarded": hostile.next(pieces), "x-forwarded-for": hostile.next(pieces), "x-real-ip": hostile.next(pieces),
      ]
      _ = ClientAddress.find(in: fields, peer: nil, behindProxy: true)
    }
  }

  @Test("no query, Accept or condition makes a relay stumble")
  func requests() throws {
    var hostile = HostileText()
    let rendered = RenderedPacket(try makePacket(Keypair(), at: 1_000_000), policy: CachePolicy())
    let accept = ["application/json", "text/dns", "*/*", ";q=", "0.5", "1", ",", ";", "=", " ", "text/", "\u{301}"]
    let tags = ["\"", "W/", "*", ",", " ", rendered.tag.text, "Sun, 06 Nov 1994 08:49:37 GMT"]
    let query = ["policy", "=", "&", "CacheOnly", "NetworkOnly", "%", "%70", "+", "\u{301}"]
    for _ in 0..<20_000 {
      _ = PacketForm(preferredBy: [.accept: hostile.next(accept)])
      _ = rendered.isKnown(to: [.ifNoneMatch: hostile.next(tags)])
      _ = rendered.isKnown(to: [.ifModifiedSince: hostile.next(tags)])
      _ = try? ResolvePolicy(query: hostile.next(query))
    }
  }

  @Test("no list of keys makes a relay stumble, and none is longer than allowed")
  func lists() {
    var hostile = HostileText()
    let pieces = ["[", "]", "\"", ",", "\\", "\\/", "key", "\n", "\r", " ", "{", "null"]
    for _ in 0..<20_000 {
      let text = hostile.next(pieces)
      if let keys = try? KeyList.read(Array(text.utf8), limit: 3) { #expect(keys.count <= 3) }
    }
  }

  @Test("no request makes a relay fail, whatever its path")
  func paths() async throws {
    var hostile = HostileText()
    let relay = RelayFixture()
    let key = Keypair().publicKey.z32
    let pieces = [
      "/", key, "events", "resolve", "health", "%2F", "%", "%00", "pk:", ".", "?", "policy=", "CacheOnly", "*",
    ]
    for _ in 0..<2000 {
      let target = "/" + hostile.next(pieces)
      for method in [HTTPMethod.get, .put, .post, .options] {
        let status = try await relay.send(method, target, body: Array(target.utf8)).status.code
        #expect(status < 500, "\(method) \(target)")
      }
    }
  }
}
