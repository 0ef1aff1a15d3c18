import Addresses

/// Datagrams on their way, in buffers that are used again.
struct DatagramPool: ~Copyable {
  struct Header {
    var sender: Endpoint
    var receiver: Endpoint
    var count: Int
  }

  private static let bufferSize = 2048
  private static let buffersPerSlab = 64

  private var slabs: [UnsafeMutableRawPointer] = []
  private var headers: [Header] = []
  private var free: [UInt32] = []

  deinit { for slab in slabs { slab.deallocate() } }

  /// Copies a datagram, at most 2048 bytes of it.
  mutating func insert(_ bytes: UnsafeRawBufferPointer, from sender: Endpoint, to receiver: Endpoint) -> UInt32 {
    if free.isEmpty { grow() }
    let index = free.removeLast()
    let count = min(bytes.count, Self.bufferSize)
    headers[Int(index)] = Header(sender: sender, receiver: receiver, count: count)
    self[index].copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    return index
  }

  /// The bytes of a datagram, valid until it is removed.
  subscript(index: UInt32) -> UnsafeMutableRawBufferPointer {
    let slab = slabs[Int(index) / Self.buffersPerSlab]
    return UnsafeMutableRawBufferPointer(
      start: slab + Int(index) % Self.buffersPerSlab * Self.bufferSize, count: headers[Int(index)].count)
  }

  func header(_ index: UInt32) -> Header { headers[Int(index)] }

  mutating func remove(_ index: UInt32) { free.append(index) }

  private mutating func grow() {
    let first = headers.count
    slabs.append(.allocate(byteCount: Self.buffersPerSlab * Self.bufferSize, alignment: 16))
    let empty = Header(sender: Endpoint(.anyV4, port: 0), receiver: Endpoint(.anyV4, port: 0), count: Self.bufferSize)
    headers.append(contentsOf: repeatElement(empty, count: Self.buffersPerSlab))
    free.append(contentsOf: (first..<first + Self.buffersPerSlab).reversed().map(UInt32.init))
  }
}
