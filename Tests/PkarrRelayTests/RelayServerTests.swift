import Addresses
import EventLoops
import Foundation
import HTTP
import Logging
import Mainline
import MainlineProtocol
import Pkarr
import PkarrClient
import PkarrStore
import TLS
import TestSupport
import Testing

@testable import PkarrRelay

// One after the other: each has a network of its own, and a busy machine must not pass for a silent one.
@Suite("A relay", .serialized)
struct RelayServerTests {
  @Test("what is put at one relay is found in the DHT, and by another relay")
  func acrossRelays() async throws {
    let testnet = try await Testnet(nodes: 8)
    let relays = (0..<2).map { _ in
      RelayServer.test(on: testnet, options: testOptions()) { configuration in
        configuration.mainline.requestTimeout = .seconds(2)
        configuration.cache.size = 100
      }
    }
    let packet = try makePacket(Keypair())
    for relay in relays { try await relay.start() }
    let clients = try relays.map { try RelayClientFixture($0) }
    let put = try await clients[0].put(packet)
    #expect(put.status == .noContent && Int(put.fields[.dhtStoredNodes] ?? "") ?? 0 >= 5)
    let found = try await testnet.nodes[3].getMutableMostRecent(key: packet.publicKey.verificationKey)
    #expect(found?.seq == packet.timestamp.seq)
    for _ in 0..<2 {
      let get = try await clients[1].get(packet.publicKey)
      #expect(get.status == .ok && get.body == packet.relayPayload)
      #expect(get.fields[.contentType] == "application/pkarr.org/relays#payload")
      #expect(get.fields[.contentLength] == "\(packet.relayPayload.count)")
    }
    let newest = try await clients[1].get(packet.publicKey, "?policy=NetworkOnly")
    #expect(newest.status == .ok && newest.body == packet.relayPayload)
    for relay in relays { await relay.shutdown() }
    await testnet.stop()
  }

  @Test("HEAD tells the length without the bytes, and a known version is 304")
  func headAndConditions() async throws {
    try await withRelay { _, client in
      let packet = try makePacket(Keypair())
      _ = try await client.put(packet)
      let head = try await client.send(.head, "/\(packet.publicKey)")
      #expect(head.status == .ok && head.body.isEmpty)
      #expect(head.fields[.contentLength] == "\(packet.relayPayload.count)")
      let known = try await client.send(
        .get, "/\(packet.publicKey)", fields: [.ifNoneMatch: head.fields[.etag] ?? ""])
      #expect(known.status == .notModified && known.body.isEmpty)
      // The packet has a fraction of a second, so it is newer than its own date.
      let echoed = try await client.send(
        .get, "/\(packet.publicKey)", fields: [.ifModifiedSince: head.fields[.lastModified] ?? ""])
      #expect(echoed.status == .ok)
    }
  }

  @Test("the quota of DHT operations blocks nothing else")
  func operations() async throws {
    try await withRelay(configure: { configuration in
      var limits = RateLimiterConfiguration()
      for limit in [\RateLimiterConfiguration.requests, \.dhtPeers] {
        limits[keyPath: limit] = (try? RequestLimit(RequestQuota(60, per: .second), burst: 100)) ?? .standard
      }
      limits.dhtOperations = (try? RequestLimit(RequestQuota(1, per: .hour), burst: 1)) ?? .standard
      configuration.rateLimiter = limits
    }) { _, client in
      let packet = try makePacket(Keypair())
      #expect(try await client.put(packet).status == .noContent)
      for (policy, status) in [("CacheOnly", 200), ("CacheFirst", 200), ("NetworkOnly", 429)] {
        #expect(try await client.get(packet.publicKey, "?policy=\(policy)").status.code == status, "\(policy)")
      }
    }
  }

  @Test("a peer of the DHT that asks too much gets no answer")
  func peers() async throws {
    try await withRelay(configure: { configuration in
      var limits = RateLimiterConfiguration()
      limits.dhtPeers = (try? RequestLimit(RequestQuota(1, per: .hour), burst: 3)) ?? .standard
      configuration.rateLimiter = limits
    }) { relay, client in
      var settings = MainlineConfiguration.isolated()
      settings.node.mode = .client
      let node = try await MainlineNode(settings)
      var answers = 0
      // Others in the network may have used up some of it: they have the same address.
      for _ in 0..<4 { if (try? await node.ping(relay.nodeEndpoints[0])) != nil { answers += 1 } }
      #expect(answers < 4)
      try await node.shutdown()
      let metrics = String(decoding: try await client.send(.get, "/metrics").body, as: UTF8.self)
      #expect(!metrics.contains("pubky_relay_limited_total{limit=\"dht_peers\"} 0\n"))
    }
  }

  @Test("pages elsewhere may read what the relay tells in header fields")
  func cors() async throws {
    try await withRelay { _, client in
      let response = try await client.send(.get, "/", fields: [.origin: "https://example.com"])
      let exposed = (response.fields["access-control-expose-headers"] ?? "").split(separator: ",").map(String.init)
      #expect(Set(exposed).isSuperset(of: ["pkarr-invalid-signed-packet-seq", "pkarr-dht-stored-nodes"]))
      #expect(response.fields["access-control-allow-origin"] == "https://example.com")
    }
  }

  @Test("a cache outlives the relay")
  func restart() async throws {
    let folder = try TemporaryFolder()
    let testnet = try await Testnet(nodes: 3)
    let packets = try (0..<3).map { _ in try makePacket(Keypair()) }
    for isFirst in [true, false] {
      let relay = RelayServer.test(on: testnet, options: testOptions()) { configuration in
        configuration.cache.path = folder.path
        configuration.mainline.requestTimeout = .seconds(2)
      }
      try await relay.start()
      let client = try RelayClientFixture(relay)
      for packet in packets {
        if isFirst { #expect(try await client.put(packet).status == .noContent) }
        let response = try await client.get(packet.publicKey, "?policy=CacheOnly")
        #expect(response.status == .ok && response.body == packet.relayPayload)
      }
      await relay.shutdown()
    }
    #expect(FileManager.default.fileExists(atPath: folder.path + "/pkarr-cache"))
    await testnet.stop()
  }

  @Test("a full cache gives up what was not used for longest")
  func eviction() async throws {
    try await withRelay(configure: { $0.cache.size = 3 }) { _, client in
      let packets = try (0..<4).map { _ in try makePacket(Keypair()) }
      for packet in packets[0..<3] { #expect(try await client.put(packet).status == .noContent) }
      for _ in 0..<3 { #expect(try await client.get(packets[0].publicKey).status == .ok) }
      #expect(try await client.put(packets[3]).status == .noContent)
      var statuses: [Int] = []
      for packet in packets { statuses.append(try await client.get(packet.publicKey, "?policy=CacheOnly").status.code) }
      #expect(statuses == [200, 404, 200, 200])
    }
  }

  @Test("without a place for it the cache goes with the relay")
  func ephemeral() async throws {
    let lines = LockedValue<[String]>([])
    let logger = Logger(level: .notice, format: .json) { line in
      lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }
    try await withRelay(logger: logger) { _, client in
      let packet = try makePacket(Keypair())
      #expect(try await client.put(packet).status == .noContent)
    }
    let logged = lines.withLock { $0 }
    let warning = try #require(logged.first { $0.contains("\"event\":\"cache.ephemeral\"") })
    let object = try #require(try JSONSerialization.jsonObject(with: Data(warning.utf8)) as? [String: Any])
    let directory = try #require(object["directory"] as? String)
    #expect(directory.contains("/pubky-relay-"))
    #expect(!FileManager.default.fileExists(atPath: directory))
    #expect(logged.contains { $0.contains("\"event\":\"relay.started\"") })
    #expect(logged.last?.contains("\"event\":\"relay.stopped\"") == true)
  }

  @Test("many clients at once, with good and bad packets, all get their answer")
  func crowd() async throws {
    try await withRelay { relay, client in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<60 {
          group.addTask {
            let packet = try makePacket(Keypair(), "number \(number)")
            if number % 3 == 0 {
              var payload = packet.relayPayload
              payload[5] ^= 1
              #expect(try await client.send(.put, "/\(packet.publicKey)", body: payload).status == .badRequest)
            } else {
              #expect(try await client.put(packet).status == .noContent)
              #expect(try await client.get(packet.publicKey).body == packet.relayPayload)
            }
          }
        }
        try await group.waitForAll()
      }
      let report = try #require(await relay.healthReport())
      #expect(report.contains("\"packets\":40"))
    }
  }

  // MARK: What other relays do not have

  @Test("a list of keys is answered one line each, found or not")
  func batch() async throws {
    try await withRelay { _, client in
      let packets = try (0..<3).map { _ in try makePacket(Keypair()) }
      for packet in packets { _ = try await client.put(packet) }
      let unknown = Keypair().publicKey
      let keys = packets.map(\.publicKey.uri) + ["nokey", unknown.z32]
      let json = "[" + keys.map { "\"\($0)\"" }.joined(separator: ",") + "]"
      for body in [json, keys.joined(separator: "\n")] {
        let response = try await client.send(.post, "/resolve", body: Array(body.utf8))
        #expect(response.status == .ok && response.fields[.contentType] == "application/x-ndjson")
        let lines = response.body.split(separator: 0x0a)
        let objects = try lines.map { try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] ?? [:] }
        #expect(objects.count == 5)
        for packet in packets {
          let object = try #require(objects.first { $0["key"] as? String == packet.publicKey.z32 })
          #expect(object["timestamp"] as? UInt64 == packet.timestamp.microseconds && object["last_seen"] != nil)
        }
        #expect(objects.contains { $0["key"] as? String == "nokey" && $0["error"] as? String == "invalid_key" })
        #expect(objects.contains { $0["key"] as? String == unknown.z32 && $0["error"] as? String == "not_found" })
      }
      #expect(try await client.send(.post, "/resolve?policy=x", body: []).status == .badRequest)
      #expect(try await client.send(.post, "/resolve", body: Array("[1]".utf8)).status == .badRequest)
      let many = Array(repeating: "a", count: 101).joined(separator: "\n")
      #expect(try await client.send(.post, "/resolve", body: Array(many.utf8)).status == .contentTooLarge)
    }
  }

  /// Collects what a stream of events says until `count` packets were told.
  private func events(_ response: HTTPClientResponse, count: Int) async throws -> String {
    var text = ""
    for try await piece in response.body {
      text += String(decoding: piece, as: UTF8.self)
      if text.components(separatedBy: "event: packet\n").count > count, text.hasSuffix("\n\n") { break }
    }
    return text
  }

  @Test("who follows a key is told its packet, and each newer one")
  func follow() async throws {
    try await withRelay { relay, client in
      let keypair = Keypair()
      let first = try makePacket(keypair, "first")
      _ = try await client.put(first)
      let response = try await client.client.send(client.request(.get, "/\(keypair.publicKey)/events"))
      #expect(response.status == .ok && response.fields[.contentType] == "text/event-stream")
      var reader = response.body.makeAsyncIterator()
      func next() async throws -> String {
        while true {
          let text = String(decoding: try await reader.next() ?? [], as: UTF8.self)
          if text != ":\n\n" { return text }
        }
      }
      let initial = try await next()
      #expect(
        initial.hasPrefix("event: packet\nid: ") && initial.contains("\\\"first\\\"") && initial.hasSuffix("\n\n"))
      #expect(await eventually { relay.core?.hub.count == 1 })
      _ = try await client.put(try makePacket(keypair, "second"))
      #expect(try await next().contains("\\\"second\\\""))
      // What a lookup finds is news as well.
      let third = try makePacket(keypair, "third")
      relay.core?.service.shelf.offer(third)
      #expect(try await next().contains("\\\"third\\\""))
      relay.core?.service.shelf.offer(first)
      relay.core?.hub.ringAll()
      #expect(try await reader.next() == Array(":\n\n".utf8))
    }
  }

  @Test("who follows a key of which there is nothing yet is told the first packet, and who knows it already is not")
  func followNothing() async throws {
    try await withRelay { relay, client in
      let keypair = Keypair()
      let response = try await client.client.send(client.request(.get, "/\(keypair.publicKey)/events"))
      #expect(await eventually { relay.core?.hub.count == 1 })
      let packet = try makePacket(keypair, "first")
      _ = try await client.put(packet)
      let text = try await events(response, count: 1)
      let id = try #require(text.firstMatch(of: /id: (\S+)\n/)?.1)
      let again = try await client.client.send(
        client.request(.get, "/\(keypair.publicKey)/events", fields: ["last-event-id": String(id)]))
      #expect(await eventually { relay.core?.hub.count ?? 0 >= 1 })
      var reader = again.body.makeAsyncIterator()
      let tick = Task {
        while !Task.isCancelled {
          relay.core?.hub.ringAll()
          try await Task.sleep(for: .milliseconds(5))
        }
      }
      #expect(try await reader.next()?.starts(with: ":\n\n".utf8) == true)
      tick.cancel()
    }
  }

  @Test("places for those who follow a key are bounded, and come free when they go")
  func followBounded() async throws {
    try await withRelay(configure: { $0.http.watchersPerAddress = 1 }) { relay, client in
      let packet = try makePacket(Keypair())
      _ = try await client.put(packet)
      let target = "/\(packet.publicKey)/events"
      do {
        let first = try await client.client.send(client.request(.get, target))
        _ = try await events(first, count: 1)
        #expect(try await client.send(.get, target).status == .serviceUnavailable)
        #expect(try await client.send(.head, target).status == .serviceUnavailable)
      }
      #expect(await eventually { relay.core?.hub.count == 0 })
      // Asking for the head only takes no place.
      #expect(try await client.send(.head, target).status == .ok && relay.core?.hub.count == 0)
    }
  }

  @Test("health and metrics can have an address of their own")
  func admin() async throws {
    try await withRelay(configure: { $0.admin.listen = Endpoint(.loopbackV4, port: 0) }) { relay, client in
      let admin = try RelayClientFixture(try #require(relay.adminEndpoint))
      let health = try await admin.send(.get, "/health")
      #expect(
        health.status == .ok && String(decoding: health.body, as: UTF8.self).contains("\"version\":\"0.0.0-test\""))
      #expect(try await admin.send(.get, "/metrics").fields[.contentType]?.contains("version=0.0.4") == true)
      #expect(try await client.send(.get, "/health").status == .badRequest)
    }
  }

  @Test("a relay can be reached over TLS, by certificate and by its own key, and beside that without")
  func encrypted() async throws {
    let folder = try TemporaryFolder()
    let keypair = Keypair()
    try Data(keypair.secretKeyText.utf8).write(to: URL(fileURLWithPath: folder.path + "/relay.key"))
    try await withRelay(configure: { configuration in
      configuration.cache.path = folder.path
      configuration.http.tls = RelayConfiguration.TLSSettings()
      configuration.http.tls?.port = 0
      configuration.http.tls?.development = true
      configuration.http.tls?.rawKey = folder.path + "/relay.key"
    }) { relay, plain in
      let packet = try makePacket(Keypair())
      #expect(try await plain.put(packet).status == .noContent)
      let endpoint = relay.localEndpoints[1]
      let trust = TLSClientConfiguration(trust: .file(path: folder.path + "/development-authority/authority.pem"))
      let certified = try RelayClientFixture(endpoint, scheme: .https, tls: trust)
      // What clients use: the relay's address alone, with the certificate checked.
      let address = try RelayURL("https://localhost:\(endpoint.port)")
      var known = HTTPClientConfiguration()
      known.tls = trust
      let encrypted = RelayClient(address, transport: HTTPRelayTransport(try HTTPClient(known)))
      let other = try makePacket(Keypair())
      #expect(try await encrypted.publish(other) >= 1)
      #expect(try await encrypted.resolve(other.publicKey, policy: .cacheOnly).isSame(as: other))
      let unknown = RelayClient(address, transport: HTTPRelayTransport(try HTTPClient()))
      await #expect {
        try await unknown.resolve(other.publicKey, policy: .cacheOnly)
      } throws: { error in
        if case RelayError.request(let reason) = error { reason.contains("certificate") } else { false }
      }
      #expect(try await certified.get(packet.publicKey).body == packet.relayPayload)
      var settings = HTTPClientConfiguration()
      settings.tls = TLSClientConfiguration(trust: .rawKeysOnly)
      settings.resolver = { _ in [HTTPRoute(endpoint, .rawKey(keypair.publicKey.verificationKey))] }
      let url = try #require(HTTPURL("https://\(keypair.publicKey)/\(packet.publicKey)"))
      let response = try await HTTPClient(settings).fetch(
        HTTPClientRequest(.get, url), upTo: 2000, timeout: .seconds(60))
      #expect(response.body == packet.relayPayload)
      // New certificates are read without a restart.
      await relay.reload(relay.configuration)
      #expect(try await certified.get(packet.publicKey).status == .ok)
      #expect(relay.localURL == "http://localhost:\(relay.localEndpoints[0].port)")
    }
  }

  @Test("limits and log change without a restart, and what does not is named")
  func reload() async throws {
    let lines = LockedValue<[String]>([])
    let logger = Logger(level: .notice, format: .text) { line in
      lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }
    try await withRelay(logger: logger) { relay, client in
      #expect(try await client.send(.get, "/").status == .ok)
      var new = relay.configuration
      var limits = RateLimiterConfiguration()
      limits.requests = try RequestLimit(RequestQuota(1, per: .hour))
      new.rateLimiter = limits
      new.cache.size = 5
      await relay.reload(new)
      #expect(try await client.send(.get, "/").status == .ok)
      #expect(try await client.send(.get, "/").status == .tooManyRequests)
      #expect(lines.withLock { $0.last?.contains("configuration.reloaded needs_restart=[\"cache\"]") == true })
      await relay.reload(relay.configuration)
      #expect(try await client.send(.get, "/").status == .ok)
    }
  }

  // MARK: Beginning and end

  @Test("a relay that cannot have its port says so and leaves nothing behind")
  func portTaken() async throws {
    let folder = try TemporaryFolder()
    try await withRelay { other, client in
      let testnet = try await Testnet(nodes: 1)
      func relay(_ port: UInt16) -> RelayServer {
        RelayServer.test(on: testnet, options: testOptions()) { configuration in
          configuration.http.port = port
          configuration.cache.path = folder.path
        }
      }
      let taken = relay(other.localEndpoints[0].port)
      do throws(RelayStartError) {
        try await taken.start()
        Issue.record("it started")
      } catch {
        guard case .system(let cause) = error else { throw error }
        #expect(cause.isAddressInUse && taken.localEndpoints.isEmpty)
      }
      // The cache was closed again.
      let free = relay(0)
      try await free.start()
      let second = relay(0)
      do throws(RelayStartError) {
        try await second.start()
        Issue.record("it started")
      } catch {
        guard case .cache(_, .inUse) = error else { throw error }
        #expect("\(error)".contains("in use by another process"))
      }
      await free.shutdown()
      await testnet.stop()
    }
  }

  @Test("a relay that ends lets requests end, and its port is free at once")
  func shutdown() async throws {
    let testnet = try await Testnet(nodes: 5)
    let relay = RelayServer.test(on: testnet, options: testOptions()) { $0.mainline.requestTimeout = .seconds(2) }
    try await relay.start()
    let endpoint = relay.localEndpoints[0]
    let client = try RelayClientFixture(relay)
    let packets = try (0..<5).map { _ in try makePacket(Keypair()) }
    try await withThrowingTaskGroup(of: HTTPStatus.self) { group in
      for packet in packets { group.addTask { try await client.put(packet).status } }
      #expect(await eventually { relay.core?.service.counter.current.verified == 5 })
      await relay.shutdown()
      for try await status in group { #expect(status == .noContent) }
    }
    await relay.shutdown()
    #expect(relay.localEndpoints.isEmpty && relay.localURL == nil && relay.nodeEndpoints.isEmpty)
    let listener = try StreamListener(boundTo: endpoint)
    #expect(listener.localEndpoint == endpoint)
    await testnet.stop()
  }

  @Test("a relay can be reached over a Unix socket, and over a socket that somebody else opened")
  func otherSockets() async throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/s"
    let packet = try makePacket(Keypair())
    try await withRelay(configure: { $0.http.unixSocket = path }) { relay, client in
      _ = try await client.put(packet)
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK && status.st_mode & 0o777 == 0o660)
      #expect(
        try await overUnixSocket(path, "GET /\(packet.publicKey) HTTP/1.1\r\nHost: x\r\n\r\n").hasPrefix(
          "HTTP/1.1 200 "))
    }
    #expect(!FileManager.default.fileExists(atPath: path))

    let listening = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listening) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listening, $0, length) == 0 && listen(listening, 5) == 0 && getsockname(listening, $0, &length) == 0
      }
    }
    try #require(isListening)
    let testnet = try await Testnet(nodes: 1)
    var options = testOptions()
    options.inheritedSockets = [dup(listening)]
    let relay = RelayServer.test(on: testnet, options: options)
    try await relay.start()
    #expect(relay.localEndpoints.isEmpty)
    let client = try RelayClientFixture(Endpoint(.loopbackV4, port: UInt16(bigEndian: address.sin_port)))
    #expect(try await client.send(.get, "/").status == .ok)
    await relay.shutdown()
    await testnet.stop()
  }

  /// The first bytes that come back over a Unix socket.
  private func overUnixSocket(_ path: String, _ request: String) async throws -> String {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<String, any Error>) in
      Thread {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isConnected = withUnsafePointer(to: &address) { pointer in
          pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
          }
        }
        guard isConnected else { return continuation.resume(throwing: CancellationError()) }
        _ = request.withCString { write(descriptor, $0, strlen($0)) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &buffer, buffer.count)
        continuation.resume(returning: String(decoding: buffer.prefix(max(0, count)), as: UTF8.self))
      }.start()
    }
  }

  @Test("a relay can bring its own network along")
  func testnet() async throws {
    #expect(RelayServer.testnetPort == 15411)
    let free = UInt16(try FreePort.take())
    let relay = try await RelayServer.testnet(testOptions(), port: free)
    #expect(relay.configuration.http.host == [.anyV4] && relay.configuration.rateLimiter == nil)
    try await relay.start()
    #expect(relay.localURL == "http://localhost:\(free)")
    let client = try RelayClientFixture(Endpoint(.loopbackV4, port: free))
    let packet = try makePacket(Keypair())
    #expect(try await client.put(packet).status == .noContent)
    #expect(try await client.get(packet.publicKey).body == packet.relayPayload)
    await relay.shutdown()
  }
}
