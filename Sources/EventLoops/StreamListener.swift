import Addresses
import CLinux
import Glibc

/// A socket that others connect to, TCP or Unix, on an event loop.
///
/// When the process or the machine runs out of descriptors it stops accepting for a moment instead of spinning; who
/// waits to be accepted keeps waiting.
public final class StreamListener: DescriptorHandler, @unchecked Sendable {
  /// Where it listens; nil for a Unix socket.
  public let localEndpoint: Endpoint?
  /// The path of the Unix socket; nil for TCP.
  public let path: String?
  /// Times that no descriptor was to be had. *Loop only.*
  public private(set) var shortages = 0

  private var descriptor: Int32
  private var loop: EventLoop?
  private var watch: Watch?
  private var accept: ((StreamSocket) -> Void)?
  private var isPaused = false
  private let ownsPath: Bool

  private static let acceptsPerTurn = 64
  private static let backOff = Duration.milliseconds(100)
  /// Connections that wait to be accepted; the kernel caps it at `net.core.somaxconn`.
  private static let backlog: Int32 = 4096

  private init(descriptor: Int32, localEndpoint: Endpoint?, path: String?, ownsPath: Bool) {
    self.descriptor = descriptor
    self.localEndpoint = localEndpoint
    self.path = path
    self.ownsPath = ownsPath
  }

  /// Listens on an address; port 0 lets the system choose.
  ///
  /// `reusesPort` lets several listeners share the port (`SO_REUSEPORT`); the kernel spreads the connections over them.
  public convenience init(boundTo endpoint: Endpoint, reusesPort: Bool = false) throws(SystemError) {
    let options = linux_tcp_options(
      family: endpoint.family == .ipv4 ? AF_INET : AF_INET6, reuse_port: reusesPort ? 1 : 0, backlog: Self.backlog)
    let descriptor = linux_tcp_listen(options, endpoint.system)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "listen on TCP \(endpoint)") }
    var local = linux_endpoint()
    _ = linux_socket_local(descriptor, &local)
    self.init(descriptor: descriptor, localEndpoint: Endpoint(local), path: nil, ownsPath: false)
  }

  /// Listens on a Unix socket, which is made with mode `mode` and removed again by ``close()``.
  ///
  /// A socket of that name on which nobody listens any more is replaced. Throws `EADDRINUSE` if somebody does, or if the
  /// path is something else.
  public convenience init(path: String, mode: mode_t = 0o660) throws(SystemError) {
    try Self.removeStaleSocket(path)
    let before = umask(0o777 & ~mode)
    let descriptor = linux_unix_listen(path, Self.backlog)
    umask(before)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "listen on \(path)") }
    self.init(descriptor: descriptor, localEndpoint: nil, path: path, ownsPath: true)
  }

  /// Takes over a listening stream socket that came from elsewhere, such as systemd.
  public convenience init(adopting descriptor: Int32) throws(SystemError) {
    let family = linux_socket_family(descriptor)
    guard family >= 0, linux_socket_is_listening(descriptor) != 0 else {
      throw SystemError(code: family < 0 ? -family : ENOTSUP, operation: "listen on descriptor \(descriptor)")
    }
    let code = linux_set_nonblocking(descriptor)
    guard code == 0 else { throw SystemError(code: -code, operation: "listen on descriptor \(descriptor)") }
    var local: linux_endpoint?
    if family == AF_INET || family == AF_INET6 {
      var endpoint = linux_endpoint()
      _ = linux_socket_local(descriptor, &endpoint)
      local = endpoint
    }
    self.init(descriptor: descriptor, localEndpoint: local.map(Endpoint.init), path: nil, ownsPath: false)
  }

  deinit { release() }

  private static func removeStaleSocket(_ path: String) throws(SystemError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemError(code: EADDRINUSE, operation: "listen on \(path), which is not a socket")
    }
    if (try? StreamSocket(connectingToPath: path)) != nil {
      throw SystemError(code: EADDRINUSE, operation: "listen on \(path)")
    }
    unlink(path)
  }

  /// Begins to accept: calls `accept` with each connection. Loop and listener hold on to each other until ``close()``.
  /// *Loop only.*
  public func open(on loop: EventLoop, accept: @escaping (StreamSocket) -> Void) throws(SystemError) {
    loop.requireLoop()
    precondition(self.loop == nil && descriptor >= 0, "a listener is opened once")
    watch = try loop.watch(descriptor, for: .reading, handler: self)
    self.loop = loop
    self.accept = accept
  }

  /// Stops listening. Connections that were not accepted yet are refused. *Loop only.*
  public func close() {
    if let watch { loop?.unwatch(watch) }
    release()
  }

  private func release() {
    watch = nil
    loop = nil
    accept = nil
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
    if ownsPath, let path { unlink(path) }
  }

  /// Tells the listener that connections are waiting.
  public func descriptorReady(_ readiness: Readiness) {
    for _ in 0..<Self.acceptsPerTurn {
      guard descriptor >= 0, !isPaused else { return }
      var peer = linux_endpoint()
      let accepted = linux_accept(descriptor, &peer)
      switch -accepted {
      case EAGAIN: return
      case EMFILE, ENFILE, ENOBUFS, ENOMEM:
        shortages += 1
        return pause()
      // The client has gone before it was its turn, or the network says why it will not come (accept(2)).
      case 1...: continue
      default: accept?(StreamSocket(adopting: accepted, peer: localEndpoint == nil ? nil : Endpoint(peer)))
      }
    }
  }

  /// The loop has ended.
  public func eventLoopStopped() { release() }

  private func pause() {
    guard let loop, let watch else { return }
    isPaused = true
    loop.update(watch, for: [])
    loop.schedule(after: Self.backOff) { [weak self] in self?.resume() }
  }

  private func resume() {
    isPaused = false
    if let loop, let watch { loop.update(watch, for: .reading) }
  }
}
