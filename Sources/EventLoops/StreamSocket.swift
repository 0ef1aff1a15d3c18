import Addresses
import CLinux
import Glibc

/// One end of a stream connection, TCP or Unix: non-blocking, closed when it is released.
///
/// It knows no event loop. Who owns it watches ``descriptor`` and calls ``read(into:)`` and ``write(_:)`` until they say
/// that they would block.
public final class StreamSocket: @unchecked Sendable {
  /// The descriptor; -1 once closed.
  public private(set) var descriptor: Int32
  /// Where the other end is; nil for Unix sockets.
  public let peer: Endpoint?

  /// Takes over a connected, non-blocking descriptor.
  public init(adopting descriptor: Int32, peer: Endpoint?) {
    self.descriptor = descriptor
    self.peer = peer
  }

  /// Begins to connect. Once the socket is writable, ``connectionError`` tells how it went.
  public init(connectingTo endpoint: Endpoint) throws(SystemError) {
    let descriptor = linux_tcp_connect(endpoint.family == .ipv4 ? AF_INET : AF_INET6, endpoint.system)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "connect to \(endpoint)") }
    self.descriptor = descriptor
    peer = endpoint
  }

  /// Connects to a Unix socket, of at most 107 bytes of path.
  public init(connectingToPath path: String) throws(SystemError) {
    let descriptor = linux_unix_connect(path)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "connect to \(path)") }
    self.descriptor = descriptor
    peer = nil
  }

  deinit { close() }

  /// Closes the descriptor, which must not be watched any more.
  public func close() {
    if descriptor >= 0 { Glibc.close(descriptor) }
    descriptor = -1
  }

  /// Why the connection could not be made or broke; nil if nothing is wrong.
  public var connectionError: SystemError? {
    let code = linux_socket_error(descriptor)
    return code == 0 ? nil : SystemError(code: code, operation: "connect to \(peer.map(String.init) ?? "socket")")
  }

  /// The address and port of this end; nil for Unix sockets.
  public var localEndpoint: Endpoint? {
    var local = linux_endpoint()
    guard peer != nil, linux_socket_local(descriptor, &local) == 0 else { return nil }
    return Endpoint(local)
  }

  /// Reads what is there: the number of bytes, 0 at the end of the stream, nil if it would block.
  public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int? {
    guard let base = buffer.baseAddress else { return nil }
    let count = linux_receive(descriptor, base, buffer.count)
    if count >= 0 { return count }
    if count == -Int(EAGAIN) { return nil }
    throw SystemError(code: Int32(-count), operation: "read")
  }

  /// Writes what there is room for: the number of bytes, nil if it would block.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int? {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return 0 }
    let count = linux_send(descriptor, base, bytes.count)
    if count >= 0 { return count }
    if count == -Int(EAGAIN) { return nil }
    throw SystemError(code: Int32(-count), operation: "write")
  }

  /// Says to the other end that nothing more will be sent.
  public func shutdownWriting() { _ = Glibc.shutdown(descriptor, Int32(SHUT_WR)) }
}
