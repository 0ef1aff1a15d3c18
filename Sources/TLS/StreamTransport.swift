import EventLoops

/// The bytes of a connection, encrypted or not: one place where that makes a difference.
public final class StreamTransport {
  /// The socket below.
  public let socket: StreamSocket
  /// The encryption; nil without.
  public let session: TLSSession?

  /// Joins a socket and, if it is to be encrypted, a session on its descriptor.
  public init(_ socket: StreamSocket, _ session: TLSSession?) {
    self.socket = socket
    self.session = session
  }

  /// Reads what is there: the number of bytes, 0 at the end, nil if it would block. Throws when the connection broke.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int? {
    if let session { return try session.read(into: buffer) }
    return try socket.read(into: buffer)
  }

  /// Writes what there is room for: the number of bytes, nil if it would block. Throws when the connection broke.
  public func write(_ bytes: UnsafeRawBufferPointer) throws -> Int? {
    if let session { return try session.write(bytes) }
    return try socket.write(bytes)
  }

  /// True when nothing that was written waits inside for the socket.
  public func flush() throws -> Bool { try session?.flush() ?? true }

  /// True if less than was asked for means that nothing is left to read.
  public var shortReadMeansEmpty: Bool { session == nil }

  /// Says to the other end that nothing more will be sent.
  public func endWriting() {
    session?.sendCloseNotify()
    socket.shutdownWriting()
  }
}
