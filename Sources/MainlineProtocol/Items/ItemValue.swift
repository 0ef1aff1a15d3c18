import Bencode
import WireFormat

/// Why something cannot be an item of the DHT (BEP 44).
public enum ItemError: Error, Hashable, Sendable {
  /// The value is not the one canonical bencoding of anything.
  case valueNotCanonical
  /// The value is longer than nodes store.
  case valueTooBig
  /// The salt is longer than 64 bytes.
  case saltTooBig
  /// The key is not 32 bytes that encode a point.
  case invalidKey
  /// Key and salt, or the value, do not hash to the target that was asked for.
  case wrongTarget
  /// The signature is not the key's for this value, seq and salt.
  case invalidSignature
}

/// The rules for what items hold: any bencoded value, kept as the bytes that are hashed and signed (BEP 44).
public enum ItemValue {
  /// The longest byte string that a node stores, and the longest encoding of any other value, in bytes.
  public static let maximumByteCount = 1000
  /// The longest byte string that *every* node stores: libtorrent counts the encoding, `996:` included.
  public static let universalByteCount = 996
  /// The longest encoding of a value that is within the limits: `1000:` and a byte string of 1000.
  public static let maximumEncodedByteCount = 1005
  /// The longest salt in bytes.
  public static let maximumSaltByteCount = 64

  /// The bencoding of a byte string.
  public static func encoding(byteString: [UInt8]) -> [UInt8] {
    [UInt8](upTo: byteString.count + 20) { $0.writeBencoded(byteString) }!
  }

  /// Where in `value` the bytes of the byte string are that it encodes; nil if it is another value or not canonical.
  public static func byteString(in value: RawSpan) -> Range<Int>? {
    var length = 0
    var position = 0
    while position < min(value.byteCount, 6) {
      let byte = value.unsafeLoad(fromByteOffset: position, as: UInt8.self)
      position += 1
      if byte == UInt8(ascii: ":") {
        guard position > 1, length == value.byteCount - position else { return nil }
        return position..<value.byteCount
      }
      // A digit, and not one behind a leading zero.
      guard (48...57).contains(byte), position == 1 || length > 0 else { return nil }
      length = length * 10 + Int(byte - 48)
    }
    return nil
  }

  /// Checks that `value` is canonical, and then that it is not too big.
  ///
  /// - Throws: `valueNotCanonical`, `valueTooBig`.
  public static func check(_ value: RawSpan) throws(ItemError) {
    if let bytes = byteString(in: value) {
      if bytes.count > maximumByteCount { throw .valueTooBig }
    } else {
      guard CanonicalBencode.isCanonical(value) else { throw .valueNotCanonical }
      if value.byteCount > maximumByteCount { throw .valueTooBig }
    }
  }

  /// Whether `a` comes before `b` in the order that breaks ties of seq: byte strings by what they hold, the rest by
  /// encoding, as unsigned bytes, a prefix first.
  static func precedes(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    let first = a[(byteString(in: a.span.bytes) ?? 0..<a.count)]
    let second = b[(byteString(in: b.span.bytes) ?? 0..<b.count)]
    if first.elementsEqual(second) { return a.lexicographicallyPrecedes(b) }
    return first.lexicographicallyPrecedes(second)
  }
}
