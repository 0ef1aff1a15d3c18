import Cryptography
import WireFormat

extension PublicKey {
  /// Reads a key from text: the bare 52 characters, `pk:KEY`, a host name or a URL whose last label is the key.
  ///
  /// The text is trimmed in fixed steps as long as it is longer than a bare key, exactly as other PKARR implementations
  /// do, so that all agree on which key a URL means. Lengths are counted in UTF-8 bytes.
  ///
  /// - Throws: `PublicKeyError`: `.invalidEncoding`, then `.invalidLength`, then `.notAPoint`.
  public init(parsing text: some StringProtocol) throws(PublicKeyError) {
    try self.init(Self.bytes(parsing: text))
  }

  /// The bytes that a text stands for, for those who will find out by a signature whether they are a key.
  ///
  /// - Throws: `PublicKeyError`: `.invalidEncoding`, then `.invalidLength`.
  package static func bytes(parsing text: some StringProtocol) throws(PublicKeyError) -> [UInt8] {
    let utf8 = Array(text.utf8)
    guard let bytes = Base32.z.decode(utf8: keyLabel(in: utf8[...])) else { throw .invalidEncoding }
    guard bytes.count == 32 else { throw .invalidLength(bytes.count) }
    return bytes
  }

  /// The key that 52 characters of z-base-32 stand for, if it is one: for those who look for it among keys that are. Nil if
  /// the text is not that long, or spells nothing.
  package init?(unchecked text: UnsafeBufferPointer<UInt8>) {
    guard text.count == Self.textLength else { return nil }
    let key = withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { bytes in
      Base32.z.decode(text, into: bytes) ? Ed25519.PublicKey(trusting: bytes.bytes) : nil
    }
    guard let key else { return nil }
    self.init(key)
  }

  /// What remains of a URL or host name: the label that is to be decoded.
  private static func keyLabel(in utf8: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = utf8
    func isLong() -> Bool { text.count > textLength }
    guard isLong() else { return text }

    // A bare `KEY:PORT` or `KEY/a:b` loses its key in the first step. That is the network's rule.
    if let scheme = text.firstIndex(of: UInt8(ascii: ":")) { text = text[(scheme + 1)...] }
    if isLong(), text.starts(with: "//".utf8) { text = text.dropFirst(2) }
    if isLong(), let user = text.firstIndex(of: UInt8(ascii: "@")) { text = text[(user + 1)...] }
    for end in ":/?#".utf8 {
      if isLong(), let index = text.firstIndex(of: end) { text = text[..<index] }
    }
    if isLong() {
      let dot = UInt8(ascii: ".")
      if text.last == dot {
        text = text.drop { $0 == dot }
        while text.last == dot { text.removeLast() }
      }
      if let last = text.lastIndex(of: dot) { text = text[(last + 1)...] }
    }
    return text
  }
}

extension PublicKey: LosslessStringConvertible, CustomDebugStringConvertible {
  /// Reads what ``init(parsing:)`` reads; nil for anything else.
  public init?(_ text: String) {
    guard let key = try? PublicKey(parsing: text) else { return nil }
    self = key
  }

  /// The canonical text, ``z32``.
  public var description: String { z32 }

  /// The type's name around the canonical text.
  public var debugDescription: String { "PublicKey(\(z32))" }
}
