import CGnuTLS
import Cryptography
import Glibc
import Testing

@testable import TLS

@Suite("TLS stream")
struct StreamTests {
  let key = Ed25519.SecretKey()
  let client: TLSClientContext
  let server: TLSServerContext

  init() throws {
    client = try TLSClientContext(TLSClientConfiguration(trust: .rawKeysOnly))
    server = try TLSServerContext(TLSServerConfiguration(rawKey: key))
  }

  private func connection(bufferSize: Int32? = nil, chunk: (() -> Int)? = nil) throws -> Connection {
    try Connection(client, .rawKey(key.publicKey), server, bufferSize: bufferSize, chunk: chunk)
  }

  private func connected(bufferSize: Int32? = nil) throws -> Connection {
    let connection = try connection(bufferSize: bufferSize).connect()
    try #require(connection.client.isConnected && connection.server.isConnected)
    return connection
  }

  /// Bytes without a period that a record or a buffer could have.
  private static func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var random = RandomSource(seed: seed)
    let block = random.bytes(min(count, 4093))
    var bytes: [UInt8] = []
    while bytes.count < count { bytes += block.prefix(count - bytes.count) }
    return bytes
  }

  private func expectAllArrived(_ connection: Connection) {
    #expect(connection.client.error == nil && connection.server.error == nil)
    #expect(connection.client.hasSentAll && connection.server.hasSentAll)
    #expect(connection.server.received == connection.client.outgoing)
    #expect(connection.client.received == connection.server.outgoing)
  }

  @Test("megabytes go both ways at once through sockets that hold little", arguments: [1, 4096, 1 << 17])
  func megabytes(bufferSize: Int32) throws {
    let connection = try connection(bufferSize: bufferSize)
    connection.client.outgoing = Self.noise(2_000_000, seed: 1)
    connection.server.outgoing = Self.noise(3_000_000, seed: 2)
    connection.client.pieceSize = 100_000
    connection.server.pieceSize = 7777
    connection.run()
    expectAllArrived(connection)
  }

  @Test("a handshake and bytes get through a wire that moves one byte at a time")
  func bytewise() throws {
    let connection = try connection(chunk: { 1 })
    connection.client.outgoing = Self.noise(3000)
    connection.server.outgoing = Self.noise(2000)
    connection.run()
    expectAllArrived(connection)
  }

  @Test("records may be cut anywhere", arguments: 1...5)
  func anyCut(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    let connection = try connection(bufferSize: 2048, chunk: { Int.random(in: 1...3000, using: &random) })
    connection.client.outgoing = Self.noise(200_000)
    connection.server.outgoing = Self.noise(200_000)
    connection.client.pieceSize = Int.random(in: 1...40_000, using: &random)
    connection.server.pieceSize = Int.random(in: 100...40_000, using: &random)
    connection.run()
    expectAllArrived(connection)
  }

  @Test("a full socket takes nothing more until what was taken is gone, and reading frees it")
  func backpressure() throws {
    let connection = try connected(bufferSize: 4096)
    let session = connection.server.session
    let bytes = Self.noise(400_000)
    var taken = 0
    while let count = try session.write(Array(bytes[taken...])) {
      #expect(count > 0)
      taken += count
    }
    #expect(taken > 0 && taken < bytes.count)
    #expect(try session.write([1]) == nil)
    #expect(try !session.flush())
    connection.client.step()
    #expect(connection.client.received.count < taken)
    while try !session.flush() { connection.client.step() }
    connection.client.step()
    #expect(connection.client.received == Array(bytes[..<taken]))
    #expect(try session.write([1, 2, 3]) == 3)
    #expect(try session.flush())
    #expect(try session.write([]) == 0)
  }

  @Test("one write is one record, up to 16 kB")
  func records() throws {
    let connection = try connected()
    for (size, records) in [(1, [1]), (16384, [16384]), (40000, [16384, 16384, 7232])] {
      #expect(try connection.client.session.write(Self.noise(size)) == size)
      for record in records {
        #expect(try connection.server.session.readBytes()?.count == record)
      }
      #expect(try connection.server.session.readBytes() == nil)
    }
  }

  @Test("what was decrypted or read ahead is announced although the socket is empty")
  func bufferedInput() throws {
    let connection = try connected()
    #expect(!connection.server.session.hasBufferedInput)
    #expect(try connection.client.session.write(Array("abc".utf8)) == 3)
    #expect(try connection.client.session.write(Array("def".utf8)) == 3)
    #expect(try connection.server.session.readBytes(upTo: 2) == Array("ab".utf8))
    #expect(connection.server.available == 0)
    #expect(connection.server.session.hasBufferedInput)
    #expect(try connection.server.session.readBytes() == Array("c".utf8))
    #expect(connection.server.session.hasBufferedInput)
    #expect(try connection.server.session.readBytes() == Array("def".utf8))
    #expect(!connection.server.session.hasBufferedInput)
    #expect(try connection.server.session.readBytes() == nil)
  }

  @Test("bytes that come together with the end of the handshake are read afterwards")
  func earlyBytes() throws {
    let connection = try connection()
    connection.client.outgoing = Array("hello".utf8)
    connection.client.step()
    connection.server.step()
    // The client finishes the handshake and sends in one go.
    connection.client.step()
    #expect(connection.client.hasSentAll && !connection.server.isConnected)
    #expect(try connection.server.session.handshake() == .done)
    #expect(connection.server.available == 0 && connection.server.session.hasBufferedInput)
    #expect(try connection.server.session.readBytes() == Array("hello".utf8))
  }

  @Test("nothing can be written before the handshake or after close_notify, and that ends nothing")
  func writeAtTheWrongTime() throws {
    let connection = try connection()
    #expect(throws: TLSError.self) { try connection.client.session.write([1]) }
    connection.connect()
    #expect(try connection.client.session.handshake() == .done)
    connection.client.session.sendCloseNotify()
    connection.client.session.sendCloseNotify()
    #expect(throws: TLSError.self) { try connection.client.session.write([1]) }
    connection.server.outgoing = [7]
    connection.run()
    #expect(connection.client.received == [7])
  }

  @Test("close_notify ends one direction cleanly; the other goes on")
  func cleanEnd() throws {
    let connection = try connected()
    connection.client.outgoing = [1, 2, 3]
    connection.run()
    connection.client.session.sendCloseNotify()
    connection.server.outgoing = Self.noise(50_000)
    connection.run()
    #expect(connection.server.received == [1, 2, 3])
    #expect(connection.server.hasEnded && connection.server.session.endedCleanly)
    #expect(connection.client.received == connection.server.outgoing)
    #expect(!connection.client.hasEnded && !connection.client.session.endedCleanly)
    connection.server.session.sendCloseNotify()
    connection.run()
    #expect(connection.client.hasEnded && connection.client.session.endedCleanly)
    #expect(try connection.client.session.readBytes() == [])
  }

  @Test(
    "an end without close_notify is an end, but not a clean one; within a record as well", arguments: [0, 1, 5, 20])
  func prematureEnd(cut: Int) throws {
    let connection = try Connection(client, .rawKey(key.publicKey), server, chunk: { 100_000 }).connect()
    #expect(try connection.client.session.write([1, 2, 3]) == 3)
    connection.run()
    #expect(connection.server.received == [1, 2, 3])
    if cut > 0 {
      // The head of a record that never comes whole.
      #expect(try connection.client.session.write(Self.noise(100)) == 100)
      var bytes = [UInt8](repeating: 0, count: 200)
      #expect(recv(connection.sockets.second, &bytes, bytes.count, 0) > 100)
      connection.inject(Array(bytes[..<cut]))
      connection.server.step()
      #expect(connection.server.error == nil && !connection.server.hasEnded)
    }
    connection.cutWire()
    connection.server.step()
    #expect(connection.server.error == nil)
    #expect(connection.server.hasEnded && !connection.server.session.endedCleanly)
    #expect(try connection.server.session.readBytes() == [])
  }

  @Test("a peer that is gone is an error of the socket, not a signal that ends the process")
  func brokenPipe() throws {
    // The threads of Dispatch block it, so that it could not be seen.
    setSignalMask(SIG_UNBLOCK, SIGPIPE)
    defer { setSignalMask(SIG_BLOCK, SIGPIPE) }
    let connection = try connected()
    // Unread bytes make the system answer with a reset.
    #expect(try connection.client.session.write([1]) == 1)
    connection.sockets.closeSecond()
    let error = #expect(throws: TLSError.self) { try connection.client.session.readBytes() }
    #expect(error?.reason == .socket(ECONNRESET))
    #expect(error?.description.contains("Connection reset by peer") == true)

    let other = try connected()
    other.sockets.closeSecond()
    let broken = try #require(throws: TLSError.self) {
      _ = try other.client.session.write([1])
      _ = try other.client.session.flush()
    }
    #expect(broken.reason == .socket(EPIPE))
    #expect(throws: broken) { try other.client.session.write([1]) }
    #expect(throws: broken) { try other.client.session.readBytes() }
    other.client.session.sendCloseNotify()
  }

  @Test("new keys and other records without data do not hide the data behind them")
  func silentRecords() throws {
    let connection = try connected()
    let session = connection.client.session
    for _ in 0..<3 { #expect(gnutls_session_key_update(session.handle, 0) == 0) }
    for _ in 0..<5 { session.sendEmptyRecord() }
    #expect(try session.write(Array("behind".utf8)) == 6)
    // With edge-triggered events nil would mean that nobody calls again.
    #expect(try connection.server.session.readBytes() == Array("behind".utf8))
    #expect(try connection.server.session.readBytes() == nil)
    #expect(connection.server.available == 0)
  }

  @Test("new keys asked for in the middle of a record neither lose nor repeat a byte")
  func keyUpdateWithinRecord() throws {
    let connection = try connected(bufferSize: 4096)
    let server = connection.server
    server.outgoing = Self.noise(300_000)
    connection.client.reads = false
    connection.run()
    #expect(!server.hasSentAll)
    #expect(try !server.session.flush())
    // The server is in the middle of a record when the client wants new keys.
    #expect(gnutls_session_key_update(connection.client.session.handle, UInt32(GNUTLS_KU_PEER)) == 0)
    connection.client.outgoing = Array("after".utf8)
    connection.client.step()
    #expect(try server.session.readBytes() == Array("after".utf8))
    connection.client.reads = true
    connection.run()
    #expect(server.error == nil && connection.client.error == nil)
    #expect(connection.client.received == server.outgoing)
  }

  @Test("a flood of key updates or of empty records ends the connection")
  func floods() throws {
    let updates = try connected()
    for _ in 0..<20 { #expect(gnutls_session_key_update(updates.client.session.handle, 0) == 0) }
    let error = try #require(throws: TLSError.self) { try updates.server.session.readBytes() }
    #expect(error.code == GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS)
    #expect(throws: error) { try updates.server.session.readBytes() }
    updates.run()
    guard case .alertReceived = updates.client.error?.reason else {
      Issue.record("\(String(describing: updates.client.error))")
      return
    }

    let empty = try connected()
    for _ in 0..<1000 { empty.client.session.sendEmptyRecord() }
    let other = #expect(throws: TLSError.self) { try empty.server.session.readBytes() }
    #expect(other?.code == GNUTLS_E_TOO_MANY_EMPTY_PACKETS)
  }

  @Test("a server that has no tickets to send acknowledges the client's last message at once")
  func acknowledgement() throws {
    var configuration = TLSServerConfiguration(rawKey: key)
    configuration.sessionTickets = false
    let (first, second) = try LoopbackClient.connectedPair()
    defer {
      close(first)
      close(second)
    }
    let client = try TLSSession(connecting: client, to: .rawKey(key.publicKey), descriptor: first)
    let server = try TLSSession(accepting: TLSServerContext(configuration), descriptor: second)
    func delaysAcknowledgements() -> Bool {
      var value: Int32 = 0
      var size = socklen_t(MemoryLayout<Int32>.size)
      #expect(getsockopt(second, Int32(IPPROTO_TCP), TCP_QUICKACK, &value, &size) == 0)
      return value == 0
    }
    var delayedBefore = false
    while true {
      let isClientDone = try client.handshake() == .done
      delayedBefore = delaysAcknowledgements()
      if try server.handshake() == .done, isClientDone { break }
    }
    #expect(delayedBefore, "the system would have delayed them")
    #expect(!delaysAcknowledgements())
  }

  @Test("an idle connection holds no buffers")
  func idleMemory() throws {
    let connection = try connected()
    connection.client.outgoing = Self.noise(100_000)
    connection.server.outgoing = Self.noise(100_000)
    connection.run()
    for end in [connection.client, connection.server] {
      #expect(end.session.transport.heldBytes == 0)
    }
  }
}

extension TLSSession {
  /// A record of no bytes, which GnuTLS sends with padding only.
  func sendEmptyRecord() {
    var nothing: UInt8 = 0
    _ = gnutls_record_send2(handle, &nothing, 0, 8, 0)
  }
}
