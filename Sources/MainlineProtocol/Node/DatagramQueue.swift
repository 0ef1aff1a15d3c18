import Addresses
import WireFormat

/// Datagrams that a node wants sent, one behind the other in one piece of memory.
///
/// The node appends, the shell sends and empties. The memory is kept, so in service nothing is allocated here.
public struct DatagramQueue: ~Copyable {
  private struct Entry {
    let endpoint: Endpoint
    let offset: Int
    let length: Int
  }

  private var memory: UnsafeMutableRawBufferPointer
  private var used = 0
  private var entries: [Entry] = []

  /// No datagram that leaves a node is longer: one unfragmented packet, also over IPv6 (1500 − 40 − 8).
  public static let maximumDatagramSize = 1452
  /// The queue never holds more; what would come on top is dropped and counted by the node.
  public static let maximumCount = 4096

  /// Empty; memory is taken with the first datagram.
  public init() { memory = UnsafeMutableRawBufferPointer(start: nil, count: 0) }

  deinit { memory.deallocate() }

  /// Number of datagrams.
  public var count: Int { entries.count }

  /// True if there is nothing to send.
  public var isEmpty: Bool { entries.isEmpty }

  /// Where datagram `index` goes.
  public func endpoint(at index: Int) -> Endpoint { entries[index].endpoint }

  /// The bytes of datagram `index`, valid until the queue changes.
  public func bytes(at index: Int) -> UnsafeRawBufferPointer {
    let entry = entries[index]
    return UnsafeRawBufferPointer(rebasing: memory[entry.offset..<entry.offset + entry.length])
  }

  /// Empties the queue and keeps its memory.
  public mutating func removeAll() {
    entries.removeAll(keepingCapacity: true)
    used = 0
  }

  /// Takes the last datagram back.
  mutating func removeLast() { used = entries.removeLast().offset }

  /// Begins a datagram: the writer is good until the queue is used again.
  @inline(__always)
  mutating func begin() -> WireWriter {
    if memory.count - used < Self.maximumDatagramSize { grow() }
    return WireWriter(UnsafeMutableRawBufferPointer(rebasing: memory[used..<used + Self.maximumDatagramSize]))
  }

  /// Appends what was written. False, and nothing is appended, if that did not fit one datagram or the queue is full.
  @inline(__always)
  mutating func end(_ writer: consuming WireWriter, to endpoint: Endpoint) -> Bool {
    guard !writer.overflowed, entries.count < Self.maximumCount else { return false }
    entries.append(Entry(endpoint: endpoint, offset: used, length: writer.count))
    used += writer.count
    return true
  }

  private mutating func grow() {
    let size = max(16 * Self.maximumDatagramSize, memory.count * 2)
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
    if used > 0 { larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<used])) }
    memory.deallocate()
    memory = larger
  }
}
