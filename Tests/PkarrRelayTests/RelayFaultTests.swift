import Addresses
import Foundation
import HTTP
import Mainline
import Pkarr
import PkarrClient
import Testing

@testable import PkarrRelay

// One after the other: they take thousands of descriptors, or count this process's memory.
@Suite("A relay among hostile clients and dead networks", .serialized, .timeLimit(.minutes(5)))
struct RelayFaultTests {
  // MARK: Slow clients

  /// Descriptors that a test of 2,000 connections needs in this process, which holds both ends.
  private static let descriptors: rlim_t = 6000

  private func raiseDescriptorLimit() throws {
    var limit = rlimit()
    try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    if limit.rlim_cur >= Self.descriptors { return }
    limit.rlim_cur = min(limit.rlim_max, Self.descriptors)
    try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    try #require(limit.rlim_cur >= Self.descriptors, "this test needs \(Self.descriptors) descriptors")
  }

  @Test("2,000 clients whose request heads never end are all cut off, and others are served meanwhile")
  func slowHeads() async throws {
    try raiseDescriptorLimit()
    try await withRelay(configure: { configuration in
      configuration.http.connectionsPerAddress = 0
      configuration.http.headerTimeout = .seconds(4)
      configuration.http.idleTimeout = .seconds(4)
    }) { relay, client in
      let packet = try makePacket(Keypair())
      #expect(try await client.put(packet).status == .noContent)
      let endpoint = relay.localEndpoints[0]
      var slow: [RawConnection] = []
      for index in 0..<2000 {
        let connection = try await RawConnection(endpoint)
        // Half of them send nothing at all.
        if index.isMultiple(of: 2) { try await connection.send(Array("GET / HTTP/1.1\r\nX: ".utf8)) }
        slow.append(connection)
      }
      var served = 0
      var leastOpen = slow.count
      let deadline = ContinuousClock.now + .seconds(120)
      while slow.contains(where: { !$0.hasEnded }), ContinuousClock.now < deadline {
        for (index, connection) in slow.enumerated() where !connection.hasEnded {
          // A byte now and then does not make a head that counts as progress.
          if index.isMultiple(of: 2) { try await connection.send([0x61]) }
          _ = connection.readAvailable()
        }
        // A connection of its own each time: the slow ones keep nobody out.
        let other = try RelayClientFixture(relay)
        let answer = try await other.get(packet.publicKey, "?policy=CacheOnly")
        #expect(answer.status == .ok && answer.body == packet.relayPayload)
        served += 1
        leastOpen = min(leastOpen, slow.count { !$0.hasEnded })
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(served > 0 && leastOpen == 0, "\(leastOpen) are still open; \(served) requests were served")
      let status = try #require(await relay.core?.status.read())
      #expect(status.connections.timedOut >= 2000 && status.connections.accepted >= 2000)
      #expect(await eventually { await relay.core?.status.read().load.connections ?? .max < 100 })
      #expect(try await client.get(packet.publicKey).status == .ok)
    }
  }

  // MARK: Malformed requests

  /// Resident memory of this process in kilobytes.
  private func residentMemory() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    return try #require(status.firstMatch(of: /VmRSS:\s+([0-9]+) kB/).flatMap { Int($0.1) })
  }

  /// Requests that HTTP allows and the relay must refuse; their connection stays.
  private func refusedRequests(_ packet: SignedPacket) -> [(bytes: [UInt8], status: Int)] {
    func request(_ line: String, _ body: [UInt8] = []) -> [UInt8] {
      Array("\(line) HTTP/1.1\r\nHost: relay\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body
    }
    let key = packet.publicKey.z32
    var forged = packet.relayPayload
    forged[forged.count - 1] ^= 1
    return [
      (request("GET /nokey"), 400), (request("GET /\(key)?policy=everything"), 400),
      (request("GET /%ff%00%0d%0a"), 400),
      (request("PUT /\(key)", [UInt8](repeating: 7, count: 71)), 400), (request("PUT /\(key)", forged), 400),
      (request("PUT /\(key)", [UInt8](repeating: 0xff, count: 1072)), 400), (request("DELETE /\(key)"), 405),
      (request("POST /resolve", Array("[[[[".utf8)), 400), (request("GET /a/b/c"), 404),
      (request("GET /\(String(repeating: "y", count: 2000))"), 400),
    ]
  }

  /// Bytes that are no HTTP: the relay must close the connection, whether or not it says why.
  private static func broken(_ seed: Int) -> [UInt8] {
    var random = SplitMix(UInt64(seed))
    let filler = String(decoding: (0..<random.below(40)).map { _ in UInt8(97 + random.below(26)) }, as: UTF8.self)
    let texts = [
      "GET / HTTP/1.1\nHost: a\n\n\(filler)", "GET / HTTP/9.9\r\nHost: \(filler)\r\n\r\n",
      "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "G\u{0}T / HTTP/1.1\r\nHost: a\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\(filler)\r\n\r\n", "GET / HTTP/1.1\r\n\(filler)\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nX: \(filler)\r\n folded\r\n\r\n",
      "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
      "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n\(filler)",
      "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, \(filler)\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\u{0}\u{0}\(filler)\u{0}\u{0}",
      "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x\(filler)", count: 20_000) + "\r\n\r\n",
    ]
    if random.below(3) > 0 { return Array(texts[random.below(texts.count)].utf8) }
    // The first byte cannot begin a method.
    return [0] + (0..<random.below(200)).map { _ in UInt8(random.below(256)) }
  }

  /// Small, the same on each run.
  private struct SplitMix {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func below(_ bound: Int) -> Int {
      state &+= 0x9e37_79b9_7f4a_7c15
      var value = state
      value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
      value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
      return Int(truncatingIfNeeded: (value ^ (value >> 31)) % UInt64(max(1, bound)))
    }
  }

  @Test("100,000 requests that are refused or no HTTP leave the relay well, and no memory behind")
  func malformed() async throws {
    try await withRelay(configure: { $0.http.connectionsPerAddress = 0 }) { relay, client in
      let packet = try makePacket(Keypair())
      #expect(try await client.put(packet).status == .noContent)
      let endpoint = relay.localEndpoints[0]
      let kinds = refusedRequests(packet)
      /// 960 requests in twelve bursts over one connection, and 40 connections that break the protocol.
      @Sendable func thousand(_ seed: Int) async throws -> (refused: Int, broken: Int) {
        let kept = try await RawConnection(endpoint)
        var refused = 0
        for burst in 0..<12 {
          let chosen = (0..<80).map { kinds[($0 + burst * 7 + seed) % kinds.count] }
          try await kept.send(chosen.flatMap(\.bytes))
          let statuses = await kept.statuses(chosen.count)
          #expect(statuses == chosen.map(\.status) && !kept.hasEnded)
          refused += statuses.count
        }
        var broken = 0
        for index in 0..<40 {
          let connection = try await RawConnection(endpoint)
          try await connection.send(Self.broken(seed * 40 + index))
          connection.socket.shutdownWriting()
          let statuses = await connection.statuses(.max)
          #expect(statuses.allSatisfy { (400..<600).contains($0) } && connection.hasEnded, "\(seed) \(index)")
          broken += 1
        }
        return (refused, broken)
      }
      /// Eight clients at a time.
      func run(_ seeds: Range<Int>) async throws -> (refused: Int, broken: Int) {
        try await withThrowingTaskGroup(of: (refused: Int, broken: Int).self) { group in
          for lane in 0..<8 {
            group.addTask {
              var sum = (refused: 0, broken: 0)
              for seed in seeds where seed % 8 == lane {
                let count = try await thousand(seed)
                sum = (sum.refused + count.refused, sum.broken + count.broken)
              }
              return sum
            }
          }
          return try await group.reduce(into: (refused: 0, broken: 0)) {
            $0 = ($0.refused + $1.refused, $0.broken + $1.broken)
          }
        }
      }
      // What the first ones allocate is there to stay: buffers, caches, the allocator's arenas.
      let first = try await run(0..<20)
      let before = try residentMemory()
      let second = try await run(20..<100)
      let growth = try residentMemory() - before
      #expect(first.refused + second.refused == 96_000 && first.broken + second.broken == 4000)
      #expect(growth < 40_000, "resident memory has grown by \(growth) kB")
      let status = try #require(await relay.core?.status.read())
      #expect(status.connections.malformed >= 3000 && status.load.waitingVerifications == 0)
      #expect(try await client.get(packet.publicKey, "?policy=CacheOnly").body == packet.relayPayload)
      let other = try makePacket(Keypair())
      #expect(try await client.put(other).status == .noContent)
    }
  }

  // MARK: A dead network

  @Test("without its network a relay serves what is fresh, says so of all else, and calls itself degraded")
  func networkGone() async throws {
    let testnet = try await Testnet(nodes: 5)
    let relay = RelayServer.test(on: testnet, options: testOptions()) { configuration in
      configuration.mainline.requestTimeout = .seconds(1)
      configuration.cache.size = 1000
    }
    try await relay.start()
    let client = try RelayClientFixture(relay)
    let fresh = try makePacket(Keypair(), "fresh", ttl: 3600)
    #expect(try await client.put(fresh).status == .noContent)
    var expired = try makePacket(Keypair(), "expired", ttl: 300)
    expired.lastSeen = Timestamp(microseconds: Timestamp.wallClock.microseconds - 400_000_000)
    relay.core?.service.shelf.offer(expired)
    await testnet.stop()

    func status(_ key: PublicKey, _ query: String) async throws -> Int {
      Int(try await client.get(key, query).status.code)
    }
    for key in [fresh.publicKey, expired.publicKey] {
      #expect(try await status(key, "?policy=CacheOnly") == 200)
      #expect(try await status(key, "?policy=NetworkOnly") == 503)
    }
    let cached = try await client.get(fresh.publicKey)
    #expect(cached.status == .ok && cached.body == fresh.relayPayload)
    #expect(try await status(expired.publicKey, "") == 503)
    let unknown = Keypair().publicKey
    #expect(try await status(unknown, "") == 503)
    #expect(try await status(unknown, "?policy=CacheOnly") == 404)

    let put = try await client.put(try makePacket(Keypair()))
    #expect(put.status == .internalServerError)
    #expect(String(decoding: put.body, as: UTF8.self).hasPrefix("DHT query "))
    // What was not published is not in the cache either; publishing again what is cached fails as well.
    let lost = try makePacket(Keypair())
    #expect(try await client.put(lost).status == .internalServerError)
    #expect(try await status(lost.publicKey, "?policy=CacheOnly") == 404)
    #expect(try await client.put(fresh).status == .internalServerError)

    let isDegraded = await eventually {
      // Nodes count as bad after some silence, so they must be asked.
      _ = try? await client.get(Keypair().publicKey)
      let health = try? await client.send(.get, "/health")
      return health?.status == .ok
        && String(decoding: health?.body ?? [], as: UTF8.self).contains("\"status\":\"degraded\"")
    }
    #expect(isDegraded)
    let health = String(decoding: try await client.send(.get, "/health").body, as: UTF8.self)
    #expect(health.contains("the DHT node") && health.contains("\"packets\":2"), "\(health)")
    #expect(try await client.get(fresh.publicKey).body == fresh.relayPayload)
    await relay.shutdown()
  }
}
