import Glibc
import Testing

@testable import TLS

/// One end of a connection in a test: a session, what it is to say, and what it has heard.
final class TestEnd {
  let session: TLSSession
  let descriptor: Int32
  var outgoing: [UInt8] = []
  private(set) var sent = 0
  private(set) var received: [UInt8] = []
  private(set) var isConnected = false
  private(set) var hasEnded = false
  private(set) var error: TLSError?
  /// Pieces in which bytes are offered and taken.
  var pieceSize = 65536
  var reads = true

  init(_ session: TLSSession, _ descriptor: Int32) {
    self.session = session
    self.descriptor = descriptor
  }

  var hasSentAll: Bool { sent == outgoing.count }

  /// Goes on as far as it can; true if anything moved.
  @discardableResult
  func step() -> Bool {
    guard error == nil else { return (try? session.flush()) == nil }
    do {
      if !isConnected {
        guard try session.handshake() == .done else { return false }
        isConnected = true
      }
      let wrote = try write()
      return try reads && read() || wrote
    } catch {
      self.error = error as? TLSError
      if self.error == nil { Issue.record(error) }
      return true
    }
  }

  private func write() throws -> Bool {
    var moved = false
    while !hasSentAll {
      let end = min(outgoing.count, sent + pieceSize)
      let count = try outgoing[sent..<end].withUnsafeBytes { bytes in try session.write(bytes) }
      guard let count else { break }
      #expect(count > 0 && count <= end - sent)
      sent += count
      moved = true
    }
    _ = try session.flush()
    return moved
  }

  private func read() throws -> Bool {
    var moved = false
    while !hasEnded {
      guard let bytes = try session.readBytes(upTo: pieceSize) else {
        // What edge-triggered epoll relies on.
        #expect(available == 0, "the socket has bytes that were left unread")
        #expect(!session.hasBufferedInput)
        break
      }
      hasEnded = bytes.isEmpty
      received += bytes
      moved = true
    }
    return moved
  }

  /// Bytes that the socket has to read.
  var available: Int32 {
    var count: Int32 = 0
    return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? count : -1
  }
}

extension TLSSession {
  /// As `read`, in an array.
  func readBytes(upTo count: Int = 65536) throws(TLSError) -> [UInt8]? {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
    defer { buffer.deallocate() }
    return try read(into: buffer).map { [UInt8](buffer[..<$0]) }
  }

  /// As `write`.
  func write(_ bytes: [UInt8]) throws -> Int? {
    try bytes.withUnsafeBytes { bytes in try write(bytes) }
  }
}

/// Two sockets of the system that are connected with each other.
final class SocketPair {
  private(set) var first: Int32
  private(set) var second: Int32

  /// - Parameter bufferSize: what the system holds in each direction, about; nil: its own choice.
  init(bufferSize: Int32? = nil) throws {
    var pair: [Int32] = [-1, -1]
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &pair) == 0)
    (first, second) = (pair[0], pair[1])
    if var size = bufferSize {
      for descriptor in pair {
        for option in [SO_SNDBUF, SO_RCVBUF] {
          setsockopt(descriptor, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
        }
      }
    }
  }

  deinit {
    closeFirst()
    closeSecond()
  }

  func closeFirst() {
    if first >= 0 { close(first) }
    first = -1
  }

  func closeSecond() {
    if second >= 0 { close(second) }
    second = -1
  }
}

/// A client and a server of one process that talk with each other.
final class Connection {
  let client: TestEnd
  let server: TestEnd
  let sockets: SocketPair
  /// With a wire in between: the middle of it, and how many bytes it moves at a time.
  private let wire: (sockets: SocketPair, chunk: () -> Int)?
  /// What went over the wire.
  private(set) var fromClient: [UInt8] = []
  private(set) var fromServer: [UInt8] = []

  /// - Parameter chunk: puts a wire in between that moves so many bytes each way in a round.
  init(
    _ clientContext: TLSClientContext, _ identity: TLSPeerIdentity, serverName: String? = nil,
    _ serverContext: TLSServerContext, bufferSize: Int32? = nil, chunk: (() -> Int)? = nil
  ) throws {
    sockets = try SocketPair(bufferSize: bufferSize)
    wire = try chunk.map { (try SocketPair(bufferSize: bufferSize), $0) }
    let clientSocket = sockets.first
    let serverSocket = wire.map(\.sockets.second) ?? sockets.second
    client = TestEnd(
      try TLSSession(connecting: clientContext, to: identity, serverName: serverName, descriptor: clientSocket),
      clientSocket)
    server = TestEnd(try TLSSession(accepting: serverContext, descriptor: serverSocket), serverSocket)
  }

  /// Lets both go on until nothing moves any more.
  func run(_ isDone: () -> Bool = { false }) {
    var idle = 0
    while idle < 3, !isDone() {
      let moved = [client.step(), server.step(), moveWire()]
      idle = moved.contains(true) ? 0 : idle + 1
    }
  }

  /// Shakes hands.
  @discardableResult
  func connect() -> Self {
    run { client.isConnected && server.isConnected }
    return self
  }

  /// Sends the server bytes that the client has not sent.
  func inject(_ bytes: [UInt8]) {
    guard let wire else { return }
    #expect(send(wire.sockets.first, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
  }

  /// Ends the server's connection without a word.
  func cutWire() { wire?.sockets.closeFirst() }

  private func moveWire() -> Bool {
    guard let wire else { return false }
    let up = Self.move(from: sockets.second, to: wire.sockets.first, wire.chunk())
    fromClient += up
    let down = Self.move(from: wire.sockets.first, to: sockets.second, wire.chunk())
    fromServer += down
    return !up.isEmpty || !down.isEmpty
  }

  private static func move(from: Int32, to: Int32, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let seen = recv(from, &bytes, count, Int32(MSG_PEEK))
    guard seen > 0 else { return [] }
    let taken = send(to, bytes, seen, Int32(MSG_NOSIGNAL))
    guard taken > 0 else { return [] }
    return Array(bytes[..<recv(from, &bytes, taken, 0)])
  }
}
