import Cryptography

/// Ed25519 keys in DER (RFC 8410): a fixed head and 32 bytes, so that no ASN.1 is needed.
enum RawKeyEncoding {
  private static let publicHead: [UInt8] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00]
  private static let secretHead: [UInt8] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  /// The SubjectPublicKeyInfo of a key (44 bytes): what a raw-key "certificate" is (RFC 7250 §3).
  static func subjectPublicKeyInfo(_ key: Ed25519.PublicKey) -> [UInt8] { publicHead + key.bytes }

  /// The key in a SubjectPublicKeyInfo; nil unless it is an Ed25519 key, in DER.
  static func publicKey(subjectPublicKeyInfo bytes: UnsafeRawBufferPointer) -> Ed25519.PublicKey? {
    guard bytes.count == publicHead.count + 32, bytes.starts(with: publicHead) else { return nil }
    return try? Ed25519.PublicKey([UInt8](bytes.dropFirst(publicHead.count)))
  }

  /// The PKCS #8 form of a secret key (48 bytes).
  static func pkcs8(_ key: Ed25519.SecretKey) -> [UInt8] { secretHead + key.seed }
}
