import Addresses
import CLinux
import Glibc

/// Whom a ``DatagramServer`` asks for answers. Called on the loop's thread only.
public protocol DatagramResponder: AnyObject {
  /// A query arrived. Writes the reply into `reply` and returns its length, or 0: then there is none, or it follows later
  /// through ``DatagramServer/send(_:along:)``.
  ///
  /// `isTruncated`: the query was longer than ``DatagramServer/maximumQuerySize`` and only its beginning is here.
  func respond(
    to query: RawSpan, isTruncated: Bool, along path: DatagramPath, into reply: UnsafeMutableRawBufferPointer
  ) -> Int
  /// All queries that came together have been handed over, and their replies sent.
  func batchEnded()
  /// The loop has been stopped and the socket closed.
  func datagramServerClosed(_ server: DatagramServer)
}

/// The way back of a reply: to the client, from the address of this machine that it had asked.
public struct DatagramPath: Sendable {
  /// Who asked.
  public let client: Endpoint
  let local: linux_local

  /// The address of this machine that was asked; nil if the socket is bound to one anyway.
  public var localAddress: IPAddress? {
    local.is_known != 0 ? IPAddress(high: local.address.high, low: local.address.low) : nil
  }
}

/// A UDP socket that answers queries in batches: reads up to 64 at a time, hands out each with room for its reply, and sends
/// all replies together, those of equal length to one client as one message that the kernel cuts. Replies leave from the
/// address that was asked, also if the socket is bound to all of them.
///
/// What the kernel does not take at once is dropped: a client that hears nothing asks again.
public final class DatagramServer: @unchecked Sendable {
  /// Bytes kept of a query.
  public static let maximumQuerySize = 2048
  /// Room for a reply, in bytes.
  public static let maximumReplySize = 4096

  /// What a server has done so far.
  public struct Statistics: Hashable, Sendable {
    /// Queries received.
    public var received: UInt64 = 0
    /// Replies handed to the kernel.
    public var sent: UInt64 = 0
    /// Replies that the kernel did not take.
    public var dropped: UInt64 = 0

    /// Nothing yet.
    public init() {}
  }

  /// The address and port that the socket is bound to.
  public let localEndpoint: Endpoint
  /// What the server has done so far. *Loop only.*
  public private(set) var statistics = Statistics()

  private var descriptor: Int32
  private let family: Int32
  private let batch: UnsafeMutablePointer<linux_reply_batch>
  private var loop: EventLoop?
  private var watch: Watch?
  private var responder: (any DatagramResponder)?

  private static let capacity = 64
  /// Batches read before the loop looks after others.
  private static let batchesPerTurn = 8

  /// Binds a socket; port 0 lets the system choose. `reusesPort` lets several share the port (`SO_REUSEPORT`).
  public convenience init(boundTo endpoint: Endpoint, reusesPort: Bool = false) throws(SystemError) {
    let family = endpoint.address.isIPv4 ? AF_INET : AF_INET6
    let descriptor = linux_udp_open(
      linux_udp_options(family: family, buffer_size: 4 << 20, reuse_port: reusesPort ? 1 : 0, report_unreachable: 0),
      endpoint.system)
    guard descriptor >= 0 else { throw SystemError(code: -descriptor, operation: "bind UDP \(endpoint)") }
    try self.init(owning: descriptor, family: family)
  }

  /// Takes over a bound UDP socket that came from elsewhere, such as systemd.
  public convenience init(adopting descriptor: Int32) throws(SystemError) {
    let family = linux_socket_family(descriptor)
    guard family == AF_INET || family == AF_INET6, linux_socket_is_datagram(descriptor) == 1 else {
      throw SystemError(code: family < 0 ? -family : ENOTSUP, operation: "receive on descriptor \(descriptor)")
    }
    let code = linux_set_nonblocking(descriptor)
    guard code == 0 else { throw SystemError(code: -code, operation: "receive on descriptor \(descriptor)") }
    try self.init(owning: descriptor, family: family)
  }

  private init(owning descriptor: Int32, family: Int32) throws(SystemError) {
    var local = linux_endpoint()
    let code = linux_socket_local(descriptor, &local)
    guard code == 0 else {
      Glibc.close(descriptor)
      throw SystemError(code: -code, operation: "getsockname")
    }
    localEndpoint = Endpoint(local)
    if localEndpoint.address.isUnspecified { _ = linux_udp_report_local(descriptor, family) }
    guard
      let batch = linux_reply_batch_create(
        descriptor, Int32(Self.capacity), Int32(Self.maximumQuerySize), Int32(Self.maximumReplySize))
    else { fatalError("out of memory") }
    self.batch = batch
    self.descriptor = descriptor
    self.family = family
  }

  deinit {
    if descriptor >= 0 { Glibc.close(descriptor) }
    linux_reply_batch_destroy(batch)
  }

  /// Begins to receive. Loop, server and responder hold on to each other until ``close()``. *Loop only.*
  public func open(on loop: EventLoop, responder: any DatagramResponder) throws(SystemError) {
    loop.requireLoop()
    precondition(watch == nil && descriptor >= 0, "a server is opened once")
    watch = try loop.watch(descriptor, for: .reading, handler: self)
    self.loop = loop
    self.responder = responder
  }

  /// Closes the socket. *Loop only.*
  public func close() {
    if let watch { loop?.unwatch(watch) }
    release()
  }

  private func release() {
    watch = nil
    loop = nil
    responder = nil
    guard descriptor >= 0 else { return }
    Glibc.close(descriptor)
    descriptor = -1
  }

  /// Sends a reply that was not ready at once; nothing happens once the server is closed. *Loop only.*
  public func send(_ reply: UnsafeRawBufferPointer, along path: DatagramPath) {
    guard descriptor >= 0, let base = reply.baseAddress else { return }
    if linux_udp_reply(descriptor, family, base, reply.count, path.client.system, path.local) == 0 {
      statistics.sent += 1
    } else {
      statistics.dropped += 1
    }
  }
}

extension DatagramServer: DescriptorHandler {
  /// Answers what waits.
  public func descriptorReady(_ readiness: Readiness) {
    var errors = 0
    var batches = 0
    // The responder may close the server.
    while descriptor >= 0, batches < Self.batchesPerTurn {
      let count = linux_reply_batch_fill(batch, descriptor)
      if count == -EAGAIN { return }
      if count < 0 {
        // A signal, or an ICMP error that came instead of data, once. Neither is a reason to stop.
        errors += 1
        if errors > Self.capacity { return }
        continue
      }
      batches += 1
      answer(Int(count))
      // Where several came together more have come meanwhile, most likely. A single one says that nothing is going on.
      if count == 1 { return }
    }
  }

  /// Closes the socket and tells the responder.
  public func eventLoopStopped() {
    let responder = responder
    release()
    responder?.datagramServerClosed(self)
  }

  private func answer(_ count: Int) {
    guard let responder else { return }
    statistics.received += UInt64(count)
    for index in 0..<count {
      let slot = Int32(index)
      let length = min(Int(linux_reply_batch_length(batch, slot)), Self.maximumQuerySize)
      let query = RawSpan(
        _unsafeStart: UnsafeRawPointer(batch.pointee.queries + index * Self.maximumQuerySize), byteCount: length)
      let room = UnsafeMutableRawBufferPointer(
        start: batch.pointee.replies + index * Self.maximumReplySize, count: Self.maximumReplySize)
      let path = DatagramPath(
        client: Endpoint(linux_reply_batch_sender(batch, slot)), local: linux_reply_batch_local(batch, slot))
      let written = responder.respond(
        to: query, isTruncated: linux_reply_batch_is_truncated(batch, slot) != 0, along: path, into: room)
      if written > 0 { linux_reply_batch_add(batch, slot, min(written, Self.maximumReplySize)) }
    }
    transmit()
    responder.batchEnded()
  }

  private func transmit() {
    linux_reply_batch_seal(batch, family)
    defer { batch.pointee.message_count = 0 }
    var message: Int32 = 0
    while message < batch.pointee.message_count, descriptor >= 0 {
      let result = linux_reply_batch_send(batch, descriptor, message)
      if result == -EINTR { continue }
      if result > 0 {
        for sent in message..<message + result { statistics.sent += UInt64(linux_reply_batch_replies(batch, sent)) }
        message += result
        continue
      }
      // Full, or a destination that cannot be reached: this one is lost, the others are tried.
      let replies = linux_reply_batch_replies(batch, message)
      let sent = result == -EAGAIN || replies == 1 ? 0 : sendSingly(message, after: -result)
      statistics.sent += UInt64(sent)
      statistics.dropped += UInt64(replies - sent)
      message += 1
    }
  }

  /// Sends the replies of a message that the kernel would not cut; how many it took. A link may be too narrow, which holds for
  /// this client only, or its device unable (`EIO`, udp(7)), which holds for all.
  private func sendSingly(_ message: Int32, after code: Int32) -> Int32 {
    if code == EIO { batch.pointee.joins_replies = 0 }
    return linux_reply_batch_send_singly(batch, descriptor, message)
  }
}
