import Bencode
import Cryptography
import WireFormat

/// A value signed by the owner of a key and stored under the hash of that key and a salt (BEP 44).
///
/// Every value of this type carries a valid signature.
public struct MutableItem: Hashable, Sendable {
  /// The owner's key: `k`.
  public let key: Ed25519.PublicKey
  /// The version: of two items the one with the higher seq is newer.
  public let seq: Int64
  /// Tells several items of one key apart, at most 64 bytes; empty: no salt.
  public let salt: [UInt8]
  /// The value, bencoded: `v`.
  public let value: [UInt8]
  /// The key's signature of ``signable``: `sig`.
  public let signature: Ed25519.Signature

  /// Signs a bencoded value.
  ///
  /// - Throws: `valueNotCanonical`, `valueTooBig`, `saltTooBig`.
  public init(signedBy secretKey: Ed25519.SecretKey, seq: Int64, value: [UInt8], salt: [UInt8] = []) throws(ItemError) {
    try ItemValue.check(value.span.bytes)
    guard salt.count <= ItemValue.maximumSaltByteCount else { throw .saltTooBig }
    key = secretKey.publicKey
    self.seq = seq
    self.salt = salt
    self.value = value
    signature = Self.withSignable(seq: seq, salt: salt.span.bytes, value: value.span.bytes) {
      secretKey.signature(for: $0.bytes)
    }
  }

  /// Signs a byte string of at most 1000 bytes.
  ///
  /// - Throws: `valueTooBig`, `saltTooBig`.
  public init(signedBy secretKey: Ed25519.SecretKey, seq: Int64, bytes: [UInt8], salt: [UInt8] = []) throws(ItemError) {
    try self.init(signedBy: secretKey, seq: seq, value: ItemValue.encoding(byteString: bytes), salt: salt)
  }

  /// Joins the parts of an item that was signed elsewhere.
  ///
  /// - Throws: `saltTooBig`, `valueNotCanonical`, `valueTooBig`, `invalidSignature`.
  public init(
    key: Ed25519.PublicKey, seq: Int64, salt: [UInt8] = [], value: [UInt8], signature: Ed25519.Signature
  ) throws(ItemError) {
    try self.init(trusting: signature, key: key, seq: seq, salt: salt, value: value)
    let isValid = signature.withUnsafeBytes { signature in
      key.withUnsafeBytes { key in
        Self.isValid(
          signature: signature.bytes, key: key.bytes, seq: seq, salt: salt.span.bytes, value: value.span.bytes)
      }
    }
    guard isValid else { throw .invalidSignature }
  }

  /// Joins the parts of an item whose signature was checked before: it is not checked again.
  ///
  /// - Throws: `saltTooBig`, `valueNotCanonical`, `valueTooBig`.
  public init(
    trusting signature: Ed25519.Signature, key: Ed25519.PublicKey, seq: Int64, salt: [UInt8] = [], value: [UInt8]
  ) throws(ItemError) {
    guard salt.count <= ItemValue.maximumSaltByteCount else { throw .saltTooBig }
    try ItemValue.check(value.span.bytes)
    self.key = key
    self.seq = seq
    self.salt = salt
    self.value = value
    self.signature = signature
  }

  /// The bytes, if the value is a byte string (as in PKARR).
  public var bytes: [UInt8]? { ItemValue.byteString(in: value.span.bytes).map { Array(value[$0]) } }

  /// Whether this item takes the place of `other`, an item of the same key and salt: the higher seq, then the larger
  /// value compared as unsigned bytes, a prefix being smaller. No two different values are equally recent.
  public func isMoreRecent(than other: MutableItem) -> Bool {
    if seq != other.seq { return seq > other.seq }
    return ItemValue.precedes(other.value, value)
  }
}

// MARK: - Targets

extension MutableItem {
  /// Where the item is stored: SHA-1 of key and salt.
  public var target: NodeID { Self.target(of: key, salt: salt) }

  /// Where the items of a key and salt are stored. No salt and an empty salt are the same.
  public static func target(of key: Ed25519.PublicKey, salt: [UInt8] = []) -> NodeID {
    key.withUnsafeBytes { target(of: $0.bytes, salt: salt.span.bytes) }
  }

  /// Where the items of a key and salt are stored, from what a datagram holds.
  static func target(of key: RawSpan, salt: RawSpan) -> NodeID {
    if salt.isEmpty { return NodeID(SHA1.hash(key)) }
    return withUnsafeTemporaryAllocation(byteCount: key.byteCount + salt.byteCount, alignment: 8) { buffer in
      var writer = WireWriter(buffer)
      writer.write(key)
      writer.write(salt)
      return NodeID(SHA1.hash(writer.written))
    }
  }
}

// MARK: - What is signed

extension MutableItem {
  /// The bytes that are signed: `4:salt6:foobar3:seqi4e1:v12:Hello world!`, without the salt if it is empty.
  public var signable: [UInt8] {
    Self.withSignable(seq: seq, salt: salt.span.bytes, value: value.span.bytes) { [UInt8]($0) }
  }

  /// Appends the bytes that are signed.
  @inline(__always)
  static func writeSignable(seq: Int64, salt: RawSpan, value: RawSpan, to writer: inout WireWriter) {
    if !salt.isEmpty {
      writer.write("4:salt")
      writer.writeBencoded(salt)
    }
    writer.write("3:seq")
    writer.writeBencoded(seq)
    writer.write("1:v")
    writer.write(value)
  }

  /// Lends the bytes that are signed.
  static func withSignable<R>(
    seq: Int64, salt: RawSpan, value: RawSpan, _ body: (UnsafeRawBufferPointer) -> R
  ) -> R {
    // "4:salt", "64:", "3:seqi", 20 digits, "e1:v" and room to spare.
    withUnsafeTemporaryAllocation(byteCount: value.byteCount + salt.byteCount + 64, alignment: 8) { buffer in
      var writer = WireWriter(buffer)
      writeSignable(seq: seq, salt: salt, value: value, to: &writer)
      return body(writer.written)
    }
  }

  /// Whether `signature` is that of `key` for this value: the only costly step of a put. Nothing is copied to the heap,
  /// and a key that is no point simply has no valid signature.
  static func isValid(signature: RawSpan, key: RawSpan, seq: Int64, salt: RawSpan, value: RawSpan) -> Bool {
    withSignable(seq: seq, salt: salt, value: value) { message in
      Ed25519.isValid(signature: signature, message: message.bytes, publicKey: key)
    }
  }
}

// MARK: - What a reader checks

extension MutableItem {
  /// Checks what another node sent as an item of `owner` and `salt`: the key first, since anybody can sign with his own
  /// (pubky/mainline up to 7.0.0 takes an item signed by *any* key), the signature last, since it costs most.
  ///
  /// - Parameter key: the `k` that was sent.
  /// - Throws: `wrongTarget`, `valueNotCanonical`, `valueTooBig`, `invalidSignature`.
  public init(
    verifying value: RawSpan, seq: Int64, signature: RawSpan, key: RawSpan, of owner: Ed25519.PublicKey, salt: [UInt8]
  ) throws(ItemError) {
    let isOwner = key.withUnsafeBytes { key in owner.withUnsafeBytes { $0.elementsEqual(key) } }
    guard isOwner else { throw .wrongTarget }
    try ItemValue.check(value)
    guard salt.count <= ItemValue.maximumSaltByteCount else { throw .saltTooBig }
    guard let parsedSignature = Ed25519.Signature(signature),
      Self.isValid(signature: signature, key: key, seq: seq, salt: salt.span.bytes, value: value)
    else { throw .invalidSignature }
    self.key = owner
    self.seq = seq
    self.salt = salt
    self.value = [UInt8](value)
    self.signature = parsedSignature
  }

  /// Checks what another node sent as the item of `target` when the owner is not known: key and salt must hash to it.
  ///
  /// - Throws: `invalidKey`, `wrongTarget`, `valueNotCanonical`, `valueTooBig`, `invalidSignature`.
  public init(
    verifying value: RawSpan, seq: Int64, signature: RawSpan, key: RawSpan, salt: [UInt8], target: NodeID
  ) throws(ItemError) {
    guard Self.target(of: key, salt: salt.span.bytes) == target else { throw .wrongTarget }
    guard let owner = try? Ed25519.PublicKey(key) else { throw .invalidKey }
    try self.init(verifying: value, seq: seq, signature: signature, key: key, of: owner, salt: salt)
  }
}
