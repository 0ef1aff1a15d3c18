import EventLoops
import Foundation
import Glibc
import Testing

@testable import TLS

/// What one connection came to.
struct Outcome: Sendable {
  var negotiated = ""
  var serverName: String?
  var applicationProtocol: String?
  var received: [UInt8] = []
  var endedCleanly = false
  var error: TLSError?

  var text: String { String(decoding: received, as: UTF8.self) }
}

/// A connection that its thread waits for with poll(2).
struct BlockingConnection {
  let session: TLSSession
  let descriptor: Int32
  /// No wait is this long; what waits longer hangs.
  static let patience: Int32 = 60_000

  struct Timeout: Error {}

  private func wait(_ events: Int32) throws {
    var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
    while true {
      let count = poll(&entry, 1, Self.patience)
      if count > 0 { return }
      if count == 0 { throw Timeout() }
      guard errno == EINTR else { throw Timeout() }
    }
  }

  func handshake() throws {
    while true {
      switch try session.handshake() {
      case .done: return
      case .wantsRead: try wait(Int32(POLLIN))
      case .wantsWrite: try wait(Int32(POLLOUT))
      }
    }
  }

  /// Some bytes; empty at the end.
  func read() throws -> [UInt8] {
    while true {
      if let bytes = try session.readBytes() { return bytes }
      try wait(Int32(POLLIN))
    }
  }

  func write(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      if let count = try session.write(Array(bytes[sent...])) { sent += count } else { try wait(Int32(POLLOUT)) }
    }
    try flush()
  }

  func flush() throws { while try !session.flush() { try wait(Int32(POLLOUT)) } }
}

/// A server on 127.0.0.1 with a thread of its own, which serves one connection after the other: it answers `GET` with a
/// page, anything else with the same in capitals, and closes after a line that holds `quit`.
final class LoopbackServer: Sendable {
  let port: UInt16
  private let listener: Int32
  private let outcomes = LockedValue<[Outcome]>([])
  private let hasEnded = DispatchSemaphore(value: 0)

  init(_ context: TLSServerContext) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = loopback(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withSocketAddress(&address) { pointer in
      bind(descriptor, pointer, size) == 0 && listen(descriptor, 16) == 0
        && getsockname(descriptor, pointer, &size) == 0
    }
    try #require(code)
    listener = descriptor
    port = UInt16(bigEndian: address.sin_port)
    Thread.detachNewThread { [self] in
      while true {
        let descriptor = accept(listener, nil, nil)
        if descriptor < 0 { break }
        let outcome = Self.serve(context, descriptor)
        close(descriptor)
        outcomes.withLock { $0.append(outcome) }
      }
      close(listener)
      hasEnded.signal()
    }
  }

  /// Ends the server once the connection that it serves is over, and tells what its connections came to. Blocks.
  func finish() -> [Outcome] {
    shutdown(listener, Int32(SHUT_RDWR))
    hasEnded.wait()
    return outcomes.withLock { $0 }
  }

  private static func serve(_ context: TLSServerContext, _ descriptor: Int32) -> Outcome {
    var outcome = Outcome()
    do {
      let session = try TLSSession(accepting: context, descriptor: descriptor)
      let connection = BlockingConnection(session: session, descriptor: descriptor)
      defer { try? connection.flush() }
      try connection.handshake()
      outcome.negotiated = session.negotiated
      outcome.serverName = session.serverName
      outcome.applicationProtocol = session.applicationProtocol
      while true {
        let bytes = try connection.read()
        if bytes.isEmpty {
          outcome.endedCleanly = session.endedCleanly
          break
        }
        outcome.received += bytes
        if outcome.text.hasPrefix("GET ") {
          guard outcome.text.hasSuffix("\r\n\r\n") else { continue }
          try connection.write(
            Array("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n".utf8))
          break
        }
        try connection.write(Array(String(decoding: bytes, as: UTF8.self).uppercased().utf8))
        if outcome.text.contains("quit") { break }
      }
      session.sendCloseNotify()
    } catch {
      outcome.error = error as? TLSError
      if outcome.error == nil { Issue.record(error) }
    }
    return outcome
  }
}

/// A client of one connection.
enum LoopbackClient {
  /// Connects to 127.0.0.1, sends a request and reads until `isEnough` or the end. Waits for the server to come up.
  static func exchange(
    port: UInt16, _ context: TLSClientContext, _ identity: TLSPeerIdentity, serverName: String? = nil, request: String,
    until isEnough: (String) -> Bool
  ) -> Outcome {
    var outcome = Outcome()
    let descriptor = connected(port)
    defer { close(descriptor) }
    do {
      let session = try TLSSession(
        connecting: context, to: identity, serverName: serverName, descriptor: descriptor)
      let connection = BlockingConnection(session: session, descriptor: descriptor)
      try connection.handshake()
      outcome.negotiated = session.negotiated
      outcome.applicationProtocol = session.applicationProtocol
      try connection.write(Array(request.utf8))
      while !isEnough(outcome.text) {
        let bytes = try connection.read()
        if bytes.isEmpty { break }
        outcome.received += bytes
      }
      session.sendCloseNotify()
      outcome.endedCleanly = session.endedCleanly
    } catch {
      outcome.error = error as? TLSError
      if outcome.error == nil { Issue.record(error) }
    }
    return outcome
  }

  private static func connected(_ port: UInt16) -> Int32 {
    var address = loopback(port: port)
    for _ in 0..<1200 {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let size = socklen_t(MemoryLayout<sockaddr_in>.size)
      if withSocketAddress(&address, { connect(descriptor, $0, size) }) == 0 { return descriptor }
      close(descriptor)
      usleep(50_000)
    }
    return -1
  }

  /// The two ends of a TCP connection within this process.
  static func connectedPair() throws -> (Int32, Int32) {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = loopback(port: 0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(
      withSocketAddress(&address) {
        bind(listener, $0, size) == 0 && Glibc.listen(listener, 1) == 0 && getsockname(listener, $0, &size) == 0
          && connect(client, $0, size) == 0
      })
    return (client, accept(listener, nil, nil))
  }
}

private func loopback(port: UInt16) -> sockaddr_in {
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
  return address
}

private func withSocketAddress<R>(
  _ address: inout sockaddr_in, _ body: (UnsafeMutablePointer<sockaddr>) -> R
) -> R {
  withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1, body)
  }
}

/// Blocks or unblocks a signal for this thread.
func setSignalMask(_ how: Int32, _ signal: Int32) {
  var set = sigset_t()
  sigemptyset(&set)
  sigaddset(&set, signal)
  pthread_sigmask(how, &set, nil)
}

/// A program of others.
final class ForeignProgram: @unchecked Sendable {
  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()

  /// Starts a program; what it prints goes to one place.
  init(_ name: String, _ arguments: [String]) throws {
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [name] + arguments
    process.standardInput = input
    process.standardOutput = output
    process.standardError = output
    try process.run()
  }

  /// Gives it all its input and waits until it ends. Blocks.
  func finish(_ text: String = "", closesInput: Bool = true) -> (status: Int32, output: String) {
    let deadline = DispatchWorkItem { [process] in if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
    DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: deadline)
    // It may end without reading its input.
    setSignalMask(SIG_BLOCK, SIGPIPE)
    try? input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    if closesInput { try? input.fileHandleForWriting.close() }
    let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
    process.waitUntilExit()
    deadline.cancel()
    return (process.terminationStatus, String(decoding: bytes, as: UTF8.self))
  }

  /// Ends a server and gives what it has printed.
  @discardableResult
  func stop() -> String {
    // Not SIGTERM, which the threads of Dispatch block, and so what is started from them.
    kill(process.processIdentifier, SIGKILL)
    let bytes = (try? output.fileHandleForReading.readToEnd()) ?? Data()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }
}
