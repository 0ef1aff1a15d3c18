import Addresses
import DNSWire
import EventLoops
import Testing

@testable import PKDNS

/// Sends bytes on a connection, and ends its own side; what comes back until the other side ends.
private final class OneShot: DescriptorHandler, @unchecked Sendable {
  private let socket: StreamSocket
  private let loop: EventLoop
  private var output: [UInt8]
  private var input: [UInt8] = []
  private var watch: Watch?
  private var continuation: CheckedContinuation<[UInt8], Never>?

  private init(_ socket: StreamSocket, _ output: [UInt8], _ loop: EventLoop) {
    self.socket = socket
    self.output = output
    self.loop = loop
  }

  static func send(_ bytes: [UInt8], to endpoint: Endpoint, on loop: EventLoop) async throws -> [UInt8] {
    let shot = OneShot(try StreamSocket(connectingTo: endpoint), bytes, loop)
    return await withCheckedContinuation { continuation in
      loop.execute {
        shot.continuation = continuation
        shot.watch = try? loop.watch(shot.socket.descriptor, for: [.reading, .writing], handler: shot)
      }
    }
  }

  func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.writing), !output.isEmpty {
      guard let count = try? output.withUnsafeBytes({ try socket.write($0) }) else { return finish() }
      output.removeFirst(count)
      if output.isEmpty {
        socket.shutdownWriting()
        if let watch { loop.update(watch, for: .reading) }
      }
    }
    guard !readiness.isDisjoint(with: [.reading, .hungUp, .failed]) else { return }
    var piece = [UInt8](repeating: 0, count: 4096)
    guard let count = try? piece.withUnsafeMutableBytes({ try socket.read(into: $0) }), count > 0 else {
      return finish()
    }
    input += piece[..<count]
  }

  func eventLoopStopped() { finish() }

  private func finish() {
    if let watch { loop.unwatch(watch) }
    watch = nil
    socket.close()
    continuation?.resume(returning: input)
    continuation = nil
  }
}

@Suite("Load balancers in front of a DNS server (PROXY protocol)", .timeLimit(.minutes(10)))
struct ProxyProtocolTests {
  private static let settings = """
    [log]
    queries = true
    clients = true
    [access]
    proxies = ["127.0.0.1"]
    deny = ["203.0.113.66"]
    [https]
    plain_listen = "127.0.0.1:0"
    """

  private static func header(_ host: UInt8) -> [UInt8] {
    Array("\r\n\r\n\u{0}\r\nQUIT\n".utf8) + [0x21, 0x11, 0, 12, 203, 0, 113, host, 127, 0, 0, 1, 0x30, 0x39, 0, 53]
  }

  @Test("connections count for the client that the proxy names: in the log, and for access lists")
  func streams() async throws {
    let upstream = try await ScriptedNameServer { query, _ in [ScriptedNameServer.answer(query)] }
    try await RunningPKDNS.run(
      forwardingTo: [UpstreamServer(upstream.endpoint)], settings: Self.settings
    ) { dns async throws in
      let query = WireQuery(try DomainName("www.example"), .a).bytes
      let framed = [0, UInt8(query.count)] + query
      func code(_ bytes: [UInt8]) async throws -> UInt8? {
        let answer = try await OneShot.send(bytes, to: dns.endpoint, on: dns.loop)
        return answer.count > 5 ? answer[5] & 15 : nil
      }
      #expect(try await code(Self.header(9) + framed) == 0)
      #expect(try await code(Self.header(66) + framed) == 5, "refused")
      #expect(try await code(framed) == nil, "a proxy must say for whom it speaks")
      #expect(try await code(Array(Self.header(9).dropLast(3))) == nil)
      #expect(dns.lines.all.contains { $0.contains("transport=tcp code=0") && $0.contains("client=203.0.113.9") })

      func http(_ before: [UInt8]) async throws -> String {
        let request = "GET /resolve?name=www.example HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        let endpoint = dns.server.httpsEndpoints[0]
        let answer = try await OneShot.send(before + request.utf8, to: endpoint, on: dns.loop)
        return String(decoding: answer, as: UTF8.self)
      }
      #expect(try await http(Self.header(9)).contains("\"data\":\"192.0.2.1\""))
      #expect(try await http(Self.header(66)).contains("\"Status\":5"))
      #expect(try await http([]).isEmpty)
    }
    await upstream.stop()
  }
}
