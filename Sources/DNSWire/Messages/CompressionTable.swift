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
  @inline(__always)
  mutating func find(_ suffix: RawSpan, in message: UnsafeRawBufferPointer) -> UInt16? {
    let tag = Self.tag(suffix)
    let count = count
    let found: UInt16? = withUnsafeMutableBytes(of: &entries) { entries in
      for index in 0..<count {
        let entry = entries.load(fromByteOffset: index &* 4, as: UInt32.self)
        let offset = UInt16(truncatingIfNeeded: entry)
        if entry >> 16 == tag, Self.isSame(suffix, message, at: Int(offset)) { return offset }
      }
      return nil
    }
    if let found { return found }
    return count < Self.inlineCapacity ? nil : overflow.find(suffix, in: message)
  }

  /// Remembers the suffixes of `name` that begin before `end`, none of which is known yet; the name stands at `offset`.
  /// Pointers reach only offsets up to 0x3FFF.
  @inline(__always)
  mutating func insert(_ name: RawSpan, upTo end: Int, at offset: Int) {
    var position = 0
    while position < end, offset &+ position <= 0x3fff {
      let suffix = name.extracting(unchecked: position..<name.byteCount)
      if count < Self.inlineCapacity {
        let entry = Self.tag(suffix) << 16 | UInt32(truncatingIfNeeded: offset &+ position)
        // Through its address: the subscript of an inline array copies all of it.
        withUnsafeMutableBytes(of: &entries) { [count] in
          $0.storeBytes(of: entry, toByteOffset: count &* 4, as: UInt32.self)
        }
        count &+= 1
      } else {
        overflow.insert(suffix, at: UInt16(truncatingIfNeeded: offset &+ position))
      }
      position &+= Int(name.unsafeLoad(fromUncheckedByteOffset: position, as: UInt8.self)) &+ 1
    }
  }

  /// Sixteen bits that tell most suffixes apart: the length, and the first two bytes of the first label.
  @inline(__always)
  private static func tag(_ suffix: RawSpan) -> UInt32 {
    let first = UInt32(suffix.unsafeLoad(fromUncheckedByteOffset: 1, as: UInt8.self))
    let second = UInt32(suffix.unsafeLoad(fromUncheckedByteOffset: 2, as: UInt8.self))
    return UInt32(truncatingIfNeeded: suffix.byteCount) << 8 ^ (first &* 31 &+ second) & 0xff
  }

  /// Compares `suffix` with a name in the message, which this writer has made and which therefore is well formed.
  @inline(__always)
  fileprivate static func isSame(_ suffix: RawSpan, _ message: UnsafeRawBufferPointer, at offset: Int) -> Bool {
    suffix.withUnsafeBytes { suffix in
      guard let left = suffix.baseAddress, let right = message.baseAddress else { return false }
      // Most often the name was written in full.
      if suffix.count <= message.count &- offset, isEqual(left, right + offset, suffix.count) { return true }
      return isSameByLabels(left, right, at: offset)
    }
  }

  @inline(never)
  private static func isSameByLabels(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, at offset: Int
  ) -> Bool {
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
      guard isEqual(left + index + 1, right + position + 1, length) else { return false }
      index &+= length &+ 1
      position &+= length &+ 1
    }
  }

  /// Compares sixteen bytes at a time, the last ones overlapping those before.
  @inline(__always)
  private static func isEqual(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Bool {
    var index = 0
    guard count >= 8 else {
      while index < count {
        if left.load(fromByteOffset: index, as: UInt8.self) != right.load(fromByteOffset: index, as: UInt8.self) {
          return false
        }
        index &+= 1
      }
      return true
    }
    func differ(_ index: Int) -> UInt64 {
      left.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        ^ right.loadUnaligned(fromByteOffset: index, as: UInt64.self)
    }
    while index < count &- 16 {
      if differ(index) | differ(index &+ 8) != 0 { return false }
      index &+= 16
    }
    return differ(max(0, count &- 16)) | differ(count &- 8) == 0
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

  @inline(never)
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

  @inline(never)
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
