import Addresses
import Foundation
import HTTP
import Pkarr
import PkarrClient
import PkarrStore
import Testing

@testable import PkarrRelay

@Suite("Requests to a relay")
struct HandlerTests {
  private let keypair = Keypair()
  private var key: PublicKey { keypair.publicKey }

  private func limits(_ change: (inout RateLimiterConfiguration) -> Void) -> RateLimiterConfiguration {
    var limits = RateLimiterConfiguration()
    let generous = try? RequestLimit(RequestQuota(1000, per: .second))
    limits.requests = generous ?? .standard
    limits.dhtOperations = generous ?? .standard
    change(&limits)
    return limits
  }

  private func limit(_ text: String, burst: UInt32? = nil) throws -> RequestLimit {
    try RequestLimit(#require(RequestQuota(text)), burst: burst)
  }

  // MARK: Routes

  @Test("each route has its methods, and what is no route is an empty 404")
  func routes() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    for (method, target, status, allow) in [
      (.get, "/", 200, nil), (.head, "/", 200, nil), (.post, "/", 405, "GET,HEAD"), (.put, "/", 405, "GET,HEAD"),
      (.get, "/\(key)", 200, nil), (.head, "/\(key)", 200, nil), (.delete, "/\(key)", 405, "GET,HEAD,PUT"),
      (.post, "/\(key)", 405, "GET,HEAD,PUT"), (.get, "/\(key)/", 404, nil), (.get, "/\(key)/x", 404, nil),
      (.get, "/a/b/c", 404, nil), (.put, "/\(key)/x", 404, nil), (.get, "//", 404, nil),
      (.get, "/resolve", 405, "POST"),
      (.get, "/status", 200, nil), (.put, "/status", 405, "GET,HEAD"), (.get, "/health", 200, nil),
      (.get, "/metrics", 200, nil), (.put, "/health", 405, "GET,HEAD"),
    ] as [(HTTPMethod, String, Int, String?)] {
      let response = try await relay.send(method, target)
      #expect(response.status.code == status && response.fields[.allow] == allow, "\(method) \(target)")
      if status > 400 { #expect(response.bytes == []) }
      #expect(response.fields["access-control-allow-credentials"] == "true", "\(method) \(target)")
      #expect(response.fields.values("vary").count == 1)
    }
  }

  @Test("OPTIONS is answered with 200, whatever the path")
  func options() async throws {
    let relay = RelayFixture()
    for target in ["/", "/\(key)", "/a/b/c", "/nokey", "*"] {
      let response = try await relay.send(
        .options, target, fields: [.origin: "https://a.example", "access-control-request-method": "PUT"])
      #expect(response.status == .ok && response.bytes == [])
      #expect(response.fields["access-control-allow-origin"] == "https://a.example")
      #expect(response.fields["access-control-allow-methods"] == "PUT")
    }
  }

  @Test("a key may be spelled in all ways that mean it")
  func spellings() async throws {
    let relay = RelayFixture()
    let packet = try makePacket(keypair, at: 1_000_000)
    relay.cache.offer(packet)
    let text = key.z32
    // The last character's unused bits are dropped.
    let other = String(text.dropLast()) + (text.last == "y" ? "b" : "t")
    for spelling in [text, "foo.\(text)", "pk:\(text)", "pk%3A\(text)", "%70k:\(text)", "\(text).", other] {
      let response = try await relay.send(.get, "/\(spelling)?policy=CacheOnly")
      #expect(response.status == .ok && response.bytes == packet.relayPayload, "\(spelling)")
    }
    for spelling in ["x", text.uppercased(), "\(text)x", "%zz", "%ff", "health.", "pubky\(text)"] {
      let response = try await relay.send(.get, "/\(spelling)")
      #expect(response.status == .badRequest && response.text.hasPrefix("Invalid URL: "), "\(spelling)")
    }
  }

  @Test("the path is checked before the query, and other parameters are ignored")
  func queries() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    #expect(try await relay.send(.get, "/nokey?policy=x").text.hasPrefix("Invalid URL: "))
    for query in ["policy=x", "policy=", "policy=cacheonly", "policy=CacheOnly&policy=CacheOnly"] {
      let response = try await relay.send(.get, "/\(key)?\(query)")
      #expect(response.status == .badRequest && response.text.hasPrefix("Failed to deserialize query string: "))
    }
    #expect(try await relay.send(.get, "/\(key)?most_recent=1&x=%zz").status == .ok)
    #expect(
      try await relay.send(.get, "/\(key)?policy=CacheFirst", fields: [.cacheControl: "no-cache, no-store"]).status
        == .ok)
    #expect(relay.network.lookups.isEmpty)
  }

  @Test("who asks for JSON or text gets it, also of an answer that lies ready")
  func forms() async throws {
    let relay = RelayFixture()
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    for _ in 0..<2 { #expect(try await relay.get(key).fields[.contentType] == "application/pkarr.org/relays#payload") }
    #expect(try await relay.get(key, fields: [.accept: "application/json"]).fields[.contentType] == "application/json")
    #expect(try await relay.get(key, fields: [.accept: "text/plain"]).text.contains("_test"))
    #expect(try await relay.get(key, fields: [.accept: "*/*"]).fields[.vary] == CORS.vary)
  }

  @Test("pages elsewhere may read every answer, errors included")
  func cors() async throws {
    let relay = RelayFixture { $0.rateLimiter = limits { $0.requests = (try? limit("1r/h", burst: 8)) ?? .standard } }
    relay.cache.offer(try makePacket(keypair, at: 1_000_000))
    let fields: HTTPFields = [.origin: "https://a.example"]
    var statuses: [Int] = []
    for target in [
      "/\(key)", "/\(key)", "/", "/\(Keypair().publicKey)", "/nokey", "/a/b", "/health", "/\(key)?policy=x", "/",
    ] {
      let response = try await relay.send(.get, target, fields: fields)
      statuses.append(response.status.code)
      #expect(response.fields["access-control-allow-origin"] == "https://a.example", "\(target)")
      #expect(response.fields["access-control-expose-headers"]?.contains("retry-after") == true, "\(target)")
      #expect(response.fields.values("access-control-allow-credentials").count == 1)
    }
    #expect(statuses == [200, 200, 200, 404, 400, 404, 200, 400, 429])
  }

  @Test("health and metrics are elsewhere if they are given a place of their own")
  func admin() async throws {
    let relay = RelayFixture { $0.admin.listen = Endpoint("127.0.0.1:9881") }
    #expect(try await relay.send(.get, "/health").status == .badRequest)
    #expect(try await relay.send(.get, "/metrics").status == .badRequest)
    let handler = relay.core.handler.adminHandler
    let health = try await handler(HTTPRequest(.get, "/health"))
    let object = try #require(try JSONSerialization.jsonObject(with: Data(health.bytes ?? [])) as? [String: Any])
    #expect(object["status"] as? String == "ok" && object["version"] as? String == "1.2.3")
    #expect(try await handler(HTTPRequest(.get, "/metrics")).text.contains("pubky_relay_dht_up 1"))
    #expect(try await handler(HTTPRequest(.get, "/\(key)")).status == .notFound)
  }

  @Test("what is answered is counted")
  func counts() async throws {
    let relay = RelayFixture()
    _ = try await relay.get(key)
    _ = try await relay.put(try makePacket(keypair, at: 1_000_000))
    _ = try await relay.get(key)
    let metrics = try await relay.send(.get, "/metrics").text
    for line in [
      "pubky_relay_responses_total{status=\"200\"} 1", "pubky_relay_responses_total{status=\"204\"} 1",
      "pubky_relay_responses_total{status=\"404\"} 1", "pubky_relay_failures_total{reason=\"not_found\"} 1",
      "pubky_relay_published_total 1", "pubky_relay_cache_packets 1", "pubky_relay_packets_total{source=\"cache\"} 1",
    ] {
      #expect(metrics.contains(line + "\n"), "\(line)")
    }
  }

  // MARK: Limits

  @Test("who asks too much is told how long to wait")
  func tooMany() async throws {
    let relay = RelayFixture { $0.rateLimiter = limits { $0.requests = (try? limit("1r/h", burst: 2)) ?? .standard } }
    let first = try await relay.send(.get, "/")
    #expect(first.fields["x-ratelimit-limit"] == "2" && first.fields["x-ratelimit-remaining"] == "1")
    #expect(try await relay.send(.options, "/").fields["x-ratelimit-remaining"] == "0")
    let refused = try await relay.send(.get, "/")
    #expect(refused.status == .tooManyRequests && refused.text == "Too Many Requests! Wait for 3600s")
    #expect(refused.fields["retry-after"] == "3600" && refused.fields["x-ratelimit-after"] == "3600")
    #expect(refused.fields["x-ratelimit-limit"] == "2" && refused.fields["x-ratelimit-remaining"] == "0")
    #expect(try await relay.send(.get, "/", from: IPAddress(192, 0, 2, 2)).status == .ok)
    #expect(relay.counts.refused(by: .requests) == 1)
  }

  @Test("behind a proxy clients are told apart by its header fields, and without one they are not")
  func proxy() async throws {
    for (behindProxy, status) in [(true, HTTPStatus.ok), (false, .tooManyRequests)] {
      let relay = RelayFixture {
        $0.rateLimiter = limits {
          $0.behindProxy = behindProxy
          $0.requests = (try? limit("1r/h")) ?? .standard
        }
      }
      #expect(try await relay.send(.get, "/", fields: ["x-forwarded-for": "198.51.100.1"]).status == .ok)
      #expect(try await relay.send(.get, "/", fields: ["x-forwarded-for": "198.51.100.2"]).status == status)
    }
  }

  @Test("with limits a client without an address is refused, without limits it is not")
  func noAddress() async throws {
    let limited = RelayFixture { $0.rateLimiter = limits { _ in } }
    let response = try await limited.send(.get, "/", from: nil)
    #expect(response.status == .internalServerError && response.text == "Unable To Extract Key!")
    #expect(try await RelayFixture().send(.get, "/", from: nil).status == .ok)
  }

  @Test("the quota of DHT operations is taken by nothing else")
  func operations() async throws {
    let relay = RelayFixture {
      $0.rateLimiter = limits { $0.dhtOperations = (try? limit("1r/h", burst: 1)) ?? .standard }
    }
    let packet = try makePacket(keypair, at: 1_000_000)
    #expect(try await relay.put(packet).status == .noContent)
    #expect(try await relay.get(key, .cacheOnly).status == .ok)
    #expect(try await relay.get(key, .cacheFirst).status == .ok)
    let refused = try await relay.get(key, .networkOnly)
    #expect(refused.status == .tooManyRequests && refused.text == "Too many requests to DHT nodes")
    #expect(!refused.fields.contains(.retryAfter))
    #expect(try await relay.get(Keypair().publicKey).status == .tooManyRequests)
    #expect(try await relay.put(packet).status == .tooManyRequests)
    // An older packet is refused before the quota is looked at.
    #expect(try await relay.put(try makePacket(keypair, at: 1)).status == .conflict)
    #expect(relay.network.lookups.isEmpty && relay.network.published.count == 1)
    #expect(relay.counts.refused(by: .dhtOperations) == 3)
    #expect(try await relay.send(.get, "/\(key)?policy=NetworkOnly", from: IPAddress(192, 0, 2, 2)).status == .notFound)
  }

  @Test("limits can be changed while the relay works")
  func changed() async throws {
    let relay = RelayFixture()
    for _ in 0..<5 { #expect(try await relay.send(.get, "/").status == .ok) }
    relay.core.apply(limits { $0.requests = (try? limit("1r/h")) ?? .standard })
    #expect(try await relay.send(.get, "/").status == .ok)
    #expect(try await relay.send(.get, "/").status == .tooManyRequests)
    relay.core.apply(nil)
    #expect(try await relay.send(.get, "/").status == .ok)
  }
}
