import Addresses
import EventLoops
import Glibc
import TLS
import Testing

@testable import HTTP

/// Runs a body with a server on loopback, and stops it afterwards.
func withServer<T>(
  loops count: Int = 1, tls: TLSServerContext? = nil,
  configure: (inout HTTPServerConfiguration) -> Void = { _ in },
  onError: (@Sendable (any Error, HTTPRequest) -> Void)? = nil, handler: @escaping HTTPHandler,
  _ body: (HTTPServer, Endpoint) async throws -> T
) async throws -> T {
  try await withServer(
    loops: count, tls: tls, configure: configure, onError: onError, dispatcher: { _ in .handler(handler) }, body)
}

/// Runs a body with a server on loopback, and stops it afterwards.
func withServer<T>(
  loops count: Int = 1, tls: TLSServerContext? = nil,
  configure: (inout HTTPServerConfiguration) -> Void = { _ in },
  onError: (@Sendable (any Error, HTTPRequest) -> Void)? = nil, dispatcher: @escaping HTTPDispatcher,
  _ body: (HTTPServer, Endpoint) async throws -> T
) async throws -> T {
  var loops: [EventLoop] = []
  for index in 0..<count {
    let loop = try EventLoop(name: "server-\(index)")
    try loop.start()
    loops.append(loop)
  }
  defer { for loop in loops { loop.requestStop() } }
  var configuration = HTTPServerConfiguration(Endpoint(.loopbackV4, port: 0))
  configuration.tls = tls
  // However busy the machine is, no client of a test is too slow unless it means to be.
  configuration.timeouts.handshake = .seconds(600)
  configuration.timeouts.head = .seconds(600)
  configuration.timeouts.body = .seconds(600)
  configuration.timeouts.idle = .seconds(600)
  configuration.timeouts.write = .seconds(600)
  configure(&configuration)
  let server = HTTPServer(configuration, on: loops, onError: onError, dispatcher: dispatcher)
  try await server.start()
  do {
    let value = try await body(server, server.localEndpoints[0])
    await server.shutdown(grace: .zero)
    return value
  } catch {
    await server.shutdown(grace: .zero)
    throw error
  }
}

/// A client that sends just the bytes it is told to, and reads what comes.
final class RawClient {
  let socket: StreamSocket
  private(set) var received: [UInt8] = []
  private(set) var hasEnded = false

  convenience init(_ endpoint: Endpoint) async throws {
    try await self.init(adopting: StreamSocket(connectingTo: endpoint))
  }

  init(adopting socket: StreamSocket) async throws {
    self.socket = socket
    try #require(await wait(for: POLLOUT))
    try #require(socket.connectionError == nil)
  }

  /// True once the socket is ready; false after a minute. Blocks no thread, since tests share a few.
  func wait(for events: Int32) async -> Bool {
    for _ in 0..<30_000 {
      var entry = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
      if poll(&entry, 1, 0) > 0 { return true }
      try? await Task.sleep(for: .milliseconds(2))
    }
    return false
  }

  func send(_ text: String) async throws { try await send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) async throws {
    var sent = 0
    while sent < bytes.count {
      let count = try bytes.withUnsafeBytes { try socket.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      if let count { sent += count } else { try #require(await wait(for: POLLOUT)) }
    }
  }

  /// Reads until `isEnough`, or the end.
  func read(until isEnough: (String) -> Bool) async throws -> String {
    while !hasEnded, !isEnough(String(decoding: received, as: UTF8.self)) {
      var buffer = [UInt8](repeating: 0, count: 65536)
      try #require(
        await wait(for: POLLIN), "nothing comes after \(String(decoding: received, as: UTF8.self).debugDescription)")
      do {
        let count = try buffer.withUnsafeMutableBytes { try socket.read(into: $0) }
        if count == 0 { hasEnded = true }
        received += buffer.prefix(count ?? 0)
      } catch {
        hasEnded = true
      }
    }
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  /// Reads until the server closes.
  func readToEnd() async throws -> String { try await read { _ in false } }

  /// Sends a request and reads until the response contains `end`.
  func exchange(_ request: String, until end: String) async throws -> String {
    try await send(request)
    return try await read { $0.contains(end) }
  }
}

/// A door that many may wait for.
actor Signpost {
  private var isUp = false
  private var waiters: [CheckedContinuation<Void, Never>] = []

  func raise() {
    isUp = true
    for waiter in waiters { waiter.resume() }
    waiters = []
  }

  func reached() async {
    if isUp { return }
    await withCheckedContinuation { waiters.append($0) }
  }
}
