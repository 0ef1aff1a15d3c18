/// Why bytes are no bencoding (BEP 3), and where.
public struct BencodeError: Error, Hashable, Sendable {
  /// What is wrong.
  public enum Reason: String, Hashable, Sendable {
    /// The input ends inside a value.
    case truncated = "the input ends inside a value"
    /// A byte that cannot stand here.
    case unexpectedByte = "a byte that cannot stand here"
    /// A string is said to be longer than what is left.
    case stringTooLong = "a string is longer than the input"
    /// More containers inside each other than the limit.
    case tooDeep = "too many containers inside each other"
    /// More values than the limit.
    case tooManyValues = "too many values"
    /// An integer outside of 64 bits where one is needed.
    case integerTooLarge = "an integer does not fit 64 bits"
    /// Not the one canonical spelling: leading zero, negative zero, key order, duplicate key.
    case notCanonical = "not the canonical spelling"
    /// Bytes after the value.
    case trailingBytes = "bytes after the value"
  }

  /// What is wrong.
  public let reason: Reason
  /// Byte offset at which it was noticed.
  public let offset: Int

  @usableFromInline
  init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}
