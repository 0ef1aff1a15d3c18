import Cryptography
import WireFormat

/// What makes a person the owner of a PKARR zone: an Ed25519 secret key and its public key.
///
/// Printing one shows the public key only. Two are equal if their public keys are.
public struct Keypair: Sendable {
  /// The key that signs.
  public let secretKey: Ed25519.SecretKey

  /// A fresh pair from the operating system's random generator.
  public init() { secretKey = Ed25519.SecretKey() }

  /// The pair of a secret key.
  public init(_ secretKey: Ed25519.SecretKey) { self.secretKey = secretKey }

  /// The pair of a 32-byte seed (RFC 8032 §5.1.5). Every seed is legal.
  ///
  /// - Throws: `SecretKeyError.invalidLength` for any other number of bytes.
  public init(seed: [UInt8]) throws(SecretKeyError) {
    guard let secretKey = Ed25519.SecretKey(seed: seed) else { throw .invalidLength(seed.count) }
    self.secretKey = secretKey
  }

  /// The public half.
  public var publicKey: PublicKey { PublicKey(secretKey.publicKey) }

  /// The 32-byte seed: the secret.
  public var seed: [UInt8] { secretKey.seed }

  /// The signature of `message`; the same message always gives the same signature (RFC 8032).
  public func signature(for message: RawSpan) -> Ed25519.Signature { secretKey.signature(for: message) }

  /// True if `signature` is this pair's signature of `message`.
  public func isValidSignature(_ signature: Ed25519.Signature, for message: RawSpan) -> Bool {
    publicKey.isValidSignature(signature, for: message)
  }
}

// MARK: - Forms of the secret

extension Keypair {
  /// PKCS#8 version 1 of an Ed25519 seed up to its 32 bytes (RFC 8410 §7).
  private static let pkcs8Prefix: [UInt8] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
  ]

  /// The seed as DER PKCS#8 version 1, 48 bytes (RFC 8410 §7).
  public var pkcs8: [UInt8] { Self.pkcs8Prefix + seed }

  /// Reads DER PKCS#8 version 1 of exactly 48 bytes (RFC 8410 §7).
  ///
  /// - Throws: `SecretKeyError.invalidLength`, or `.unknownFormat` for another algorithm or layout.
  public init(pkcs8: [UInt8]) throws(SecretKeyError) {
    guard pkcs8.count == Self.pkcs8Prefix.count + 32 else { throw .invalidLength(pkcs8.count) }
    guard pkcs8.starts(with: Self.pkcs8Prefix) else { throw .unknownFormat }
    try self.init(seed: Array(pkcs8.dropFirst(Self.pkcs8Prefix.count)))
  }

  /// The seed as 64 hexadecimal digits: what a secret key file holds, without a newline.
  public var secretKeyText: String { Hex.encode(seed) }

  /// Reads what a secret key file holds: 64 hexadecimal digits in either case, white space around them ignored.
  ///
  /// - Throws: `SecretKeyError`.
  public init(secretKeyText text: some StringProtocol) throws(SecretKeyError) {
    var scalars = Substring(text).unicodeScalars
    while scalars.first?.properties.isWhitespace == true { scalars.removeFirst() }
    while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
    let digits = Substring(scalars)
    guard let seed = Hex.decode(digits) else {
      throw digits.utf8.count % 2 == 1 && digits.utf8.allSatisfy(\.isHexadecimalDigit)
        ? .oddNumberOfDigits(digits.utf8.count) : .notHexadecimal
    }
    try self.init(seed: seed)
  }
}

extension UInt8 {
  fileprivate var isHexadecimalDigit: Bool {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
      UInt8(ascii: "A")...UInt8(ascii: "F"):
      true
    default: false
    }
  }
}

extension Keypair: Hashable {
  /// True if the public keys are equal.
  public static func == (first: Keypair, second: Keypair) -> Bool { first.publicKey == second.publicKey }

  /// Hashes the public key.
  public func hash(into hasher: inout Hasher) { hasher.combine(publicKey) }
}

extension Keypair: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The type's name around the public key; never the secret.
  public var description: String { "Keypair(\(publicKey.z32))" }
  /// The type's name around the public key; never the secret.
  public var debugDescription: String { description }
  /// The public key; never the secret.
  public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

/// Why something is not a secret key.
public enum SecretKeyError: Error, Hashable, Sendable {
  /// A character is no hexadecimal digit.
  case notHexadecimal
  /// It is this many digits, so the last byte is half a byte.
  case oddNumberOfDigits(Int)
  /// It is this many bytes.
  case invalidLength(Int)
  /// It is DER of something else than an Ed25519 key in PKCS#8 version 1.
  case unknownFormat
}

extension SecretKeyError: CustomStringConvertible {
  /// What is wrong, for a person.
  public var description: String {
    switch self {
    case .notHexadecimal: "a secret key is 64 hexadecimal digits; this holds something else"
    case .oddNumberOfDigits(let count): "a secret key is 64 hexadecimal digits; this is \(count)"
    case .invalidLength(let count): "a secret key is 32 bytes; this is \(count)"
    case .unknownFormat: "this is not an Ed25519 key in PKCS#8 form"
    }
  }
}
