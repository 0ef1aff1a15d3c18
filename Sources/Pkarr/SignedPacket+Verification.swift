import Cryptography
import WireFormat

extension SignedPacket {
  /// Checks and copies the canonical form.
  ///
  /// Not checked, as everywhere in the network: the range of the timestamp, and whether names lie in the key's zone.
  ///
  /// - Throws: `SignedPacketError`, of several faults the first in this order: `.tooShort`, `.tooLarge`,
  ///   `.invalidPublicKey`, `.invalidSignature`, `.malformedMessage`.
  public init(_ bytes: RawSpan, lastSeen: Timestamp = .wallClock) throws(SignedPacketError) {
    try Self.checkLength(bytes.byteCount)
    let key = bytes.extracting(0..<32)
    let signable = Self.signableBytes(of: bytes)
    // A key that verifies is a point. Only if it does not must the key be told from the signature.
    guard
      let verified = Ed25519.PublicKey(key, verifying: bytes.extracting(32..<96), for: signable.span.bytes)
    else {
      _ = try Self.publicKey(key)
      throw .invalidSignature
    }
    try self.init(signed: [UInt8](bytes), by: PublicKey(verified), lastSeen: lastSeen)
  }

  /// Checks and copies the canonical form; see `init(_:lastSeen:)`.
  public init(_ bytes: [UInt8], lastSeen: Timestamp = .wallClock) throws(SignedPacketError) {
    try self.init(bytes.span.bytes, lastSeen: lastSeen)
  }

  /// Checks and copies a relay payload, which must be signed by `publicKey`.
  ///
  /// - Throws: `SignedPacketError`, in the order of `init(_:lastSeen:)`; lengths count the key's 32 bytes.
  public init(
    relayPayload: RawSpan, publicKey: PublicKey, lastSeen: Timestamp = .wallClock
  ) throws(SignedPacketError) {
    try Self.checkLength(32 + relayPayload.byteCount)
    let bytes = publicKey.bytes + [UInt8](relayPayload)
    let signable = Self.signableBytes(of: bytes.span.bytes)
    let isValid = publicKey.verificationKey.withUnsafeBytes {
      Ed25519.isValid(
        signature: relayPayload.extracting(0..<64), message: signable.span.bytes, publicKey: $0.bytes)
    }
    guard isValid else { throw .invalidSignature }
    try self.init(signed: bytes, by: publicKey, lastSeen: lastSeen)
  }

  /// Checks and copies a relay payload; see ``init(relayPayload:publicKey:lastSeen:)``.
  public init(
    relayPayload: [UInt8], publicKey: PublicKey, lastSeen: Timestamp = .wallClock
  ) throws(SignedPacketError) {
    try self.init(relayPayload: relayPayload.span.bytes, publicKey: publicKey, lastSeen: lastSeen)
  }

  /// Reads the form for storage. The signature is trusted; the DNS packet is checked.
  ///
  /// A ``lastSeen`` more than 60 seconds after `now` becomes 1970, so that the packet counts as expired.
  ///
  /// - Throws: `SignedPacketError`: `.tooShort`, `.tooLarge` (lengths without the 8 bytes in front),
  ///   `.invalidPublicKey`, `.malformedMessage`.
  public init(cachedForm: RawSpan, now: Timestamp = .wallClock) throws(SignedPacketError) {
    guard cachedForm.byteCount >= 8, let lastSeen = Timestamp(cachedForm.extracting(0..<8)) else {
      throw .tooShort(0)
    }
    let bytes = cachedForm.extracting(8..<cachedForm.byteCount)
    try Self.checkLength(bytes.byteCount)
    let publicKey = try Self.publicKey(bytes.extracting(0..<32))
    try Self.checkMessage(Self.parts(bytes).message)
    self.init(
      checked: [UInt8](bytes), publicKey: publicKey, lastSeen: lastSeen > now.adding(seconds: 60) ? .zero : lastSeen)
  }

  /// Reads the form for storage; see ``init(cachedForm:now:)``.
  public init(cachedForm: [UInt8], now: Timestamp = .wallClock) throws(SignedPacketError) {
    try self.init(cachedForm: cachedForm.span.bytes, now: now)
  }

  /// Reads the form for storage from where it cannot have changed since it was made of a packet: the key is not checked
  /// again either, which takes most of the time. Otherwise the same as ``init(cachedForm:now:)``.
  package init(trustedCachedForm form: RawSpan, now: Timestamp = .wallClock) throws(SignedPacketError) {
    guard form.byteCount >= 8, let lastSeen = Timestamp(form.extracting(0..<8)) else { throw .tooShort(0) }
    let bytes = form.extracting(8..<form.byteCount)
    try Self.checkLength(bytes.byteCount)
    guard let key = Ed25519.PublicKey(trusting: bytes.extracting(0..<32)) else {
      throw .invalidPublicKey(.invalidLength(0))
    }
    try Self.checkMessage(Self.parts(bytes).message)
    self.init(
      checked: [UInt8](bytes), publicKey: PublicKey(key),
      lastSeen: lastSeen > now.adding(seconds: 60) ? .zero : lastSeen)
  }

  /// Takes a canonical form whose signature was checked; the DNS packet is checked.
  init(signed bytes: [UInt8], by publicKey: PublicKey, lastSeen: Timestamp) throws(SignedPacketError) {
    try Self.checkMessage(Self.parts(bytes.span.bytes).message)
    self.init(checked: bytes, publicKey: publicKey, lastSeen: lastSeen)
  }

  static func checkLength(_ length: Int) throws(SignedPacketError) {
    guard length >= prefixLength else { throw .tooShort(length) }
    guard length <= maximumLength else { throw .tooLarge(length) }
  }

  static func publicKey(_ bytes: RawSpan) throws(SignedPacketError) -> PublicKey {
    do throws(PublicKeyError) {
      return try PublicKey(bytes)
    } catch {
      throw .invalidPublicKey(error)
    }
  }

  static func checkMessage(_ message: RawSpan) throws(SignedPacketError) {
    do throws(MessageError) {
      try MessageView.validate(message)
    } catch {
      throw .malformedMessage(error)
    }
  }

  /// What the signature of a canonical form that is long enough must be of.
  static func signableBytes(of bytes: RawSpan) -> [UInt8] {
    let (message, timestamp) = parts(bytes)
    return signableBytes(timestamp: timestamp, message: message)
  }

  /// The variable parts of a canonical form that is long enough.
  @_lifetime(copy bytes)
  private static func parts(_ bytes: RawSpan) -> (message: RawSpan, timestamp: Timestamp) {
    (bytes.extracting(prefixLength..<bytes.byteCount), Timestamp(bytes.extracting(96..<104)) ?? .zero)
  }
}

/// Why bytes are not a signed packet.
public enum SignedPacketError: Error, Hashable, Sendable {
  /// The canonical form would be this many bytes, fewer than 104.
  case tooShort(Int)
  /// The canonical form would be this many bytes, more than 1104.
  case tooLarge(Int)
  /// The first 32 bytes are no key.
  case invalidPublicKey(PublicKeyError)
  /// The key did not sign this timestamp and DNS packet.
  case invalidSignature
  /// The DNS packet is malformed, though signed.
  case malformedMessage(MessageError)
}

extension SignedPacketError: CustomStringConvertible {
  /// The error's stable name, as other PKARR implementations call it.
  public var name: String {
    switch self {
    case .tooShort: "InvalidSignedPacketBytesLength"
    case .tooLarge: "PacketTooLarge"
    case .invalidPublicKey: "PublicKeyError"
    case .invalidSignature: "SignatureError"
    case .malformedMessage: "DnsError"
    }
  }

  /// What is wrong, for a person.
  public var description: String {
    switch self {
    case .tooShort(let count):
      "a signed packet has at least \(SignedPacket.prefixLength) bytes; this has \(count)"
    case .tooLarge(let count):
      "a signed packet has at most \(SignedPacket.maximumLength) bytes, \(SignedPacket.maximumMessageLength) of them DNS "
        + "data; this has \(count), \(count - SignedPacket.prefixLength) of them DNS data"
    case .invalidPublicKey(let error): "\(error)"
    case .invalidSignature: "the signature does not fit the key, timestamp and DNS packet"
    case .malformedMessage(let error): "the DNS packet is malformed: \(error)"
    }
  }
}
