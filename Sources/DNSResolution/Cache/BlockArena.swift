/// Memory for byte strings in chains of equal blocks: nothing to compact, nothing fragments, and the sum is known.
///
/// Grows by a segment at a time as it is needed; a block that was freed is used again.
final class BlockArena {
  /// Bytes of a block.
  static let blockSize = 128
  private static let blocksPerSegment = 512

  private var segments: [UnsafeMutableRawPointer] = []
  /// The block after each block; -1 at the end of a chain.
  private var next: [Int32] = []
  private var firstFree: Int32 = -1
  /// Number of blocks in use.
  private(set) var used = 0

  deinit { for segment in segments { segment.deallocate() } }

  /// Blocks that a string of so many bytes takes.
  static func blocks(for byteCount: Int) -> Int { max(1, (byteCount + blockSize - 1) / blockSize) }

  @inline(__always)
  private func address(of block: Int32) -> UnsafeMutableRawPointer {
    segments[Int(block) / Self.blocksPerSegment] + Int(block) % Self.blocksPerSegment &* Self.blockSize
  }

  private func takeBlock() -> Int32 {
    if firstFree < 0 {
      segments.append(.allocate(byteCount: Self.blocksPerSegment * Self.blockSize, alignment: 64))
      let first = Int32(next.count)
      for block in first..<(first + Int32(Self.blocksPerSegment)) { next.append(block + 1) }
      next[next.count - 1] = -1
      firstFree = first
    }
    let block = firstFree
    firstFree = next[Int(block)]
    next[Int(block)] = -1
    used += 1
    return block
  }

  /// Copies bytes into a new chain and returns its first block.
  func store(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    let first = takeBlock()
    var block = first
    var offset = 0
    while true {
      let count = min(Self.blockSize, bytes.count - offset)
      if count > 0 { address(of: block).copyMemory(from: bytes.baseAddress! + offset, byteCount: count) }
      offset += count
      if offset >= bytes.count { return first }
      let following = takeBlock()
      next[Int(block)] = following
      block = following
    }
  }

  /// Copies the first `count` bytes of a chain to `target`, which has room for them.
  @inline(__always)
  func copy(_ first: Int32, count: Int, to target: UnsafeMutableRawPointer) {
    var block = first
    var offset = 0
    while offset < count, block >= 0 {
      (target + offset).copyMemory(from: address(of: block), byteCount: min(Self.blockSize, count &- offset))
      offset &+= Self.blockSize
      block = next[Int(block)]
    }
  }

  /// True if the chain holds `bytes` from `start` on.
  @inline(__always)
  func holds(_ bytes: UnsafeRawBufferPointer, in first: Int32, at start: Int) -> Bool {
    var block = first
    var offset = 0
    var within = start
    while offset < bytes.count {
      guard block >= 0 else { return false }
      let count = min(Self.blockSize &- within, bytes.count &- offset)
      if Self.differ(address(of: block) + within, bytes.baseAddress! + offset, count) { return false }
      offset &+= count
      within = 0
      block = next[Int(block)]
    }
    return true
  }

  @inline(__always)
  private static func differ(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    var index = 0
    while index &+ 8 <= count {
      if left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        != right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      {
        return true
      }
      index &+= 8
    }
    while index < count {
      if left.load(fromByteOffset: index, as: UInt8.self) != right.load(fromByteOffset: index, as: UInt8.self) {
        return true
      }
      index &+= 1
    }
    return false
  }

  /// Gives a chain back.
  func free(_ first: Int32) {
    var block = first
    while block >= 0 {
      let following = next[Int(block)]
      next[Int(block)] = firstFree
      firstFree = block
      used -= 1
      block = following
    }
  }
}
