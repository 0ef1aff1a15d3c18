/// The characters of a token (RFC 9110 §5.6.2).
enum HTTPToken {
  /// True for a character of a token.
  @inline(__always)
  static func contains(_ byte: UInt8) -> Bool { lowercase(byte) != 0 }

  /// A character of a token, a letter in lower case; 0 for what is none.
  @inline(__always)
  static func lowercase(_ byte: UInt8) -> UInt8 { table.utf8Start[Int(byte)] }

  // Text that is part of the program, so that looking up costs one load: neither a lock nor a bounds check.
  @inline(__always)
  private static var table: StaticString {
    """
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0!\0#$%&'\0\0*+\0-.\0\
    0123456789\0\0\0\0\0\0\
    \0abcdefghijklmno\
    pqrstuvwxyz\0\0\0^_\
    `abcdefghijklmno\
    pqrstuvwxyz\0|\0~\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
    """
  }
}
