import Addresses
import EventLoops
import Foundation
import Pkarr
import Testing

@Suite("A relay among hostile clients", .serialized, .timeLimit(.minutes(20)))
struct HostileClientTests {
  private func withRelay(_ http: String, _ body: (RunningRelay, Endpoint) async throws -> Void) async throws {
    try await PubkyCommand.inFolder { pubky in
      try await pubky.withTestnet(["--nodes", "5"]) { bootstrap in
        try await pubky.withRelay(bootstrap: bootstrap, http: http) { relay in
          try await body(relay, try #require(Endpoint("127.0.0.1:\(relay.port)")))
        }
      }
    }
  }

  private func packet(_ text: String) throws -> SignedPacket {
    try SignedPacket(signedBy: Keypair()) { TXT("_test", text, ttl: 3600) }
  }

  /// A figure that the relay tells those who run it.
  private func figure(_ name: String, of relay: RunningRelay) async throws -> Int {
    let text = String(decoding: try await relay.send(.get, "/metrics").body, as: UTF8.self)
    let line = try #require(text.split(separator: "\n").first { $0.hasPrefix(name + " ") }, "\(name) is missing")
    return Int(line.dropFirst(name.count + 1)) ?? 0
  }

  // MARK: Slow clients

  /// Descriptors that a test of 2,000 connections needs in this process.
  private static let descriptors: rlim_t = 3000

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
    let limits = "connections_per_address = 0\nheader_timeout = \"4s\"\nidle_timeout = \"4s\""
    try await withRelay(limits) { relay, endpoint in
      let packet = try packet("kept")
      #expect(try await relay.put(packet) == 204)
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
        let answer = try await RunningRelay(relay.command).get(packet, policy: "CacheOnly")
        #expect(answer.status == 200 && answer.body == packet.relayPayload)
        served += 1
        leastOpen = min(leastOpen, slow.count { !$0.hasEnded })
        try await Task.sleep(for: .milliseconds(20))
      }
      #expect(served > 0 && leastOpen == 0, "\(leastOpen) are still open; \(served) requests were served")
      #expect(try await figure("pubky_relay_connections_total{result=\"timed_out\"}", of: relay) >= 2000)
      #expect(try await figure("pubky_relay_connections_total{result=\"accepted\"}", of: relay) >= 2000)
      #expect(try await relay.get(packet, policy: "CacheFirst").status == 200)
    }
  }

  // MARK: Malformed requests

  /// Resident memory of a process in kilobytes.
  private func residentMemory(_ relay: RunningRelay) throws -> Int {
    let status = try String(contentsOfFile: "/proc/\(relay.command.identifier)/status", encoding: .utf8)
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
    try await withRelay("connections_per_address = 0") { relay, endpoint in
      let packet = try packet("kept")
      #expect(try await relay.put(packet) == 204)
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
      let before = try residentMemory(relay)
      let second = try await run(20..<100)
      let growth = try residentMemory(relay) - before
      #expect(first.refused + second.refused == 96_000 && first.broken + second.broken == 4000)
      #expect(growth < 40_000, "resident memory has grown by \(growth) kB")
      #expect(try await figure("pubky_relay_malformed_requests_total", of: relay) >= 3000)
      #expect(try await relay.get(packet, policy: "CacheOnly").body == packet.relayPayload)
      #expect(try await relay.put(self.packet("another")) == 204)
    }
  }
}
