import Addresses
import CLinux
import Glibc

/// Whom a `UDPSocket` tells what happens. Called on the loop's thread only.
public protocol UDPSocketHandler: AnyObject {
  /// Datagrams arrived. Their bytes are valid during the call only.
  func socket(_ socket: UDPSocket, received datagrams: ReceivedDatagrams)
  /// A datagram could not be sent, or an ICMP error says that it did not arrive. `code` is an error number such as
  /// `EMSGSIZE`, `ENETUNREACH` or `ECONNREFUSED`.
  func socket(_ socket: UDPSocket, couldNotDeliverTo destination: Endpoint, code: Int32)
  /// The loop has been stopped and the socket closed.
  func socketClosed(_ socket: UDPSocket)
}

/// A UDP socket on an event loop: IPv4 or IPv6 (IPv6 only), non-blocking, read and written in batches.
public final class UDPSocket: @unchecked Sendable {
  /// How a socket is made.
  public struct Options: Hashable, Sendable {
    /// Bytes of kernel buffer asked for, each way. The kernel grants at most `net.core.rmem_max` and `wmem_max`.
    public var bufferSize = 1 << 20
    /// Lets several sockets share the port (`SO_REUSEPORT`); the kernel spreads the senders over them.
    public var reusesPort = false
    /// Reports ICMP errors (`IP_RECVERR`) to the handler.
    public var reportsUnreachable = true

    /// The defaults.
    public init() {}
  }

  /// What a socket has done so far.
  public struct Statistics: Hashable, Sendable {
    /// Datagrams received.
    public var received = 0
    /// Datagrams handed to the kernel.
    public var sent = 0
    /// Datagrams that the kernel refused.
    public var refused = 0
    /// Datagrams dropped because too many waited.
    public var dropped = 0
  }

  /// The address and port that the socket is bound to.
  public let localEndpoint: Endpoint
  /// What the socket has done so far. *Loop only.*
  public internal(set) var statistics = Statistics()

  var descriptor: Int32
  var loop: EventLoop?
  var handler: (any UDPSocketHandler)?
  private var watch: Watch?
  var backlog = BacklogQueue()
  private var failures: [(destination: Endpoint, code: Int32)] = []
  /// Batches read before the loop looks after others.
  private static let batchesPerTurn = 4

  /// Binds a socket; port 0 lets the system choose. Nothing is received before `open`.
  public init(boundTo endpoint: Endpoint, options: Options = Options()) throws(SystemError) {
    let descriptor = linux_udp_open(
      linux_udp_options(
        family: endpoint.address.isIPv4 ? AF_INET : AF_INET6,
        buffer_size: Int32(clamping: options.bufferSize), reuse_port: options.reusesPort ? 1 : 0,
        report_unreachable: options.reportsUnreachable ? 1 : 0),
      endpoint.system)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "bind UDP \(endpoint)") }
    self.descriptor = descriptor
    var local = linux_endpoint()
    let code = linux_socket_local(descriptor, &local)
    localEndpoint = Endpoint(local)
    guard code == 0 else {
      Glibc.close(descriptor)
      throw SystemError(code: -code, operation: "getsockname")
    }
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
  }

  /// Begins to receive. Loop, socket and handler hold on to each other until `close`. *Loop only.*
  public func open(on loop: EventLoop, handler: any UDPSocketHandler) throws(SystemError) {
    loop.requireLoop()
    precondition(watch == nil && descriptor >= 0, "a socket is opened once")
    watch = try loop.watch(descriptor, for: .reading, handler: self)
    self.loop = loop
    self.handler = handler
  }

  /// Closes the socket; what waits to be sent is dropped. *Loop only.*
  public func close() {
    if let watch { loop?.unwatch(watch) }
    release()
  }

  private func release() {
    watch = nil
    loop = nil
    handler = nil
    backlog = BacklogQueue()
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// The sizes of the kernel's buffers, in bytes as the kernel counts them (twice what was asked for).
  public var bufferSizes: (receiving: Int, sending: Int) {
    var sizes: (Int32, Int32) = (0, 0)
    _ = linux_socket_option(descriptor, SOL_SOCKET, SO_RCVBUF, &sizes.0)
    _ = linux_socket_option(descriptor, SOL_SOCKET, SO_SNDBUF, &sizes.1)
    return (Int(sizes.0), Int(sizes.1))
  }

  func setWaitsToWrite(_ waits: Bool) {
    guard let watch else { return }
    loop?.update(watch, for: waits ? [.reading, .writing] : .reading)
  }

  /// Takes in the ICMP errors that wait; true if there were any.
  @discardableResult
  func takeUnreachable() -> Bool {
    var destination = linux_endpoint()
    var code: Int32 = 0
    var found = false
    // Bounded, because errors may come as fast as they are read.
    for _ in 0..<DatagramBuffers.capacity {
      guard descriptor >= 0, linux_udp_take_error(descriptor, &destination, &code) == 1 else { break }
      found = true
      failed(Endpoint(destination), code)
    }
    return found
  }

  /// Reports a failure to the handler, but not now: the handler may be in the middle of sending.
  func failed(_ destination: Endpoint, _ code: Int32) {
    guard let loop, failures.count < BacklogQueue.capacity else { return }
    failures.append((destination, code))
    if failures.count == 1 { loop.execute { self.reportFailures() } }
  }

  private func reportFailures() {
    let reported = failures
    failures = []
    for (destination, code) in reported { handler?.socket(self, couldNotDeliverTo: destination, code: code) }
  }
}

extension UDPSocket: DescriptorHandler {
  /// Reads and writes what can be read and written.
  public func descriptorReady(_ readiness: Readiness) {
    if readiness.contains(.failed) { takeUnreachable() }
    if readiness.contains(.writing) { sendBacklog() }
    // Also after a failure: reading takes the error off the socket, or epoll would report it for ever.
    if !readiness.isDisjoint(with: [.reading, .failed, .hungUp]) { receive() }
  }

  /// Closes the socket and tells the handler.
  public func eventLoopStopped() {
    let handler = handler
    release()
    handler?.socketClosed(self)
  }

  private func receive() {
    guard let received = loop?.datagramBuffers.received else { return }
    var errors = 0
    var batches = 0
    // The handler may close the socket.
    while descriptor >= 0, batches < Self.batchesPerTurn {
      let code = received.fill(from: descriptor)
      if code == -EAGAIN { return }
      if code < 0 {
        // An ICMP error that arrived in between (ECONNREFUSED and such) comes instead of data, once. A signal may
        // interrupt as well. Neither is a reason to stop.
        takeUnreachable()
        errors += 1
        if errors > DatagramBuffers.capacity { return }
        continue
      }
      batches += 1
      statistics.received += received.count
      handler?.socket(self, received: received)
      if received.count < DatagramBuffers.capacity { return }
    }
  }
}
