import Addresses
import EventLoops
import Glibc
import Testing

/// A connection on which a test sends just the bytes that it wants, and reads what comes.
final class RawConnection {
  let socket: StreamSocket
  /// True once the relay has closed it, or the connection broke.
  private(set) var hasEnded = false

  /// Connects; blocks no thread meanwhile.
  init(_ endpoint: Endpoint) async throws {
    socket = try StreamSocket(connectingTo: endpoint)
    try #require(await isReady(for: POLLOUT), "no connection")
    try #require(socket.connectionError == nil)
  }

  deinit { socket.close() }

  /// True once the socket is ready; false after a minute.
  private func isReady(for events: Int32) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
      var entry = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
      if poll(&entry, 1, 0) > 0 { return true }
      try? await Task.sleep(for: .milliseconds(1))
    }
    return false
  }

  /// Sends all of it, or what the relay takes before it closes.
  func send(_ bytes: [UInt8]) async throws {
    var sent = 0
    while sent < bytes.count, !hasEnded {
      let count: Int?
      do {
        count = try bytes.withUnsafeBytes { try socket.write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
      } catch {
        hasEnded = true
        return
      }
      if let count { sent += count } else { try #require(await isReady(for: POLLOUT), "nobody reads") }
    }
  }

  /// What is there now; empty if nothing is.
  func readAvailable() -> [UInt8] {
    var received: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while !hasEnded {
      do {
        guard let count = try buffer.withUnsafeMutableBytes({ try socket.read(into: $0) }) else { break }
        if count == 0 { hasEnded = true }
        received += buffer.prefix(count)
      } catch {
        hasEnded = true
      }
    }
    return received
  }

  /// The status codes of `count` answers, or of all that come before the relay closes.
  func statuses(_ count: Int) async -> [Int] {
    var received: [UInt8] = []
    var statuses: [Int] = []
    while !hasEnded {
      if !(await isReady(for: POLLIN)) { break }
      received += readAvailable()
      statuses = Self.statuses(in: received)
      if statuses.count >= count { break }
    }
    return statuses
  }

  /// The codes of the status lines in a text; bodies must not hold such lines.
  private static func statuses(in bytes: [UInt8]) -> [Int] {
    let mark = Array("HTTP/1.1 ".utf8)
    return bytes.withUnsafeBytes { bytes in
      var statuses: [Int] = []
      guard let base = bytes.baseAddress else { return statuses }
      var start = 0
      while let found = memchr(base + start, Int32(UInt8(ascii: "H")), bytes.count - start) {
        start = UnsafeRawPointer(found) - base + 1
        let code = start - 1 + mark.count
        guard code + 3 <= bytes.count else { break }
        if memcmp(found, mark, mark.count) == 0 {
          statuses.append(bytes[code..<code + 3].reduce(0) { $0 * 10 + Int($1) - 48 })
        }
      }
      return statuses
    }
  }
}
