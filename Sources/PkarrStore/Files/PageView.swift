/// A page of an LMDB file (data version 1, words of 8 bytes, little-endian), which may hold anything.
///
/// | offset | bytes | |
/// | --- | --- | --- |
/// | 0 | 8 | number of the page |
/// | 8 | 2 | unused |
/// | 10 | 2 | flags: what kind of page |
/// | 12 | 2 | `lower`: end of the table of nodes |
/// | 14 | 2 | `upper`: begin of the nodes; the free space lies between |
/// | 16 | 2 each | table: offset of each node, in the order of their keys |
///
/// A node is 2 + 2 bytes (size of its data, or child page), 2 flags, 2 size of the key, key, data, and begins at an even
/// offset. Pages of overflow hold their number as 4 bytes at offset 12.
struct PageView {
  enum Kind: UInt16 {
    case branch = 0x01
    case leaf = 0x02
    case overflow = 0x04
    case meta = 0x08
  }

  /// Flags of a node whose data is elsewhere, or is a table.
  enum NodeFlags {
    static let overflow: UInt16 = 0x01
    static let table: UInt16 = 0x02
  }

  /// A node whose extent was checked.
  struct Node {
    let flags: UInt16
    let key: UnsafeRawBufferPointer
    /// Data of a leaf.
    let data: UnsafeRawBufferPointer
    /// Bytes that the data has, here or elsewhere.
    let dataLength: Int
    /// Child of a branch.
    let child: UInt64
    /// Bytes of the page that the node takes.
    let extent: Int
  }

  static let headerLength = 16
  static let nodeHeaderLength = 8

  let bytes: UnsafeRawBufferPointer

  var number: UInt64 { load(0) }
  /// Only what is exactly one kind: LMDB never leaves another flag on a page that is in use.
  var kind: Kind? { Kind(rawValue: load(10)) }
  var lower: Int { Int(load(12) as UInt16) }
  var upper: Int { Int(load(14) as UInt16) }
  /// Pages of overflow, with this one.
  var overflowCount: Int { Int(load(12) as UInt32) }
  /// Nodes on the page, if ``lower`` is right.
  var count: Int { (lower - Self.headerLength) / 2 }

  @inline(__always)
  func load<Word: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Word {
    Word(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Word.self))
  }

  /// True if ``lower`` and ``upper`` can be.
  var hasPlausibleBounds: Bool {
    lower >= Self.headerLength && lower % 2 == 0 && upper % 2 == 0 && lower <= upper && upper <= bytes.count
  }

  /// A node of a page with plausible bounds; nil if it reaches beyond the page.
  @inline(__always)
  func node(_ index: Int, isLeaf: Bool) -> Node? {
    let offset = offset(of: index)
    guard offset >= upper, offset % 2 == 0, offset + Self.nodeHeaderLength <= bytes.count else { return nil }
    let low = UInt64(load(offset) as UInt16)
    let high = UInt64(load(offset + 2) as UInt16)
    let flags: UInt16 = load(offset + 4)
    let keyLength = Int(load(offset + 6) as UInt16)
    let dataLength = isLeaf ? Int(low | high << 16) : 0
    let kept = isLeaf && flags & NodeFlags.overflow != 0 ? 8 : dataLength
    let extent = (Self.nodeHeaderLength + keyLength + kept + 1) & ~1
    guard offset + extent <= bytes.count else { return nil }
    let begin = offset + Self.nodeHeaderLength
    return Node(
      flags: flags, key: UnsafeRawBufferPointer(rebasing: bytes[begin..<begin + keyLength]),
      data: UnsafeRawBufferPointer(rebasing: bytes[begin + keyLength..<begin + keyLength + kept]),
      dataLength: dataLength, child: low | high << 16 | UInt64(flags) << 32, extent: extent)
  }

  /// Offset of a node on the page.
  @inline(__always)
  func offset(of index: Int) -> Int { Int(load(Self.headerLength + 2 * index) as UInt16) }
}
