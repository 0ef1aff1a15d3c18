import Addresses
import CLinux

/// The buffers for batches of datagrams. One set serves all sockets of a loop, because a batch is dealt with before the
/// next is read or written.
final class DatagramBuffers {
  /// Datagrams per system call.
  static let capacity = 64

  let received: ReceivedDatagrams
  let outgoing: UnsafeMutablePointer<linux_send_batch>

  init() {
    received = ReceivedDatagrams(capacity: Self.capacity)
    guard let outgoing = linux_send_batch_create(Int32(Self.capacity)) else { fatalError("out of memory") }
    self.outgoing = outgoing
  }

  deinit { linux_send_batch_destroy(outgoing) }
}

/// A batch of datagrams as the kernel delivered them. Its bytes are valid only during the call that hands it over, on the
/// thread of that call. (Sendable in name, so that a handler can take it into an actor that lives on the same loop.)
public final class ReceivedDatagrams: @unchecked Sendable {
  /// Bytes kept of a datagram; what is longer arrives truncated.
  public static let maximumSize = 2048

  /// Number of datagrams.
  public private(set) var count = 0
  private let batch: UnsafeMutablePointer<linux_receive_batch>

  init(capacity: Int) {
    guard let batch = linux_receive_batch_create(Int32(capacity), Int32(Self.maximumSize)) else {
      fatalError("out of memory")
    }
    self.batch = batch
  }

  deinit { linux_receive_batch_destroy(batch) }

  /// Reads what waits at a socket: 0, or -errno if there is nothing to read.
  func fill(from descriptor: Int32) -> Int32 {
    let result = linux_receive_batch_fill(batch, descriptor)
    count = max(0, Int(result))
    return min(result, 0)
  }

  /// Calls `body` with each datagram: its bytes, its sender, and whether it was longer than `maximumSize`, so that only
  /// its beginning is here.
  public func forEach(_ body: (_ bytes: RawSpan, _ sender: Endpoint, _ isTruncated: Bool) -> Void) {
    for index in 0..<count {
      let start = batch.pointee.bytes + index * Self.maximumSize
      let length = min(Int(linux_receive_batch_length(batch, Int32(index))), Self.maximumSize)
      let bytes = RawSpan(_unsafeStart: UnsafeRawPointer(start), byteCount: length)
      let sender = Endpoint(linux_receive_batch_sender(batch, Int32(index)))
      body(bytes, sender, linux_receive_batch_is_truncated(batch, Int32(index)) != 0)
    }
  }
}

/// A datagram to send. The bytes must stay where they are while the call that takes it runs.
public struct OutgoingDatagram {
  /// The payload.
  public var bytes: UnsafeRawBufferPointer
  /// Where it goes.
  public var destination: Endpoint
  /// True if it goes first when the kernel takes no more and too many wait.
  public var isExpendable: Bool

  /// Joins bytes and destination.
  public init(bytes: UnsafeRawBufferPointer, destination: Endpoint, isExpendable: Bool = false) {
    self.bytes = bytes
    self.destination = destination
    self.isExpendable = isExpendable
  }
}

extension Endpoint {
  init(_ endpoint: linux_endpoint) {
    self.init(IPAddress(high: endpoint.high, low: endpoint.low), port: endpoint.port)
  }

  var system: linux_endpoint { linux_endpoint(high: address.high, low: address.low, port: port) }
}
