import Cryptography
import WireFormat

/// A value stored under its own SHA-1 (BEP 44).
public struct ImmutableItem: Hashable, Sendable {
  /// The value, bencoded.
  public let value: [UInt8]
  /// SHA-1 of ``value``.
  public let target: NodeID

  /// Takes a bencoded value.
  ///
  /// - Throws: `valueNotCanonical`, `valueTooBig`.
  public init(value: [UInt8]) throws(ItemError) {
    try ItemValue.check(value.span.bytes)
    self.value = value
    target = NodeID(SHA1.hash(value))
  }

  /// Takes a byte string of at most 1000 bytes.
  ///
  /// - Throws: `valueTooBig`.
  public init(bytes: [UInt8]) throws(ItemError) { try self.init(value: ItemValue.encoding(byteString: bytes)) }

  /// Checks what another node sent as the value of `target`.
  ///
  /// - Throws: `wrongTarget`, `valueNotCanonical`, `valueTooBig`.
  public init(verifying value: RawSpan, target: NodeID) throws(ItemError) {
    guard NodeID(SHA1.hash(value)) == target else { throw .wrongTarget }
    try ItemValue.check(value)
    self.value = [UInt8](value)
    self.target = target
  }

  /// The bytes, if the value is a byte string.
  public var bytes: [UInt8]? { ItemValue.byteString(in: value.span.bytes).map { Array(value[$0]) } }
}
