import Addresses
import Cryptography
import DNSWire
import EventLoops
import Pkarr
import Testing

@testable import PKDNS

/// A client that sends bytes on a stream and waits for the end.
private final class RawStream: DescriptorHandler, @unchecked Sendable {
  private let socket: StreamSocket
  private let loop: EventLoop
  private var output: [UInt8]
  private let endsAfterOutput: Bool
  private var watch: Watch?
  private var received = 0
  private var continuation: CheckedContinuation<Int, Never>?

  private init(_ socket: StreamSocket, _ bytes: [UInt8], endsAfterOutput: Bool, _ loop: EventLoop) {
    self.socket = socket
    self.loop = loop
    self.endsAfterOutput = endsAfterOutput
    output = bytes
  }

  /// Sends bytes and then, if it is to, the end; how many bytes came back until the server closed.
  static func send(
    _ bytes: [UInt8], to endpoint: Endpoint, endsAfterOutput: Bool = true, on loop: EventLoop
  ) async throws -> Int {
    let stream = RawStream(
      try StreamSocket(connectingTo: endpoint), bytes, endsAfterOutput: endsAfterOutput, loop)
    return await withCheckedContinuation { continuation in
      loop.execute {
        stream.continuation = continuation
        stream.watch = try? loop.watch(stream.socket.descriptor, for: [.reading, .writing], handler: stream)
      }
    }
  }

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing) {
      guard let count = try? output.withUnsafeBytes({ try socket.write($0) }) else { return finish() }
      output.removeFirst(count)
      if output.isEmpty {
        if endsAfterOutput { socket.shutdownWriting() }
        if let watch { loop.update(watch, for: .reading) }
      }
    }
    guard readiness.contains(.reading) || readiness.contains(.hungUp) else { return }
    var piece = [UInt8](repeating: 0, count: 65_536)
    guard let count = try? piece.withUnsafeMutableBytes({ try socket.read(into: $0) }), count > 0 else {
      return finish()
    }
    received += count
  }

  func eventLoopStopped() { finish() }

  private func finish() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    socket.close()
    continuation?.resume(returning: received)
    continuation = nil
  }
}

/// Hears what comes back over UDP, and does not care.
private final class Deaf: UDPSocketHandler, Sendable {
  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams) {}
  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32) {}
  func socketClosed(_ socket: UDPSocket) {}
}

@Suite("Hostile clients of a DNS server", .timeLimit(.minutes(10)))
struct HostileDNSClientTests {
  @Test("garbage on every port leaves the server running, and others are answered")
  func garbage() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    let folder = TemporaryFile.path()
    let settings = """
      [tls]
      listen = "127.0.0.1:0"
      development_directory = "\(folder)"
      [https]
      listen = "127.0.0.1:0"
      plain_listen = "127.0.0.1:0"
      """
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], settings: settings
    ) { dns async throws in
      var random = RandomSource(seed: 11)
      let socket = try UDPSocket(boundTo: Endpoint(.loopbackV4, port: 0))
      let (loop, server) = (dns.loop, dns.endpoint)
      await loop.submit { try? socket.open(on: loop, handler: Deaf()) }
      let query = WireQuery(try DomainName("www.example"), .a).bytes
      for round in 0..<400 {
        var bytes = round % 2 == 0 ? random.bytes(Int(random.next() % 1400)) : query
        // Every second one is a query with one to three bytes changed.
        for _ in 0...(random.next() % 3) where !bytes.isEmpty {
          bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
        }
        let datagram = bytes
        await loop.submit { datagram.withUnsafeBytes { socket.send($0, to: server) } }
      }
      await loop.submit { socket.close() }
      let ports = [server, dns.server.encryptedEndpoints[0]] + dns.server.httpsEndpoints
      for port in ports {
        for size in [0, 1, 2, 100, 70_000] {
          _ = try await RawStream.send(random.bytes(size), to: port, on: loop)
        }
        // A length without its message, and one of nothing.
        _ = try await RawStream.send([0xff, 0xff, 1, 2, 3], to: port, on: loop)
        _ = try await RawStream.send([0, 0, 0, 0, 0, 1, 7], to: port, on: loop)
        #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
        #expect(try await dns.ask("www.example", over: .stream).addresses == ["192.0.2.1"])
      }
      #expect(
        try await dns.ask("www.example", over: .tls(name: "localhost"), at: dns.server.encryptedEndpoints[0]).addresses
          == ["192.0.2.1"])
    }
    TemporaryFile.remove(folder)
    await upstream.stop()
  }

  @Test(
    "whoever says nothing, or stops in the middle of a message, is let go after the idle time; its place is free again")
  func silence() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: "[streams]\nidle = \"1s\"\nconnections_per_address = 2"
    ) { dns async throws in
      // Both end only when the server ends them.
      async let silent = RawStream.send([], to: dns.endpoint, endsAfterOutput: false, on: dns.loop)
      async let half = RawStream.send([0, 40, 1, 2, 3], to: dns.endpoint, endsAfterOutput: false, on: dns.loop)
      #expect(try await silent == 0)
      #expect(try await half == 0)
      #expect(try await dns.ask("www.example", over: .stream).addresses == ["192.0.2.1"])
    }
    await upstream.stop()
  }

  @Test("many keys are searched at once, and what is cached is answered meanwhile")
  func manyKeys() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)],
      settings: """
        [dht]
        dht_query_rate_limit = 0
        [dns]
        query_rate_limit = 0
        response_rate_limit = 0
        deadline = "30s"
        """, nodes: 5
    ) { dns async throws in
      var keys: [PublicKey] = []
      for number in 0..<200 {
        keys.append(try await dns.publish { $0.a("@", "203.0.113.\(number)", ttl: .minutes(5)) })
      }
      #expect(try await dns.ask("www.example").addresses == ["192.0.2.1"])
      // A busy machine may take its time.
      var patient = UpstreamClient.Configuration()
      patient.policy.deadline = .seconds(60)
      let client = UpstreamClient([UpstreamServer(dns.endpoint)], patient, on: dns.loop)
      try await withThrowingTaskGroup(of: Bool.self) { group in
        for (number, key) in keys.enumerated() {
          let name = try DomainName(key.z32)
          group.addTask {
            // Nodes that a busy machine keeps from answering count as silent; who hears that asks again.
            for _ in 0..<60 {
              guard case .answer(let bytes, _) = await client.answer(to: UpstreamQuestion(name, .a)) else { break }
              let answer = try Message(parsing: bytes)
              if answer.header.responseCode != 2 { return answer.addresses == ["203.0.113.\(number)"] }
              try await Task.sleep(for: .seconds(1))
            }
            return false
          }
          if number % 10 == 0 {
            let cached = try DomainName("www.example")
            group.addTask {
              guard case .answer(let bytes, _) = await client.answer(to: UpstreamQuestion(cached, .a)) else {
                return false
              }
              return try Message(parsing: bytes).addresses == ["192.0.2.1"]
            }
          }
        }
        var good = 0
        for try await isGood in group where isGood { good += 1 }
        #expect(good == 220)
      }
      await dns.loop.submit { client.close() }
    }
    await upstream.stop()
  }
}
