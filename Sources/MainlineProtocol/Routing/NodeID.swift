import Cryptography
import WireFormat

/// A point of the DHT's 160-bit space: a node's id or a target (BEP 5). 20 bytes, big-endian, as three machine words.
public struct NodeID: Hashable, Sendable {
  @usableFromInline let first: UInt64
  @usableFromInline let second: UInt64
  @usableFromInline let third: UInt32

  /// Length in bytes.
  public static let byteCount = 20

  @inline(__always)
  init(_ first: UInt64, _ second: UInt64, _ third: UInt32) {
    self.first = first
    self.second = second
    self.third = third
  }

  /// All bits zero.
  public static let zero = NodeID(0, 0, 0)

  /// The id that a digest is.
  public init(_ digest: SHA1.Digest) { self.init(digest.first, digest.second, digest.third) }

  /// Copies 20 bytes; nil for any other number.
  public init?(_ bytes: RawSpan) {
    guard bytes.byteCount == Self.byteCount else { return nil }
    self = bytes.withUnsafeBytes { NodeID(loading: $0.baseAddress!) }
  }

  /// Copies 20 bytes; nil for any other number.
  public init?(_ bytes: [UInt8]) { self.init(bytes.span.bytes) }

  /// Loads 20 bytes.
  @inline(__always)
  init(loading bytes: UnsafeRawPointer) {
    self.init(
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
      UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)),
      UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
  }

  /// A uniformly random id.
  public static func random(using random: inout RandomSource) -> NodeID {
    NodeID(random.next(), random.next(), UInt32(truncatingIfNeeded: random.next()))
  }

  /// The 20 bytes.
  public var bytes: [UInt8] { [UInt8](upTo: Self.byteCount) { write(to: &$0) }! }

  /// Appends the 20 bytes.
  @inline(__always)
  func write(to writer: inout WireWriter) {
    writer.write(first)
    writer.write(second)
    writer.write(third)
  }
}

// MARK: - Distance

extension NodeID {
  /// The XOR distance (BEP 5), itself a number of 160 bits.
  @inline(__always)
  public static func ^ (a: NodeID, b: NodeID) -> NodeID {
    NodeID(a.first ^ b.first, a.second ^ b.second, a.third ^ b.third)
  }

  /// Number of leading zero bits, 0…160.
  @inline(__always)
  public var leadingZeroBitCount: Int {
    if first != 0 { return first.leadingZeroBitCount }
    if second != 0 { return 64 &+ second.leadingZeroBitCount }
    return 128 &+ third.leadingZeroBitCount
  }

  /// Number of the bucket that `other` falls into, seen from here: 160 if the first bit differs, 0 for equal ids.
  @inline(__always)
  public func bucketDistance(to other: NodeID) -> Int { 160 &- (self ^ other).leadingZeroBitCount }

  /// The same id with everything behind the first `count` bits taken from `other`.
  func keepingPrefix(_ count: Int, restFrom other: NodeID) -> NodeID {
    func mix(_ a: UInt64, _ b: UInt64, _ bits: Int) -> UInt64 {
      let mask: UInt64 = bits <= 0 ? 0 : ~0 << UInt64(max(0, 64 - bits))
      return a & mask | b & ~mask
    }
    let tail = mix(UInt64(third) << 32, UInt64(other.third) << 32, count - 128)
    return NodeID(
      mix(first, other.first, count), mix(second, other.second, count - 64), UInt32(truncatingIfNeeded: tail >> 32))
  }

  /// The same id with bit `index` (0 is the most significant) flipped.
  func flippingBit(_ index: Int) -> NodeID {
    switch index {
    case 0..<64: NodeID(first ^ 1 << UInt64(63 - index), second, third)
    case 64..<128: NodeID(first, second ^ 1 << UInt64(127 - index), third)
    default: NodeID(first, second, third ^ 1 << UInt32(159 - index))
    }
  }
}

extension NodeID: Comparable {
  /// In the order of the bytes.
  @inline(__always)
  public static func < (a: NodeID, b: NodeID) -> Bool {
    if a.first != b.first { return a.first < b.first }
    if a.second != b.second { return a.second < b.second }
    return a.third < b.third
  }
}

// MARK: - Text

extension NodeID: LosslessStringConvertible {
  /// 40 lower-case hexadecimal digits.
  public var description: String { Hex.encode(bytes) }

  /// Reads exactly 40 hexadecimal digits.
  public init?(_ text: String) {
    guard let bytes = Hex.decode(text) else { return nil }
    self.init(bytes)
  }
}
