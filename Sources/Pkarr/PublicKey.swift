import Cryptography
import WireFormat

/// The identity of a PKARR zone: an Ed25519 public key whose text form is the zone's top-level domain.
///
/// Its text is 52 characters of z-base-32 (``z32``). Several spellings decode to one key, so compare keys, never texts.
public struct PublicKey: Hashable, Sendable {
  /// The key that verifies signatures.
  public let verificationKey: Ed25519.PublicKey

  /// Number of characters of the text form.
  public static let textLength = 52

  /// Takes a key that was checked before.
  public init(_ verificationKey: Ed25519.PublicKey) { self.verificationKey = verificationKey }

  /// Checks and copies 32 bytes.
  ///
  /// - Throws: `PublicKeyError.invalidLength` or `.notAPoint`.
  public init(_ bytes: RawSpan) throws(PublicKeyError) {
    guard bytes.byteCount == 32 else { throw .invalidLength(bytes.byteCount) }
    do throws(Ed25519.InvalidPublicKey) {
      verificationKey = try Ed25519.PublicKey(bytes)
    } catch {
      throw .notAPoint
    }
  }

  /// Checks and copies 32 bytes.
  ///
  /// - Throws: `PublicKeyError.invalidLength` or `.notAPoint`.
  public init(_ bytes: [UInt8]) throws(PublicKeyError) { try self.init(bytes.span.bytes) }

  /// The 32 bytes: the binary form everywhere.
  public var bytes: [UInt8] { verificationKey.bytes }

  /// The canonical text: 52 characters of z-base-32.
  public var z32: String { verificationKey.withUnsafeBytes { Base32.z.encode($0) } }

  /// The key as a URI: `pk:` and the text.
  public var uri: String { "pk:" + z32 }

  /// SHA-1 of the 32 bytes: the key's target in the Mainline DHT (BEP 44, no salt) and its key in caches.
  public var target: SHA1.Digest { verificationKey.withUnsafeBytes { SHA1.hash($0) } }

  /// True if `signature` is this key's signature of `message`; see `Ed25519.isValid(signature:message:publicKey:)`.
  public func isValidSignature(_ signature: Ed25519.Signature, for message: RawSpan) -> Bool {
    verificationKey.isValidSignature(signature, for: message)
  }
}

// MARK: - DER

extension PublicKey {
  /// SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410 §4).
  private static let subjectPublicKeyInfoPrefix: [UInt8] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
  ]

  /// DER SubjectPublicKeyInfo, 44 bytes (RFC 8410 §4): the "certificate" of RFC 7250.
  public var subjectPublicKeyInfo: [UInt8] { Self.subjectPublicKeyInfoPrefix + bytes }

  /// Reads DER SubjectPublicKeyInfo of exactly 44 bytes (RFC 8410 §4).
  ///
  /// - Throws: `PublicKeyError.invalidLength`, `.invalidEncoding` for another algorithm or layout, `.notAPoint`.
  public init(subjectPublicKeyInfo: [UInt8]) throws(PublicKeyError) {
    let prefix = Self.subjectPublicKeyInfoPrefix
    guard subjectPublicKeyInfo.count == prefix.count + 32 else { throw .invalidLength(subjectPublicKeyInfo.count) }
    guard subjectPublicKeyInfo.starts(with: prefix) else { throw .invalidEncoding }
    try self.init(Array(subjectPublicKeyInfo.dropFirst(prefix.count)))
  }
}

/// Why bytes or a text are not a public key.
public enum PublicKeyError: Error, Hashable, Sendable {
  /// The text holds a character that z-base-32 does not have.
  case invalidEncoding
  /// It is this many bytes, not 32.
  case invalidLength(Int)
  /// The 32 bytes are no point on the curve.
  case notAPoint
}

extension PublicKeyError: CustomStringConvertible {
  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .invalidEncoding: "InvalidPublicKeyEncoding"
    case .invalidLength: "InvalidPublicKeyLength"
    case .notAPoint: "InvalidEd25519PublicKey"
    }
  }

  /// What is wrong, for a person.
  public var description: String {
    switch self {
    case .invalidEncoding: "a public key is written with the letters ybndrfg8ejkmcpqxot1uwisza345h769 only"
    case .invalidLength(let count): "a public key is 32 bytes (52 characters); this is \(count)"
    case .notAPoint: "the 32 bytes are not an Ed25519 public key"
    }
  }
}
