import Pkarr
import Testing

@testable import PkarrClient

@Suite("Addresses of relays")
struct RelayURLTests {
  @Test(
    "addresses are printed without what goes without saying",
    arguments: [
      ("https://relay.example", "https://relay.example"),
      ("https://relay.example/", "https://relay.example"),
      ("HTTPS://Relay.Example:443/#top", "https://relay.example"),
      ("http://relay.example:80", "http://relay.example"),
      ("http://relay.example:443", "http://relay.example:443"),
      ("http://localhost:15411/", "http://localhost:15411"),
      ("https://dns.example/pkarr", "https://dns.example/pkarr"),
      ("https://dns.example/pkarr//", "https://dns.example/pkarr"),
      ("https://dns.example/A%20b/?x=1&y=/2?#f", "https://dns.example/A%20b?x=1&y=/2?"),
      ("http://[::1]:6881", "http://[::1]:6881"),
      ("http://[0:0::1]/", "http://[::1]"),
      ("http://192.0.2.1", "http://192.0.2.1"),
      ("https://relay.example:", "https://relay.example"),
      ("https://relay.example?x", "https://relay.example?x"),
    ])
  func valid(text: String, printed: String) throws {
    let url = try RelayURL(text)
    #expect(url.description == printed)
    #expect(try RelayURL(printed) == url)
  }

  @Test(
    "what cannot be a relay's address says why",
    arguments: [
      ("", .malformed), ("relay.example", .malformed), ("//relay.example", .malformed), ("https://", .malformed),
      ("https:///path", .malformed), ("https://relay.example:0", .malformed),
      ("https://relay.example:65536", .malformed),
      ("https://relay.example:x", .malformed), ("https://re lay.example", .malformed),
      ("https://rélay.example", .malformed),
      ("https://[::1", .malformed), ("https://relay.example/\u{0}", .malformed),
      ("https://relay.example/\n", .malformed),
      ("ftp://relay.example", .notHTTP), ("pk://relay.example", .notHTTP), ("://relay.example", .notHTTP),
      ("https://user:password@relay.example", .namesUser),
      ("https://" + String(repeating: "a", count: 3000), .malformed),
    ] as [(String, InvalidRelayURL.Reason)])
  func invalid(text: String, reason: InvalidRelayURL.Reason) {
    let error = #expect(throws: InvalidRelayURL.self) { try RelayURL(text) }
    #expect(error?.reason == reason && error?.text == text && error?.name == "InvalidRelayUrl")
  }

  @Test("a key's address is below the relay's, with one slash between them")
  func keys() throws {
    let key = Samples.keypair.publicKey
    for base in ["https://r.example", "https://r.example/"] {
      #expect(try RelayURL(base).address(of: key) == "https://r.example/\(key.z32)")
    }
    let other: RelayURL = "https://r.example/a/?b=c"
    #expect(
      other.address(of: key, parameter: "policy=CacheOnly")
        == "https://r.example/a/\(key.z32)?b=c&policy=CacheOnly")
  }
}
