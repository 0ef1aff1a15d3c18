import CSodium
import WireFormat

/// Ed25519 signatures (RFC 8032, pure, no context) on libsodium.
public enum Ed25519 {}

// MARK: - Verification

extension Ed25519 {
  /// True if `signature` (64 bytes) is the signature of `message` by `publicKey` (32 bytes); false for other lengths.
  ///
  /// This is the one place where signatures are decided, and the fast path for keys that arrive in a datagram: nothing
  /// is checked twice, since a key that is no point makes no valid signature.
  ///
  /// libsodium decides. It accepts a subset of what the network's reference does (ed25519-dalek's `verify`):
  ///
  /// - both refuse a scalar S ≥ L and check without the cofactor, comparing the encoding of R;
  /// - libsodium moreover refuses keys and R of small order and non-canonical key encodings, which dalek's `verify`
  ///   accepts (dalek's `verify_strict` is libsodium's set).
  ///
  /// Only a hostile owner of a key can make a signature on which the two differ, and only for a key of his own. The
  /// accept set is pinned by the twelve vectors of "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020).
  /// Another implementation can take this one's place here, and nowhere else.
  public static func isValid(signature: RawSpan, message: RawSpan, publicKey: RawSpan) -> Bool {
    guard signature.byteCount == 64, publicKey.byteCount == 32 else { return false }
    Sodium.require()
    return message.withUnsafeBytes { message in
      signature.withUnsafeBytes { signature in
        publicKey.withUnsafeBytes { publicKey in
          let key = publicKey.baseAddress!.assumingMemoryBound(to: UInt8.self)
          return crypto_sign_ed25519_verify_detached(
            signature.baseAddress!.assumingMemoryBound(to: UInt8.self),
            message.baseAddress?.assumingMemoryBound(to: UInt8.self) ?? key, UInt64(message.count), key) == 0
        }
      }
    }
  }
}

// MARK: - Public keys

extension Ed25519 {
  /// The bytes are not the encoding of a point on the curve.
  public struct InvalidPublicKey: Error, Hashable, Sendable {
    /// Nothing to tell beyond the fact.
    public init() {}
  }

  /// A public key: 32 bytes that are known to decompress to a point on the curve.
  ///
  /// The check is as lenient as the network's: a y-coordinate ≥ p is reduced, the sign bit is accepted even if x = 0,
  /// and points of small order are keys like any other. Two keys are equal if their bytes are.
  public struct PublicKey: Hashable, Sendable {
    /// The encoded point in four little-endian words, in the order of the bytes.
    @usableFromInline let words: Words32

    /// Checks and copies 32 bytes.
    ///
    /// - Throws: `InvalidPublicKey` if they are not 32 or do not decompress.
    public init(_ bytes: RawSpan) throws(InvalidPublicKey) {
      guard let words = Words32(bytes), CurvePoint.isDecompressible(words) else { throw InvalidPublicKey() }
      self.words = words
    }

    /// Checks and copies 32 bytes.
    ///
    /// - Throws: `InvalidPublicKey` if they are not 32 or do not decompress.
    public init(_ bytes: [UInt8]) throws(InvalidPublicKey) { try self.init(bytes.span.bytes) }

    /// The key of 32 bytes if it made `signature` (64 bytes) for `message`; nil otherwise.
    ///
    /// A key that verifies a signature is a point, so nothing is checked twice.
    public init?(_ bytes: RawSpan, verifying signature: RawSpan, for message: RawSpan) {
      guard Ed25519.isValid(signature: signature, message: message, publicKey: bytes), let words = Words32(bytes)
      else { return nil }
      self.words = words
    }

    /// Copies 32 bytes that were a public key when they were written down, and have not changed since; nil for any other
    /// number. Saves the check, which takes a few microseconds.
    package init?(trusting bytes: RawSpan) {
      guard let words = Words32(bytes) else { return nil }
      self.words = words
    }

    fileprivate init(derived words: Words32) { self.words = words }

    /// The 32 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// Lends the 32 bytes.
    @inline(__always)
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
      Swift.withUnsafeBytes(of: words, body)
    }

    /// True if `signature` is this key's signature of `message`.
    ///
    /// See ``Ed25519/isValid(signature:message:publicKey:)`` for what is accepted.
    public func isValidSignature(_ signature: Signature, for message: RawSpan) -> Bool {
      signature.withUnsafeBytes { signature in
        withUnsafeBytes { key in
          Ed25519.isValid(signature: signature.bytes, message: message, publicKey: key.bytes)
        }
      }
    }
  }
}

// MARK: - Signatures

extension Ed25519 {
  /// A signature of 64 bytes, R then S; not known to be valid for anything.
  public struct Signature: Hashable, Sendable {
    fileprivate(set) var r: Words32
    fileprivate(set) var s: Words32

    fileprivate init() {
      r = Words32()
      s = Words32()
    }

    /// Copies 64 bytes; nil for any other number.
    public init?(_ bytes: RawSpan) {
      guard bytes.byteCount == 64, let r = Words32(bytes.extracting(0..<32)), let s = Words32(bytes.extracting(32..<64))
      else { return nil }
      self.r = r
      self.s = s
    }

    /// Copies 64 bytes; nil for any other number.
    public init?(_ bytes: [UInt8]) { self.init(bytes.span.bytes) }

    /// The 64 bytes.
    public var bytes: [UInt8] { withUnsafeBytes { [UInt8]($0) } }

    /// Lends the 64 bytes.
    @inline(__always)
    public func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
      Swift.withUnsafeBytes(of: self, body)
    }
  }
}

// MARK: - Secret keys

extension Ed25519 {
  /// A secret key: the 32-byte seed of RFC 8032 and what follows from it. Every seed is legal.
  ///
  /// Printing one shows the public key only.
  public struct SecretKey: Sendable {
    private let seedWords: Words32
    /// The key that verifies what this one signs.
    public let publicKey: PublicKey

    /// A fresh key from the operating system's generator.
    public init() {
      Sodium.require()
      var words = Words32()
      withUnsafeMutableBytes(of: &words) { randombytes_buf($0.baseAddress!, 32) }
      self.init(words)
    }

    /// The key of a 32-byte seed; nil for any other number of bytes.
    public init?(seed: RawSpan) {
      guard let words = Words32(seed) else { return nil }
      self.init(words)
    }

    /// The key of a 32-byte seed; nil for any other number of bytes.
    public init?(seed: [UInt8]) { self.init(seed: seed.span.bytes) }

    private init(_ seed: Words32) {
      Sodium.require()
      seedWords = seed
      var publicWords = Words32()
      withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { scratch in
        let expanded = scratch.assumingMemoryBound(to: UInt8.self).baseAddress!
        withUnsafeBytes(of: seed) { seed in
          withUnsafeMutableBytes(of: &publicWords) { publicKey in
            _ = crypto_sign_ed25519_seed_keypair(
              publicKey.assumingMemoryBound(to: UInt8.self).baseAddress!, expanded,
              seed.assumingMemoryBound(to: UInt8.self).baseAddress!)
          }
        }
        sodium_memzero(expanded, 64)
      }
      publicKey = PublicKey(derived: publicWords)
    }

    /// The 32-byte seed.
    public var seed: [UInt8] { withUnsafeBytes(of: seedWords) { [UInt8]($0) } }

    /// The signature of `message`: deterministic, so the same message gives the same bytes.
    public func signature(for message: RawSpan) -> Signature {
      // libsodium signs with the seed followed by the public key.
      var expanded = (seedWords, publicKey.words)
      var signature = Signature()
      withUnsafeMutableBytes(of: &expanded) { expanded in
        let secret = expanded.assumingMemoryBound(to: UInt8.self).baseAddress!
        withUnsafeMutableBytes(of: &signature) { signature in
          message.withUnsafeBytes { message in
            _ = crypto_sign_ed25519_detached(
              signature.assumingMemoryBound(to: UInt8.self).baseAddress!, nil,
              message.assumingMemoryBound(to: UInt8.self).baseAddress ?? UnsafePointer(secret), UInt64(message.count),
              secret)
          }
        }
        sodium_memzero(secret, 64)
      }
      return signature
    }
  }
}

extension Ed25519.SecretKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Names the public key, never the secret.
  public var description: String { "SecretKey(of: \(Hex.encode(publicKey.bytes)))" }
  /// Names the public key, never the secret.
  public var debugDescription: String { description }
  /// Shows the public key, never the secret.
  public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

// MARK: - Storage

/// 32 bytes as four words, in memory order: hashed, compared and copied without touching the heap.
@usableFromInline struct Words32: Hashable, Sendable {
  var a: UInt64 = 0
  var b: UInt64 = 0
  var c: UInt64 = 0
  var d: UInt64 = 0

  init() {}

  init(_ a: UInt64, _ b: UInt64, _ c: UInt64, _ d: UInt64) {
    self.a = a
    self.b = b
    self.c = c
    self.d = d
  }

  init(_ bytes: UnsafeRawBufferPointer) {
    a = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
    b = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    c = bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
    d = bytes.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
  }

  init?(_ bytes: RawSpan) {
    guard bytes.byteCount == 32 else { return nil }
    self = bytes.withUnsafeBytes { Words32($0) }
  }
}
