import Addresses
import CLinux
import Glibc
import Testing

@testable import EventLoops

/// Returns queries in reverse, at once or, if they begin with `l`, later.
private final class Reverser: DatagramResponder, @unchecked Sendable {
  var server: DatagramServer?
  var waiting: [(path: DatagramPath, reply: [UInt8])] = []
  let truncated = Counter()
  let closed = Counter()

  func respond(
    to query: RawSpan, isTruncated: Bool, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int {
    if isTruncated { truncated.add() }
    let answer = query.withUnsafeBytes { [UInt8]($0.reversed()) }
    if answer.last == UInt8(ascii: "l") {
      waiting.append((path, answer))
      return 0
    }
    if answer.last == UInt8(ascii: "d") { return 0 }
    reply.copyBytes(from: answer)
    return answer.count
  }

  func batchEnded() {
    for (path, reply) in waiting { reply.withUnsafeBytes { server?.send($0, along: path) } }
    waiting = []
  }

  func datagramServerClosed(_ server: DatagramServer) { closed.add() }
}

@Suite("Datagram servers")
struct DatagramServerTests {
  private func open(_ server: DatagramServer, on loop: EventLoop) async throws -> Reverser {
    let reverser = Reverser()
    try await loop.value {
      reverser.server = server
      try server.open(on: loop, responder: reverser)
    }
    return reverser
  }

  @Test(
    "queries are answered at once and later, from the address that was asked, on sockets for one address, one family and both",
    arguments: [
      (IPAddress.loopbackV4, IPAddress.loopbackV4), (.loopbackV6, .loopbackV6), (.anyV4, IPAddress(127, 0, 0, 9)),
      (.anyV4, .loopbackV4), (.anyV6, .loopbackV6),
    ])
  func answers(bound: IPAddress, asked: IPAddress) async throws {
    try await withLoop { loop in
      let server = try DatagramServer(boundTo: Endpoint(bound, port: 0))
      _ = try await open(server, on: loop)
      try await check(loop, Endpoint(asked, port: server.localEndpoint.port))
      let statistics = try await loop.value { server.statistics }
      #expect(statistics.received == 201 && statistics.sent == 200 && statistics.dropped == 0)
      try await loop.value { server.close() }
    }
  }

  /// A socket that this process did not make with ``DatagramServer``: on IPv6 it is for both families.
  private func boundSocket(_ address: IPAddress) throws -> Int32 {
    let family = address.isIPv4 ? AF_INET : AF_INET6
    let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue), 0)
    var off: Int32 = 0
    if !address.isIPv4 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, 4) }
    var storage = sockaddr_storage()
    let length = linux_sockaddr_store(&storage, family, Endpoint(address, port: 0).system)
    let result = withUnsafePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
    }
    try #require(result == 0)
    return descriptor
  }

  @Test("a socket for both families, such as systemd's, answers IPv4 clients from the address that they asked")
  func bothFamilies() async throws {
    try await withLoop { loop in
      let server = try DatagramServer(adopting: try boundSocket(.anyV6))
      let reverser = try await open(server, on: loop)
      for address in [IPAddress(127, 0, 0, 9), .loopbackV6] {
        try await check(loop, Endpoint(address, port: server.localEndpoint.port))
      }
      loop.stop()
      #expect(reverser.closed.value == 1)
    }
  }

  /// Sends 200 queries, half of them answered later, and one that is not answered.
  private func check(_ loop: EventLoop, _ server: Endpoint) async throws {
    let listener = Listener()
    let client = try await UDPSocket.open(on: loop, listener, server.address.isIPv4 ? .loopbackV4 : .loopbackV6)
    let queries = (0..<200).map { Array("\($0 % 2 == 0 ? "l" : "a")\($0)".utf8) }
    try await client.send(Array("drop".utf8), to: server)
    for start in stride(from: 0, to: 200, by: 40) {
      for query in queries[start..<start + 40] { try await client.send(query, to: server) }
      await listener.arrived.reaches(start + 40)
    }
    let events = listener.events.withLock { $0 }
    #expect(Set(events.map(\.bytes)) == Set(queries.map { $0.reversed() }))
    #expect(Set(events.map(\.sender)) == [server])
    try await loop.value { client.close() }
  }

  @Test(
    "each of many clients gets its own answers when they come in large batches, also from sockets that cannot send several at once",
    arguments: [(false, 20), (true, 20), (false, 1400)])
  func crowd(sendsSingly: Bool, length: Int) async throws {
    try await withLoop { loop in
      let descriptor = try boundSocket(.loopbackV4)
      // Without checksums the kernel cuts no messages (udp(7)).
      var on: Int32 = sendsSingly ? 1 : 0
      setsockopt(descriptor, SOL_SOCKET, SO_NO_CHECK, &on, 4)
      let server = try DatagramServer(adopting: descriptor)
      var clients: [(listener: Listener, socket: UDPSocket)] = []
      for _ in 0..<5 {
        let listener = Listener()
        clients.append((listener, try await UDPSocket.open(on: loop, listener)))
      }
      func queries(_ client: Int) -> [[UInt8]] {
        (0..<15).map { number in
          // Two lengths, in turns.
          let text = "\(client) asks \(number) \(number % 2 == 0 ? "" : "more")"
          return Array(text.utf8) + Array(repeating: UInt8(ascii: "."), count: length - (number % 2))
        }
      }
      // Before anybody answers, so that the first batch is full; no more than the socket's buffer holds.
      for number in 0..<15 {
        for (client, entry) in clients.enumerated() {
          try await entry.socket.send(queries(client)[number], to: server.localEndpoint)
        }
      }
      _ = try await open(server, on: loop)
      for (client, entry) in clients.enumerated() {
        await entry.listener.arrived.reaches(15)
        let answers = entry.listener.events.withLock { $0.map(\.bytes) }
        #expect(Set(answers) == Set(queries(client).map { $0.reversed() }) && answers.count == 15)
        try await loop.value { entry.socket.close() }
      }
      let statistics = try await loop.value { server.statistics }
      #expect(statistics.received == 75 && statistics.sent == 75 && statistics.dropped == 0)
    }
  }

  @Test("a query that is too long arrives cut off and is told to be")
  func truncation() async throws {
    try await withLoop { loop in
      let server = try DatagramServer(boundTo: Endpoint(.loopbackV4, port: 0))
      let reverser = try await open(server, on: loop)
      let listener = Listener()
      let client = try await UDPSocket.open(on: loop, listener)
      try await client.send([UInt8](repeating: 97, count: 3000), to: server.localEndpoint)
      await listener.arrived.reaches(1)
      #expect(reverser.truncated.value == 1)
    }
  }

  @Test("what is no UDP socket is not taken over")
  func adoption() throws {
    let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(stream) }
    for descriptor in [stream, -1, 1] {
      #expect(throws: SystemError.self) { try DatagramServer(adopting: descriptor) }
    }
  }
}
