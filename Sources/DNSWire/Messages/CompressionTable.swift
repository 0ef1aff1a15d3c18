import Glibc  // memcmp

/// Where in a message which suffix of a name has been written.
///
/// The first entries live in the value itself and are searched one by one; what is beyond goes into a hash table, so a
/// message of 64 kB with thousands of names is still written in linear time. The hash is seeded: names that collide
/// cannot be prepared.
struct CompressionTable: ~Copyable {
  private static let inlineCapacity = 48

  /// A tag of the suffix in the upper half, its offset in the lower.
  private var entries = InlineArray<48, UInt32>(repeating: 0)
  private var count = 0
  private var overflow = OverflowTable()

  /// The offset at which `suffix` (labels and the final zero) stands in `message`; nil if it does not.
  ///
  /// Mutating only because the entries must be looked at in place: without exclusive access each call copies them all.
  @inline(__always)
  mutating func find(_ suffix: RawSpan, in message: UnsafeRawBufferPointer) -> UInt16? {
    let tag = Self.tag(suffix)
    let count = count
    let found = withUnsafeBytes(of: &entries) { entries -> UInt16? in
      for index in 0..<count {
        let entry = entries.load(fromByteOffset: index &* 4, as: UInt32.self)
        let offset = UInt16(truncatingIfNeeded: entry)
        if entry >> 16 == tag, Self.isSame(suffix, message, at: Int(offset)) { return offset }
      }
      return nil
    }
    return found ?? (count < Self.inlineCapacity ? nil : overflow.find(suffix, in: message))
  }

  /// Remembers that `suffix` is not yet known and begins at `offset`. Pointers reach only offsets up to 0x3FFF.
  @inline(__always)
  mutating func insert(_ suffix: RawSpan, at offset: Int) {
    guard offset <= 0x3fff else { return }
    if count < Self.inlineCapacity {
      entries[unchecked: count] = Self.tag(suffix) << 16 | UInt32(truncatingIfNeeded: offset)
      count &+= 1
    } else {
      overflow.insert(suffix, at: UInt16(offset))
    }
  }

  /// Sixteen bits that tell most suffixes apart: the length, and the first two bytes of the first label.
  @inline(__always)
  private static func tag(_ suffix: RawSpan) -> UInt32 {
    let first = UInt32(suffix.unsafeLoad(fromByteOffset: 1, as: UInt8.self))
    let second = UInt32(suffix.unsafeLoad(fromByteOffset: 2, as: UInt8.self))
    return UInt32(truncatingIfNeeded: suffix.byteCount) << 8 ^ (first &* 31 &+ second) & 0xff
  }

  /// Compares `suffix` with a name in the message, which this writer has made and which therefore is well formed.
  @inline(__always)
  fileprivate static func isSame(_ suffix: RawSpan, _ message: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    suffix.withUnsafeBytes { suffix in
      guard let left = suffix.baseAddress, let right = message.baseAddress else { return false }
      var index = 0
      var position = offset
      while true {
        let length = Int(right.load(fromByteOffset: position, as: UInt8.self))
        if length >= 0xc0 {
          position = (length & 0x3f) << 8 | Int(right.load(fromByteOffset: position &+ 1, as: UInt8.self))
          continue
        }
        guard length == Int(left.load(fromByteOffset: index, as: UInt8.self)) else { return false }
        if length == 0 { return true }
        guard memcmp(left + index + 1, right + position + 1, length) == 0 else { return false }
        index &+= length &+ 1
        position &+= length &+ 1
      }
    }
  }
}

/// The entries of a ``CompressionTable`` beyond the first ones: open addressing, at most half full.
private struct OverflowTable {
  private struct Slot {
    var hash: UInt32
    var offset: UInt16
  }

  private static let free = UInt16.max
  private var slots: [Slot] = []
  private var count = 0

  func find(_ suffix: RawSpan, in message: UnsafeRawBufferPointer) -> UInt16? {
    guard count > 0 else { return nil }
    let hash = Self.hash(suffix)
    var index = Int(hash) & (slots.count - 1)
    while slots[index].offset != Self.free {
      if slots[index].hash == hash, CompressionTable.isSame(suffix, message, at: Int(slots[index].offset)) {
        return slots[index].offset
      }
      index = (index + 1) & (slots.count - 1)
    }
    return nil
  }

  mutating func insert(_ suffix: RawSpan, at offset: UInt16) {
    if count * 2 >= slots.count { grow() }
    place(Slot(hash: Self.hash(suffix), offset: offset))
    count += 1
  }

  private mutating func grow() {
    let old = slots
    slots = Array(repeating: Slot(hash: 0, offset: Self.free), count: max(128, old.count * 2))
    for slot in old where slot.offset != Self.free { place(slot) }
  }

  private mutating func place(_ slot: Slot) {
    var index = Int(slot.hash) & (slots.count - 1)
    while slots[index].offset != Self.free { index = (index + 1) & (slots.count - 1) }
    slots[index] = slot
  }

  private static func hash(_ suffix: RawSpan) -> UInt32 {
    var hasher = Hasher()
    suffix.withUnsafeBytes { hasher.combine(bytes: $0) }
    return UInt32(truncatingIfNeeded: hasher.finalize())
  }
}
