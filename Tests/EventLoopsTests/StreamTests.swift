import Addresses
import CLinux
import Glibc
import Testing

@testable import EventLoops

/// Keeps what a listener accepts.
private final class Accepted: Sendable {
  let sockets = LockedValue<[StreamSocket]>([])
  let counter = Counter()

  func add(_ socket: StreamSocket) {
    sockets.withLock { $0.append(socket) }
    counter.add()
  }
}

/// Waits until a socket that connects is writable, and tells how it went.
private func connected(_ socket: StreamSocket) -> SystemError? {
  var entry = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
  _ = poll(&entry, 1, 10_000)
  return socket.connectionError
}

/// Reads until some bytes have come.
private func readSome(_ socket: StreamSocket) throws -> [UInt8] {
  var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
  _ = poll(&entry, 1, 10_000)
  var bytes = [UInt8](repeating: 0, count: 1024)
  let count = try bytes.withUnsafeMutableBytes { try socket.read(into: $0) }
  return Array(bytes.prefix(count ?? 0))
}

@Suite("Stream sockets")
struct StreamTests {
  private func folder() throws -> String {
    var template = Array("/tmp/streams-XXXXXX".utf8CString)
    return String(cString: try #require(mkdtemp(&template)))
  }

  @Test("bytes cross a TCP connection in both directions, and its end is told", arguments: ["127.0.0.1:0", "[::1]:0"])
  func tcp(address: String) async throws {
    try await withLoop { loop in
      let listener = try StreamListener(boundTo: try #require(Endpoint(address)))
      let accepted = Accepted()
      try await loop.value { try listener.open(on: loop) { accepted.add($0) } }
      let endpoint = try #require(listener.localEndpoint)
      #expect(endpoint.port != 0)
      let client = try StreamSocket(connectingTo: endpoint)
      #expect(connected(client) == nil)
      await accepted.counter.reaches(1)
      let server = try #require(accepted.sockets.withLock { $0.first })
      #expect(server.peer == client.localEndpoint)
      #expect(try Array("ping".utf8).withUnsafeBytes { try client.write($0) } == 4)
      #expect(try readSome(server) == Array("ping".utf8))
      #expect(try Array("pong".utf8).withUnsafeBytes { try server.write($0) } == 4)
      #expect(try readSome(client) == Array("pong".utf8))
      var byte: UInt8 = 0
      #expect(try withUnsafeMutableBytes(of: &byte) { try client.read(into: $0) } == nil)
      server.shutdownWriting()
      #expect(try readSome(client) == [])
      await loop.submit { listener.close() }
    }
  }

  @Test("a connection to a port where nobody listens fails with a reason")
  func refused() throws {
    let unused = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0))
    let endpoint = try #require(unused.localEndpoint)
    let taken = #expect(throws: SystemError.self) { try StreamListener(boundTo: endpoint) }
    #expect(taken?.isAddressInUse == true)
    let socket = StreamSocket(adopting: linux_tcp_connect(AF_INET, Endpoint(.loopbackV4, port: 1).system), peer: nil)
    #expect(connected(socket)?.code == ECONNREFUSED)
  }

  @Test("a Unix socket is made with its mode, refused while in use, replaced when stale, and removed at the end")
  func unix() async throws {
    let path = try folder() + "/socket"
    try await withLoop { loop in
      let listener = try StreamListener(path: path, mode: 0o600)
      let accepted = Accepted()
      try await loop.value { try listener.open(on: loop) { accepted.add($0) } }
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      let client = try StreamSocket(connectingToPath: path)
      await accepted.counter.reaches(1)
      #expect(accepted.sockets.withLock { $0.first?.peer } == nil)
      #expect(try Array("x".utf8).withUnsafeBytes { try client.write($0) } == 1)
      #expect(throws: SystemError.self) { try StreamListener(path: path) }
      await loop.submit { listener.close() }
      #expect(stat(path, &status) != 0)
    }
    // What a killed process leaves behind.
    let stale = linux_unix_listen(path, 1)
    #expect(stale >= 0)
    close(stale)
    let replacing = try StreamListener(path: path)
    #expect(replacing.path == path)
  }

  @Test("a path that is not a socket is left alone")
  func otherFile() throws {
    let path = try folder() + "/file"
    let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
    close(descriptor)
    #expect(throws: SystemError.self) { try StreamListener(path: path) }
    #expect(access(path, F_OK) == 0)
    #expect(throws: SystemError.self) { try StreamListener(path: String(repeating: "x", count: 200)) }
  }

  @Test("a listening socket from elsewhere is taken over, anything else refused")
  func adopted() async throws {
    let options = linux_tcp_options(family: AF_INET, reuse_port: 0, backlog: 8)
    let descriptor = linux_tcp_listen(options, Endpoint(.loopbackV4, port: 0).system)
    let listener = try StreamListener(adopting: descriptor)
    try await withLoop { loop in
      let accepted = Accepted()
      try await loop.value { try listener.open(on: loop) { accepted.add($0) } }
      let client = try StreamSocket(connectingTo: try #require(listener.localEndpoint))
      #expect(connected(client) == nil)
      await accepted.counter.reaches(1)
      await loop.submit { listener.close() }
    }
    var reading: Int32 = -1
    var writing: Int32 = -1
    #expect(linux_pipe(&reading, &writing) == 0)
    #expect(throws: SystemError.self) { try StreamListener(adopting: reading) }
    close(reading)
    close(writing)
  }

  @Test("listeners on several loops share a port")
  func sharedPort() async throws {
    let first = try StreamListener(boundTo: Endpoint(.loopbackV4, port: 0), reusesPort: true)
    let second = try StreamListener(boundTo: try #require(first.localEndpoint), reusesPort: true)
    #expect(first.localEndpoint == second.localEndpoint)
  }

  @Test("a value is fetched from a loop, also from the loop itself")
  func submit() async throws {
    try await withLoop { loop in
      #expect(await loop.submit { loop.isOnLoop })
      let nested = await Task(executorPreference: loop) { await loop.submit { 7 } }.value
      #expect(nested == 7)
    }
  }
}
